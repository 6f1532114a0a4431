package dashboard

import (
	"net/url"
	"strconv"
	"time"
)

// links writes the addresses of a shop's pages. In a file that stands by itself there are none: all are empty.
type links struct {
	base string // of the dashboard
	shop string
	none bool

	version string
}

func (s *Server) links(shop string) links { return links{base: s.base, shop: shop, version: s.Version} }

// Asset is the address of a file that comes with the pages. It changes with the version, so that browsers may keep the file.
func (l links) Asset(name string) string {
	address := l.base + "/assets/" + name
	if l.version != "" {
		address += "?v=" + url.QueryEscape(l.version)
	}
	return address
}

// Root is the address of something that belongs to no shop.
func (l links) Root(rest string) string { return l.base + rest }

// Page is the address of a page of the shop, with pairs of a name and a value behind it.
func (l links) Page(key string, query ...any) string {
	if l.none {
		return ""
	}
	return l.base + "/shops/" + url.PathEscape(l.shop) + "/" + key + encoded(query)
}

// Other is the address of the same page of another shop.
func (l links) Other(shop, key string) string {
	l.shop = shop
	return l.Page(key)
}

// Sheet is the address of a page's table, for the same query.
func (l links) Sheet(key, query string) string {
	if query != "" {
		query = "?" + query
	}
	return l.Page(key+".csv") + query
}

// People is the address of the people in an audience.
func (l links) People(audience string) string { return l.Page("people", "audience", audience) }

// Cell is the address of the people with a recency, frequency and monetary score; 0 stands for any.
func (l links) Cell(r, f, m int) string { return l.Page("people", "r", r, "f", f, "m", m) }

// Movers are the people who went from one segment of a scheme to another between two days; an empty segment stands for none.
func (l links) Movers(scheme, from, to string, before, after time.Time) string {
	return l.Page("people", "scheme", scheme, "from", from, "to", to, "before", dayText(before), "after", dayText(after))
}

// Person is the address of one person. It has their number in it and not their e-mail address: addresses stand in logs.
func (l links) Person(id int64) string { return l.Page("people/" + strconv.FormatInt(id, 10)) }

// encoded writes pairs as a query, leaving out what is empty or nought.
func encoded(pairs []any) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		switch v := pairs[i+1].(type) {
		case string:
			if v != "" {
				q.Set(name, v)
			}
		case int:
			if v != 0 {
				q.Set(name, strconv.Itoa(v))
			}
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}
