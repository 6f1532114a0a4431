package clv

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestOrdersAfterAreTheirMean, also where hardly an event is expected and an order takes several.
func TestOrdersAfterAreTheirMean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, weeks := anyStats(t), rapid.Float64Range(0.1, 60).Draw(t, "weeks")
		for _, m := range models(t) {
			m, ok := m.(*betaGeometric)
			if !ok {
				continue
			}
			b := m.believe(s)
			z, rest := weeks/(b.scale+weeks), b.scale/(b.scale+weeks)
			for j := range m.k {
				var want float64
				w := stoppingSum{a: m.a, b: b.b, term: 1}
				mean := (b.events + float64(j)) * z / rest
				for n, last := 1.0, 1.0; n < mean+10 || last > 1e-12*rest*want; n++ { // what comes then sums to last/rest
					if (int(n)+j)%m.k == 0 {
						w.next()
					}
					last = math.Exp(logNegativeBinomial(n, b.events+float64(j), z, rest)) * w.sum
					want += last
				}
				require.InEpsilon(t, want, m.ordersAfter(&b, j, weeks), 1e-9, "%s k=%d j=%d %+v", m.kind, m.k, j, b)
			}
		}
	})
}
