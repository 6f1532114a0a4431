package shopify

import (
	"bytes"
	"testing"
	"time"

	"github.com/goccy/go-json"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// ordersFile is the file of a bulk operation over the orders of a shop, without refunds to ask for.
func ordersFile(tb testing.TB) []byte {
	tb.Helper()
	shop := simulator.New(simulator.Options{Seed: 1, Customers: 400, Orders: 2000, Clock: time.Now})
	fake := shopifytest.New(shop, shopifytest.Options{Bucket: struct{ Max, Restore float64 }{Restore: -1}})
	server := fake.Start()
	defer server.Close()
	set := connectors.Settings{"shop": fake.Domain(), "url": fake.Home(), "access_token": shopifytest.DefaultAccessToken, "bulk_from": 0}
	a, err := open(factory(), set, connectors.Deps{Prefix: "perennial"})
	require.NoError(tb, err)
	k, err := kindOf(commerce.Orders)
	require.NoError(tb, err)
	granted, err := newSource(a).scopes(tb.Context())
	require.NoError(tb, err)
	op, err := a.startQuery(tb.Context(), k.bulkText(position{}, granted))
	require.NoError(tb, err)
	op, err = a.operation(tb.Context(), op.ID)
	require.NoError(tb, err)
	body, whole, err := a.chunk(tb.Context(), op.URL, 0, 64<<20)
	require.NoError(tb, err)
	require.True(tb, whole)
	var kept bytes.Buffer
	for line := range bytes.Lines(body) {
		if bytes.Contains(line, []byte(`"refunds":[]`)) || isChild(line) {
			kept.Write(line)
		}
	}
	return kept.Bytes()
}

// BenchmarkChunk turns a chunk of a file into records; BenchmarkChunkBare only decodes its lines into structs.
func BenchmarkChunk(b *testing.B) {
	body := ordersFile(b)
	k, err := kindOf(commerce.Orders)
	require.NoError(b, err)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		w := &pull{source: &source{api: &api{prefix: "perennial"}}, kind: k}
		require.NoError(b, w.parse(b.Context(), body))
		require.NotEmpty(b, w.out.Records.Orders)
	}
}

func BenchmarkChunkBare(b *testing.B) {
	body := ordersFile(b)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		for line := range bytes.Lines(body) {
			if bytes.Contains(line, []byte(`"__parentId"`)) {
				var n lineNode
				require.NoError(b, json.Unmarshal(line, &n))
				continue
			}
			var n orderNode
			require.NoError(b, json.Unmarshal(line, &n))
		}
	}
}
