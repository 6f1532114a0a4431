package activation_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// TestGuard holds audiences that empty or shrink as by mistake, and lets ordinary nights pass.
func TestGuard(t *testing.T) {
	type move struct {
		key                         string // behind its scheme and a slash, where it has one; with "!" where that has other groups now
		before, after, unsubscribed int
	}
	guard := activation.Guard{Shrink: 0.3, MinSize: 50}
	noon := time.Date(2026, 9, 23, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		guard activation.Guard
		moves []move
		held  []string
	}{
		"nothing moves":                       {guard, []move{{"a", 60, 60, 0}}, nil},
		"a large one shrinks a little":        {guard, []move{{"a", 100, 70, 0}, {"b", 0, 30, 0}}, nil},
		"a large one shrinks a lot":           {guard, []move{{"a", 100, 69, 0}, {"b", 0, 31, 0}}, []string{"a"}},
		"a middling one shrinks a lot":        {guard, []move{{"a", 49, 10, 0}, {"b", 0, 39, 0}}, nil},
		"a middling one is emptied":           {guard, []move{{"a", 10, 0, 0}, {"b", 90, 100, 0}}, []string{"a"}},
		"a few move on":                       {guard, []move{{"a", 9, 0, 0}, {"b", 90, 99, 0}}, nil},
		"a few are lost":                      {guard, []move{{"a", 3, 0, 0}, {"b", 4, 3, 0}}, []string{"a"}},
		"the only audience, of one, is empty": {guard, []move{{"a", 1, 0, 0}}, []string{"a"}},
		"everybody is lost":                   {guard, []move{{"a", 2, 0, 0}, {"b", 3, 0, 0}}, []string{"a", "b"}},
		"they unsubscribed themselves":        {guard, []move{{"a", 60, 0, 60}}, nil},
		"confirmed":                           {activation.Guard{Shrink: 0.3, MinSize: 50, Confirmed: []string{"A"}}, []move{{"a", 60, 0, 0}}, nil},
		"shrinking is not watched":            {activation.Guard{MinSize: 50}, []move{{"a", 100, 1, 0}}, nil},
		"older orders are not known":          {activation.Guard{Since: noon}, []move{{"a", 60, 60, 0}, {"b", 0, 3, 0}}, []string{"history"}},
		"one audience is not all of them":     {activation.Guard{Since: noon, Confirmed: []string{"a"}}, []move{{"a", 60, 60, 0}}, []string{"history"}},
		"older orders are done without":       {activation.Guard{Since: noon, Confirmed: []string{"history"}}, []move{{"a", 60, 60, 0}}, nil},
		"nor does that confirm what is lost":  {activation.Guard{Since: noon, Confirmed: []string{"history"}}, []move{{"a", 60, 0, 0}}, []string{"a"}},
		"emptying always is":                  {activation.Guard{MinSize: 50}, []move{{"a", 2, 0, 0}, {"b", 90, 92, 0}}, []string{"a"}},
		"a few of one scheme are lost": {
			guard, []move{{"rfm/a", 3, 0, 0}, {"rfm/b", 4, 3, 0}, {"tier/c", 90, 90, 0}, {"tier/d", 9, 9, 0}}, []string{"rfm/a"},
		},
		"a few of one scheme move on":  {guard, []move{{"rfm/a", 9, 0, 0}, {"rfm/b", 90, 99, 0}, {"tier/c", 99, 60, 0}}, []string{"tier/c"}},
		"a few of the owner's move on": {guard, []move{{"a", 9, 0, 0}, {"rfm/b", 90, 90, 0}}, nil},
		"the shop grew": {
			guard, []move{{"rfm/a!", 60, 20, 0}, {"rfm/b!", 50, 0, 0}, {"rfm/c!", 0, 30, 0}, {"rfm/d!", 0, 65, 0}, {"tier/c", 60, 20, 0}}, []string{"tier/c"},
		},
		"the shop grew and lost people": {guard, []move{{"rfm/a!", 60, 20, 0}, {"rfm/b!", 50, 0, 0}, {"rfm/c!", 0, 30, 0}}, []string{"rfm/a!", "rfm/b!"}},
	} {
		t.Run(name, func(t *testing.T) {
			var differences []activation.Difference
			for _, m := range c.moves {
				d := activation.Difference{Audience: connectors.Audience{Key: m.key, Name: m.key}, Before: m.before, After: m.after, Unsubscribed: m.unsubscribed}
				if scheme, _, is := strings.Cut(m.key, "/"); is {
					d.Scheme, d.Regrouped = scheme, strings.HasSuffix(m.key, "!")
				}
				d.Join, d.Leave = max(0, m.after-m.before), max(0, m.before-m.after)
				differences = append(differences, d)
			}
			var held []string
			for _, h := range c.guard.Held(differences) {
				held = append(held, h.Audience.Key)
			}
			require.Equal(t, c.held, held)
		})
	}
}

// What is held together is confirmed together: one by one, each would be held with the others again.
func TestHeldErrorNamesOneCommand(t *testing.T) {
	champions := activation.Hold{Audience: connectors.Audience{Key: "champions", Name: "Champions"}, Before: 60, After: 20}
	vip := activation.Hold{Audience: connectors.Audience{Key: "vip", Name: "VIP"}, Before: 12}
	require.EqualError(t, &activation.HeldError{Held: []activation.Hold{champions}}, "held, nothing was sent:\n"+
		"  Champions would go from 60 to 20 members (if that is right: perennial push --confirm champions)")
	require.EqualError(t, &activation.HeldError{Held: []activation.Hold{champions, vip}, Withdrawn: 3},
		"held (3 who unsubscribed were let go, nothing else was sent):\n  Champions would go from 60 to 20 members\n"+
			"  VIP would go from 12 to 0 members\n  if all of that is right: perennial push --confirm champions,vip")
}
