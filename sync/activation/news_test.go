package activation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// nextDay lets a day pass.
func (s *shop) nextDay() { s.now = s.now.Add(24 * time.Hour) }

// news are the audiences entered and left by the changes that a platform has seen since the last call.
func (p *platform) news() (entered, left []string) {
	for _, c := range p.seen {
		entered, left = append(entered, c.Entered...), append(left, c.Left...)
	}
	p.seen = nil
	return entered, left
}

func (s *shop) requireNews(p *platform, entered, left []string) {
	s.t.Helper()
	in, out := p.news()
	require.Equal(s.t, entered, in, "entered")
	require.Equal(s.t, left, out, "left")
}

func (s *shop) readBack(p *platform, target activation.Target) activation.Drift {
	s.t.Helper()
	drift, err := activation.ReadBack(s.t.Context(), s.options(p, target))
	require.NoError(s.t, err)
	return drift
}

func TestMovesAreNewsAndFirstFillsAreNot(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com", "bob@example.com")
	ann := s.person("", "ann@example.com")
	s.place(ann, "champions")
	s.place(s.person("", "bob@example.com"), "champions")
	s.push(p, list())
	s.requireNews(p, nil, nil)

	s.nextDay()
	s.place(ann, "lost")
	s.push(p, list())
	s.requireNews(p, []string{"lost"}, []string{"champions"})

	s.nextDay()
	s.exec(`UPDATE rfm_scores SET m = 5 WHERE store_id = $1`)
	s.push(p, list())
	s.requireNews(p, nil, nil)
}

func TestAnAudienceThatComesToADestinationIsNoNewsOfAnybody(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com", "bob@example.com")
	ann, bob := s.person("", "ann@example.com"), s.person("", "bob@example.com")
	s.place(ann, "loyal")
	s.place(bob, "champions")
	s.push(p, list())
	p.news()

	s.nextDay()
	more := list()
	more.Audiences = append(more.Audiences, connectors.Audience{Key: "loyal", Name: "Loyal"})
	s.push(p, more)
	s.requireNews(p, nil, nil)

	s.nextDay()
	s.place(bob, "loyal")
	s.push(p, confirmed(more, "champions"))
	s.requireNews(p, []string{"loyal"}, []string{"champions"})

	s.nextDay()
	s.push(p, confirmed(list(), "loyal"))
	s.requireNews(p, nil, nil)
	s.nextDay()
	s.push(p, more)
	s.requireNews(p, nil, nil)
}

func TestAFirstFillThatTookSeveralNightsIsNoNews(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com", "bob@example.com", "cid@example.com")
	ann, bob := s.person("", "ann@example.com"), s.person("", "bob@example.com")
	s.place(ann, "champions")
	s.place(bob, "champions")
	p.script = func(_ int, _ []connectors.Change) (int, error) { return 1, nil } // bob is put off
	s.push(p, list())
	p.script = nil
	p.news()
	s.nextDay()
	s.place(s.person("", "cid@example.com"), "champions")
	s.push(p, list())
	s.requireNews(p, []string{"champions"}, nil) // cid
	require.Equal(t, []string{"champions"}, p.ours("bob@example.com"))
}

func TestWhatIsTriedAgainIsNewsOfTheSameMoment(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com")
	ann := s.person("", "ann@example.com")
	s.place(ann, "champions")
	s.push(p, list())
	p.news()

	s.nextDay()
	moved := s.now
	s.place(ann, "lost")
	p.script = func(int, []connectors.Change) (int, error) { return 0, nil }
	s.push(p, confirmed(list(), "champions"))
	s.nextDay()
	s.exec(`UPDATE rfm_scores SET m = 5 WHERE store_id = $1`) // other attributes, the same audiences
	s.push(p, confirmed(list(), "champions"))
	s.nextDay()
	p.script = nil
	s.push(p, confirmed(list(), "champions"))
	require.Len(t, p.seen, 3)
	for _, c := range p.seen {
		require.Equal(t, []string{"lost"}, c.Entered)
		require.Equal(t, []string{"champions"}, c.Left)
		require.True(t, moved.Equal(c.Since), c.Since)
	}
}

