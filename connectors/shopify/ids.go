package shopify

import "strings"

// gidRoot begins every global id of Shopify, such as "gid://shopify/Order/123".
const gidRoot = "gid://shopify/"

// variantMark begins the ids of variants among products, because both are plain numbers that may be alike.
const variantMark = "variant-"

// tail returns what identifies a record within its kind: "123" of "gid://shopify/Order/123?shop=1". What is no global
// id is returned as it is.
func tail(gid string) string {
	id := gid[strings.LastIndexByte(gid, '/')+1:]
	id, _, _ = strings.Cut(id, "?")
	return id
}

// gid returns the global id of a record, such as gid("Order", "123").
func gid(kind, id string) string { return gidRoot + kind + "/" + id }

// variantID returns the id of a variant among products.
func variantID(gid string) string {
	if gid == "" {
		return ""
	}
	return variantMark + tail(gid)
}
