package shopifytest

import (
	"hash/crc32"
	"time"
)

// shopID is the number of the fake shop of the default name; shops of other names have others.
const shopID = 66_000_001

// id is the number of this shop.
func (s *Server) id() int64 {
	if s.opts.Domain == DefaultDomain {
		return shopID
	}
	return shopID + 10*(1+int64(crc32.ChecksumIEEE([]byte(s.opts.Domain))))
}

func (s *Server) shopObject() *object {
	number := s.id()
	o := s.shop.Options()
	now := s.shop.Now().In(s.shop.Location())
	_, offset := now.Zone()
	return &object{typ: "Shop", id: gid("Shop", number), fill: func() map[string]resolver {
		fields := values(map[string]any{
			"name": o.Name, "email": "owner@alderfinch.example", "contactEmail": "hello@alderfinch.example", "myshopifyDomain": s.opts.Domain,
			"currencyCode": o.Currency, "enabledPresentmentCurrencies": []string{o.Currency}, "ianaTimezone": s.shop.Location().String(),
			"timezoneOffset": now.Format("-0700"), "timezoneOffsetMinutes": int64(offset / 60), "timezoneAbbreviation": now.Format("MST"),
			"taxesIncluded": s.opts.TaxesIncluded, "taxShipping": false, "createdAt": o.Start, "updatedAt": o.Start, "url": "https://" + s.opts.Domain,
			"orderNumberFormatPrefix": "#", "orderNumberFormatSuffix": "", "description": nil, "shopOwnerName": "Alder Finch", "setupRequired": false,
			"unitSystem": "METRIC_SYSTEM", "weightUnit": "KILOGRAMS", "checkoutApiSupported": true,
			"primaryDomain": &object{typ: "Domain", id: gid("Domain", number+1), plain: map[string]any{
				"host": s.opts.Domain, "url": "https://" + s.opts.Domain, "sslEnabled": true,
			}},
			"plan": simple("ShopPlan", map[string]any{
				"publicDisplayName": "Basic", "displayName": "Basic", "partnerDevelopment": false, "shopifyPlus": false,
			}),
			"shopAddress": &object{typ: "ShopAddress", id: gid("ShopAddress", number+2), plain: map[string]any{
				"countryCodeV2": "US", "country": "United States", "city": "New York", "zip": "10001", "provinceCode": "NY",
			}},
		})
		fields["metafield"], fields["metafields"] = s.metafieldOf(gid("Shop", number)), s.metafieldsOf(gid("Shop", number))
		return fields
	}}
}

// installation is the app in this shop and what it may do.
func (s *Server) installation() *object {
	scopes := func() []*object {
		list := []*object{}
		for _, scope := range s.granted() {
			list = append(list, simple("AccessScope", map[string]any{"handle": scope, "description": "The app may " + scope + "."}))
		}
		return list
	}
	return &object{typ: "AppInstallation", id: gid("AppInstallation", s.id()+3), plain: map[string]any{
		"accessScopes": scopes(), "launchUrl": "https://" + s.opts.Domain + "/admin/apps/perennial", "uninstallUrl": nil,
		"app": &object{typ: "App", id: gid("App", s.id()+4), fields: values(map[string]any{
			"title": "Perennial", "handle": "perennial", "requestedAccessScopes": scopes(), "availableAccessScopes": scopes(), "apiKey": s.opts.ClientID,
			"embedded": false, "published": false, "shopifyDeveloped": false, "developerName": "Alder & Finch", "webhookApiVersion": s.opts.Version,
		})},
	}}
}

// apiVersions are those that the shop knows: names like "2026-07", of which a version holds for a year.
func (s *Server) apiVersions() []*object {
	list := []*object{}
	for _, handle := range s.opts.Versions {
		at, err := time.Parse("2006-01", handle)
		name := handle
		if err == nil && at.After(s.shop.Now()) {
			name += " (Release candidate)"
		}
		list = append(list, simple("ApiVersion", map[string]any{"handle": handle, "displayName": name, "supported": err == nil && !at.After(s.shop.Now())}))
	}
	return append(list, simple("ApiVersion", map[string]any{"handle": "unstable", "displayName": "unstable", "supported": false}))
}
