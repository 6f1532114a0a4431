package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// TestErasureTakesTheLot: whoever is forgotten is in no trial any more.
func TestErasureTakesTheLot(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Orders, whole(order("1", "", "ann@example.com"), order("2", "", "bob@example.com")))
	for _, person := range all[int64](s, `SELECT person_id FROM persons ORDER BY 1`) {
		_, err := s.raw.Exec(`INSERT INTO exposures VALUES ($1, 'lost', $2, '2026-03-01', true, 0.5)`, s.id, person)
		require.NoError(t, err)
	}
	_, err := s.ErasePerson(t.Context(), "ann@example.com", noon)
	require.NoError(t, err)
	require.Equal(t, []string{"bob@example.com"}, all[string](s, `SELECT email FROM exposures JOIN persons USING (store_id, person_id)`))
}
