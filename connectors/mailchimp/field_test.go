package mailchimp

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/mailchimp/mailchimptest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// with gives a change other attributes.
func with(c connectors.Change, pairs ...string) connectors.Change {
	c.Attributes = map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		c.Attributes[pairs[i]] = pairs[i+1]
	}
	return c
}

func TestMergeTagsHaveAtMostTenCharacters(t *testing.T) {
	b := startBench(t)
	b.AddField("PE_RFM", "Somebody else's")
	d, p := b.open(t), b.people(simulator.Subscribed)[0]
	list := ensure(t, d, champions)[0]
	c := with(join(p, champions), "segment", "a", "segment_name", "b", "segment_named", "c", "previous_segment", "d", "rfm", "e", "next_order_week", "f")
	require.Equal(t, connectors.Delivered, apply(t, d, c).State)
	tags := map[string]string{}
	for _, f := range b.Fields() {
		if key, is := strings.CutPrefix(f.Name, "perennial: "); is {
			tags[key] = f.Tag
		}
	}
	require.Equal(t, map[string]string{
		"segment": "PE_SEGMENT", "segment_name": "PE_SEGMNAM", "segment_named": "PE_SEGMNA2", "previous_segment": "PE_PREVSEG",
		"rfm": "PE_RFM2", "next_order_week": "PE_NEXORWE",
	}, tags)
	members := read(t, func(c connectors.Cursor) (connectors.MemberPage, error) { return d.Members(t.Context(), list, c) })
	require.Equal(t, c.Attributes, members[p.Email].Attributes)
	require.Equal(t, connectors.Unchanged, apply(t, b.openEnsured(t), c).State, "another process finds the same fields")
}

func (b *bench) openEnsured(t *testing.T, changed ...connectors.Settings) *destination {
	t.Helper()
	d := b.open(t, changed...)
	ensure(t, d, champions)
	return d
}

// TestAnyKeyHasATag holds for any keys that each has a merge tag of its own that Mailchimp takes.
func TestAnyKeyHasATag(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &destination{prefix: rapid.SampledFrom([]string{"perennial", "ö", "x", "a-b"}).Draw(t, "prefix"), taken: map[string]bool{"EMAIL": true}}
		for _, key := range rapid.SliceOfN(rapid.StringMatching(`[a-zé_ -]{0,24}`), 1, 200).Draw(t, "keys") {
			tag := d.tagFor(key)
			require.Regexp(t, `^[A-Z0-9_]{1,10}$`, tag)
			require.False(t, d.taken[tag])
			d.taken[tag] = true
		}
	})
}

func TestFieldThatSomebodyRenamedStaysOurs(t *testing.T) {
	b := startBench(t)
	p := b.people(simulator.Subscribed)[0]
	apply(t, b.openEnsured(t), join(p, champions))
	fields := len(b.Fields())
	b.RenameField("PE_RFM", "Score of the customer")
	require.Equal(t, connectors.Delivered, apply(t, b.openEnsured(t), with(join(p, champions), "rfm", "111")).State)
	require.Len(t, b.Fields(), fields)
	require.Equal(t, "111", b.contact(t, p.Email).Fields["PE_RFM"])
}

// TestUnknownFieldIsIgnoredWithoutAWord deletes a merge field behind our back: Mailchimp takes the values and drops them.
func TestUnknownFieldIsIgnoredWithoutAWord(t *testing.T) {
	for _, bulk := range []int{1, 1000} {
		b := startBench(t)
		b.bulk = bulk
		p := b.people(simulator.Subscribed)[0]
		d := b.openEnsured(t)
		apply(t, d, join(p, champions))
		b.DropField("PE_RFM")
		o := apply(t, d, with(join(p, champions), "rfm", "111"))
		require.Equal(t, connectors.RetryLater, o.State)
		require.Contains(t, o.Reason, "did not keep")
		require.Equal(t, connectors.Delivered, apply(t, d, with(join(p, champions), "rfm", "111")).State, "the field is made anew")
		require.Equal(t, "111", b.contact(t, p.Email).Fields["PE_RFM"])
	}
}

func TestThirtyMergeFields(t *testing.T) {
	b := startBench(t)
	d := b.openEnsured(t)
	report, err := d.Check(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK())
	for i := len(b.Fields()); i < mailchimptest.MostFields; i++ {
		b.AddField(fmt.Sprintf("OTHER%d", i), "Other")
		report, err = d.Check(t.Context())
		require.NoError(t, err)
		require.Equal(t, i+1 < mailchimptest.MostFields, report.OK(), "with %d fields", i+1)
	}
	require.Contains(t, fmt.Sprint(report.Findings), "30 of 30")
	p := b.people(simulator.Subscribed)[0]
	_, err = d.Apply(t.Context(), []connectors.Change{join(p, champions)})
	require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
	require.ErrorContains(t, err, "rfm")
	require.Contains(t, connectors.Remedy(err), "delete some")
	report, err = b.open(t, connectors.Settings{"mode": "lists"}).Check(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK(), "tags need no fields")
}

