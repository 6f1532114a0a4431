package activation_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/lib/pq"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis/experiment"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// stand is where somebody stands after a night. Everything is text as it is shown.
type stand struct {
	segment, rfm, since string // none: without a counted order
	known               bool   // whether the rest is
	stage, tier, churn  string
	own                 []string
	value, week         string
	previous            string
	last, favourite     string
}

// stand writes where a person stands.
func (s *shop) stand(person int64, w stand) {
	s.t.Helper()
	s.exec(`DELETE FROM rfm_scores WHERE store_id = $1 AND person_id = $2`, person)
	s.exec(`DELETE FROM standings WHERE store_id = $1 AND person_id = $2`, person)
	if w.segment != "" {
		s.exec(`INSERT INTO rfm_scores (store_id, person_id, r, f, m, segment, since, previous) VALUES ($1, $2, $3, $4, $5, $6, $7, nullif($8, ''))`,
			person, w.rfm[:1], w.rfm[1:2], w.rfm[2:], w.segment, w.since, w.previous)
	}
	if w.known {
		s.exec(`INSERT INTO standings (store_id, person_id, stage, tier, churn, own, value, next_week, last_order, favourite)
			VALUES ($1, $2, $3, $4, $5, $6, nullif($7, '')::numeric, nullif($8, '')::date, nullif($9, '')::date, $10)`,
			person, w.stage, w.tier, w.churn, pq.StringArray(w.own), w.value, w.week, w.last, w.favourite)
	}
}

// desired is what shall stand for somebody at a destination; the zero value is nothing.
type desired struct {
	Audiences  []string
	Attributes map[string]string
}

func (d desired) nothing() bool { return len(d.Audiences) == 0 && len(d.Attributes) == 0 }

// desire is the definition of what a plan works out.
func desire(t activation.Target, w stand, decimals int) desired {
	segment := w.segment
	if segment == "" && w.known {
		segment = t.Prospects
	}
	d := desired{Attributes: map[string]string{}}
	keys := append([]string{segment, "lifecycle_" + w.stage, "tier_" + w.tier, "churn_" + w.churn}, w.own...)
	for _, a := range t.Audiences {
		if slices.Contains(keys, a.Key) {
			d.Audiences = append(d.Audiences, a.Key)
		}
	}
	slices.Sort(d.Audiences)
	if w.segment == "" && len(d.Audiences) == 0 {
		return desired{} // nobody hears of people who never ordered but where they are asked for
	}
	value := w.value
	if whole, _, _ := strings.Cut(value, "."); value != "" {
		value = strings.TrimSuffix(whole+"."+strings.Repeat("0", decimals), ".")
	}
	name, scores := t.Names[segment], w.rfm+"   "
	if name == "" {
		name = segment
	}
	for key, text := range map[string]string{
		"segment": segment, "segment_name": name, "rfm": w.rfm, "r": strings.TrimSpace(scores[:1]), "f": strings.TrimSpace(scores[1:2]),
		"m": strings.TrimSpace(scores[2:]), "since": w.since, "lifecycle": w.stage, "value_tier": w.tier,
		"churn_risk": w.churn, "predicted_value": value, "next_order_week": w.week,
		"previous_segment": w.previous, "last_order": w.last, "favourite_category": w.favourite,
	} {
		if text == "" || !slices.Contains(t.Attributes, key) {
			continue
		}
		if name := t.Renamed[key]; name != "" {
			key = name
		}
		d.Attributes[key] = text
	}
	return d
}

// less is what is left of it for a person who is held out of audiences in a shop of this name.
func (d desired) less(t activation.Target, w stand, shop string, person int64) desired {
	segment := w.segment
	if segment == "" && w.known {
		segment = t.Prospects
	}
	out := slices.DeleteFunc(append([]string{segment, "lifecycle_" + w.stage, "tier_" + w.tier, "churn_" + w.churn}, w.own...),
		func(key string) bool { return !experiment.Held(shop, key, person, t.Holdout[key]) })
	if len(out) > 0 {
		d.Attributes = nil
		d.Audiences = slices.DeleteFunc(d.Audiences, func(key string) bool { return slices.Contains(out, key) })
	}
	return d
}

