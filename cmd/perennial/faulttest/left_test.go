package faulttest

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWhatNoPushReachesAnyMoreIsTold takes a destination out of the configuration, switches the tags off and renames the
// shop: what stands remotely is told of, and a person who is forgotten is told to be erased there by hand.
func TestWhatNoPushReachesAnyMoreIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 40, 13)
	w.night()
	require.NotContains(t, w.must("status"), "perennial purge --yes")
	text, err := os.ReadFile(w.config())
	require.NoError(t, err)
	cut, _, _ := strings.Cut(strings.Replace(string(text), "tags = true", "tags = false", 1), "[[stores.destinations]]")
	require.NoError(t, os.WriteFile(w.config(), []byte(cut), 0o600))
	status := strings.Join(strings.Fields(w.must("status")), " ")
	require.Contains(t, status, "--store alder --to listmonk")
	require.Contains(t, status, "set tags = true, and perennial purge --yes --store alder --to shop")

	email := w.query(`SELECT p.email FROM deliveries d JOIN persons p ON p.person_id = d.person_id
		WHERE d.destination = 'listmonk' AND d.state = 'delivered' LIMIT 1`)[0]
	require.Contains(t, w.must("forget", email), "erase them there by hand")

	require.NoError(t, os.WriteFile(w.config(), []byte(strings.Replace(string(text), `name = "alder"`, `name = "birch"`, 1)), 0o600))
	w.must("sync", "--quiet")
	require.Contains(t, strings.Join(strings.Fields(w.must("status")), " "), `by the name "alder" too`)
}
