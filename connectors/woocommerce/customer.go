package woocommerce

import (
	"errors"
	"net/url"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

const customerFields = "id,email,first_name,last_name,role,date_created_gmt,date_modified_gmt,billing,meta_data"

type wcCustomer struct {
	ID        ident             `json:"id"`
	Email     text              `json:"email"`
	FirstName text              `json:"first_name"`
	LastName  text              `json:"last_name"`
	Role      role              `json:"role"`
	Created   moment            `json:"date_created_gmt"`
	Modified  moment            `json:"date_modified_gmt"`
	Billing   object[wcAddress] `json:"billing"`
	Meta      metas             `json:"meta_data"`
}

// role is the word for what an account may do. Plugins that allow several give a list, of which the first is the main one.
type role text

// UnmarshalJSON takes a word, or a list of words.
func (r *role) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '[' && b[0] != '{' {
		return (*text)(r).UnmarshalJSON(b)
	}
	var words list[text]
	if err := words.UnmarshalJSON(b); err != nil {
		return err
	}
	*r = ""
	if len(words) > 0 {
		*r = role(words[0])
	}
	return nil
}

// customerLeg walks all accounts: the default would leave out buyers who have another role than customer.
func customerLeg() leg {
	return leg{op: "customers page", path: "customers", query: url.Values{"role": {"all"}, "_fields": {customerFields}}}
}

func (s *source) readCustomer(raw []byte, page *connectors.Page) error {
	w, err := decode[wcCustomer](raw)
	if err != nil {
		return err
	}
	if w.ID == 0 {
		return errors.New("field id is missing")
	}
	page.Records.Customers = append(page.Records.Customers, s.customer(w))
	return nil
}

// customer turns an account over. Our own tags are left out of it, or every push would look like a change of the shop.
func (s *source) customer(w wcCustomer) commerce.Customer {
	b := w.Billing.V
	return commerce.Customer{
		ID: w.ID.String(), Email: commerce.Email(string(w.Email)), Role: text(w.Role).trim(),
		FirstName: text(first(w.FirstName, b.FirstName)).name(), LastName: text(first(w.LastName, b.LastName)).name(),
		Country: strings.ToUpper(b.Country.trim()), Region: b.State.name(), City: b.City.name(), Postcode: b.Postcode.trim(),
		CreatedAt: w.Created.at, ModifiedAt: w.Modified.at, Consent: s.consent(w.Meta),
	}
}

func first(candidates ...text) string {
	for _, c := range candidates {
		if c.trim() != "" {
			return c.trim()
		}
	}
	return ""
}
