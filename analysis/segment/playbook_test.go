package segment_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis/segment"
)

// group is one that somebody can be in.
type group struct {
	segment.Definition
	key string
}

// everyGroup lists every group of every preset, small shops' included, and of the other schemes, each key once and in order.
func everyGroup() []group {
	var all []group
	add := func(scheme string, definitions []segment.Definition) {
		for _, d := range definitions {
			if key := segment.Key(scheme, d.ID); !slices.ContainsFunc(all, func(g group) bool { return g.key == key }) {
				all = append(all, group{d, key})
			}
		}
	}
	add(segment.SchemeLifecycle, segment.Stages())
	for _, p := range segment.Presets() {
		for _, groups := range []int{0, 4, 2, 1} {
			add("rfm", p.With(groups).Groups)
		}
	}
	add(segment.SchemeTier, segment.Tiers())
	add(segment.SchemeChurn, segment.ChurnBands().Definitions())
	return all
}

func TestEveryGroupHasOnePlay(t *testing.T) {
	plays := map[string]segment.Play{}
	for _, p := range segment.Plays() {
		require.NotContains(t, plays, p.Key, "two campaigns")
		plays[p.Key] = p
	}
	for _, g := range everyGroup() {
		p, ok := segment.FindPlay(g.key)
		require.True(t, ok, "no campaign for %s", g.key)
		require.Equal(t, plays[g.key], p)
		delete(plays, g.key)
		found, ok := segment.GroupOf(g.key)
		require.True(t, ok)
		require.Equal(t, g.Name, found.Name, g.key)
	}
	require.Empty(t, plays, "campaigns for groups that there are not")
	_, ok := segment.FindPlay("own")
	require.False(t, ok)
	_, ok = segment.GroupOf("tier_champions")
	require.False(t, ok)
}

// parts are the texts of a play by what they are.
func parts(p segment.Play) map[string]string {
	return map[string]string{"name": p.Name, "goal": p.Goal, "timing": p.Timing, "message": p.Message, "offer": p.Offer, "exit": p.Exit}
}

// TestPlaysAreWrittenForTheirGroup refuses texts that are missing, too long, or taken over from another group.
func TestPlaysAreWrittenForTheirGroup(t *testing.T) {
	all := segment.Plays()
	for i, p := range all {
		for what, text := range parts(p) {
			where := p.Key + ": " + what
			require.NotEmpty(t, text, where)
			require.Less(t, len(text), 400, where)
			require.NotContains(t, text, "  ", where)
			require.Equal(t, what != "name", strings.HasSuffix(text, "."), where)
			require.NotRegexp(t, `\d+(\.\d+)? ?(%|per cent|times more)`, strings.ReplaceAll(text, "risk rises past 30 %", ""), "%s: an invented figure", where)
			for _, other := range all[:i] {
				shared := alike(text, parts(other)[what])
				require.Less(t, shared, 0.4, "%s is nearly that of %s:\n%s\n%s", where, other.Key, text, parts(other)[what])
			}
		}
	}
}

// alike is the share of words that two texts have in common, 0 where one has fewer than four.
func alike(a, b string) float64 {
	words := func(text string) map[string]bool {
		set := map[string]bool{}
		for _, w := range regexp.MustCompile(`[\pL\d_]+`).FindAllString(strings.ToLower(text), -1) {
			set[w] = true
		}
		return set
	}
	one, two := words(a), words(b)
	if len(one) < 4 || len(two) < 4 {
		return map[bool]float64{true: 1}[strings.EqualFold(a, b)]
	}
	both := 0
	for w := range one {
		if two[w] {
			both++
		}
	}
	return float64(both) / float64(len(one)+len(two)-both)
}

func TestAlikeBites(t *testing.T) {
	require.InDelta(t, 1, alike("Thank them, and ask for a review.", "Thank them and ask for a review"), 0)
	require.Greater(t, alike("Send one message, then stop for a month.", "Send one message, then stop for a year."), 0.6)
	require.InDelta(t, 1, alike("Ask why", "Ask why"), 0)
	require.Less(t, alike("Ask why", "Say why"), 0.6)
}

// TestWordsOfPlaysAreKnown takes everything in code marks: audiences, rules, fields, attributes and commands that there are.
func TestWordsOfPlaysAreKnown(t *testing.T) {
	known := []string{"next_order_week", "since"} // attributes
	for _, g := range everyGroup() {
		known = append(known, g.key)
	}
	for _, f := range segment.Fields() {
		known = append(known, f.Name)
	}
	texts := slices.Clone(segment.Manners())
	for _, p := range segment.Plays() {
		for _, text := range parts(p) {
			texts = append(texts, text)
		}
	}
	seen := 0
	for _, text := range texts {
		for _, found := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(text, -1) {
			seen++
			if word := found[1]; !slices.Contains(known, word) && !strings.HasPrefix(word, "perennial ") {
				compile(t, word)
			}
		}
		require.Zero(t, strings.Count(text, "`")%2, text)
	}
	require.Greater(t, seen, 40)
}

