package report_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/report"
)

func TestReceipt(t *testing.T) {
	at := time.Date(2026, 3, 21, 9, 30, 0, 0, time.UTC)
	r := report.NewReceipt("ann@example.com", false)
	shop := r.Shop("tea")
	shop.At = at
	shop.Note(report.PlaceReceipt{Destination: "shop", Kind: "shopify", Outcome: report.ErasedThere, At: at, Done: "5 tags removed"})
	shop.Note(report.PlaceReceipt{Destination: "letters", Kind: "listmonk", Outcome: report.NotReached, At: at, Why: "the key was revoked"})
	shop.Note(report.PlaceReceipt{Destination: "hooks", Kind: "webhook", Outcome: report.NothingThere, At: at, ByHand: "look there"})
	r.Settle()
	require.False(t, r.Complete)
	var b bytes.Buffer
	require.NoError(t, report.WriteReceipt(&b, r))
	golden(t, "receipt_partial.txt", b.Bytes())

	later := at.Add(time.Hour)
	shop = r.Shop("tea")
	shop.At = later
	shop.Note(report.PlaceReceipt{Destination: "shop", Kind: "shopify", Outcome: report.ErasedThere, At: later, Done: "nothing was there"})
	shop.Note(report.PlaceReceipt{Destination: "letters", Kind: "listmonk", Outcome: report.ErasedThere, At: later, Done: "deleted"})
	shop.Count(report.DatabaseReceipt{At: later, Accounts: 1, Orders: 3, Refunds: 1, Hashes: 2})
	shop.Count(report.DatabaseReceipt{At: later.Add(time.Hour)}) // once more
	r.Settle()
	require.True(t, r.Complete)
	b.Reset()
	require.NoError(t, report.WriteReceipt(&b, r))
	golden(t, "receipt.txt", b.Bytes())
	require.NotContains(t, b.String(), "ann")
	b.Reset()
	require.NoError(t, report.JSON(&b, r))
	golden(t, "receipt.json", b.Bytes())
	require.NotContains(t, b.String(), "ann")
	require.Contains(t, b.String(), "example.com")

	b.Reset()
	require.NoError(t, report.WriteReceipt(&b, report.NewReceipt("ann@example.com", true)))
	require.Contains(t, b.String(), "Address: ann@example.com")
}

func TestReceiptKeepsWhatWasDoneBefore(t *testing.T) {
	for _, tt := range []struct{ first, then, stays report.Fate }{
		{report.ErasedThere, report.NothingThere, report.ErasedThere},
		{report.TakenOut, report.NothingThere, report.TakenOut},
		{report.TakenOut, report.NotAsked, report.TakenOut},
		{report.NotReached, report.NothingThere, report.NothingThere},
		{report.NothingThere, report.TakenOut, report.TakenOut},
		{report.ErasedThere, report.NotReached, report.NotReached}, // something is left to do
		{report.NotAsked, report.ErasedThere, report.ErasedThere},
	} {
		r := report.NewReceipt("ann@example.com", false)
		for _, fate := range []report.Fate{tt.first, tt.then} {
			r.Shop("tea").Note(report.PlaceReceipt{Destination: "letters", Outcome: fate, Done: "done by " + string(fate)})
		}
		require.Len(t, r.Shop("tea").Places, 1)
		require.Equal(t, tt.stays, r.Shop("tea").Places[0].Outcome, "%s then %s", tt.first, tt.then)
		require.Contains(t, r.Shop("tea").Places[0].Done, "done by "+string(tt.first))
	}
}
