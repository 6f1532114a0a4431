package shopifytest

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

func (s *Server) customers() *connection {
	return &connection{
		typ: "Customer", search: s.customerSearch(), days: map[string]bool{"updated_at": true}, sort: customerSort, accept: customerAccept,
		items: func() []*object {
			var items []*object
			for _, c := range s.shop.Customers() {
				items = append(items, s.customer(c))
			}
			return items
		},
	}
}

func (s *Server) customerByID(_ *call, id int64) *object {
	if c := s.shop.Customer(id); c != nil {
		return s.customer(c)
	}
	return nil
}

// customerUpdated is when a customer was changed: by a tag or metafield too.
func customerUpdated(c *simulator.Customer) time.Time { return later(c.ModifiedAt, c.CreatedAt) }

func (s *Server) customer(c *simulator.Customer) *object {
	return &object{typ: "Customer", id: gid("Customer", c.ID), record: c, changed: customerUpdated(c), fill: func() map[string]resolver {
		fields := values(s.customerFacts(c))
		for name, f := range s.customerOrders(c) {
			fields[name] = f
		}
		fields["tags"] = value(tagsOfCustomer(c))
		fields["metafield"] = s.metafieldOf(gid("Customer", c.ID))
		fields["metafields"] = s.metafieldsOf(gid("Customer", c.ID))
		fields["mergeable"] = needs("read_customer_merge", "mergeable", value(simple("CustomerMergeable", map[string]any{
			"isMergeable": true, "errorFields": []any{}, "reason": nil, "mergeInProgress": nil,
		})))
		return fields
	}}
}

func (s *Server) customerFacts(c *simulator.Customer) map[string]any {
	facts := map[string]any{
		"legacyResourceId": strconv.FormatInt(c.ID, 10), "createdAt": c.CreatedAt, "updatedAt": customerUpdated(c), "firstName": nil, "lastName": nil,
		"displayName": "", "email": nil, "phone": nil, "defaultEmailAddress": nil, "defaultPhoneNumber": nil, "defaultAddress": nil,
		"locale": "en", "state": "DISABLED", "verifiedEmail": c.Email != "", "note": nil, "dataSaleOptOut": false, "taxExempt": false,
		"taxExemptions": []any{}, "productSubscriberStatus": "NEVER_SUBSCRIBED", "multipassIdentifier": nil, "addresses": []*object{},
		"lifetimeDuration": lifetime(s.shop.Now().Sub(c.CreatedAt)), "validEmailAddress": c.Email != "", "hasTimelineComment": false,
		"statistics": simple("CustomerStatistics", map[string]any{"predictedSpendTier": nil, "rfmGroup": nil}), "emailMarketingConsent": nil,
		"smsMarketingConsent": nil, "canDelete": s.kept.tally(c.ID).count == 0, "companyContactProfiles": []any{},
	}
	if s.kept.isMasked() {
		return facts
	}
	facts["firstName"], facts["lastName"] = orNull(c.FirstName), orNull(c.LastName)
	facts["displayName"] = together(c.FirstName, c.LastName)
	if c.FirstName == "" && c.LastName == "" {
		facts["displayName"] = c.Email
	}
	facts["email"], facts["phone"] = orNull(c.Email), orNull(c.Billing.Phone)
	facts["defaultEmailAddress"] = maybe(s.emailAddress(c))
	if address := addressOf(c.Billing, c.ID); address != nil {
		facts["defaultAddress"], facts["addresses"] = address, []*object{address}
	}
	if c.Billing.Phone != "" {
		facts["defaultPhoneNumber"] = s.phoneNumber(c)
	}
	return facts
}

func (s *Server) emailAddress(c *simulator.Customer) *object {
	if c.Email == "" {
		return nil
	}
	given := s.kept.consent(c)
	var at, level any
	if !given.at.IsZero() {
		at = given.at
	}
	if given.state == "SUBSCRIBED" {
		level = "SINGLE_OPT_IN"
	}
	return simple("CustomerEmailAddress", map[string]any{
		"emailAddress": c.Email, "marketingState": given.state, "marketingUpdatedAt": at, "marketingOptInLevel": level, "validFormat": true,
		"sourceLocation": nil, "openTrackingLevel": "UNKNOWN", "openTrackingUrl": "https://" + s.opts.Domain + "/open",
		"marketingUnsubscribeUrl": "https://" + s.opts.Domain + "/account/unsubscribe",
	})
}

