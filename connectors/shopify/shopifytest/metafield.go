package shopifytest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// metafield is one named value of anything. Those of customers are stored as they stand here.
type metafield struct {
	ID                          int64
	Namespace, Key, Type, Value string
	CreatedAt, UpdatedAt        time.Time
}

// digest is what a writer may hold a value against.
func (m metafield) digest() string {
	sum := sha256.Sum256([]byte(m.Type + "\x00" + m.Value))
	return hex.EncodeToString(sum[:])
}

const mostMetafields = 25 // of one call

// ownerTypes are the words of the schema for what has metafields here.
var ownerTypes = map[string]string{
	"Customer": "CUSTOMER", "Order": "ORDER", "Product": "PRODUCT", "ProductVariant": "PRODUCTVARIANT", "Collection": "COLLECTION", "Shop": "SHOP",
}

// fieldsOf lists the metafields of an owner.
func (s *Server) fieldsOf(owner string) []metafield {
	typ, _, _ := parseGid(owner) //nolint:errcheck // no id has none
	if typ == "Customer" {
		if c := s.shop.Customer(number(owner)); c != nil {
			return fieldsOfCustomer(c)
		}
		return nil
	}
	s.kept.mu.Lock()
	fields := slices.Clone(s.kept.fields[owner])
	s.kept.mu.Unlock()
	if typ == "Product" {
		fields = append(fields, s.ratingFields(number(owner))...)
	}
	return fields
}

func fieldsOfCustomer(c *simulator.Customer) []metafield {
	var fields []metafield
	if raw := meta(c, metafieldsMeta); raw != nil {
		_ = json.Unmarshal(raw, &fields) //nolint:errcheck // we wrote it
	}
	return fields
}

// metafieldOf answers one metafield; a namespace that is left out is the app's own.
func (s *Server) metafieldOf(owner string) resolver {
	return func(_ *call, args map[string]any) (any, error) {
		key, _ := args["key"].(string) //nolint:errcheck // absent is empty
		namespace := namespaceOf(args)
		for _, m := range s.fieldsOf(owner) {
			if m.Namespace == namespace && m.Key == key {
				return s.metafield(owner, m), nil
			}
		}
		return nil, nil
	}
}

// appNamespace is where the fields of the app are that name no namespace.
const appNamespace = "app--580222"

func namespaceOf(args map[string]any) string {
	namespace, _ := args["namespace"].(string) //nolint:errcheck // absent is empty
	if namespace == "" || namespace == "$app" {
		return appNamespace
	}
	if rest, ok := strings.CutPrefix(namespace, "$app:"); ok {
		return appNamespace + "--" + rest
	}
	return namespace
}

func (s *Server) metafieldsOf(owner string) resolver {
	return func(_ *call, args map[string]any) (any, error) {
		return &connection{typ: "Metafield", items: func() []*object {
			var items []*object
			for _, m := range s.fieldsOf(owner) {
				if namespace, ok := args["namespace"].(string); !ok || namespace == m.Namespace {
					items = append(items, s.metafield(owner, m))
				}
			}
			return items
		}}, nil
	}
}

func (s *Server) metafield(owner string, m metafield) *object {
	typ, _, _ := parseGid(owner) //nolint:errcheck // owners have ids
	return &object{typ: "Metafield", id: gid("Metafield", m.ID), record: m, changed: m.UpdatedAt, fill: func() map[string]resolver {
		fields := values(map[string]any{
			"namespace": m.Namespace, "key": m.Key, "type": m.Type, "value": m.Value, "compareDigest": m.digest(), "createdAt": m.CreatedAt,
			"updatedAt": m.UpdatedAt, "ownerType": ownerTypes[typ], "legacyResourceId": strconv.FormatInt(m.ID, 10), "sizeInBytes": int64(len(m.Value)),
			"description": nil, "jsonValue": jsonOf(m), "reference": nil,
		})
		fields["owner"] = func(c *call, _ map[string]any) (any, error) {
			o, err := s.node(c, owner)
			return maybe(o), err
		}
		fields["definition"] = func(*call, map[string]any) (any, error) {
			return maybe(s.definitionOf(ownerTypes[typ], m.Namespace, m.Key)), nil
		}
		return fields
	}}
}

// jsonOf is the value as JSON: numbers, booleans and objects as such, texts as texts.
func jsonOf(m metafield) any {
	if strings.Contains(m.Type, "text") || m.Type == "date" || m.Type == "date_time" || m.Type == "number_decimal" {
		return m.Value
	}
	var v any
	if json.Unmarshal([]byte(m.Value), &v) != nil {
		return m.Value
	}
	return v
}

