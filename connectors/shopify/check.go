package shopify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// visible is how far back an app without read_all_orders sees orders.
const visible = 60 * 24 * time.Hour

// survey is what a shop says of itself and of our app.
type survey struct {
	Shop struct {
		ID            string    `json:"id"`
		Name          string    `json:"name"`
		Myshopify     string    `json:"myshopifyDomain"`
		PrimaryDomain *struct { // null where a shop has none
			URL string `json:"url"`
		} `json:"primaryDomain"`
		Currency  string    `json:"currencyCode"`
		TimeZone  string    `json:"ianaTimezone"`
		CreatedAt time.Time `json:"createdAt"`
		Plan      *struct {
			Name string `json:"publicDisplayName"`
		} `json:"plan"`
	} `json:"shop"`
	App struct {
		Scopes []struct {
			Handle string `json:"handle"`
		} `json:"accessScopes"`
	} `json:"currentAppInstallation"`
	Versions []struct {
		Handle    string `json:"handle"`
		Supported bool   `json:"supported"`
	} `json:"publicApiVersions"`
}

func (a *api) survey(ctx context.Context) (survey, error) {
	var s survey
	if err := a.ask(ctx, "check", nil, &s); err != nil {
		return survey{}, err
	}
	if s.Shop.ID == "" {
		return survey{}, &connectors.Error{Kind: connectors.KindRetry, Op: "check", Err: errors.New("the shop does not name itself")}
	}
	return s, nil
}

// scopes returns what the app was granted; whoever may write may read.
func (s survey) scopes() map[string]bool {
	granted := map[string]bool{}
	for _, scope := range s.App.Scopes {
		granted[scope.Handle] = true
		if what, writes := strings.CutPrefix(scope.Handle, "write_"); writes {
			granted["read_"+what] = true
		}
	}
	return granted
}

// checkSource says what can be read of the shop, and what each missing permission costs.
func (a *api) checkSource(ctx context.Context) (connectors.Report, error) {
	s, report, err := a.checkShop(ctx)
	if err != nil {
		return report, err
	}
	granted := s.scopes()
	a.judgeReading(&report, granted)
	if !granted["write_customers"] {
		note(&report, connectors.Notice, "write customers", "the scope write_customers is missing: no tags and metafields can be pushed; reading works", a.grantRemedy("write_customers"))
	} else {
		note(&report, connectors.Fine, "write customers", "allowed", "")
	}
	if granted["read_orders"] {
		if err := a.checkWindow(ctx, &report, s); err != nil {
			return report, err
		}
	}
	if granted["read_customers"] {
		if err := a.checkMasking(ctx, &report); err != nil {
			return report, err
		}
	}
	return report, nil
}

// checkDestination says whether tags and metafields can be written.
func (a *api) checkDestination(ctx context.Context) (connectors.Report, error) {
	s, report, err := a.checkShop(ctx)
	if err != nil {
		return report, err
	}
	granted := s.scopes()
	for _, n := range []need{
		{"read_customers", "read customers", "what stands cannot be compared, so nothing can be pushed"},
		{"write_customers", "write customers", "no tags and metafields can be pushed; reading works"},
	} {
		a.judgeScope(&report, granted, n)
	}
	return report, nil
}

// checkShop finds out which shop answers, and in which version.
func (a *api) checkShop(ctx context.Context) (survey, connectors.Report, error) {
	var report connectors.Report
	s, err := a.survey(ctx)
	if err != nil {
		return s, report, err
	}
	answered := a.set.APIVersion
	if v := a.answered.Load(); v != nil {
		answered = *v
	}
	report.Shop = commerce.Shop{
		Identity: s.Shop.ID, Name: strings.TrimSpace(s.Shop.Name), URL: "https://" + s.Shop.Myshopify,
		Currency: s.Shop.Currency, TimeZone: s.Shop.TimeZone, Platform: "Shopify " + answered,
	}
	if s.Shop.PrimaryDomain != nil && s.Shop.PrimaryDomain.URL != "" {
		report.Shop.URL = s.Shop.PrimaryDomain.URL
	}
	a.judgeShop(&report, s)
	a.judgeVersion(&report, s, answered)
	return s, report, nil
}

func (a *api) judgeShop(report *connectors.Report, s survey) {
	if name := strings.ToLower(s.Shop.Myshopify); name != a.set.Shop {
		note(report, connectors.Problem, "shop", a.set.Shop+" leads to another shop, "+name, "set shop to "+name+" if that is the shop you mean")
	} else {
		note(report, connectors.Fine, "shop", name, "")
	}
	if s.Shop.Plan != nil && s.Shop.Plan.Name != "" {
		note(report, connectors.Fine, "plan", s.Shop.Plan.Name, "")
	}
	if s.Shop.Currency == "" {
		note(report, connectors.Problem, "currency", "the shop names no currency", "set it in the Shopify admin under Settings > General")
	} else {
		note(report, connectors.Fine, "currency", s.Shop.Currency, "")
	}
	if _, err := commerce.Location(s.Shop.TimeZone); err != nil || s.Shop.TimeZone == "" {
		note(report, connectors.Problem, "time zone", fmt.Sprintf("%q is unknown to this machine", s.Shop.TimeZone), "update this machine's time zone data")
		return
	}
	note(report, connectors.Fine, "time zone", s.Shop.TimeZone, "")
}

