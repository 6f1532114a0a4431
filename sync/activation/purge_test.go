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