// fieldInput is one element of metafieldsSet.
type fieldInput struct {
	owner, namespace, key, typ, value string
	digest                            *string
	compared                          bool
}

func readField(v any) fieldInput {
	in, _ := v.(map[string]any) //nolint:errcheck // the schema takes objects only
	text := func(name string) string {
		s, _ := in[name].(string) //nolint:errcheck // absent is empty
		return s
	}
	f := fieldInput{owner: text("ownerId"), namespace: namespaceOf(in), key: text("key"), typ: text("type"), value: text("value")}
	if given, ok := in["compareDigest"]; ok {
		f.compared = true
		if digest, ok := given.(string); ok {
			f.digest = &digest
		}
	}
	return f
}

// setMetafields is metafieldsSet: all or nothing.
func (s *Server) setMetafields(c *call, args map[string]any) (any, error) {
	inputs := listOf(args["metafields"])
	if len(inputs) > mostMetafields {
		return metafieldAnswer([]*object{}, fieldComplaint{path: []string{"metafields"}, code: "LESS_THAN_OR_EQUAL_TO", message: fmt.Sprintf("Exceeded the maximum metafields input limit of %d.", mostMetafields)}), nil
	}
	if !c.has("write_customers") {
		return nil, denied("metafieldsSet", "`write_customers` access scope")
	}
	var complaints []fieldComplaint
	fields := make([]fieldInput, len(inputs))
	for i, input := range inputs {
		fields[i] = readField(input)
		complaints = append(complaints, s.judgeField(&fields[i], strconv.Itoa(i))...)
	}
	if len(complaints) > 0 {
		return metafieldAnswer([]*object{}, complaints...), nil
	}
	written := []*object{}
	for _, f := range fields {
		written = append(written, s.metafield(f.owner, s.writeField(f)))
	}
	return metafieldAnswer(written), nil
}

// fieldComplaint is one thing that is wrong with what a call would write.
type fieldComplaint struct {
	path          []string
	code, message string
	element       any // of a list; nil where it is not about one
}

func metafieldAnswer(written []*object, complaints ...fieldComplaint) map[string]any {
	errs := []any{}
	for _, complaint := range complaints {
		path := make([]any, len(complaint.path))
		for i, part := range complaint.path {
			path[i] = part
		}
		errs = append(errs, simple("MetafieldsSetUserError", map[string]any{
			"field": path, "message": complaint.message, "code": orNull(complaint.code), "elementIndex": complaint.element,
		}))
	}
	return map[string]any{"metafields": written, "userErrors": errs}
}

// reserved are namespaces that nobody else writes to.
var reserved = []string{"shopify_standard", "protected", "shopify-l10n-fields"}

// judgeField says what is wrong with one field, and gives it the type of its definition.
func (s *Server) judgeField(f *fieldInput, place string) []fieldComplaint {
	var complaints []fieldComplaint
	wrong := func(field, code, message string) {
		complaints = append(complaints, fieldComplaint{path: []string{"metafields", place, field}, code: code, message: message})
	}
	for _, l := range lengths(f.namespace, f.key) {
		wrong(l.path[0], l.code, l.message)
	}
	if slices.Contains(reserved, f.namespace) {
		wrong("namespace", "", "Namespace "+f.namespace+" is a reserved namespace")
	}
	owner, _, err := parseGid(f.owner)
	if err != nil || ownerTypes[owner] == "" || !s.exists(f.owner) {
		wrong("ownerId", "INVALID", "Owner does not exist.")
		return complaints
	}
	if d := s.definition(ownerTypes[owner], f.namespace, f.key); d != nil {
		if f.typ != "" && f.typ != d.typ {
			wrong("type", "INVALID_TYPE", "Type must be "+d.typ+".") // a definition rules
			return complaints
		}
		f.typ = d.typ
	}
	switch {
	case f.typ == "":
		wrong("type", "BLANK", "Type can't be blank")
	case !slices.Contains(metafieldTypes, f.typ):
		wrong("type", "INCLUSION", "Type must be one of the following: "+strings.Join(metafieldTypes, ", ")+".")
	default:
		if complaint, element := complain(f.typ, f.value); complaint != "" {
			wrong("value", "INVALID_VALUE", complaint)
			if element != wholeValue {
				complaints[len(complaints)-1].element = int64(element)
			}
		}
	}
	if f.compared && !s.matchesDigest(f) {
		wrong("compareDigest", "STALE_OBJECT", "The resource has been updated since it was loaded. Try again with an updated `compareDigest` value.")
	}
	return complaints
}

