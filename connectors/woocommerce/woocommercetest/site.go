package woocommercetest

import (
	_ "embed" // recorded pages
	"encoding/json"
	"html"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

//go:embed testdata/recorded/wp_json_index.json
var recordedSiteIndex []byte

//go:embed testdata/recorded/wc_v3_index.json
var recordedNamespaceIndex []byte

//go:embed testdata/recorded/system_status.json
var recordedStatus []byte

const recordedHome = "https://127.0.0.1:8443"

// siteIndex answers /wp-json/, which needs no key.
func (s *Server) siteIndex(c *call) *answer {
	opts, now := s.shop.Options(), s.shop.Now()
	_, offset := now.In(s.shop.Location()).Zone()
	zone := opts.TimeZone
	if zone[0] == '+' || zone[0] == '-' {
		zone = ""
	}
	return s.rest(s.recorded(c, recordedSiteIndex, map[string]any{
		"name": html.EscapeString(opts.Name), "url": s.home(), "home": s.home(), "gmt_offset": float64(offset) / 3600, "timezone_string": zone,
	}).strangers().allow("GET"))
}

func (s *Server) namespaceIndex(c *call) *answer { return s.recorded(c, recordedNamespaceIndex, nil) }

// recorded answers with a recorded record, our own address in it, some fields replaced and others left out.
func (s *Server) recorded(c *call, recording []byte, replace map[string]any) *answer {
	var whole map[string]any
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(recording), recordedHome, s.home())), &whole); err != nil {
		panic("woocommercetest: recording: " + err.Error())
	}
	maps.Copy(whole, replace)
	body, err := json.Marshal(thinned(whole, c.f))
	if err != nil {
		panic("woocommercetest: recording: " + err.Error())
	}
	return s.reply(http.StatusOK, body)
}

func thinned(whole map[string]any, f fields) map[string]any {
	if len(f) == 0 {
		return whole
	}
	left := map[string]any{}
	for name, below := range f {
		value, ok := whole[name]
		if !ok {
			continue
		}
		if inner, nested := value.(map[string]any); nested {
			value = thinned(inner, below)
		} else if len(below) > 0 {
			continue // lists have no named parts
		}
		left[name] = value
	}
	return left
}

func (s *Server) systemStatus(c *call) *answer {
	var whole map[string]map[string]any
	var all map[string]any
	if err := json.Unmarshal(recordedStatus, &all); err != nil {
		panic("woocommercetest: recording: " + err.Error())
	}
	whole = map[string]map[string]any{"environment": all["environment"].(map[string]any), "settings": all["settings"].(map[string]any)}
	environment, settings := whole["environment"], whole["settings"]
	environment["home_url"], environment["site_url"], environment["version"] = s.home(), s.home(), s.opts.Version
	environment["store_id"] = storeID(s.shop.Options().Seed)
	currency := s.shop.Options().Currency
	settings["currency"], settings["currency_symbol"], settings["number_of_decimals"] = currency, escapedSymbol(currency), s.shop.Decimals()
	settings["HPOS_enabled"] = !s.opts.Legacy
	if s.opts.Legacy {
		settings["order_datastore"] = "WC_Order_Data_Store_CPT"
	}
	if features, ok := settings["enabled_features"].([]any); ok {
		settings["enabled_features"] = slices.DeleteFunc(features, func(feature any) bool {
			return feature == "cost_of_goods_sold" && !s.costs() || feature == "custom_order_tables" && s.opts.Legacy
		})
	}
	return s.recorded(c, recordedStatus, map[string]any{"environment": environment, "settings": settings})
}

func storeID(seed uint64) string {
	sum := hashed("store " + strconv.FormatUint(seed, 10))
	return sum[:8] + "-" + sum[8:12] + "-4" + sum[13:16] + "-8" + sum[17:20] + "-" + sum[20:32]
}

func escapedSymbol(currency string) string {
	switch currency {
	case "USD":
		return "&#36;"
	case "EUR":
		return "&euro;"
	case "GBP":
		return "&pound;"
	case "JPY":
		return "&yen;"
	default:
		return currency
	}
}

func (s *Server) currentCurrency(c *call) *answer {
	code := s.shop.Options().Currency
	names := map[string]string{"USD": "United States (US) dollar", "EUR": "Euro", "GBP": "Pound sterling", "JPY": "Japanese yen", "KWD": "Kuwaiti dinar"}
	name, ok := names[code]
	if !ok {
		name = code
	}
	return s.single(c, func(w *writer) {
		w.open('{')
		w.text(c.f, "code", code)
		w.text(c.f, "name", name)
		w.text(c.f, "symbol", escapedSymbol(code))
		w.links(s.api("/data/currencies/"+code), s.api("/data/currencies"), "GET")
		w.close('}')
	})
}
