package activation_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/activation"
)

const week = 7 * 24 * time.Hour

// teller is a platform that can say who left, one on a page.
type teller struct {
	*platform
	left  []connectors.Member
	asked []time.Time // since when
	whole int         // pages of members asked for
	fails error
}

func (p *teller) Leavers(_ context.Context, since time.Time, cursor connectors.Cursor) (connectors.MemberPage, error) {
	if cursor == "" {
		p.asked = append(p.asked, since)
	}
	at := len(cursor)
	if at >= len(p.left) {
		return connectors.MemberPage{Done: true}, p.fails
	}
	return connectors.MemberPage{Members: p.left[at : at+1], Next: cursor + "."}, p.fails
}

func (p *teller) Members(ctx context.Context, a connectors.Audience, cursor connectors.Cursor) (connectors.MemberPage, error) {
	p.whole++
	return p.platform.Members(ctx, a, cursor)
}

func (s *shop) look(d connectors.Destination, target activation.Target) (activation.Drift, error) {
	o := s.options(nil, target)
	o.Destination = d
	return activation.Look(s.t.Context(), o, week)
}

func gone(email string, at time.Time) connectors.Member {
	return connectors.Member{Email: email, Consent: commerce.Consent{State: commerce.ConsentUnsubscribed, At: at}}
}

func TestOnlyLeaversAreAskedForWithinAWeek(t *testing.T) {
	s, p := newShop(t), &teller{platform: newPlatform("ann@example.com", "bob@example.com")}
	ann, bob := s.person("", "ann@example.com"), s.person("", "bob@example.com")
	s.place(ann, "champions")
	s.place(bob, "champions")
	s.push(p.platform, list())
	_, err := s.look(p, list())
	require.NoError(t, err)
	require.Equal(t, 2, p.whole, "the first look is at everything")
	require.Empty(t, p.asked)
	first := s.now

	s.nextDay()
	p.left = []connectors.Member{
		gone("ann@example.com", s.now.Add(-time.Hour)), gone("stranger@example.com", s.now), {Email: "bob@example.com"},
	}
	drift, err := s.look(p, list())
	require.NoError(t, err)
	require.Equal(t, 1, drift.Unsubscribed)
	require.Equal(t, 2, p.whole)
	require.Equal(t, []time.Time{first.Add(-24 * time.Hour)}, p.asked, "a day before the last look")
	s.push(p.platform, list())
	require.Empty(t, p.ours("ann@example.com"))
	require.Equal(t, []string{"champions"}, p.ours("bob@example.com"))

	second := s.now
	s.nextDay()
	p.fails = errLost
	_, err = s.look(p, list())
	require.ErrorIs(t, err, errLost)
	s.nextDay()
	p.fails = nil
	_, err = s.look(p, list())
	require.NoError(t, err)
	require.Equal(t, second.Add(-24*time.Hour), p.asked[2], "a look that failed is none")

	s.now = first.Add(week)
	_, err = s.look(p, list())
	require.NoError(t, err)
	require.Equal(t, 4, p.whole, "everything once a week")
	s.now = first // the clock goes back
	_, err = s.look(p, list())
	require.NoError(t, err)
	require.Equal(t, 6, p.whole)
}

// TestWhoSubscribedAgainSinceStaysSubscribed though the same leaving is told of again and again.
func TestWhoSubscribedAgainSinceStaysSubscribed(t *testing.T) {
	s, p := newShop(t), &teller{platform: newPlatform("ann@example.com")}
	ann := s.person("7", "ann@example.com")
	s.place(ann, "champions")
	s.push(p.platform, list())
	_, err := s.look(p, list())
	require.NoError(t, err)
	left := s.now.Add(time.Hour)
	p.left = []connectors.Member{gone("ann@example.com", left)}
	s.nextDay()
	_, err = s.look(p, list())
	require.NoError(t, err)
	s.push(p.platform, confirmed(list(), "champions"))
	require.Empty(t, p.ours("ann@example.com"))
	s.consent(ann, "7", "subscribed", left.Add(time.Hour))
	s.push(p.platform, list())
	require.Equal(t, []string{"champions"}, p.ours("ann@example.com"))
	_, err = s.look(p, list())
	require.NoError(t, err)
	s.push(p.platform, list())
	require.Equal(t, []string{"champions"}, p.ours("ann@example.com"))
	p.left[0].Consent.At = left.Add(2 * time.Hour) // and left once more
	_, err = s.look(p, list())
	require.NoError(t, err)
	s.push(p.platform, confirmed(list(), "champions"))
	require.Empty(t, p.ours("ann@example.com"))
}