// lengths says what is wrong with the length of a namespace and key.
func lengths(namespace, key string) []fieldComplaint {
	var complaints []fieldComplaint
	for _, l := range []struct {
		field, name, text string
		least, most       int
	}{{"namespace", "Namespace", namespace, 3, 255}, {"key", "Key", key, 2, 64}} {
		switch {
		case len(l.text) < l.least:
			complaints = append(complaints, fieldComplaint{path: []string{l.field}, code: "TOO_SHORT", message: fmt.Sprintf("%s is too short (minimum is %d characters)", l.name, l.least)})
		case len(l.text) > l.most:
			complaints = append(complaints, fieldComplaint{path: []string{l.field}, code: "TOO_LONG", message: fmt.Sprintf("%s is too long (maximum is %d characters)", l.name, l.most)})
		}
	}
	return complaints
}

func (s *Server) matchesDigest(f *fieldInput) bool {
	for _, m := range s.fieldsOf(f.owner) {
		if m.Namespace == f.namespace && m.Key == f.key {
			return f.digest != nil && *f.digest == m.digest()
		}
	}
	return f.digest == nil
}

// exists reports whether an owner is there.
func (s *Server) exists(owner string) bool {
	typ, _, _ := parseGid(owner) //nolint:errcheck // no id is nowhere
	switch id := number(owner); typ {
	case "Customer":
		return s.shop.Customer(id) != nil
	case "Order":
		return shown(s.shop.Order(id))
	case "Product", "ProductVariant":
		return s.shop.Product(id) != nil
	default:
		return typ == "Shop" || typ == "Collection"
	}
}

// writeField stores a field and returns it as it stands.
func (s *Server) writeField(f fieldInput) metafield {
	now := s.shop.Now()
	s.kept.mu.Lock()
	id := s.kept.next()
	s.kept.mu.Unlock()
	var stands metafield
	put := func(fields []metafield) []metafield {
		i := slices.IndexFunc(fields, func(m metafield) bool { return m.Namespace == f.namespace && m.Key == f.key })
		if i < 0 {
			fields = append(fields, metafield{ID: id, Namespace: f.namespace, Key: f.key, CreatedAt: now})
			i = len(fields) - 1
		}
		if fields[i].Type != f.typ || fields[i].Value != f.value {
			fields[i].Type, fields[i].Value, fields[i].UpdatedAt = f.typ, f.value, now
		}
		stands = fields[i]
		return fields
	}
	s.changeFields(f.owner, put)
	return stands
}

// changeFields changes the metafields of an owner.
func (s *Server) changeFields(owner string, change func([]metafield) []metafield) {
	if strings.HasPrefix(owner, "gid://shopify/Customer/") {
		s.editCustomer(number(owner), func(c *simulator.Customer) {
			raw, err := json.Marshal(change(fieldsOfCustomer(c)))
			if err != nil {
				panic("shopifytest: metafields: " + err.Error())
			}
			c.SetMeta(simulator.Meta{Key: metafieldsMeta, Value: raw})
		})
		return
	}
	s.kept.mu.Lock()
	defer s.kept.mu.Unlock()
	s.kept.fields[owner] = change(slices.Clone(s.kept.fields[owner]))
}

// deleteMetafields is metafieldsDelete: what is not there is answered with null.
func (s *Server) deleteMetafields(c *call, args map[string]any) (any, error) {
	if !c.has("write_customers") {
		return nil, denied("metafieldsDelete", "`write_customers` access scope")
	}
	deleted := []any{}
	for _, input := range listOf(args["metafields"]) {
		f := readField(input)
		if _, _, err := parseGid(f.owner); err != nil {
			return nil, err
		}
		there := func(m metafield) bool { return m.Namespace == f.namespace && m.Key == f.key }
		if !slices.ContainsFunc(s.fieldsOf(f.owner), there) {
			deleted = append(deleted, nil)
			continue
		}
		s.changeFields(f.owner, func(fields []metafield) []metafield { return slices.DeleteFunc(fields, there) })
		deleted = append(deleted, simple("MetafieldIdentifier", map[string]any{"ownerId": f.owner, "namespace": f.namespace, "key": f.key}))
	}
	return map[string]any{"deletedMetafields": deleted, "userErrors": userErrors("UserError")}, nil
}