func TestLongTextIsRefusedAndBlocksNobody(t *testing.T) {
	for _, bulk := range []int{1, 1000} {
		b := startBench(t)
		b.bulk = bulk
		d, people := b.openEnsured(t), b.people(simulator.Subscribed)[:3]
		outcomes := applyAll(t, d, join(people[0], champions), with(join(people[1], champions), "rfm", strings.Repeat("ö", 128)), join(people[2], champions))
		require.Equal(t, connectors.Refused, outcomes[people[1].ID].State)
		require.Contains(t, outcomes[people[1].ID].Reason, "256 bytes")
		require.Equal(t, connectors.Delivered, outcomes[people[0].ID].State)
		require.Equal(t, connectors.Delivered, apply(t, d, with(join(people[1], champions), "rfm", strings.Repeat("ö", 127))).State)
	}
}

// TestCharactersThatComeBackAsInAWebPage writes a value back as it would stand in HTML.
func TestCharactersThatComeBackAsInAWebPage(t *testing.T) {
	b := startBench(t)
	d, p := b.openEnsured(t), b.people(simulator.Subscribed)[0]
	c := with(join(p, champions), "rfm", " Größte Fans & <Freunde> ")
	require.Equal(t, connectors.Delivered, apply(t, d, c).State)
	require.NoError(t, b.SetField(p.Email, "PE_RFM", "Größte Fans &amp; &lt;Freunde&gt;"))
	require.Equal(t, connectors.Unchanged, apply(t, d, c).State)
}

// TestFieldsThatTheOwnerDemandsDoNotStopUs: everybody lacks the required field of the bench.
func TestFieldsThatTheOwnerDemandsDoNotStopUs(t *testing.T) {
	b := startBench(t)
	require.Equal(t, connectors.Delivered, apply(t, b.openEnsured(t), join(b.people(simulator.Subscribed)[0], champions)).State)
	for _, r := range b.Requests() {
		if r.Method == http.MethodPatch {
			require.Contains(t, r.Path, "skip_merge_validation=true")
		}
	}
}

func TestValuesAreClearedByTheEmptyText(t *testing.T) {
	for _, bulk := range []int{1, 1000} {
		b := startBench(t)
		b.bulk = bulk
		d, people := b.openEnsured(t), b.people(simulator.Subscribed)[:2]
		applyAll(t, d, joinAll(people, champions)...)
		require.NoError(t, b.SetStatus(people[1].Email, unsubscribed))
		for _, p := range people { // also from whoever unsubscribed what is ours is taken back
			o := apply(t, d, connectors.Change{Person: p, Leave: []string{champions.Key}, Drop: []string{"rfm"}})
			require.Equal(t, connectors.Delivered, o.State, o.Reason)
			require.NotContains(t, b.contact(t, p.Email).Fields, "PE_RFM")
		}
	}
}

func TestModes(t *testing.T) {
	for mode, want := range map[string]struct{ tags, fields bool }{
		"both": {true, true}, "attributes": {false, true}, "lists": {true, false},
	} {
		t.Run(mode, func(t *testing.T) {
			for _, bulk := range []int{1, 1000} {
				b := startBench(t)
				b.bulk = bulk
				p := b.people(simulator.Subscribed)[0]
				d := b.open(t, connectors.Settings{"mode": mode})
				list := ensure(t, d, champions)[0]
				require.NotEmpty(t, list.ID)
				require.Equal(t, list, ensure(t, d, list)[0])
				require.Equal(t, connectors.Delivered, apply(t, d, join(p, champions)).State)
				require.Equal(t, connectors.Unchanged, apply(t, d, join(p, champions)).State)
				require.Equal(t, want.tags, len(b.Tags()) == 3)
				require.Equal(t, want.fields, b.contact(t, p.Email).Fields["PE_RFM"] == "545")
				members := read(t, func(c connectors.Cursor) (connectors.MemberPage, error) { return d.Members(t.Context(), list, c) })
				require.Contains(t, members, p.Email)
				require.Equal(t, connectors.Delivered, apply(t, d, connectors.Change{Person: p, Leave: []string{champions.Key}, Drop: []string{"rfm"}}).State)
				require.NoError(t, d.Remove(t.Context(), []connectors.Audience{list}))
			}
		})
	}
}
