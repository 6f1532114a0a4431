package analysis_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/retention"
)

func TestRetentionIsDue(t *testing.T) {
	today := time.Date(2026, 3, 21, 2, 0, 0, 0, time.UTC)
	day := retention.Date(analysis.Day(today, time.UTC))
	o := analysis.RetentionOptions{Now: func() time.Time { return today }, Basis: analysis.Net}
	shop := analysis.Shop{Location: time.UTC}
	narrow := shop
	narrow.Since = today.AddDate(0, -2, 0)
	for name, c := range map[string]struct {
		last    retention.Summary
		shop    analysis.Shop
		changed bool
		due     bool
	}{
		"never made":                  {shop: shop, due: true},
		"made today":                  {last: retention.Summary{Day: day, Basis: "net"}, shop: shop, changed: true},
		"orders changed":              {last: retention.Summary{Day: day - 1, Basis: "net"}, shop: shop, changed: true, due: true},
		"nothing changed":             {last: retention.Summary{Day: day - 9, Basis: "net"}, shop: shop},
		"another month":               {last: retention.Summary{Day: day - 21, Basis: "net"}, shop: shop, due: true},
		"another basis":               {last: retention.Summary{Day: day, Basis: "gross"}, shop: shop, due: true},
		"fewer orders are known":      {last: retention.Summary{Day: day, Basis: "net"}, shop: narrow, due: true},
		"a large shop":                {last: retention.Summary{Day: day - 6, Basis: "net", Orders: 1_000_000}, shop: shop, changed: true},
		"a large shop, once a week":   {last: retention.Summary{Day: day - 7, Basis: "net", Orders: 1_000_000}, shop: shop, changed: true, due: true},
		"the clock went back by days": {last: retention.Summary{Day: day + 3, Basis: "net"}, shop: shop, changed: true},
	} {
		require.Equal(t, c.due, o.Due(c.last, c.shop, c.changed), name)
	}
}
