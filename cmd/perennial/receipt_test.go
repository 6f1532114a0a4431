package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/sync/activation"
)

func TestReceiptTellsNothingOfThePerson(t *testing.T) {
	e := activation.Erasure{Names: []string{"ann@example.com", "4711", "", "01HXYZ"}}
	r := &receipt{}
	for text, told := range map[string]string{
		"listmonk: subscriber 17 was deleted":                                         "listmonk: subscriber … was deleted",
		"Shopify: 5 tags and 12 metafields of ours removed from customer 4711; stays": "Shopify: 5 tags and 12 metafields of ours removed from customer …; stays",
		"WooCommerce: 3 meta fields deleted from account 4711":                        "WooCommerce: 3 meta fields deleted from account …",
		"Klaviyo: profile 01HXYZ7ABCDEFGHJKMNPQRSTV was asked to be deleted":          "Klaviyo: profile … was asked to be deleted",
		"job 01HXYZ7ABCDEFGHJKMNPQRSTV is pending":                                    "job … is pending",
		"ann@example.com was taken out of 3 audiences":                                "… was taken out of 3 audiences",
	} {
		require.Equal(t, told, r.impersonal(text, e))
		require.Equal(t, text, (&receipt{named: true}).impersonal(text, e))
	}
}

func TestReceiptFileOfSomethingElseIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "ann.json")
	r, err := newReceipt("ann@example.com", file, false)
	require.NoError(t, err)
	r.Shop("tea")
	require.NoError(t, r.write())
	for _, name := range []string{"ann.json", "ann.txt"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
	again, err := newReceipt("ann@example.com", filepath.Join(dir, "ann"), false)
	require.NoError(t, err)
	require.Len(t, again.Shops, 1, "it goes on with the one that is there")

	_, err = newReceipt("bob@example.com", file, false)
	require.ErrorContains(t, err, "something else than a receipt for this address")
	require.NoError(t, os.WriteFile(file, []byte("shopping list"), 0o600))
	_, err = newReceipt("ann@example.com", file, false)
	require.ErrorContains(t, err, "nothing was erased")
	_, err = newReceipt("ann@example.com", filepath.Join(dir, "gone", "ann"), false)
	require.ErrorContains(t, err, "receipt not written")
}
