package shopifytest

import (
	"time"
)

// happening is something the shop tells of afterwards.
type happening struct {
	id      int64
	at      time.Time
	kind    string // "ORDER", "CUSTOMER", "PRODUCT"
	subject string // global id
	action  string
}

var subjectTypes = map[string]string{"ORDER": "Order", "CUSTOMER": "Customer", "PRODUCT": "Product"}

// alive lists what is there now.
func (k *kept) alive() map[string]map[int64]bool {
	shop := k.server.shop
	there := map[string]map[int64]bool{"ORDER": {}, "CUSTOMER": {}, "PRODUCT": {}}
	for _, o := range shop.Orders() {
		if shown(o) {
			there["ORDER"][o.ID] = true
		}
	}
	for _, c := range shop.Customers() {
		there["CUSTOMER"][c.ID] = true
	}
	for _, p := range shop.Products() {
		if p.ParentID == 0 {
			there["PRODUCT"][p.ID] = true
		}
	}
	return there
}

// remember notes what has gone since it was last asked, and when: orders in the trash say it, of others it is now.
func (k *kept) remember() []happening {
	k.mu.Lock()
	defer k.mu.Unlock()
	there, now := k.alive(), k.server.shop.Now()
	for kind, before := range k.living {
		for id := range before {
			if there[kind][id] || kind == "CUSTOMER" && k.quiet[id] {
				continue
			}
			at := now
			if o := k.server.shop.Order(id); kind == "ORDER" && o != nil && !o.TrashedAt.IsZero() {
				at = o.TrashedAt
			}
			k.history = append(k.history, happening{id: k.next(), at: at, kind: kind, subject: gid(subjectTypes[kind], id), action: "destroy"})
		}
	}
	k.living = there
	return append([]happening(nil), k.history...)
}

// events are kept for a year.
func (s *Server) events() *connection {
	return &connection{
		typ: "Event", search: eventSearch, sort: eventSort, accept: eventAccept,
		items: func() []*object {
			var items []*object
			for _, h := range s.kept.remember() {
				if h.at.After(s.shop.Now().AddDate(-1, 0, 0)) {
					items = append(items, s.event(h))
				}
			}
			return items
		},
	}
}

func (s *Server) event(h happening) *object {
	return &object{typ: "BasicEvent", id: gid("BasicEvent", h.id), record: h, changed: h.at, plain: map[string]any{
		"action": h.action, "createdAt": h.at, "message": "Somebody deleted something.", "subjectId": h.subject, "subjectType": h.kind,
		"appTitle": nil, "attributeToApp": false, "attributeToUser": true, "criticalAlert": false, "author": nil, "subject": nil,
		"hasAdditionalContent": false, "arguments": []any{}, "additionalContent": nil, "additionalData": nil, "secondaryMessage": nil,
	}}
}
