package segment_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis/segment"
)

// reference reads a CSV file of expected answers, which the project does not carry.
func reference(t *testing.T, name string) [][]string {
	t.Helper()
	dir := os.Getenv("PERENNIAL_REFERENCE_DIR")
	if dir == "" {
		if os.Getenv("PERENNIAL_REQUIRE_REFERENCE") == "1" {
			t.Fatal("PERENNIAL_REFERENCE_DIR is unset, and PERENNIAL_REQUIRE_REFERENCE demands the expected answers")
		}
		t.Skip("PERENNIAL_REFERENCE_DIR is unset: the expected answers are not at hand")
	}
	file, err := os.Open(filepath.Join(dir, "expected", name))
	require.NoError(t, err)
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	require.NoError(t, err)
	return records[1:]
}

func TestEveryCellBelongsToTheExpectedSegment(t *testing.T) {
	m := segment.Default()
	records := reference(t, "rfm_125_to_11_segments.csv")
	require.Len(t, records, 125)
	for _, record := range records {
		label := record[0]
		got, ok := segment.Find(m.Of(label[0]-'0', label[1]-'0', label[2]-'0', 5))
		require.True(t, ok, label)
		require.Equal(t, record[1], got.Name, label)
	}
}

func TestTheMapHasNoGapAndNoOverlap(t *testing.T) {
	m := segment.Default()
	want := []int{7, 8, 24, 7, 16, 8, 5, 22, 8, 14, 6}
	seen := map[string]string{}
	for i, d := range segment.Definitions() {
		cells := m.Cells(d.ID)
		require.Len(t, cells, want[i], d.ID)
		for _, label := range cells {
			require.Empty(t, seen[label], label)
			seen[label] = d.ID
		}
	}
	require.Len(t, seen, 125)
}

func TestDefinitionsAreCompleteAndStable(t *testing.T) {
	var ids []string
	for _, d := range segment.Definitions() {
		ids = append(ids, d.ID)
		for _, text := range []string{d.Name, d.Meaning, d.Action} {
			require.NotEmpty(t, text, d.ID)
			require.NotContains(t, text, "\n")
		}
		require.Less(t, len(d.Meaning), 80, d.ID)
		require.Less(t, len(d.Action), 110, d.ID)
	}
	require.Equal(t, []string{
		"champions", "loyal", "potential_loyalist", "new_customers", "promising", "need_attention", "about_to_sleep",
		"at_risk", "cannot_lose_them", "hibernating", "lost",
	}, ids)
	_, ok := segment.Find("whales")
	require.False(t, ok)
	segment.Definitions()[0].ID = "changed"
	require.Equal(t, "champions", segment.Definitions()[0].ID, "a caller must not change the definitions for others")
}

func TestFewerBinsGoToTheMiddleOfWhatTheyStandFor(t *testing.T) {
	for _, c := range []struct {
		bins int
		want []int
	}{
		{1, []int{3}}, {2, []int{2, 4}}, {3, []int{1, 3, 5}}, {4, []int{1, 2, 4, 5}}, {5, []int{1, 2, 3, 4, 5}},
	} {
		for i, want := range c.want {
			require.Equal(t, want, segment.Place(uint8(i+1), c.bins), "score %d of %d", i+1, c.bins)
		}
		require.Zero(t, segment.Place(0, c.bins))
		require.Zero(t, segment.Place(uint8(c.bins+1), c.bins))
	}
	m := segment.Default()
	require.Equal(t, "champions", m.Of(3, 3, 3, 3))
	require.Equal(t, "lost", m.Of(1, 1, 1, 3))
	require.Equal(t, "loyal", m.Of(2, 2, 2, 2))
	require.Equal(t, "potential_loyalist", m.Of(1, 1, 1, 1))
	require.Empty(t, m.Of(0, 0, 0, 5))
}

func TestTheMoreSpecificOverrideWins(t *testing.T) {
	m, err := segment.Default().With(map[string]string{"***": "lost", "5*4": "loyal", "554": "champions", "1**": "hibernating"})
	require.NoError(t, err)
	require.Equal(t, "champions", m.Of(5, 5, 4, 5))
	require.Equal(t, "loyal", m.Of(5, 1, 4, 5))
	require.Equal(t, "hibernating", m.Of(1, 5, 4, 5))
	require.Equal(t, "lost", m.Of(3, 3, 3, 5))
	require.Equal(t, "champions", segment.Default().Of(5, 5, 5, 5), "the built-in map stays as it was")
}

func TestOverridesThatCannotBeAreNamed(t *testing.T) {
	for _, c := range []struct {
		name      string
		overrides map[string]string
		want      string
	}{
		{"typo", map[string]string{"555": "champion"}, `segment map "555": "champion" is not a segment; the segments are champions, loyal, potential_loyalist`},
		{"too short", map[string]string{"55": "loyal"}, `segment map "55": must be three characters`},
		{"score six", map[string]string{"556": "loyal"}, `segment map "556": must be three characters`},
		{"foreign digits", map[string]string{"٥": "loyal"}, `must be three characters`},
		{"tie", map[string]string{"5**": "loyal", "*5*": "champions"}, `"*5*" says champions and "5**" says loyal, and both match 551; add an entry for "55*" to decide`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := segment.Default().With(c.overrides)
			require.ErrorContains(t, err, c.want)
		})
	}
	_, err := segment.Default().With(map[string]string{"5**": "loyal", "*5*": "champions", "55*": "loyal"})
	require.NoError(t, err, "the remedy works")
	_, err = segment.Default().With(map[string]string{"5**": "loyal", "*5*": "loyal"})
	require.NoError(t, err, "entries that agree are no conflict")
}

func TestAnyOverridesLeaveEveryCellInOneSegment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one := rapid.SampledFrom([]string{"1", "2", "3", "4", "5", "*"})
		overrides := map[string]string{}
		for range rapid.IntRange(0, 6).Draw(t, "entries") {
			pattern := one.Draw(t, "r") + one.Draw(t, "f") + one.Draw(t, "m")
			overrides[pattern] = rapid.SampledFrom(segment.Definitions()).Draw(t, "segment").ID
		}
		m, err := segment.Default().With(overrides)
		if err != nil {
			require.ErrorContains(t, err, "to decide")
			return
		}
		for at := range 125 {
			label := fmt.Sprint(111 + at/25*100 + at/5%5*10 + at%5)
			got := m.Of(label[0]-'0', label[1]-'0', label[2]-'0', 5)
			_, ok := segment.Find(got)
			require.True(t, ok, label)
			if want, ok := overrides[label]; ok {
				require.Equal(t, want, got)
			}
		}
		require.Len(t, strings.Fields(m.String()), 125)
	})
}

func TestMovesCountEverybodyOnce(t *testing.T) {
	before := map[int64]string{1: "loyal", 2: "loyal", 3: "champions", 4: "lost"}
	after := map[int64]string{1: "champions", 2: "loyal", 3: "champions", 5: "new_customers", 6: "new_customers"}
	require.Equal(t, []segment.Move{
		{From: "", To: "new_customers", Customers: 2},
		{From: "champions", To: "champions", Customers: 1},
		{From: "loyal", To: "champions", Customers: 1},
		{From: "loyal", To: "loyal", Customers: 1},
		{From: "lost", To: "", Customers: 1},
	}, segment.Compare(before, after))
}
