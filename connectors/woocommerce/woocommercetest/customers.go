package woocommercetest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// listCustomers knows no dates: it ignores every filter by time.
func (s *Server) listCustomers(c *call) *answer {
	role, email := cmp.Or(c.query.Get("role"), "customer"), strings.ToLower(c.query.Get("email"))
	var rows []*simulator.Customer
	for _, account := range s.shop.Customers() {
		if (role == "all" || account.Role == role) && (email == "" || strings.ToLower(account.Email) == email) {
			rows = append(rows, account)
		}
	}
	rows = included(c, rows, func(account *simulator.Customer) int64 { return account.ID })
	slices.SortFunc(rows, func(a, b *simulator.Customer) int {
		order := 0
		switch c.query.Get("orderby") {
		case "include":
			return 0
		case "id":
		case "registered_date":
			order = a.CreatedAt.Compare(b.CreatedAt)
		default:
			order = cmp.Compare(a.FirstName+" "+a.LastName, b.FirstName+" "+b.LastName)
		}
		if order == 0 {
			order = cmp.Compare(a.ID, b.ID)
		}
		if c.query.Get("order") == "desc" {
			return -order
		}
		return order
	})
	l := listing{orderby: []string{"id", "include", "name", "registered_date"}}
	return paged(s, c, l, rows, func(w *writer, account *simulator.Customer) { s.customer(w, account, c.f, false) })
}

func noUser() *answer { return failure(http.StatusNotFound, "wc_user_invalid_id", "Invalid user ID.") }

func (s *Server) getCustomer(c *call) *answer {
	account := s.shop.Customer(c.ids[0])
	if account == nil {
		return noUser()
	}
	return s.single(c, func(w *writer) { s.customer(w, account, c.f, true) })
}

func (s *Server) putCustomer(c *call) *answer {
	item, ok := object(c.body)
	if !ok && len(c.body) > 0 {
		return failure(http.StatusBadRequest, "rest_invalid_json", "Invalid JSON body passed.")
	}
	if raw, sent := item["meta_data"]; sent && !isList(raw) {
		return invalid("meta_data", "rest_invalid_type", "meta_data is not of type array.")
	}
	if refused := s.updateCustomer(c.ids[0], item); refused != nil {
		return refused
	}
	return s.getCustomer(c)
}

func (s *Server) postCustomer(c *call) *answer {
	item, ok := object(c.body)
	if !ok {
		return failure(http.StatusBadRequest, "rest_invalid_json", "Invalid JSON body passed.")
	}
	id, refused := s.createCustomer(item)
	if refused != nil {
		return refused
	}
	c.ids = []int64{id}
	a := s.getCustomer(c)
	a.status = http.StatusCreated
	return a
}

func (s *Server) deleteCustomer(c *call) *answer {
	account := s.shop.Customer(c.ids[0])
	switch {
	case account == nil:
		return noUser()
	case c.query.Get("force") != "true" && c.query.Get("force") != "1":
		return failure(http.StatusNotImplemented, "woocommerce_rest_trash_not_supported", "Customers do not support trashing.")
	}
	a := s.getCustomer(c)
	s.shop.DeleteCustomer(account.ID)
	return a
}

func (s *Server) createCustomer(item map[string]json.RawMessage) (int64, *answer) {
	var email string
	_ = json.Unmarshal(item["email"], &email) //nolint:errcheck // anything else is no address
	if !plausible(email) {
		return 0, failure(http.StatusBadRequest, "customer_invalid_email", "Invalid email address")
	}
	if s.accounts()[strings.ToLower(email)] != 0 {
		return 0, failure(http.StatusBadRequest, "registration-error-email-exists",
			"An account is already registered with "+email+". Please log in or use a different email address.")
	}
	id := s.shop.RegisterGuest(email, false)
	return id, s.updateCustomer(id, item)
}

func plausible(email string) bool {
	at := strings.IndexByte(email, '@')
	return at > 0 && strings.Contains(email[at:], ".") && !strings.ContainsAny(email, " \t")
}

// updateCustomer does what a PUT does: any, also an empty one, counts as a change; role is ignored.
func (s *Server) updateCustomer(id int64, item map[string]json.RawMessage) *answer {
	if s.shop.Customer(id) == nil {
		return noUser()
	}
	text := map[string]string{}
	for _, name := range []string{"email", "first_name", "last_name"} {
		var value string
		if raw, sent := item[name]; sent && json.Unmarshal(raw, &value) == nil {
			text[name] = value
		}
	}
	if email, sent := text["email"]; sent && !plausible(email) {
		return failure(http.StatusBadRequest, "woocommerce_rest_customer_invalid_email", "Email address is invalid.")
	}
	changes := s.metaChanges(item["meta_data"])
	s.shop.EditCustomer(id, func(account *simulator.Customer) {
		for name, value := range text {
			switch name {
			case "email":
				account.Email = strings.ToLower(value)
			case "first_name":
				account.FirstName = value
			case "last_name":
				account.LastName = value
			}
		}
		for _, m := range changes {
			if i := slices.IndexFunc(account.Meta, func(have simulator.Meta) bool { return m.given && have.ID == m.ID }); i >= 0 && m.Key == "" {
				m.Key = account.Meta[i].Key
			}
			if m.Key != "" {
				account.SetMeta(m.Meta)
			}
		}
	})
	return nil
}

// metaChange is one wish for a meta row; given says that it named a row by id.
type metaChange struct {
	simulator.Meta
	given bool
}

// metaChanges reads meta_data. Scalars are stored as text, and keys that begin with an underscore go unheard since 10.9.
func (s *Server) metaChanges(raw json.RawMessage) []metaChange {
	var rows []struct {
		ID    int64           `json:"id"`
		Key   string          `json:"key"`
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		return nil
	}
	var changes []metaChange
	for _, row := range rows {
		if s.since(10, 9) && strings.HasPrefix(row.Key, "_") {
			continue
		}
		m := metaChange{Meta: simulator.Meta{ID: row.ID, Key: row.Key, Value: stored(row.Value)}, given: row.ID != 0}
		if row.ID == 0 {
			m.ID = s.shop.NextMetaID()
		}
		changes = append(changes, m)
	}
	return changes
}

// stored is a value as the database gives it back: numbers and truths as text, lists and objects as they are.
func stored(raw json.RawMessage) json.RawMessage {
	text := strings.TrimSpace(string(raw))
	switch {
	case text == "" || text == "null":
		return json.RawMessage("null")
	case text == "true":
		return json.RawMessage(`"1"`)
	case text == "false":
		return json.RawMessage(`""`)
	case strings.ContainsAny(text[:1], `"[{`):
		return slices.Clone(raw)
	default:
		return json.RawMessage(`"` + text + `"`)
	}
}

func object(raw []byte) (map[string]json.RawMessage, bool) {
	var m map[string]json.RawMessage
	return m, json.Unmarshal(raw, &m) == nil && m != nil
}

func isList(raw json.RawMessage) bool {
	var list []json.RawMessage
	return json.Unmarshal(raw, &list) == nil && list != nil
}
