package shopifytest

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// definition says what a metafield of a kind of owner holds. With one, a customer's metafield can be filtered by.
type definition struct {
	id                     int64
	owner, namespace, key  string
	name, description, typ string
	filterable             bool
	created                time.Time
}

var nameCharacters = regexp.MustCompile(`^[A-Za-z0-9_-]*$`)

// ownerNames are owners as messages name them.
var ownerNames = map[string]string{
	"CUSTOMER": "Customer", "ORDER": "Order", "PRODUCT": "Product", "PRODUCTVARIANT": "ProductVariant", "COLLECTION": "Collection", "SHOP": "Shop",
}

// filterableTypes are those that segments can be made of.
var filterableTypes = []string{
	"boolean", "date", "date_time", "number_decimal", "number_integer", "single_line_text_field", "list.single_line_text_field", "id", "rating",
}

// definition finds one, nil where there is none.
func (s *Server) definition(owner, namespace, key string) *definition {
	s.kept.mu.Lock()
	defer s.kept.mu.Unlock()
	for _, d := range s.kept.definitions {
		if d.owner == owner && d.namespace == namespace && d.key == key {
			return &d
		}
	}
	return nil
}

func (s *Server) definitionOf(owner, namespace, key string) *object {
	if d := s.definition(owner, namespace, key); d != nil {
		return d.object()
	}
	return nil
}

func (s *Server) definitionByID(id int64) *object {
	for _, d := range s.allDefinitions() {
		if d.id == id {
			return d.object()
		}
	}
	return nil
}

func (s *Server) allDefinitions() []definition {
	s.kept.mu.Lock()
	defer s.kept.mu.Unlock()
	return slices.Clone(s.kept.definitions)
}

func (d definition) object() *object {
	status := "NOT_FILTERABLE"
	if d.filterable {
		status = "FILTERABLE"
	}
	eligible := slices.Contains(filterableTypes, d.typ)
	off := func(typ string) *object { return simple(typ, map[string]any{"enabled": false, "eligible": false}) }
	return &object{typ: "MetafieldDefinition", id: gid("MetafieldDefinition", d.id), record: d, changed: d.created, plain: map[string]any{
		"namespace": d.namespace, "key": d.key, "name": d.name, "description": orNull(d.description), "ownerType": d.owner,
		"type":             simple("MetafieldDefinitionType", map[string]any{"name": d.typ, "category": categoryOf(d.typ), "supportsDefinitionMigrations": true}),
		"validations":      []any{},
		"validationStatus": "ALL_VALID", "pinnedPosition": nil, "standardTemplate": nil, "useAsCollectionCondition": false, "constraints": nil,
		"capabilities": simple("MetafieldCapabilities", map[string]any{
			"adminFilterable":          simple("MetafieldCapabilityAdminFilterable", map[string]any{"enabled": d.filterable, "eligible": eligible, "status": status}),
			"uniqueValues":             off("MetafieldCapabilityUniqueValues"),
			"smartCollectionCondition": off("MetafieldCapabilitySmartCollectionCondition"),
		}),
		"access": simple("MetafieldAccess", map[string]any{"admin": "PUBLIC_READ_WRITE", "storefront": "NONE", "customerAccount": "NONE"}),
	}}
}

func categoryOf(typ string) string {
	switch {
	case strings.Contains(typ, "text"):
		return "TEXT"
	case strings.Contains(typ, "number"), typ == "rating":
		return "NUMBER"
	case strings.Contains(typ, "date"):
		return "DATE_TIME"
	case typ == "boolean":
		return "TRUE_FALSE"
	default:
		return strings.ToUpper(typ)
	}
}

// definitions lists those of one kind of owner.
func (s *Server) definitions(_ *call, args map[string]any) (any, error) {
	return &connection{typ: "MetafieldDefinition", search: definitionSearch, items: func() []*object {
		var items []*object
		for _, d := range s.allDefinitions() {
			if d.owner != args["ownerType"] {
				continue
			}
			if namespace, ok := args["namespace"].(string); ok && namespace != d.namespace {
				continue
			}
			if key, ok := args["key"].(string); ok && key != d.key {
				continue
			}
			items = append(items, d.object())
		}
		return items
	}}, nil
}

// createDefinition is metafieldDefinitionCreate.
func (s *Server) createDefinition(c *call, args map[string]any) (any, error) {
	in, _ := args["definition"].(map[string]any) //nolint:errcheck // the schema takes an object only
	text := func(name string) string {
		v, _ := in[name].(string) //nolint:errcheck // absent is empty
		return v
	}
	d := definition{
		owner: text("ownerType"), namespace: namespaceOf(in), key: text("key"), name: text("name"), description: text("description"), typ: text("type"),
		created: s.shop.Now(),
	}
	if d.owner == "CUSTOMER" && !c.has("write_customers") {
		return nil, denied("metafieldDefinitionCreate", "`write_customers` access scope")
	}
	d.filterable = wantsFilter(in)
	if complaints := s.judgeDefinition(d); len(complaints) > 0 {
		return definitionAnswer(nil, complaints...), nil
	}
	s.kept.mu.Lock()
	d.id = s.kept.next()
	s.kept.definitions = append(s.kept.definitions, d)
	s.kept.mu.Unlock()
	return definitionAnswer(d.object()), nil
}