// TestLeaversAreFoundByThePlatformsOwnID where they have another address there by now.
func TestLeaversAreFoundByThePlatformsOwnID(t *testing.T) {
	s, p := newShop(t), &teller{platform: newPlatform("ann@example.com")}
	s.place(s.person("", "ann@example.com"), "champions")
	s.push(p.platform, list())
	_, err := s.look(p, list())
	require.NoError(t, err)
	m := gone("other@example.com", time.Time{})
	m.RemoteID = "remote-ann@example.com"
	p.left = []connectors.Member{m}
	drift, err := s.look(p, list())
	require.NoError(t, err)
	require.Equal(t, 1, drift.Unsubscribed)
	s.push(p.platform, list())
	require.Empty(t, p.ours("ann@example.com"))
}

// deaf is a platform from which nothing can be read.
type deaf struct{ *teller }

func (deaf) OneWay() {}

func TestNothingIsAskedWhereNothingCanBeRead(t *testing.T) {
	s, p := newShop(t), &teller{platform: newPlatform("ann@example.com")}
	s.place(s.person("", "ann@example.com"), "champions")
	s.push(p.platform, list())
	drift, err := s.look(deaf{p}, list())
	require.NoError(t, err)
	require.Zero(t, drift)
	require.Zero(t, p.whole+len(p.asked))
}

// listless is a platform that knows of audiences by an attribute alone, and shows everybody who has attributes of ours.
type listless struct{ *platform }

func (p listless) Extent() connectors.Extent { return connectors.OnlyAttributes }

func (p listless) Everybody(context.Context, connectors.Cursor) (connectors.MemberPage, error) {
	page := connectors.MemberPage{Done: true}
	for _, address := range slices.Sorted(maps.Keys(p.people)) {
		if who := p.people[address]; len(who.attributes) > 0 {
			attributes := maps.Clone(who.attributes)
			attributes["audiences"] = "whatever they are called there"
			page.Members = append(page.Members, connectors.Member{Email: address, Attributes: attributes, Audiences: p.ours(address)})
		}
	}
	return page, nil
}

func TestReadBackWithoutLists(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com", "bob@example.com", "cid@example.com")
	s.place(s.person("", "ann@example.com"), "champions")
	s.place(s.person("", "bob@example.com"), "loyal") // attributes alone
	s.place(s.person("", "cid@example.com"), "loyal")
	target := list()
	target.Extent = connectors.OnlyAttributes
	s.push(p, target)
	check := func(want activation.Drift) {
		t.Helper()
		drift, err := s.look(listless{p}, target)
		require.NoError(t, err)
		require.Equal(t, want, drift)
	}
	check(activation.Drift{Read: 1})
	p.people["bob@example.com"].attributes["rfm"] = "111"
	clear(p.people["cid@example.com"].attributes)
	check(activation.Drift{Read: 1, Changed: 2})
	require.Equal(t, 2, s.push(p, target).Delivered)
	check(activation.Drift{Read: 1})
	delete(p.people["ann@example.com"].in, "champions")
	check(activation.Drift{Lost: 1})
	s.push(p, target)
	check(activation.Drift{Read: 1})
}

// TestAnotherModeIsAnotherState: what stands there in one mode does not in another.
func TestAnotherModeIsAnotherState(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com")
	s.place(s.person("", "ann@example.com"), "champions")
	for _, extent := range []connectors.Extent{"", connectors.OnlyAttributes, connectors.OnlyLists, connectors.Both} {
		target := list()
		if target.Extent = extent; extent == connectors.OnlyLists {
			target.Attributes = nil
		}
		require.Equal(t, 1, s.push(p, target).Delivered, extent)
		require.Equal(t, 1, s.push(p, target).Plan.Unchanged, extent)
		require.Equal(t, extent == connectors.OnlyLists, len(p.people["ann@example.com"].attributes) == 0)
	}
}
