package shopifytest

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// Keys of the simulator's meta in which the shop keeps what it has no place for.
const (
	tagsMeta       = "shopify:tags"
	metafieldsMeta = "shopify:metafields"
)

const (
	mostTags   = 250
	longestTag = 255
)

func meta(c *simulator.Customer, key string) json.RawMessage {
	for _, m := range c.Meta {
		if m.Key == key {
			return m.Value
		}
	}
	return nil
}

// tagsOfCustomer are its tags, sorted without regard to case.
func tagsOfCustomer(c *simulator.Customer) []string {
	tags := []string{}
	if raw := meta(c, tagsMeta); raw != nil {
		_ = json.Unmarshal(raw, &tags) //nolint:errcheck // we wrote it
	}
	return tags
}

// setTags writes the tags of a customer; call it while the customer is edited.
func setTags(c *simulator.Customer, tags []string) {
	raw, err := json.Marshal(tags)
	if err != nil {
		panic("shopifytest: tags: " + err.Error())
	}
	c.SetMeta(simulator.Meta{Key: tagsMeta, Value: raw})
}

// editCustomer changes a customer, who counts as updated now.
func (s *Server) editCustomer(id int64, f func(*simulator.Customer)) bool {
	return s.shop.EditCustomer(id, f)
}

// splitTags takes tags apart at commas, inside of list elements too, and trims them.
func splitTags(given []any) []string {
	var tags []string
	for _, g := range given {
		text, _ := g.(string) //nolint:errcheck // the schema takes texts only
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				tags = append(tags, part)
			}
		}
	}
	return tags
}

// mergeTags adds tags; one that is there in another case stays as it is.
func mergeTags(tags []string, given []any) []string {
	tags = slices.Clone(tags)
	there := map[string]bool{}
	for _, t := range tags {
		there[strings.ToLower(t)] = true
	}
	for _, t := range splitTags(given) {
		if !there[strings.ToLower(t)] {
			there[strings.ToLower(t)] = true
			tags = append(tags, t)
		}
	}
	return sortTags(tags)
}

func dropTags(tags []string, given []any) []string {
	gone := splitTags(given)
	return slices.DeleteFunc(slices.Clone(tags), func(t string) bool {
		return slices.ContainsFunc(gone, func(g string) bool { return strings.EqualFold(g, t) })
	})
}

// dropExactly takes tags off an order, which unlike other things minds their case.
func dropExactly(tags []string, given []any) []string {
	gone := splitTags(given)
	return slices.DeleteFunc(slices.Clone(tags), func(t string) bool { return slices.Contains(gone, t) })
}

// spell gives tags the letters in which customers of the shop have had them first: the shop knows a tag once.
func (k *kept) spell(given []any) []any {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.spelled == nil {
		k.spelled = map[string]string{}
		for _, c := range k.server.shop.Customers() {
			k.learn(tagsOfCustomer(c))
		}
	}
	spelled := []any{}
	for _, tag := range splitTags(given) {
		if known, ok := k.spelled[strings.ToLower(tag)]; ok {
			tag = known
		}
		spelled = append(spelled, tag)
	}
	return spelled
}

// learn remembers the letters of tags; call it with the lock held.
func (k *kept) learn(tags []string) {
	for _, tag := range tags {
		if _, ok := k.spelled[strings.ToLower(tag)]; !ok && k.spelled != nil {
			k.spelled[strings.ToLower(tag)] = tag
		}
	}
}

func sortTags(tags []string) []string {
	slices.SortStableFunc(tags, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	if tags == nil {
		tags = []string{}
	}
	return tags
}

// tagComplaint is what the shop says to tags that it does not take, "" where it takes them.
func tagComplaint(tags []string) string {
	if len(tags) > mostTags {
		return "Tags cannot be more than 250"
	}
	if slices.ContainsFunc(tags, func(t string) bool { return utf8.RuneCountInString(t) > longestTag }) {
		return "Tags is too long (maximum is 255 characters)"
	}
	return ""
}

// changeTags is tagsAdd or tagsRemove.
func (s *Server) changeTags(add bool) resolver {
	return func(c *call, args map[string]any) (any, error) {
		text, _ := args["id"].(string) //nolint:errcheck // absent is no id
		typ, _, err := parseGid(text)
		if err != nil {
			return nil, err
		}
		scope := map[string]string{"Customer": "write_customers", "Order": "write_orders", "Product": "write_products"}[typ]
		if scope == "" {
			return nil, &failure{message: "invalid id", code: "RESOURCE_NOT_FOUND"}
		}
		if !c.has(scope) {
			field := "tagsRemove"
			if add {
				field = "tagsAdd"
			}
			return nil, denied(field, "`"+scope+"` access scope")
		}
		node, err := s.node(c, text)
		if err != nil {
			return nil, err
		}
		if node == nil {
			return tagAnswer(nil, "id", typ+" does not exist"), nil
		}
		given, change := listOf(args["tags"]), dropTags
		switch {
		case add && typ == "Customer":
			given, change = s.kept.spell(given), mergeTags
		case add:
			change = mergeTags
		case typ == "Order":
			change = dropExactly
		}
		if complaint := s.writeTags(text, func(tags []string) []string { return change(tags, given) }); complaint != "" {
			return tagAnswer(nil, "tags", complaint), nil
		}
		node, err = s.node(c, text)
		return tagAnswer(node, "", ""), err
	}
}

func tagAnswer(node *object, field, message string) map[string]any {
	if message == "" {
		return map[string]any{"node": maybe(node), "userErrors": userErrors("UserError")}
	}
	return map[string]any{"node": nil, "userErrors": userErrors("UserError", userError{field: []string{field}, message: message})}
}

// listOf reads a list argument, for which one value may stand.
func listOf(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	if v == nil {
		return nil
	}
	return []any{v}
}

// writeTags changes the tags of anything and returns the shop's complaint, "" where it took them.
func (s *Server) writeTags(id string, change func([]string) []string) (complaint string) {
	if strings.HasPrefix(id, "gid://shopify/Customer/") {
		c := s.shop.Customer(number(id))
		if c == nil {
			return "Customer does not exist"
		}
		if same := change(tagsOfCustomer(c)); slices.Equal(same, tagsOfCustomer(c)) {
			return ""
		}
		s.editCustomer(c.ID, func(c *simulator.Customer) {
			had := tagsOfCustomer(c)
			tags := change(had)
			if complaint = tagComplaint(tags); complaint == "" {
				setTags(c, tags)
			}
		})
		s.kept.mu.Lock()
		defer s.kept.mu.Unlock()
		s.kept.learn(s.Tags(c.ID))
		return complaint
	}
	k := s.kept
	k.mu.Lock()
	defer k.mu.Unlock()
	tags := change(k.tags[id])
	if complaint = tagComplaint(tags); complaint == "" {
		k.tags[id] = tags
	}
	return complaint
}
