package shopify

import (
	"slices"
	"strings"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

type customerNode struct {
	ID        string   `json:"id"`
	CreatedAt string   `json:"createdAt"`
	UpdatedAt string   `json:"updatedAt"`
	FirstName string   `json:"firstName"`
	LastName  string   `json:"lastName"`
	Tags      []string `json:"tags"`
	Email     struct {
		Address string `json:"emailAddress"`
		State   string `json:"marketingState"`
		At      string `json:"marketingUpdatedAt"`
	} `json:"defaultEmailAddress"`
	Address address `json:"defaultAddress"`
}

// customer reads an account. Tags of ours are left out: writing them must not look like a change of the account.
func (s *source) customer(raw []byte) (commerce.Customer, error) {
	var n customerNode
	if err := decode(raw, &n); err != nil {
		return commerce.Customer{}, &unreadable{cause: err}
	}
	v := &values{}
	c := commerce.Customer{
		ID: tail(n.ID), Email: commerce.Email(n.Email.Address), Role: "customer",
		FirstName: strings.TrimSpace(n.FirstName), LastName: strings.TrimSpace(n.LastName),
		Country: n.Address.Country, Region: n.Address.Region,
		City: strings.TrimSpace(n.Address.City), Postcode: strings.TrimSpace(n.Address.Postcode),
		CreatedAt: v.moment("createdAt", n.CreatedAt), ModifiedAt: v.moment("updatedAt", n.UpdatedAt),
	}
	c.Consent = commerce.Consent{State: consentState(n.Email.State)}
	if c.Consent.State != commerce.ConsentUnknown {
		c.Consent.At = v.moment("marketingUpdatedAt", n.Email.At)
	}
	for _, tag := range n.Tags {
		if tag != "" && !s.ours(tag) {
			c.Tags = append(c.Tags, tag)
		}
	}
	slices.Sort(c.Tags)
	switch {
	case c.ID == "":
		return c, &unreadable{cause: missing("id")}
	case v.err != nil:
		return c, &unreadable{id: c.ID, cause: v.err}
	}
	return c, nil
}

// ours reports whether a tag is one that we write. Shopify takes tags that differ in case for the same.
func (s *source) ours(tag string) bool {
	mark := s.prefix + ":"
	return len(tag) >= len(mark) && strings.EqualFold(tag[:len(mark)], mark)
}

// consentState is never a yes but where the shop says so.
func consentState(state string) commerce.ConsentState {
	switch state {
	case "SUBSCRIBED":
		return commerce.ConsentSubscribed
	case "UNSUBSCRIBED", "INVALID":
		return commerce.ConsentUnsubscribed
	default:
		return commerce.ConsentUnknown
	}
}