func (s *Server) phoneNumber(c *simulator.Customer) *object {
	unknown := map[string]any{"state": "NEVER_SUBSCRIBED", "optInLevel": nil, "updatedAt": nil, "collectedFrom": nil, "sourceLocation": nil}
	return simple("CustomerPhoneNumber", map[string]any{
		"phoneNumber": c.Billing.Phone, "marketingState": "NOT_SUBSCRIBED", "marketingOptInLevel": nil, "marketingUpdatedAt": nil,
		"marketingCollectedFrom": nil, "sourceLocation": nil, "smsMarketingConsent": simple("CustomerSmsMarketingConsent", unknown),
		"whatsAppMarketingConsent": simple("CustomerWhatsAppMarketingConsent", unknown),
	})
}

// lifetime says how long somebody has been a customer.
func lifetime(d time.Duration) string {
	days := int(d.Hours() / 24)
	switch {
	case days < 1:
		return "less than a day"
	case days < 31:
		return strconv.Itoa(days) + " days"
	case days < 365:
		return "about " + strconv.Itoa(max(1, days/30)) + " months"
	default:
		return "about " + strconv.Itoa(days/365) + " years"
	}
}

// customerOrders is what a customer bought. Survivors of a merge go on saying what they said before it.
func (s *Server) customerOrders(c *simulator.Customer) map[string]resolver {
	t := s.kept.tally(c.ID)
	s.kept.mu.Lock()
	frozen, merged := s.kept.frozen[c.ID]
	s.kept.mu.Unlock()
	if merged {
		t = tally{count: frozen}
	}
	currency := s.shop.Options().Currency
	fields := map[string]resolver{
		"numberOfOrders": value(strconv.FormatInt(t.count, 10)),
		"amountSpent":    value(moneyV2(s.shop.Decimal(t.spent), currency)),
	}
	fields["lastOrder"] = needs("read_orders", "lastOrder", func(c *call, _ map[string]any) (any, error) {
		if t.last == nil || !s.visible(c, t.last) {
			return nil, nil
		}
		return s.order(t.last), nil
	})
	fields["orders"] = needs("read_orders", "orders", func(call *call, _ map[string]any) (any, error) { return s.orders(call, c.ID), nil })
	return fields
}

// updateCustomer is customerUpdate: what is named is overwritten, all tags too.
func (s *Server) updateCustomer(c *call, args map[string]any) (any, error) {
	input, _ := args["input"].(map[string]any) //nolint:errcheck // absent is empty
	id, err := idOf(input, "id", "Customer")
	if err != nil {
		return nil, err
	}
	fail := func(field, message string) (any, error) {
		return map[string]any{"customer": nil, "userErrors": userErrors("UserError", userError{field: []string{field}, message: message})}, nil
	}
	if s.shop.Customer(id) == nil {
		return fail("id", "Customer does not exist")
	}
	tags, ok := input["tags"].([]any)
	list := mergeTags(nil, tags)
	if complaint := tagComplaint(list); ok && complaint != "" {
		return fail("tags", complaint)
	}
	s.editCustomer(id, func(c *simulator.Customer) {
		for name, target := range map[string]*string{"firstName": &c.FirstName, "lastName": &c.LastName, "email": &c.Email} {
			if text, ok := input[name].(string); ok {
				*target = strings.TrimSpace(text)
			}
		}
		if ok {
			setTags(c, list)
		}
	})
	return map[string]any{"customer": maybe(s.customerByID(c, id)), "userErrors": userErrors("UserError")}, nil
}

// updateConsent is customerEmailMarketingConsentUpdate.
func (s *Server) updateConsent(c *call, args map[string]any) (any, error) {
	const typ = "CustomerEmailMarketingConsentUpdateUserError"
	input, _ := args["input"].(map[string]any) //nolint:errcheck // absent is empty
	id, err := idOf(input, "customerId", "Customer")
	if err != nil {
		return nil, err
	}
	given, _ := input["emailMarketingConsent"].(map[string]any) //nolint:errcheck // absent is empty
	state, _ := given["marketingState"].(string)                //nolint:errcheck // absent is empty
	if s.shop.Customer(id) == nil {
		return map[string]any{"customer": nil, "userErrors": userErrors(typ, userError{
			field: []string{"input", "customerId"}, message: "Customer not found", code: "INVALID",
		})}, nil
	}
	if !slices.Contains([]string{"SUBSCRIBED", "UNSUBSCRIBED", "PENDING"}, state) {
		return map[string]any{"customer": nil, "userErrors": userErrors(typ, userError{
			field: []string{"input", "emailMarketingConsent", "marketingState"}, message: "Cannot specify " + state + " as a marketing state input", code: "INVALID",
		})}, nil
	}
	s.SetConsent(id, state)
	return map[string]any{"customer": maybe(s.customerByID(c, id)), "userErrors": userErrors(typ)}, nil
}
