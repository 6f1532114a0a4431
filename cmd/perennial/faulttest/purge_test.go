package faulttest

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/listmonk/listmonktest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// TestPurgeTakesBackEverythingThereEverWas: tags and lists of segments that were given up or renamed, what the shop moved to
// somebody else, and what stands where the configuration does not lead any more, which is told of until it does again.
func TestPurgeTakesBackEverythingThereEverWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60, 23)
	cards := w.addCards()
	w.night()
	text, err := os.ReadFile(w.config())
	require.NoError(t, err)
	require.Contains(t, w.tags(), "abroad")

	_, rest, _ := strings.Cut(string(text), "[[stores.segments]]\nid = \"promising_few\"")
	before, _, _ := strings.Cut(string(text), "[[stores.segments]]\nid = \"abroad\"")
	changed := before + "[[stores.segments]]\nid = \"hopeful_few\"" + rest // one given up, one renamed
	require.NoError(t, os.WriteFile(w.config(), []byte(changed), 0o600))
	w.must("analyze", "--quiet")
	w.must("push", "--quiet", "--confirm", "abroad,promising_few")
	require.NotContains(t, w.tags(), "abroad")
	require.Contains(t, w.tags(), "hopeful_few")
	require.NotEmpty(t, w.query(`SELECT key FROM audiences WHERE key = 'abroad' AND destination = 'listmonk'`))
	require.True(t, slices.ContainsFunc(w.mail.Lists(), func(l listmonktest.Mailing) bool {
		return slices.Contains(l.Tags, "perennial:promising_few")
	}), "its list is still there, with who left it")

	stray := w.shop.Customers()[7]
	stray.SetMeta(simulator.Meta{ID: 900_001, Key: "perennial_tags", Value: json.RawMessage(`"abroad,lost"`)})
	_, err = w.db.Exec(`DELETE FROM deliveries WHERE destination = 'shop' AND address = $1`, stray.ID)
	require.NoError(t, err)
	without, _, _ := strings.Cut(changed, "\n[[stores.destinations]]\nname = \"cards\"")
	require.NoError(t, os.WriteFile(w.config(), []byte(without), 0o600))

	_, errs, code := w.run("purge", "--yes", "--to", "cards")
	require.Equal(t, 2, code)
	for _, part := range []string{"cards is not in the configuration any more", "something still stands there, in ", "Loyal (", "Promising few (0)", `name = "cards"`} {
		require.Contains(t, errs, part)
	}
	out := w.must("purge", "--yes")
	require.Contains(t, out, "shop: taken back from")
	require.Contains(t, out, "as customers do whom the shop merged")
	require.Contains(t, out, "cards: is not in the configuration any more")
	require.Contains(t, out, "perennial purge --yes --store alder --to cards")
	w.requireNothingOfOurs()
	require.Contains(t, w.must("purge", "--yes"), "taken back from 0 people", "again, and nothing happens")

	require.NoError(t, os.WriteFile(w.config(), []byte(changed), 0o600))
	w.must("purge", "--yes", "--to", "cards")
	require.NotContains(t, w.must("purge", "--yes"), "not in the configuration any more")
	for _, l := range cards.Lists() {
		require.NotContains(t, l.Tags, "perennial", l.Name)
	}
	for _, p := range cards.People() {
		require.Empty(t, p.Attribs["perennial"])
	}
}

// tags are all that customers of the shop carry, in one text.
func (w *world) tags() string {
	text := ""
	for _, c := range w.shop.Customers() {
		text += w.store.ours(c)["tags"] + " "
	}
	return text
}
