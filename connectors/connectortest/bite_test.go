package connectortest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/connectortest"
)

// victimVariable names the connector on which a child process runs a suite.
const victimVariable = "CONNECTORTEST_VICTIM"

// TestVictim is the child's part: it runs one suite on one well-behaved or broken connector.
func TestVictim(t *testing.T) {
	victim, ok := os.LookupEnv(victimVariable)
	if !ok {
		t.Skip("runs only in the child processes of the tests beside it")
	}
	kind, defect, _ := strings.Cut(victim, "/")
	switch kind {
	case "source":
		connectortest.Source(t, sourceHarness(defect))
	case "destination":
		connectortest.Destination(t, destinationHarness(defect))
	case "oneway":
		connectortest.Destination(t, oneWayHarness(defect))
	default:
		skipVictim(t, kind)
	}
}

// skipVictim runs a suite whose harness skips wrongly.
func skipVictim(t *testing.T, kind string) {
	h := sourceHarness("")
	switch kind {
	case "skip without reason":
		h.Skips = map[string]string{"good credentials": " "}
	case "skip of no test":
		h.Skips = map[string]string{"no such test": "because"}
	case "missing ability":
		start := h.Start
		h.Start = func(t *testing.T) connectortest.SourceRig {
			rig := start(t)
			rig.Revoke = nil
			return rig
		}
	}
	connectortest.Source(t, h)
}

// run starts a child for a victim, restricted to the named tests where there are any, and returns what it printed.
func run(t *testing.T, victim string, only ...string) (output string, passed bool) {
	t.Helper()
	pattern := "^TestVictim$"
	if len(only) > 0 {
		pattern += "/^(" + strings.Join(quoted(only), "|") + ")$"
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, os.Args[0], "-test.run="+pattern, "-test.v", "-test.timeout=50s")
	command.Env = append(os.Environ(), victimVariable+"="+victim)
	out, err := command.CombinedOutput()
	require.NoError(t, ctx.Err(), "the suite hangs on %s", victim)
	require.NotContains(t, string(out), "panic: test timed out", "the suite hangs on %s", victim)
	return string(out), err == nil
}

func quoted(names []string) []string {
	var all []string
	for _, name := range names {
		all = append(all, strings.ReplaceAll(name, " ", "_"))
	}
	return all
}

func TestGoodConnectorsPass(t *testing.T) {
	for _, victim := range []string{"source/", "destination/"} {
		t.Run(victim, func(t *testing.T) {
			t.Parallel()
			output, passed := run(t, victim)
			require.True(t, passed, output)
			require.NotContains(t, output, "--- SKIP", "the good connectors are tested whole")
		})
	}
}

// What a one-way destination cannot be asked is skipped, and nothing else.
func TestGoodOneWayPasses(t *testing.T) {
	output, passed := run(t, "oneway/")
	require.True(t, passed, output)
	require.Equal(t, len(connectortest.ReadBackTests()), strings.Count(output, "--- SKIP"))
}

func TestBrokenConnectorsFail(t *testing.T) {
	for kind, defects := range map[string][]bite{"source": sourceBites, "destination": destinationBites, "oneway": oneWayBites} {
		for _, b := range defects {
			t.Run(kind+"/"+b.defect, func(t *testing.T) {
				t.Parallel()
				output, passed := run(t, kind+"/"+b.defect, b.fails)
				require.False(t, passed, "the suite does not notice: %s\n%s", b.defect, output)
				require.Contains(t, output, "--- FAIL: TestVictim/"+quoted([]string{b.fails})[0])
			})
		}
	}
}

func TestBadSkipsFail(t *testing.T) {
	for victim, words := range map[string]string{
		"skip without reason": "gives no reason",
		"skip of no test":     "no test of this suite",
		"missing ability":     "the harness lacks Revoke",
	} {
		output, passed := run(t, victim, "revoked credentials")
		require.False(t, passed, victim)
		require.Contains(t, output, words)
	}
}

// bite is a defect and the test that must notice it.
type bite struct{ defect, fails string }
