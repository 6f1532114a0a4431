package segment_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/segment"
)

var update = flag.Bool("update", false, "write the generated parts of docs/segments.md and docs/playbook.md")

const page = "../../docs/segments.md"

// TestThePageOfSegmentsSaysWhatTheCodeDoes holds the generated parts of the page against the code; -update writes them.
func TestThePageOfSegmentsSaysWhatTheCodeDoes(t *testing.T) {
	tiers, err := segment.ValueTiers([]float64{1, 2, 3})
	require.NoError(t, err)
	parts := map[string]string{
		"presets": presetsTable(), "stages": definitionsTable(segment.Stages(), segment.SchemeLifecycle),
		"tiers": definitionsTable(tiers.Definitions(), segment.SchemeTier), "fields": fieldsTable(),
		"churn": definitionsTable(segment.ChurnBands().Definitions(), segment.SchemeChurn),
	}
	holdPage(t, page, parts)
}

// holdPage holds the generated parts of a page against what they should be, or writes them with -update.
func holdPage(t *testing.T, page string, parts map[string]string) {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	whole := string(text)
	for name, part := range parts {
		place := regexp.MustCompile(`(?s)(<!-- generated: ` + name + ` -->\n).*?(<!-- end -->)`)
		require.True(t, place.MatchString(whole), "no place for %s", name)
		whole = place.ReplaceAllStringFunc(whole, func(old string) string {
			return place.FindStringSubmatch(old)[1] + "\n" + part + "\n<!-- end -->"
		})
	}
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(whole), 0o644))
		return
	}
	require.Equal(t, whole, string(text), "the page is older than the code; run go test ./analysis/segment -run Page -update")
}

func definitionsTable(all []segment.Definition, scheme string) string {
	var b strings.Builder
	b.WriteString("| id | audience | name | who | what to do |\n|---|---|---|---|---|\n")
	for _, d := range all {
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s | %s |\n", d.ID, segment.Key(scheme, d.ID), d.Name, d.Meaning, d.Action)
	}
	return b.String()
}

func fieldsTable() string {
	var b strings.Builder
	group := ""
	for _, f := range segment.Fields() {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(&b, "| **%s** | | |\n", group)
		}
		meaning := f.Meaning
		if len(f.Values) > 0 {
			meaning += ": `" + strings.Join(f.Values, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, f.Kind, meaning)
	}
	return "| name | kind | meaning |\n|---|---|---|\n" + b.String()
}

func presetsTable() string {
	var b strings.Builder
	few := segment.Presets()[0]
	for _, p := range segment.Presets() {
		fmt.Fprintf(&b, "### `preset = %q`\n\n%s: %s\n\n%s\n", p.ID, p.Name, lower(p.Meaning), drawing(p))
		b.WriteString(groupsTable(p))
		b.WriteString("\n")
	}
	b.WriteString("### In small shops\n\n")
	for _, small := range []struct {
		customers int
		words     string
	}{{40, "Four groups, from 40 customers on:"}, {20, "Two groups, from 20 customers on:"}, {19, "One group, for fewer:"}} {
		fmt.Fprintf(&b, "%s\n\n%s\n", small.words, groupsTable(few.For(small.customers)))
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func lower(text string) string { return strings.ToLower(text[:1]) + text[1:] }

func groupsTable(p segment.Preset) string {
	var b strings.Builder
	b.WriteString("| | id | name | who | what to do | scores |\n|---|---|---|---|---|---|\n")
	for _, d := range p.Groups {
		letters := code(d.ID)
		if d.ID == p.Prospects {
			letters = ""
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s | %s |\n", letters, d.ID, d.Name, d.Meaning, d.Action, d.Origin)
	}
	return b.String()
}

// code is two letters for an id: the first of each word, or the first two of a single one; lost is not loyal.
func code(id string) string {
	if id == "lost" {
		return "LT"
	}
	words := strings.Split(id, "_")
	if len(words) == 1 {
		return strings.ToUpper(id[:2])
	}
	return strings.ToUpper(words[0][:1] + words[1][:1])
}

// drawing is the map with a block for each recency score, the best first.
func drawing(p segment.Preset) string {
	var b strings.Builder
	m := p.Map()
	for r := p.Bins; r >= 1; r-- {
		fmt.Fprintf(&b, "    R%d ", r)
		for money := 1; money <= p.Bins; money++ {
			fmt.Fprintf(&b, " M%d", money)
		}
		for f := p.Bins; f >= 1; f-- {
			fmt.Fprintf(&b, "\n      F%d", f)
			for money := 1; money <= p.Bins; money++ {
				fmt.Fprintf(&b, " %s", code(m.Of(uint8(r), uint8(f), uint8(money), p.Bins)))
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestLettersTellGroupsApart(t *testing.T) {
	for _, p := range segment.Presets() {
		seen := map[string]bool{}
		for _, d := range p.Groups {
			if d.ID != p.Prospects {
				require.False(t, seen[code(d.ID)], "%s %s", p.ID, d.ID)
				seen[code(d.ID)] = true
			}
		}
	}
}

// TestRulesOfThePageCompile takes every rule that the page shows.
func TestRulesOfThePageCompile(t *testing.T) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	_, own, found := strings.Cut(string(text), "## Segments of your own")
	require.True(t, found)
	shown := regexp.MustCompile(`rule = '([^\n]+)'`).FindStringSubmatch(own)
	require.NotNil(t, shown)
	rules := []string{shown[1]}
	for _, row := range regexp.MustCompile(`(?m)^\| (?:numbers|days|texts|lists|is it known) \| (.*) \|$`).FindAllStringSubmatch(own, -1) {
		for _, rule := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			rules = append(rules, rule[1])
		}
	}
	require.Greater(t, len(rules), 12)
	for _, rule := range rules {
		compile(t, rule)
	}
	_, err = segment.CompileAll([]segment.Own{{ID: "tea_lovers", Rule: "days_sinc > 90"}}, nil)
	require.Contains(t, own, "\n    "+err.Error()+"\n", "the error that the page shows")
}
