package woocommercetest

import (
	"crypto/sha256"
	"encoding/hex"
	"html"
	"strconv"
	"strings"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// customer writes one account.
func (s *Server) customer(w *writer, c *simulator.Customer, f fields, single bool) {
	w.open('{')
	w.integer(f, "id", c.ID)
	w.moment(f, "date_created", c.CreatedAt)
	w.moment(f, "date_modified", c.ModifiedAt)
	w.text(f, "email", c.Email)
	w.text(f, "first_name", c.FirstName)
	w.text(f, "last_name", c.LastName)
	w.text(f, "role", c.Role)
	w.text(f, "username", c.Username)
	if w.key(f, "billing") {
		email := c.Email
		if c.Billing.Country == "" {
			email = ""
		}
		w.address(c.Billing, f["billing"], &email, accountOrder)
	}
	if w.key(f, "shipping") {
		w.address(simulator.Address{}, f["shipping"], nil, accountOrder)
	}
	w.flag(f, "is_paying_customer", c.Paying)
	w.text(f, "avatar_url", avatar(c.Email, "96"))
	if w.list(f, "meta_data") {
		s.customerMeta(w, c)
	}
	if _, wanted := f["_links"]; single || f == nil || wanted {
		allow := allowAll
		if c.ID == 1 {
			allow = "GET, POST, PUT, PATCH" // nobody deletes the owner of the key
		}
		w.links(s.api("/customers/"+strconv.FormatInt(c.ID, 10)), s.api("/customers"), allow)
	}
	w.close('}')
}

// customerMeta writes the account's own values; old versions show internal ones too.
func (s *Server) customerMeta(w *writer, c *simulator.Customer) {
	w.open('[')
	if !s.since(10, 9) && c.Paying {
		w.meta(c.ID+900000, "wc_last_active", `"`+strconv.FormatInt(c.CreatedAt.Unix(), 10)+`"`)
	}
	for _, m := range c.Meta {
		if s.since(10, 9) && strings.HasPrefix(m.Key, "_") {
			continue
		}
		w.meta(m.ID, m.Key, string(m.Value))
	}
	w.close(']')
}

func (w *writer) meta(id int64, key, value string) {
	w.open('{')
	w.integer(nil, "id", id)
	w.text(nil, "key", key)
	w.plain(nil, "value", value)
	w.close('}')
}

func avatar(email, size string) string {
	return "https://secure.gravatar.com/avatar/" + hashed(email) + "?s=" + size + "&d=mm&r=g"
}

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// review writes one review; its text is HTML.
func (s *Server) review(w *writer, v *simulator.Review, f fields, single bool) {
	product := s.shop.Product(v.ProductID)
	title, page := "", s.home()+"/"
	if product != nil {
		title, page = product.Name, s.permalink(product)
	}
	w.open('{')
	w.integer(f, "id", v.ID)
	w.moment(f, "date_created", v.CreatedAt)
	w.integer(f, "product_id", v.ProductID)
	w.text(f, "product_name", title)
	w.text(f, "product_permalink", page)
	w.text(f, "status", v.Status)
	w.text(f, "reviewer", v.Reviewer)
	w.text(f, "reviewer_email", v.Email)
	w.text(f, "review", "<p>"+html.EscapeString(v.Body)+"</p>\n")
	w.integer(f, "rating", int64(v.Rating))
	w.flag(f, "verified", v.Verified)
	if w.key(f, "reviewer_avatar_urls") {
		w.open('{')
		for _, size := range []string{"24", "48", "96"} {
			w.text(nil, size, avatar(v.Email, size))
		}
		w.close('}')
	}
	if _, wanted := f["_links"]; single || f == nil || wanted {
		s.reviewLinks(w, v)
	}
	w.close('}')
}

func (s *Server) reviewLinks(w *writer, v *simulator.Review) {
	more := []link{{"up", s.api("/products/" + strconv.FormatInt(v.ProductID, 10)), false}}
	if id := s.accounts()[strings.ToLower(v.Email)]; id != 0 {
		more = append(more, link{"reviewer", s.home() + "/wp-json/wp/v2/users/" + strconv.FormatInt(id, 10), true})
	}
	w.links(s.api("/products/reviews/"+strconv.FormatInt(v.ID, 10)), s.api("/products/reviews"), allowAll, more...)
}
