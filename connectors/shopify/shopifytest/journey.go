package shopifytest

import (
	"strings"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// journey is how the buyer came to an order. There is none for orders that were typed in by the shop.
func (r *orderRecord) journey() *object {
	if r.sourceName() != "web" {
		return nil
	}
	a := r.order.Attribution
	fields := map[string]any{"ready": true, "customerOrderIndex": nil, "daysToConversion": nil, "firstVisit": nil, "lastVisit": nil, "momentsCount": nil}
	if a != (commerce.Attribution{}) {
		visit := r.visit(a)
		fields["firstVisit"], fields["lastVisit"], fields["daysToConversion"] = visit, visit, int64(0)
		fields["momentsCount"] = count(1)
	}
	return simple("CustomerJourneySummary", fields)
}

// visit is the one visit that led to the order.
func (r *orderRecord) visit(a commerce.Attribution) *object {
	var utm, tactic, referrer any
	source := a.Source
	switch a.SourceType {
	case "utm":
		utm = simple("UTMParameters", map[string]any{
			"source": orNull(a.Source), "medium": orNull(a.Medium), "campaign": orNull(a.Campaign), "content": orNull(a.Content), "term": orNull(a.Term),
		})
		tactic = "AD"
		if a.Medium == "email" {
			tactic = "NEWSLETTER"
		}
	case "organic":
		tactic, referrer = "SEO", "https://www."+a.Source+".com/"
	case "typein":
		source = "direct"
	}
	if a.Referrer != "" {
		referrer = a.Referrer
	}
	return &object{typ: "CustomerVisit", id: gid("CustomerVisit", r.order.ID), plain: map[string]any{
		"occurredAt": r.order.PlacedAt, "landingPage": "https://" + r.server.opts.Domain + "/", "referrerUrl": referrer, "referralCode": nil,
		"source": strings.TrimSpace(source), "sourceType": tactic, "sourceDescription": nil, "utmParameters": utm, "marketingEvent": nil,
		"referralInfoHtml": "", "landingPageHtml": nil,
	}}
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