func TestWhatIsMendedIsNoNews(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com", "bob@example.com")
	ann, bob := s.person("", "ann@example.com"), s.person("", "bob@example.com")
	s.place(ann, "champions")
	s.place(bob, "champions")
	s.push(p, list())
	p.news()

	t.Run("a tag removed by hand", func(t *testing.T) {
		s.nextDay()
		delete(p.people["ann@example.com"].in, "champions")
		s.readBack(p, list())
		s.push(p, list())
		require.Equal(t, []string{"champions"}, p.ours("ann@example.com"))
		s.requireNews(p, nil, nil)
	})
	t.Run("a list that was deleted", func(t *testing.T) {
		s.nextDay()
		p.deleteAudience("champions")
		s.push(p, list())
		require.Equal(t, []string{"champions"}, p.ours("ann@example.com"))
		s.requireNews(p, nil, nil)
	})
	t.Run("and a move meanwhile is", func(_ *testing.T) {
		s.nextDay()
		p.deleteAudience("champions")
		s.place(ann, "lost")
		s.push(p, confirmed(list(), "champions"))
		s.requireNews(p, []string{"lost"}, []string{"champions"})
	})
	t.Run("a new address", func(t *testing.T) {
		s.nextDay()
		p.people["robert@example.com"] = newPlatform("x").people["x"]
		s.exec(`UPDATE persons SET email = 'robert@example.com' WHERE store_id = $1 AND person_id = $2`, bob)
		s.push(p, list())
		require.Equal(t, []string{"champions"}, p.ours("robert@example.com"))
		require.Empty(t, p.ours("bob@example.com"))
		s.requireNews(p, nil, nil)
	})
	t.Run("an address that is left for good leaves nothing to be told", func(t *testing.T) {
		s.nextDay()
		cid := s.person("", "cid@example.com")
		p.people["cid@example.com"] = newPlatform("x").people["x"]
		s.place(cid, "champions")
		s.push(p, list())
		p.news()
		s.exec(`UPDATE persons SET email = 'elsewhere@example.com' WHERE store_id = $1 AND person_id = $2`, cid)
		require.NoError(t, s.ledger.Suppress(t.Context(), "letters", []int64{cid}, connectors.ReasonUnsubscribed, s.now))
		s.push(p, list())
		s.requireNews(p, nil, nil)
		require.Zero(t, s.count(`SELECT count(*) FROM deliveries WHERE store_id = $1 AND person_id = $2
			AND (hash IS NOT NULL OR tried_hash IS NOT NULL OR told IS NOT NULL)`, cid))
	})
	t.Run("and the next move is", func(_ *testing.T) {
		s.nextDay()
		s.place(bob, "lost")
		s.push(p, confirmed(list(), "champions"))
		s.requireNews(p, []string{"lost"}, []string{"champions"})
	})
}

// TestRetriesBackOff: pushes that follow each other every hour leave in peace whom a platform puts off again and again, and
// the push of every night tries them.
func TestRetriesBackOff(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com", "bob@example.com")
	ann := s.person("", "ann@example.com")
	s.place(ann, "champions")
	p.script = func(int, []connectors.Change) (int, error) { return 0, nil }
	hourly := func() {
		options := s.options(p, list())
		options.BackOff = true
		_, err := activation.Push(t.Context(), options)
		require.NoError(t, err)
	}
	tries := func(hours int) (calls int) {
		for range hours {
			before := p.calls
			hourly()
			calls += p.calls - before
			s.now = s.now.Add(time.Hour)
		}
		return calls
	}
	require.Equal(t, 6, tries(24), "at 0, 1, 2, 4, 8 and 16")
	require.Equal(t, 1, tries(24))
	require.Equal(t, 7, s.count(`SELECT attempts FROM outbox WHERE store_id = $1`))
	require.Equal(t, 1, s.count(`SELECT count(*) FROM outbox WHERE store_id = $1 AND reason = 'no answer' AND tried_at < next_at
		AND next_at <= tried_at + interval '1 day'`))
	before := p.calls
	s.push(p, list()) // the night
	require.Equal(t, 1, p.calls-before)
	hourly()
	require.Equal(t, 1, p.calls-before)
	s.place(ann, "lost") // something else is desired; nothing stands there yet
	hourly()
	hourly()
	require.Equal(t, 2, p.calls-before)
	p.script = nil
	s.push(p, list())
	require.Equal(t, []string{"lost"}, p.ours("ann@example.com"))
}
