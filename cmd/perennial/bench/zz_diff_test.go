package bench

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestZZDifference(t *testing.T) {
	p := newPlace(t)
	people := 200000
	p.exec(`INSERT INTO persons (store_id, person_id, customer_id, email)
		SELECT $1, g, g::text, 'person' || g || '@example.com' FROM generate_series(1, $2::bigint) g`, p.store.ID(), people)
	p.exec(`INSERT INTO rfm_scores (store_id, person_id, r, f, m, segment, since)
		SELECT $1, g, 1 + g % 5, 1 + g / 5 % 5, 1 + g / 25 % 5, (ARRAY['champions','loyal','lost','at_risk','hibernating'])[1 + g % 5], DATE '2026-11-02' - (g % 100)::int
		FROM generate_series(1, $2::bigint) g`, p.store.ID(), people)
	require.NoError(t, p.store.MarkLoaded(context.Background(), today))
	p.exec(`VACUUM ANALYZE`)
	for _, f := range p.difference(people, 5) {
		t.Logf("%s: ours %.2f bare %.2f ratio %.2f", f.name, f.ours, f.bare, f.ours/f.bare)
	}
}
