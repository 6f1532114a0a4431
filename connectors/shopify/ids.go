package shopify

import "strings"

// gidRoot begins every global id of Shopify, such as "gid://shopify/Order/123".
const gidRoot = "gid://shopify/"

// tail returns what identifies a record within its kind: "123" of "gid://shopify/Order/123?shop=1". What is no global
// id is returned as it is.
func tail(gid string) string {
	id := gid[strings.LastIndexByte(gid, '/')+1:]
	id, _, _ = strings.Cut(id, "?")
	return id
}

// gid returns the global id of a record, such as gid("Order", "123").
func gid(kind, id string) string { return gidRoot + kind + "/" + id }