// TestAnOrderEndsWhatThePlaybookSays holds Ordered against the maps of scores: whoever has just ordered has the best score for
// recency.
func TestAnOrderEndsWhatThePlaybookSays(t *testing.T) {
	holds := map[string]bool{} // groups that somebody with the best recency can be in
	for _, p := range segment.Presets() {
		for _, groups := range []int{0, 4, 2, 1} {
			of := p.With(groups).Map()
			for f := uint8(1); f <= segment.Fives; f++ {
				for m := uint8(1); m <= segment.Fives; m++ {
					holds[of.Of(segment.Fives, f, m, segment.Fives)] = true
				}
			}
		}
	}
	for _, g := range everyGroup() {
		p, _ := segment.FindPlay(g.key)
		switch {
		case strings.HasPrefix(g.key, "lifecycle_"): // see below
		case strings.HasPrefix(g.key, "tier_"), strings.HasPrefix(g.key, "churn_"):
			require.False(t, p.Ordered, "%s: an order moves a number, and not everybody's past the cut", g.key)
		default:
			require.Equal(t, !holds[g.ID], p.Ordered, g.key)
		}
	}
}

// The same for stages, for whoever orders on another day than before.
func TestAnOrderEndsStagesAsThePlaybookSays(t *testing.T) {
	stayed := map[string]bool{}
	order := func(t require.TestingT, rule segment.Lifecycle, days []int, passed int) {
		at := 10000
		if len(days) > 0 {
			at = days[len(days)-1] + passed
		}
		before, after := rule.Stage(journey(days), at).Stage, rule.Stage(journey(append(slices.Clone(days), at)), at).Stage
		p, ok := segment.FindPlay(segment.Key(segment.SchemeLifecycle, before))
		require.True(t, ok)
		if p.Ordered {
			require.NotEqual(t, before, after)
		}
		if before == segment.Lapsed {
			require.Equal(t, segment.WonBack, after)
		}
		stayed[before] = stayed[before] || before == after
	}
	rapid.Check(t, func(t *rapid.T) {
		rule := segment.Lifecycle{Interval: rapid.Float64Range(1, 400).Draw(t, "interval")}.WithDefaults()
		var days []int
		for day := 10000; len(days) < 5 && rapid.IntRange(0, 5).Draw(t, "more") > 0; {
			day += rapid.OneOf(rapid.IntRange(1, 60), rapid.IntRange(1, 3000)).Draw(t, "gap")
			days = append(days, day)
		}
		order(t, rule, days, rapid.OneOf(rapid.IntRange(1, 200), rapid.IntRange(1, 3000)).Draw(t, "passed"))
	})
	gaps := []int{1, 7, 30, 90, 300, 1000, 3000}
	for _, interval := range []float64{5, 30, 100, 400} { // so that every stage is met, whatever was drawn
		rule := segment.Lifecycle{Interval: interval}.WithDefaults()
		order(t, rule, nil, 1)
		for _, passed := range gaps {
			order(t, rule, []int{10000}, passed)
			for _, gap := range gaps {
				order(t, rule, []int{10000, 10000 + gap}, passed)
			}
		}
	}
	for stage, stays := range stayed {
		p, _ := segment.FindPlay(segment.Key(segment.SchemeLifecycle, stage))
		require.Equal(t, !stays, p.Ordered, stage)
	}
	require.Len(t, stayed, len(segment.Stages()), "every stage was met")
}

func journey(days []int) segment.Journey {
	j := segment.Journey{Days: len(days)}
	if len(days) > 0 {
		j.First, j.Last = days[0], days[len(days)-1]
	}
	if len(days) > 1 {
		j.Previous = days[len(days)-2]
	}
	return j
}

const playbookPage = "../../docs/playbook.md"

// TestThePageOfThePlaybookSaysWhatTheCodeDoes holds the generated parts of the page against the code; -update writes them.
func TestThePageOfThePlaybookSaysWhatTheCodeDoes(t *testing.T) {
	of := func(keys func(string) bool) string {
		var b strings.Builder
		for _, g := range everyGroup() {
			if p, _ := segment.FindPlay(g.key); keys(g.key) {
				b.WriteString(playText(g, p))
			}
		}
		return strings.TrimRight(b.String(), "\n") + "\n"
	}
	set := func(scheme string) string {
		return of(func(key string) bool { return strings.HasPrefix(key, segment.Key(scheme, "")) })
	}
	holdPage(t, playbookPage, map[string]string{
		"manners": "- " + strings.Join(segment.Manners(), "\n- ") + "\n",
		"stages":  set(segment.SchemeLifecycle), "tiers": set(segment.SchemeTier), "churn": set(segment.SchemeChurn),
		"groups":  of(func(key string) bool { return !regexp.MustCompile(`^(lifecycle|tier|churn)_`).MatchString(key) }),
		"presets": presetPlays(),
	})
}

// playText is one play as a heading and a table.
func playText(g group, p segment.Play) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n`%s`: %s\n\n| | **%s** |\n|---|---|\n", g.Name, g.key, g.Meaning, p.Name)
	for _, row := range [][2]string{{"goal", p.Goal}, {"timing", p.Timing}, {"message", p.Message}, {"offer", p.Offer}, {"exit", p.Exit}} {
		fmt.Fprintf(&b, "| %s | %s |\n", row[0], row[1])
	}
	if p.Template != "" {
		fmt.Fprintf(&b, "| text | [listmonk](../deploy/templates/listmonk/%s.html), [Klaviyo](../deploy/templates/klaviyo/%s.html) |\n", p.Template, p.Template)
	}
	return b.String() + "\n"
}

// presetPlays lists the groups of each preset by name.
func presetPlays() string {
	var b strings.Builder
	b.WriteString("| preset | its groups |\n|---|---|\n")
	for _, p := range segment.Presets() {
		var names []string
		for _, d := range p.Groups {
			names = append(names, d.Name)
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", p.ID, strings.Join(names, ", "))
	}
	return b.String()
}
