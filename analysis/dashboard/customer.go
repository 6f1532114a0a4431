package dashboard

import (
	"cmp"
	"net/http"
	"strconv"

	"github.com/perennial-cvo/perennial/analysis/report"
)

// customer is what the page of one person shows.
type customer struct {
	report.Explanation
	Name     string
	Segment  *report.Stand
	Places   []delivery
	Timeline timeline
}

// delivery is what stands for the person at one destination, or why nothing does.
type delivery struct {
	report.PersonDelivery
	Where string
	Names []string // of the audiences
}

// customer shows one person: who they are, where they stand and why, what is expected of them and what happened.
func (s *Server) customer(r *http.Request, v *view) (any, error) {
	id, err := strconv.ParseInt(r.PathValue("person"), 10, 64)
	if err != nil || id <= 0 {
		return nil, errNobody
	}
	e, ok, err := report.CollectPersonByID(r.Context(), v.facts, id, v.Report)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errNobody
	}
	c := &customer{Explanation: e, Name: nameOf(e.Person), Timeline: timelineOf(e, v.Zone())}
	if s, ok := e.Segment(); ok {
		c.Segment = &s
	}
	for _, d := range e.Person.Deliveries {
		place := delivery{PersonDelivery: d, Where: where(d.Destination)}
		for _, key := range d.Audiences {
			place.Names = append(place.Names, e.Audience(key))
		}
		c.Places = append(c.Places, place)
	}
	v.Title, v.Tab = c.Name, "people"
	for i := range v.Pages {
		v.Pages[i].Here = v.Pages[i].Address == v.Link.Page(v.Tab)
	}
	return c, nil
}

// nameOf is what a page calls a person.
func nameOf(p report.Person) string {
	account := ""
	if p.CustomerID != "" {
		account = "Customer " + p.CustomerID
	}
	return cmp.Or(p.Name, p.Email, account, "Somebody whose data were erased")
}

// where names a destination for people.
func where(destination string) string {
	if destination == "shop" {
		return "Tags in the shop"
	}
	return destination
}

// Consent is what is known of the person's consent, in words.
func (c *customer) Consent() string {
	switch c.Person.Consent {
	case "subscribed":
		return "subscribed: agreed to mail"
	case "unsubscribed":
		return "unsubscribed: must not be mailed"
	case "":
		return "not known"
	default:
		return c.Person.Consent
	}
}
