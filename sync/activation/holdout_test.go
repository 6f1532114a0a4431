package activation_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/experiment"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// trial is a shop with people in one segment, at a platform that mails them and in the shop itself.
type trial struct {
	*shop
	letters, own *platform
	people       []int64
	held         []string // addresses of those held out of champions by a half
}

func newTrial(t *testing.T, n int) *trial {
	w := &trial{shop: newShop(t), letters: newPlatform(), own: newPlatform()}
	w.own.byAccount = true
	for i := range n {
		email, account := fmt.Sprintf("p%d@example.com", i), fmt.Sprint(i)
		person := w.person(account, email)
		w.place(person, "champions")
		w.exec(`INSERT INTO standings (store_id, person_id, stage, own) VALUES ($1, $2, 'active', $3)`, person, map[bool]string{true: "{vip}", false: "{}"}[i%2 == 0])
		w.letters.people[email], w.own.people[account] = newPlatform("x").people["x"], newPlatform("x").people["x"]
		w.people = append(w.people, person)
		if experiment.Held("garden", "champions", person, 0.5) {
			w.held = append(w.held, email)
		}
	}
	require.NotEmpty(t, w.held)
	require.Less(t, len(w.held), n)
	return w
}

// half is a target of a half of whose champions are held out.
func half(target activation.Target, exposes ...string) activation.Target {
	target.Audiences = append(slices.Clone(target.Audiences), connectors.Audience{Key: "vip", Name: "VIP"})
	target.Holdout, target.Exposes = map[string]float64{"champions": 0.5}, exposes
	return target
}

func (w *trial) pushBoth() (letters, own activation.Summary) {
	w.t.Helper()
	own = w.push(w.own, half(tags()))
	return w.push(w.letters, half(list(), "champions")), own
}

// requireHeld compares what stands where with who is held out.
func (w *trial) requireHeld() {
	w.t.Helper()
	for i := range w.people {
		email := fmt.Sprintf("p%d@example.com", i)
		var want []string
		if i%2 == 0 {
			want = append(want, "vip")
		}
		out := slices.Contains(w.held, email)
		if !out {
			want = append([]string{"champions"}, want...)
		}
		for p, address := range map[*platform]string{w.letters: email, w.own: fmt.Sprint(i)} {
			require.Equal(w.t, want, p.ours(address), address)
			require.Equal(w.t, out, len(p.people[address].attributes) == 0, "attributes of %s", address)
		}
	}
}

