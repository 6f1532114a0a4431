package woocommercetest

import (
	"encoding/json"
	"net/http"
	"strconv"
)

const batchLimit = 100

// batchCustomers creates, updates and deletes up to a hundred accounts, in this order, with an answer for each. The
// items are not checked against a schema: since 10.9 a malformed one breaks the whole call after the items before it.
func (s *Server) batchCustomers(c *call) *answer {
	wish, ok := object(c.body)
	if !ok && len(c.body) > 0 && c.body[0] == '{' {
		return failure(http.StatusBadRequest, "rest_invalid_json", "Invalid JSON body passed.")
	}
	items, total := map[string][]json.RawMessage{}, 0
	for _, part := range batchParts {
		var list []json.RawMessage
		if json.Unmarshal(wish[part], &list) == nil {
			items[part] = list
			total += len(list)
		}
	}
	if total > batchLimit {
		return failure(http.StatusRequestEntityTooLarge, "woocommerce_rest_request_entity_too_large", "Unable to accept more than 100 items for this request.")
	}
	w := s.writer(c, 256+total*1200)
	w.open('{')
	for _, part := range batchParts {
		if len(items[part]) == 0 {
			continue
		}
		w.name(part)
		w.open('[')
		for _, raw := range items[part] {
			before := len(w.b)
			if broken := s.batchItem(w, part, raw); broken != nil {
				return broken
			}
			if len(c.f[part]) > 0 { // a dotted field hides the items, errors too
				w.b = w.b[:before]
			}
		}
		w.close(']')
	}
	w.close('}')
	if string(w.b) == "{}" {
		w.b = []byte("[]")
	}
	return s.reply(http.StatusOK, w.b)
}

var batchParts = []string{"create", "update", "delete"}

// batchItem handles one item; what it returns is the end of the whole call.
func (s *Server) batchItem(w *writer, part string, raw json.RawMessage) *answer {
	if part == "delete" {
		s.batchDelete(w, raw)
		return nil
	}
	item, ok := object(raw)
	if malformed(item, ok) {
		if s.since(10, 9) {
			return typeError()
		}
		delete(item, "meta_data")
	}
	if part == "create" {
		id, refused := s.createCustomer(item)
		s.batchAnswer(w, "0", id, refused)
		return nil
	}
	id, err := strconv.ParseInt(string(item["id"]), 10, 64)
	if err != nil {
		s.batchAnswer(w, "null", 0, failure(http.StatusBadRequest, "woocommerce_rest_invalid_id", "Invalid resource ID."))
		return nil
	}
	s.batchAnswer(w, string(item["id"]), id, s.updateCustomer(id, item))
	return nil
}

// malformed says whether PHP would stumble over the item.
func malformed(item map[string]json.RawMessage, ok bool) bool {
	if !ok {
		return true
	}
	raw, sent := item["meta_data"]
	if !sent {
		return false
	}
	var rows []json.RawMessage
	if json.Unmarshal(raw, &rows) != nil {
		return true
	}
	for _, row := range rows {
		if _, ok := object(row); !ok {
			return true
		}
	}
	return false
}

func (s *Server) batchDelete(w *writer, raw json.RawMessage) {
	id, err := strconv.ParseInt(string(raw), 10, 64)
	account := s.shop.Customer(id)
	if err != nil || account == nil {
		s.batchAnswer(w, string(raw), 0, noUser())
		return
	}
	s.customer(w, account, nil, true)
	s.shop.DeleteCustomer(id)
}

// batchAnswer writes the account, or the refusal under the id that was asked for.
func (s *Server) batchAnswer(w *writer, asked string, id int64, refused *answer) {
	if refused == nil {
		s.customer(w, s.shop.Customer(id), nil, true)
		return
	}
	w.open('{')
	w.plain(nil, "id", asked)
	w.plain(nil, "error", string(refused.body))
	w.close('}')
}

// typeError is the answer of a PHP that stumbled, to a client that takes JSON.
func typeError() *answer {
	return fatalJSON("Uncaught TypeError: Cannot access offset of type string on string in " +
		"/var/www/html/wp-content/plugins/woocommerce/includes/rest-api/Controllers/Version3/class-wc-rest-customers-controller.php:151")
}