func drawStand(t *rapid.T) stand {
	w := stand{known: rapid.IntRange(0, 9).Draw(t, "known") > 0, stage: "prospect"}
	if rapid.IntRange(0, 3).Draw(t, "ordered") > 0 {
		w.segment = rapid.SampledFrom([]string{"champions", "lost", "loyal"}).Draw(t, "segment")
		w.rfm = rapid.SampledFrom([]string{"111", "515", "545"}).Draw(t, "rfm")
		w.since = rapid.SampledFrom([]string{"2026-02-01", "2026-03-01"}).Draw(t, "since")
		w.stage = rapid.SampledFrom([]string{"active", "lost"}).Draw(t, "stage")
		w.tier = rapid.SampledFrom([]string{"", "low", "top"}).Draw(t, "tier")
		w.churn = rapid.SampledFrom([]string{"", "low", "high"}).Draw(t, "churn")
		w.value = rapid.SampledFrom([]string{"", "0", "120", "120.0000", "40.0"}).Draw(t, "value")
		w.week = rapid.SampledFrom([]string{"", "2026-03-02", "2026-03-09"}).Draw(t, "week")
		w.previous = rapid.SampledFrom([]string{"", "champions", "lost"}).Draw(t, "previous")
		w.last = rapid.SampledFrom([]string{"", "2026-01-31", "2026-02-01"}).Draw(t, "last")
		w.favourite = rapid.SampledFrom([]string{"", "Tea", "Tea & 'Cups'"}).Draw(t, "favourite")
	}
	w.own = rapid.SampledFrom([][]string{{}, {"vip"}, {"abroad"}, {"abroad", "vip"}}).Draw(t, "own")
	if !w.known {
		return stand{segment: w.segment, rfm: w.rfm, since: w.since, previous: w.previous} // as before the first night of a new version
	}
	return w
}

var everyAudience = []string{
	"champions", "lost", "prospects", "lifecycle_prospect", "lifecycle_active", "lifecycle_lost", "tier_low", "tier_top",
	"churn_low", "churn_high", "vip", "abroad",
}

func some[T any](t *rapid.T, name string, all []T) []T {
	return slices.DeleteFunc(slices.Clone(all), func(T) bool { return rapid.IntRange(0, 2).Draw(t, name) == 0 })
}

func drawTarget(t *rapid.T) activation.Target {
	target := list()
	target.NeedsConsent, target.Audiences = false, nil
	for _, key := range some(t, "audience", everyAudience) {
		target.Audiences = append(target.Audiences, connectors.Audience{Key: key, Name: key})
	}
	target.Attributes = some(t, "attribute", activation.Attributes())
	target.Renamed = map[string]string{}
	for _, key := range some(t, "renamed", activation.Attributes()) {
		target.Renamed[key] = rapid.SampledFrom([]string{"my_" + key, "the_" + key, ""}).Draw(t, "name")
	}
	if rapid.Bool().Draw(t, "prospects") {
		target.Prospects, target.Names["prospects"] = "prospects", "Prospects"
	}
	if rapid.Bool().Draw(t, "tried") {
		target.Holdout = map[string]float64{}
		for _, key := range some(t, "held", everyAudience) {
			target.Holdout[key] = 0.5
		}
	}
	target.Guard.Confirmed = everyAudience
	return target
}