func TestWhoIsHeldOutIsInTheAudienceNowhereAndGetsNoAttributes(t *testing.T) {
	w := newTrial(t, 40)
	letters, own := w.pushBoth()
	w.requireHeld()
	for _, sum := range []activation.Summary{letters, own} {
		require.Equal(t, map[string]int{connectors.ReasonHeldOut: len(w.held)}, sum.Plan.Withheld)
	}
	require.Equal(t, 40, w.count(`SELECT count(*) FROM exposures WHERE store_id = $1 AND audience = 'champions' AND share = 0.5`), "both arms")
	require.Equal(t, len(w.held), w.count(`SELECT count(*) FROM exposures WHERE store_id = $1 AND held`))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM holdouts WHERE store_id = $1 AND until IS NULL`))

	calls := w.letters.calls + w.own.calls
	letters, _ = w.pushBoth()
	require.Equal(t, calls, w.letters.calls+w.own.calls, "a quiet night sends nothing")
	require.Equal(t, map[string]int{connectors.ReasonHeldOut: len(w.held)}, letters.Plan.Withheld)

	t.Run("another share moves nobody", func(t *testing.T) {
		target := half(list(), "champions")
		target.Holdout["champions"] = 0.1
		require.Equal(t, letters.Plan.Unchanged, w.push(w.letters, target).Plan.Unchanged)
	})
	t.Run("who leaves the segment is held out no more", func(t *testing.T) {
		w.nextDay()
		for _, person := range w.people {
			w.place(person, "lost")
		}
		w.push(w.letters, confirmed(half(list(), "champions"), "champions"))
		require.Len(t, w.letters.people["p0@example.com"].attributes, 4)
		for i := range w.people {
			require.Contains(t, w.letters.ours(fmt.Sprintf("p%d@example.com", i)), "lost")
		}
	})
	t.Run("and is out again on coming back", func(_ *testing.T) {
		for _, person := range w.people {
			w.place(person, "champions")
		}
		w.push(w.letters, confirmed(half(list(), "champions"), "lost"))
		w.requireHeld()
	})
	t.Run("a trial that is over lets everybody in", func(t *testing.T) {
		w.nextDay()
		target := half(list())
		target.Holdout = map[string]float64{}
		w.push(w.letters, target)
		for i := range w.people {
			require.Contains(t, w.letters.ours(fmt.Sprintf("p%d@example.com", i)), "champions")
		}
		require.Zero(t, w.count(`SELECT count(*) FROM holdouts WHERE store_id = $1 AND until IS NULL`))
		require.Equal(t, 40, w.count(`SELECT count(*) FROM exposures WHERE store_id = $1`))
	})
}

// TestSwitchingATrialOnIsNoMistake: the guard looks past those who leave for it, and it is no news of them.
func TestSwitchingATrialOnIsNoMistake(t *testing.T) {
	w := newTrial(t, 40)
	before := half(list())
	before.Holdout, before.Guard = nil, activation.Guard{Shrink: 0.3, MinSize: 5}
	w.push(w.letters, before)
	w.nextDay()
	target := half(list(), "champions")
	target.Guard = before.Guard
	w.letters.seen = nil
	sum := w.push(w.letters, target)
	require.Equal(t, len(w.held), sum.Plan.Audiences[0].HeldOut)
	require.Equal(t, len(w.held), sum.Plan.Audiences[0].Leave)
	entered, left := w.letters.news()
	require.Empty(t, append(entered, left...))

	for _, person := range w.people[:39] { // and still sees what else goes wrong
		w.place(person, "lost")
	}
	_, err := activation.Push(t.Context(), w.options(w.letters, target))
	var held *activation.HeldError
	require.True(t, errors.As(err, &held))
}

// TestOnlyWhoPassesTheGatesIsExposed, in either arm.
func TestOnlyWhoPassesTheGatesIsExposed(t *testing.T) {
	w := newTrial(t, 40)
	target := half(list(), "champions")
	target.Consent = activation.ConsentShop
	for i, person := range w.people {
		switch i % 4 {
		case 0:
			target.Exclude = append(target.Exclude, fmt.Sprintf("p%d@example.com", i))
			w.consent(person, fmt.Sprint(i), "subscribed", w.now)
		case 1:
			w.consent(person, fmt.Sprint(i), "unsubscribed", w.now)
		case 2:
			w.consent(person, fmt.Sprint(i), "subscribed", w.now)
		}
	}
	o := w.options(w.letters, target)
	o.DryRun = true
	_, err := activation.Push(t.Context(), o)
	require.NoError(t, err)
	require.Zero(t, w.count(`SELECT count(*) FROM exposures WHERE store_id = $1`), "a dry run stores nothing")
	sum := w.push(w.letters, target)
	require.Equal(t, 10, w.count(`SELECT count(*) FROM exposures WHERE store_id = $1`))
	require.Equal(t, 10, sum.Plan.Withheld[connectors.ReasonExcluded])
	require.Equal(t, 10, sum.Plan.Withheld[connectors.ReasonUnsubscribed])
	require.Equal(t, 10, sum.Plan.Withheld[connectors.ReasonNoConsent])
	w.consent(w.people[3], "3", "subscribed", w.now)
	w.push(w.letters, target)
	require.Equal(t, 11, w.count(`SELECT count(*) FROM exposures WHERE store_id = $1`), "who is due later is exposed later")
}