func (a *api) judgeVersion(report *connectors.Report, s survey, answered string) {
	asked := a.set.APIVersion
	if answered != asked {
		note(report, connectors.Notice, "API version", fmt.Sprintf("%s was asked for, but Shopify answers in %s", asked, answered),
			"set api_version to "+answered+", and update Perennial if it is older than that")
		return
	}
	for _, v := range s.Versions {
		if v.Handle == asked && !v.Supported {
			note(report, connectors.Notice, "API version", asked+" is not among those that Shopify supports", "set api_version to a supported one")
			return
		}
	}
	note(report, connectors.Fine, "API version", asked, "")
}

// need is a scope, what it is for, and what its lack costs.
type need struct{ scope, subject, cost string }

func (a *api) judgeReading(report *connectors.Report, granted map[string]bool) {
	for _, n := range []need{
		{"read_orders", "read orders", "no order can be read, so there is nothing to work with"},
		{"read_customers", "read customers", "customers, their consent and tags cannot be read, and orders stay without a person"},
		{"read_products", "read products", "products cannot be read, so there are no categories, brands and unit costs"},
	} {
		a.judgeScope(report, granted, n)
	}
}

func (a *api) judgeScope(report *connectors.Report, granted map[string]bool, n need) {
	if granted[n.scope] {
		note(report, connectors.Fine, n.subject, "allowed", "")
		return
	}
	note(report, connectors.Problem, n.subject, "the scope "+n.scope+" is missing: "+n.cost, a.grantRemedy(n.scope))
}

func (a *api) grantRemedy(scope string) string { return "grant the app the scope " + scope + a.grant() }

// checkWindow finds out whether orders older than 60 days are hidden from the app. The scope decides where it is listed;
// apps made in the admin have it without its being listed, so there an old order that can be seen is the proof.
func (a *api) checkWindow(ctx context.Context, report *connectors.Report, s survey) error {
	const subject = "all orders"
	if s.scopes()["read_all_orders"] {
		note(report, connectors.Fine, subject, "allowed", "")
		return nil
	}
	start := a.now().Add(-visible)
	if s.Shop.CreatedAt.After(start) {
		note(report, connectors.Notice, subject, "the scope read_all_orders is missing; the shop is younger than the 60 days that can be seen without it", a.grantRemedy("read_all_orders"))
		return nil
	}
	oldest, err := a.oldestOrder(ctx)
	switch {
	case connectors.KindOf(err) == connectors.KindCredentials:
		note(report, connectors.Problem, "read orders", "the app may not read orders", connectors.Remedy(err))
		return nil
	case err != nil:
		return err
	case !oldest.IsZero() && oldest.Before(start.Add(-24*time.Hour)):
		note(report, connectors.Fine, subject, "orders of every age can be seen", "")
		return nil
	}
	report.Since = start
	note(report, connectors.Notice, subject,
		"the scope read_all_orders is missing and no order older than 60 days can be seen: figures about a customer's whole life are incomplete",
		a.grantRemedy("read_all_orders")+"; the next sync then reads the older ones")
	return nil
}

// oldestOrder returns when the oldest order that we may see was made; zero where there is none.
func (a *api) oldestOrder(ctx context.Context) (time.Time, error) {
	var data struct {
		Orders struct {
			Nodes []struct {
				CreatedAt time.Time `json:"createdAt"`
			} `json:"nodes"`
		} `json:"orders"`
	}
	if err := a.ask(ctx, "orders_oldest", map[string]any{"first": 1}, &data); err != nil || len(data.Orders.Nodes) == 0 {
		return time.Time{}, err
	}
	return data.Orders.Nodes[0].CreatedAt, nil
}

const (
	looked = 50 // customers that are looked at for masking
	few    = 5  // customers of whom nothing follows
)

// checkMasking looks at the newest customers: an app that is not allowed to see protected data gets no error, but
// customers without names and addresses.
func (a *api) checkMasking(ctx context.Context, report *connectors.Report) error {
	const subject = "customer data"
	var data struct {
		Customers struct {
			Nodes []struct {
				FirstName string `json:"firstName"`
				LastName  string `json:"lastName"`
				Email     *struct {
					Address string `json:"emailAddress"`
				} `json:"defaultEmailAddress"`
			} `json:"nodes"`
		} `json:"customers"`
	}
	err := a.ask(ctx, "customers_seen", map[string]any{"first": looked}, &data)
	if connectors.KindOf(err) == connectors.KindCredentials {
		note(report, connectors.Problem, subject, "the app may not see customers", connectors.Remedy(err))
		return nil
	}
	if err != nil {
		return err
	}
	seen, names, emails := len(data.Customers.Nodes), 0, 0
	for _, c := range data.Customers.Nodes {
		if c.FirstName != "" || c.LastName != "" {
			names++
		}
		if c.Email != nil && c.Email.Address != "" {
			emails++
		}
	}
	level := connectors.Problem
	if seen < few {
		level = connectors.Notice
	}
	switch {
	case seen == 0:
	case emails == 0 && names == 0:
		note(report, level, subject, fmt.Sprintf("names and e-mail addresses of all %d customers looked at are hidden: guests cannot be told apart, and nobody can be matched with the e-mail platform", seen), protectedData)
	case emails == 0:
		note(report, level, subject, fmt.Sprintf("the e-mail addresses of all %d customers looked at are hidden: guests cannot be told apart, and nobody can be matched with the e-mail platform", seen), protectedData)
	case names == 0 && seen >= few:
		note(report, connectors.Notice, subject, fmt.Sprintf("the names of all %d customers looked at are hidden", seen), protectedData)
	default:
		note(report, connectors.Fine, subject, "names and e-mail addresses can be seen", "")
	}
	return nil
}

func note(r *connectors.Report, level connectors.Level, subject, text, remedy string) {
	r.Findings = append(r.Findings, connectors.Finding{Level: level, Subject: subject, Text: text, Remedy: remedy})
}
