package report_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/report"
)

func TestPlaybook(t *testing.T) {
	book, err := report.CollectPlaybook(t.Context(), teaShop(), "", []string{"at_risk", "lifecycle_slipping", "soulmates"})
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, report.WritePlaybook(&b, book, 80, false))
	golden(t, "playbook.txt", b.Bytes())
	b.Reset()
	require.NoError(t, report.JSON(&b, book))
	golden(t, "playbook.json", b.Bytes())
	require.Nil(t, book.Plays[2].Customers, "another preset is in use")
}

func TestPlaybookOfASet(t *testing.T) {
	everything, err := report.CollectPlaybook(t.Context(), teaShop(), "", nil)
	require.NoError(t, err)
	tiers, err := report.CollectPlaybook(t.Context(), teaShop(), "tier", nil)
	require.NoError(t, err)
	require.Len(t, tiers.Plays, 4)
	require.Greater(t, len(everything.Plays), 11+len(tiers.Plays))
	for _, p := range everything.Plays {
		require.NotEmpty(t, p.Goal, p.Audience)
		require.NotNil(t, p.Customers, p.Audience)
	}
}

func TestPlaybookBeforeTheFirstAnalysis(t *testing.T) {
	shop := teaShop()
	shop.snapshot = report.Snapshot{}
	book, err := report.CollectPlaybook(t.Context(), shop, "", nil)
	require.NoError(t, err)
	require.Len(t, book.Plays, 11)
	require.Nil(t, book.Plays[0].Customers)
}