// wantsFilter reads capabilities.adminFilterable.enabled.
func wantsFilter(in map[string]any) bool {
	capabilities, _ := in["capabilities"].(map[string]any)        //nolint:errcheck // absent is nothing
	filter, _ := capabilities["adminFilterable"].(map[string]any) //nolint:errcheck // absent is nothing
	enabled, _ := filter["enabled"].(bool)                        //nolint:errcheck // absent is false
	return enabled
}

// mostFilterable definitions of one kind of owner can be filtered by in the admin.
const mostFilterable = 50

func (s *Server) judgeDefinition(d definition) []fieldComplaint {
	var complaints []fieldComplaint
	wrong := func(code, message string, path ...string) {
		complaints = append(complaints, fieldComplaint{path: append([]string{"definition"}, path...), code: code, message: message})
	}
	for _, l := range lengths(d.namespace, d.key) {
		wrong(l.code, l.message, l.path[0])
	}
	if !nameCharacters.MatchString(d.namespace) {
		wrong("INVALID_CHARACTER", "Namespace contains one or more invalid characters.", "namespace")
	}
	if !nameCharacters.MatchString(d.key) {
		wrong("INVALID_CHARACTER", "Key contains one or more invalid characters.", "key")
	}
	if utf8.RuneCountInString(d.name) > 255 {
		wrong("TOO_LONG", "Name is too long (maximum is 255 characters)", "name")
	}
	if !slices.Contains(metafieldTypes, d.typ) {
		wrong("INCLUSION", "Type name "+d.typ+" is not a valid type. Valid types are: "+strings.Join(metafieldTypes, ", ")+".", "type")
	}
	if s.definition(d.owner, d.namespace, d.key) != nil {
		wrong("TAKEN", "Key is in use for "+ownerNames[d.owner]+" metafields on the '"+d.namespace+"' namespace.", "key")
	}
	filterable := 0
	for _, other := range s.allDefinitions() {
		if other.owner == d.owner && other.filterable {
			filterable++
		}
	}
	if d.filterable && filterable >= mostFilterable {
		wrong("OWNER_TYPE_LIMIT_EXCEEDED_FOR_USE_AS_ADMIN_FILTERS", "You've reached the maximum of 50 definitions that can be used as admin filters.")
	}
	return complaints
}

func definitionAnswer(created *object, complaints ...fieldComplaint) map[string]any {
	var errs []userError
	for _, complaint := range complaints {
		errs = append(errs, userError{field: complaint.path, message: complaint.message, code: complaint.code})
	}
	return map[string]any{"createdDefinition": maybe(created), "userErrors": userErrors("MetafieldDefinitionCreateUserError", errs...)}
}

// deleteDefinition is metafieldDefinitionDelete, by id or identifier; with its metafields where that is asked for.
func (s *Server) deleteDefinition(c *call, args map[string]any) (any, error) {
	const typ = "MetafieldDefinitionDeleteUserError"
	if !c.has("write_customers") {
		return nil, denied("metafieldDefinitionDelete", "`write_customers` access scope")
	}
	d := s.definitionNamed(args)
	if d == nil {
		return map[string]any{"deletedDefinitionId": nil, "deletedDefinition": nil, "userErrors": userErrors(typ, userError{
			field: []string{"id"}, message: "Definition not found.", code: "NOT_FOUND",
		})}, nil
	}
	s.kept.mu.Lock()
	s.kept.definitions = slices.DeleteFunc(s.kept.definitions, func(have definition) bool { return have.id == d.id })
	s.kept.mu.Unlock()
	if all, _ := args["deleteAllAssociatedMetafields"].(bool); all && d.owner == "CUSTOMER" { //nolint:errcheck // absent is false
		there := func(m metafield) bool { return m.Namespace == d.namespace && m.Key == d.key }
		for _, customer := range s.shop.Customers() {
			if slices.ContainsFunc(fieldsOfCustomer(customer), there) {
				s.changeFields(gid("Customer", customer.ID), func(fields []metafield) []metafield { return slices.DeleteFunc(fields, there) })
			}
		}
	}
	return map[string]any{
		"deletedDefinitionId": gid("MetafieldDefinition", d.id), "userErrors": userErrors(typ),
		"deletedDefinition": simple("MetafieldDefinitionIdentifier", map[string]any{"namespace": d.namespace, "key": d.key, "ownerType": d.owner}),
	}, nil
}

// definitionNamed finds the definition of an id or an identifier.
func (s *Server) definitionNamed(args map[string]any) *definition {
	if id, ok := args["id"].(string); ok {
		for _, d := range s.allDefinitions() {
			if d.id == number(id) {
				return &d
			}
		}
		return nil
	}
	in, _ := args["identifier"].(map[string]any) //nolint:errcheck // absent is empty
	owner, _ := in["ownerType"].(string)         //nolint:errcheck // absent is empty
	key, _ := in["key"].(string)                 //nolint:errcheck // absent is empty
	return s.definition(owner, namespaceOf(in), key)
}
