package activation_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// Lists take with them who left them: purge hears of it first.
func TestPurgeRemembersWhoUnsubscribed(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com", "bob@example.com")
	s.place(s.person("", "ann@example.com"), "champions")
	s.place(s.person("", "bob@example.com"), "champions")
	s.push(p, list())
	p.people["ann@example.com"].out["champions"] = true // since the last push
	_, err := activation.Purge(context.Background(), s.options(p, list()))
	require.NoError(t, err)
	require.Empty(t, p.made)
	s.now = s.now.Add(24 * time.Hour)
	sum := s.push(p, list())
	require.Equal(t, map[string]int{connectors.ReasonUnsubscribed: 1}, sum.Plan.Withheld)
	require.Empty(t, p.ours("ann@example.com"))
	require.Equal(t, []string{"champions"}, p.ours("bob@example.com"))
}

// deafPlatform cannot be read.
type deafPlatform struct{ *platform }

func (p deafPlatform) Members(context.Context, connectors.Audience, connectors.Cursor) (connectors.MemberPage, error) {
	return connectors.MemberPage{}, &connectors.Error{Kind: connectors.KindRetry, Op: "members", Err: errors.New("not now")}
}

func TestPurgeTakesNothingAwayBeforeItHeard(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com")
	s.place(s.person("", "ann@example.com"), "champions")
	s.push(p, list())
	o := s.options(p, list())
	o.Destination = deafPlatform{p}
	_, err := activation.Purge(context.Background(), o)
	require.ErrorContains(t, err, "not now")
	require.Equal(t, []string{"champions"}, p.ours("ann@example.com"))
}

// mutePlatform only takes: there is nothing to read.
type mutePlatform struct{ deafPlatform }

func (mutePlatform) OneWay() {}

func TestPurgeOfAPlatformThatOnlyTakes(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com")
	s.place(s.person("", "ann@example.com"), "champions")
	s.push(p, list())
	o := s.options(p, list())
	o.Destination = mutePlatform{deafPlatform{p}}
	purged, err := activation.Purge(context.Background(), o)
	require.NoError(t, err)
	require.Equal(t, 1, purged.People)
}

// A shop that makes one customer of two leaves tags of ours on the one that is left, and a tag of the merchant's own stays.
func TestPurgeOfAShopTakesStraysBack(t *testing.T) {
	s, p := newShop(t), newPlatform("1", "2", "3")
	p.byAccount = true
	s.place(s.person("1", "ann@example.com"), "champions")
	s.push(p, tags())
	p.people["2"].in["champions"] = true
	p.people["2"].attributes["rfm"] = "545"
	p.people["3"].in["handpicked"] = true
	p.people["3"].attributes["nickname"] = "Cid"
	o := s.options(p, tags())
	o.Destination = &rolled{platform: p}
	purged, err := activation.Purge(context.Background(), o)
	require.NoError(t, err)
	require.Equal(t, activation.Purged{People: 2, Strays: 1, Audiences: 2}, purged)
	require.Empty(t, p.ours("2"))
	require.Empty(t, p.people["2"].attributes)
	require.Equal(t, []string{"handpicked"}, p.ours("3"))
	require.Equal(t, map[string]string{"nickname": "Cid"}, p.people["3"].attributes)
	require.False(t, p.people["3"].in["champions"])

	r := &rolled{platform: p}
	o.Destination = r
	purged, err = activation.Purge(context.Background(), o)
	require.NoError(t, err)
	require.Zero(t, purged)
	require.Zero(t, r.walked, "nothing was ever given, so nothing is looked for")
}

// Audiences that are not wanted any more, because their segment was given up or renamed, go with the others.
func TestPurgeRemovesAudiencesThatAreNotWantedAnyMore(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com")
	s.place(s.person("", "ann@example.com"), "champions")
	s.push(p, list())
	other := list()
	other.Audiences = []connectors.Audience{{Key: "loyal", Name: "Regulars"}}
	s.push(p, confirmed(other, "champions", "lost"))
	require.ElementsMatch(t, []string{"champions", "lost", "loyal"}, p.made)
	renamed := other
	renamed.Audiences = []connectors.Audience{{Key: "loyal", Name: "Old friends"}}
	purged, err := activation.Purge(context.Background(), s.options(p, renamed))
	require.NoError(t, err)
	require.Equal(t, 3, purged.Audiences)
	require.Empty(t, p.made)
	require.Empty(t, p.people["ann@example.com"].attributes)
}