// TestPlanIsWhatDiffers holds plans over random standings, deliveries and targets against the definition.
func TestPlanIsWhatDiffers(t *testing.T) {
	base, run := newShop(t), 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		s := base.open(fmt.Sprintf("plan-%d", run))
		decimals := map[string]int{"EUR": 2, "JPY": 0, "KWD": 3}
		currency := rapid.SampledFrom(slices.Sorted(maps.Keys(decimals))).Draw(t, "currency")
		s.exec(`UPDATE stores SET currency = $2 WHERE store_id = $1`, currency)
		people, stands, delivered := []int64{}, map[int64]stand{}, map[int64]desired{}
		for i := range 5 {
			people = append(people, s.person(fmt.Sprint(i), address(i)))
		}
		target := drawTarget(t)
		for range rapid.IntRange(1, 3).Draw(t, "nights") {
			for _, person := range some(t, "moved", people) {
				stands[person] = drawStand(t)
				s.stand(person, stands[person])
			}
			if rapid.IntRange(0, 3).Draw(t, "configured") == 0 {
				target = drawTarget(t)
			}
			want := map[int64]desired{}
			for person, w := range stands {
				d := desire(target, w, decimals[currency]).less(target, w, fmt.Sprintf("plan-%d", run), person)
				if !d.nothing() {
					want[person] = d
				}
			}
			s.checkPlan(t, target, want, delivered)
			s.checkChanges(t, target, want, delivered)
			delivered = want
		}
	})
}

// checkPlan compares a plan with what differs.
func (s *shop) checkPlan(t *rapid.T, target activation.Target, want, delivered map[int64]desired) {
	plan, err := s.ledger.Plan(context.Background(), target, true, s.now)
	require.NoError(t, err)
	changes, unchanged, audiences := 0, 0, map[string]*activation.Difference{}
	of := func(key string) *activation.Difference {
		if audiences[key] == nil {
			audiences[key] = &activation.Difference{}
		}
		return audiences[key]
	}
	for _, person := range slices.Compact(slices.Sorted(maps.Keys(joined(want, delivered)))) {
		w, d := want[person], delivered[person]
		switch same := cmp.Equal(w, d, cmpopts.EquateEmpty()); {
		case same && !w.nothing():
			unchanged++
		case !same:
			changes++
		}
		for _, key := range d.Audiences {
			of(key).Before++
			if !slices.Contains(w.Audiences, key) {
				of(key).Leave++
			}
		}
		for _, key := range w.Audiences {
			of(key).After++
			if !slices.Contains(d.Audiences, key) {
				of(key).Join++
			}
		}
	}
	require.Equal(t, []int{changes, unchanged}, []int{plan.Changes, plan.Unchanged})
	for _, d := range plan.Audiences {
		want := of(d.Audience.Key)
		require.Equal(t, []int{want.Before, want.After, want.Join, want.Leave}, []int{d.Before, d.After, d.Join, d.Leave}, d.Audience.Key)
		delete(audiences, d.Audience.Key)
	}
	require.Empty(t, audiences)
}

func joined(a, b map[int64]desired) map[int64]desired {
	both := maps.Clone(a)
	maps.Copy(both, b)
	return both
}

// checkChanges compares the work list with what differs, and delivers it.
func (s *shop) checkChanges(t *rapid.T, target activation.Target, want, delivered map[int64]desired) {
	ctx := context.Background()
	_, err := s.ledger.Plan(ctx, target, false, s.now)
	require.NoError(t, err)
	changes, err := s.ledger.Next(ctx, target, 0, 100, s.now)
	require.NoError(t, err)
	var outcomes []connectors.Outcome
	for _, c := range changes {
		w, d := want[c.Person.ID], delivered[c.Person.ID]
		require.Empty(t, cmp.Diff(w, desired{c.Audiences, c.Attributes}, cmpopts.EquateEmpty()))
		leave := slices.DeleteFunc(slices.Clone(d.Audiences), func(key string) bool { return slices.Contains(w.Audiences, key) })
		drop := slices.DeleteFunc(slices.Sorted(maps.Keys(d.Attributes)), func(key string) bool { return w.Attributes[key] != "" })
		require.Empty(t, cmp.Diff([][]string{leave, drop}, [][]string{c.Leave, c.Drop}, cmpopts.EquateEmpty()))
		outcomes = append(outcomes, connectors.Outcome{PersonID: c.Person.ID, State: connectors.Delivered})
	}
	_, err = s.ledger.Record(ctx, target.Destination, outcomes, s.now)
	require.NoError(t, err)
}
