package csvfile

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/connectortest"
)

const foreignFile = "champions.csv"

// audienceFolder is a folder with a file of the owner's.
func audienceFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, foreignFile), []byte("email\nown@example.com\n"), 0o600))
	return folder
}

func readers(n int) []connectors.Person {
	all := make([]connectors.Person, n)
	for i := range all {
		all[i] = connectors.Person{
			ID: int64(i + 1), CustomerID: fmt.Sprint(1000 + i), Email: fmt.Sprintf("p%d@example.com", i), FirstName: "Ada", LastName: "Example",
		}
	}
	return all
}

// lines reads a file without its header.
func lines(t *testing.T, path string) (header []string, rows [][]string) {
	t.Helper()
	file, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	require.NoError(t, err)
	defer file.Close()
	all, err := csv.NewReader(file).ReadAll()
	require.NoError(t, err)
	return all[0], all[1:]
}

// folderState is all that stands in a folder, line by line.
func folderState(t *testing.T, folder string) connectortest.State {
	t.Helper()
	s := connectortest.State{Ours: map[string]string{}, Foreign: map[string]string{}}
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		require.NoError(t, err)
		into := s.Foreign
		if strings.HasPrefix(entry.Name(), "perennial") || strings.HasPrefix(entry.Name(), ".perennial") {
			into = s.Ours
		}
		for i, line := range strings.Split(string(text), "\n") {
			into[fmt.Sprintf("%s:%d", entry.Name(), i)] = line
		}
	}
	return s
}

func audienceRig(t *testing.T, format string) connectortest.DestinationRig {
	folder := audienceFolder(t)
	chosen, _ := layoutOf(format, "perennial")
	members := func(a connectors.Audience) []string {
		name, _, _ := strings.Cut(a.ID, "@")
		var all []string
		_, rows := lines(t, filepath.Join(folder, name))
		for _, row := range rows {
			all = append(all, row[0])
		}
		if !chosen.hashed {
			return all
		}
		byHash := map[string]string{}
		for _, p := range readers(100) {
			byHash[chosen.member(connectors.Change{Person: p}).match] = p.Email
		}
		for i := range all {
			require.Contains(t, byHash, all[i])
			all[i] = byHash[all[i]]
		}
		return all
	}
	return connectortest.DestinationRig{
		Settings: connectors.Settings{"folder": folder, "format": format, "send_unknown": true}, Batch: 20, Reachable: readers,
		Bad: func() (connectors.Person, commerce.ConsentState) {
			return connectors.Person{ID: 9002, Email: "two\nlines@example.com"}, commerce.ConsentSubscribed
		},
		Members: members, State: func() connectortest.State { return folderState(t, folder) },
		ForeignAudience: func() connectors.Audience { return connectors.Audience{Key: "champions", ID: foreignFile} },
	}
}

func testAudienceFiles(t *testing.T, format string, more map[string]string) {
	const noNetwork, noJobs = "files are written to a folder: there is no network to fail; TestCutAnywhere lets the disk fail", "files are written at once"
	skips := map[string]string{
		"revoked credentials":           "files need no key",
		"missing permission is named":   "files need no key; TestFolderThatCannotBeWrittenTo names the folder",
		"no secret in errors and logs":  "the settings hold no secret",
		"cancelled during the call":     noNetwork,
		string(connectortest.JobStalls): noJobs, string(connectortest.JobPartly): noJobs, string(connectortest.JobDoesNone): noJobs,
	}
	for _, name := range connectortest.ReadBackTests() {
		skips[name] = "nobody unsubscribes from a file; TestAudienceConsent says who is not written"
	}
	for _, name := range connectortest.DestinationTests() {
		if strings.HasPrefix(name, "429") || strings.HasSuffix(name, "claims nothing") || name == "platform that stays down" {
			skips[name] = noNetwork
		}
	}
	for name, reason := range more {
		skips[name] = reason
	}
	connectortest.Destination(t, connectortest.DestinationHarness{
		Factory: New(), Skips: skips,
		Start: func(t *testing.T) connectortest.DestinationRig { return audienceRig(t, format) },
	})
}

func TestDestination(t *testing.T) { testAudienceFiles(t, formatPlain, nil) }

func TestDestinationForAdvertisers(t *testing.T) {
	for _, format := range []string{formatMeta, formatGoogle} {
		t.Run(format, func(t *testing.T) {
			testAudienceFiles(t, format, map[string]string{"attributes": "lists of advertisers have no attributes"})
		})
	}
}
