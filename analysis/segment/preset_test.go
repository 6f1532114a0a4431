package segment_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis/segment"
)

// whole are all presets, and what they become in shops of every size.
func whole() []segment.Preset {
	var all []segment.Preset
	for _, p := range segment.Presets() {
		all = append(all, p, p.For(45), p.For(25), p.For(3))
	}
	return all
}

func TestEveryPresetHasNoGapNoOverlapAndNoEmptyGroup(t *testing.T) {
	for _, p := range whole() {
		seen := map[string]string{}
		m := p.Map()
		for _, d := range m.Definitions() {
			cells := m.Cells(d.ID)
			require.Equal(t, d.ID == p.Prospects, len(cells) == 0, "%s %s", p.ID, d.ID)
			for _, label := range cells {
				require.Empty(t, seen[label], "%s %s", p.ID, label)
				seen[label] = d.ID
			}
		}
		require.Len(t, seen, 125, p.ID)
	}
}

func TestScoresOfAnyFinenessFindTheirGroup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(whole()).Draw(t, "preset")
		bins := rapid.IntRange(1, segment.Fives).Draw(t, "bins")
		score := rapid.IntRange(1, bins)
		id := p.Map().Of(uint8(score.Draw(t, "r")), uint8(score.Draw(t, "f")), uint8(score.Draw(t, "m")), bins)
		_, ok := p.Find(id)
		require.True(t, ok, id)
		require.NotEqual(t, p.Prospects+"!", id+"!", "whoever has scores has ordered")
	})
}

func TestPresetsAreDescribedAndStable(t *testing.T) {
	ids := map[string][]string{}
	for _, p := range whole() {
		require.NotEmpty(t, p.Name)
		require.NotEmpty(t, p.Meaning)
		for _, d := range p.Groups {
			ids[p.ID] = append(ids[p.ID], d.ID)
			require.Regexp(t, `^[a-z_]+$`, d.ID)
			require.Contains(t, []segment.Origin{segment.Published, segment.Described, segment.Ours}, d.Origin, d.ID)
			for _, text := range []string{d.Name, d.Meaning, d.Action} {
				require.NotEmpty(t, text, d.ID)
				require.NotContains(t, text, "\n")
			}
			require.Less(t, len(d.Meaning), 90, d.ID)
			require.Less(t, len(d.Action), 110, d.ID)
			found, ok := segment.Find(d.ID)
			require.True(t, ok || p.Reduced != "", d.ID)
			require.True(t, !ok || found.Name == d.Name, "one id has one name, whatever the preset: %s", d.ID)
		}
	}
	require.Equal(t, []string{
		"champions", "loyal", "active", "new", "promising", "needs_attention", "at_risk", "previously_loyal", "almost_lost",
		"dormant", "prospects",
	}, ids["shopify"][:11])
	require.Equal(t, []string{"champions", "loyal", "recent", "needs_attention", "at_risk", "inactive"}, ids["klaviyo"][:6])
	require.Equal(t, []string{
		"soulmates", "lovers", "new_passion", "flirting", "potential_lovers", "platonic_friend", "about_to_dump_you",
		"don_juan", "ex_lovers", "apprentice", "break_up",
	}, ids["omniconvert"][:11])
}

// TestPublishedScoresAreInTheirGroups holds every cell that was published against the maps.
func TestPublishedScoresAreInTheirGroups(t *testing.T) {
	of := func(preset, label string, bins int) string {
		p, err := segment.FindPreset(preset)
		require.NoError(t, err)
		return p.Map().Of(label[0]-'0', label[1]-'0', label[2]-'0', bins)
	}
	for _, label := range []string{"321", "322", "331", "232", "233"} {
		require.Equal(t, "loyal", of("klaviyo", label, 3), label)
	}
	require.Equal(t, "champions", of("klaviyo", "333", 3))
	require.Equal(t, "inactive", of("klaviyo", "111", 3))
	for _, label := range []string{"124", "125", "133", "134", "135", "143", "144", "145", "153", "154", "155"} {
		require.Equal(t, "ex_lovers", of("omniconvert", label, 5), label)
	}
	for _, label := range []string{"114", "115"} {
		require.Equal(t, "don_juan", of("omniconvert", label, 5), label)
	}
	for f := 1; f <= 5; f++ {
		require.Equal(t, "break_up", of("omniconvert", fmt.Sprintf("1%d1", f), 5))
	}
	p, err := segment.FindPreset("omniconvert")
	require.NoError(t, err)
	for _, label := range p.Map().Cells("potential_lovers") {
		require.Regexp(t, `^[345][345][2345]$`, label)
	}
}

func TestShopifysGroupsFollowFromRecencyAndTheMeanOfTheRest(t *testing.T) {
	p, err := segment.FindPreset("shopify")
	require.NoError(t, err)
	require.Equal(t, "prospects", p.Prospects)
	m := p.Map()
	rapid.Check(t, func(t *rapid.T) {
		score := rapid.IntRange(1, 5)
		r, f, money := score.Draw(t, "r"), score.Draw(t, "f"), score.Draw(t, "m")
		id := m.Of(uint8(r), uint8(f), uint8(money), 5)
		f2 := rapid.IntRange(max(1, f+money-5), min(5, f+money-1)).Draw(t, "other f")
		require.Equal(t, id, m.Of(uint8(r), uint8(f2), uint8(f+money-f2), 5))
		require.Equal(t, r <= 2, slices.Contains([]string{"at_risk", "almost_lost", "previously_loyal", "dormant"}, id))
	})
}

func TestSmallShopsGetFewerGroups(t *testing.T) {
	for _, c := range []struct {
		preset            string
		customers, groups int
	}{
		{"usual", 110, 11},
		{"usual", 109, 4},
		{"usual", 40, 4},
		{"usual", 39, 2},
		{"usual", 20, 2},
		{"usual", 19, 1},
		{"usual", 0, 1},
		{"shopify", 100, 11},
		{"shopify", 99, 4},
		{"klaviyo", 60, 6},
		{"klaviyo", 59, 4},
		{"omniconvert", 1_000_000, 11},
	} {
		p, err := segment.FindPreset(c.preset)
		require.NoError(t, err)
		got := p.For(c.customers)
		require.Len(t, got.Groups, c.groups, "%s with %d", c.preset, c.customers)
		require.Equal(t, c.groups < len(p.Groups), got.Reduced != "", got.Reduced)
		require.Equal(t, p.ID, got.ID)
	}
	p, _ := segment.FindPreset("")
	require.Equal(t, `4 of the 11 groups of "The usual eleven", because there are only 50 customers; all begin at 110, 10 for each.`, p.For(50).Reduced)
	_, err := segment.FindPreset("hubspot")
	require.EqualError(t, err, `rfm preset "hubspot": not one of usual, shopify, klaviyo, omniconvert`)
}

func TestOverridesNameTheGroupsOfTheirPreset(t *testing.T) {
	p, err := segment.FindPreset("omniconvert")
	require.NoError(t, err)
	m, err := p.Map().With(map[string]string{"2**": "ex_lovers"})
	require.NoError(t, err)
	require.Equal(t, "ex_lovers", m.Of(2, 3, 3, 5))
	_, err = p.Map().With(map[string]string{"2**": "champions"})
	require.ErrorContains(t, err, `"champions" is not a segment; the segments are soulmates, lovers`)
	usual, err := segment.FindPreset("")
	require.NoError(t, err)
	require.Equal(t, segment.Default().String(), usual.Map().String())
}
