package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSegmentsRefusesWhatMakesNoSense(t *testing.T) {
	elsewhere(t)
	for _, tt := range []struct{ line, says, todo string }{
		{"segments --set rmf", `flag --set: "rmf" is no set of segments`, "rfm, lifecycle, tier, churn, own"},
		{"segments --moves --set all", `"all" is no set`, "rfm, lifecycle"},
		{"segments --moves --from yesterday", `flag --from: "yesterday" is no day`, "2026-11-22"},
		{"segments --moves --to 2026-02-30", `flag --to: "2026-02-30" is no day`, "2026-11-22"},
		{"segments --playbook champion", `there is no campaign for "champion"`, "champions, loyal"},
		{"segments --playbook --moves", "are about different things", "one of them"},
		{"segments champions", "champions", "perennial segments"},
		{"segments --from 2026-02-03", "--from and --to are about movement", "--moves"},
	} {
		code, out, errs := call(t, strings.Fields(tt.line)...)
		require.Equal(t, exitUsage, code, tt.line)
		require.Empty(t, out)
		require.Contains(t, errs, tt.says)
		require.Contains(t, errs, tt.todo)
	}
}
