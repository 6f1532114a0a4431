package activation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
)

func TestFirstPushDeliversAndSecondSendsNothing(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com", "bob@example.com")
	ann := s.person("", "ann@example.com")
	s.place(ann, "champions")
	s.place(s.person("7", "bob@example.com"), "loyal") // a segment without a list
	s.place(s.person("8", ""), "lost")
	sum := s.push(p, list())
	require.Equal(t, 2, sum.Delivered)
	require.Equal(t, map[string]int{connectors.ReasonNoEmail: 1}, sum.Plan.Withheld)
	require.Equal(t, []string{"champions"}, p.ours("ann@example.com"))
	require.Equal(t, map[string]string{"segment": "champions", "segment_name": "Champions", "rfm": "543", "since": "2026-02-01"},
		p.people["ann@example.com"].attributes)
	require.Empty(t, p.ours("bob@example.com"))
	require.Equal(t, "Loyal", p.people["bob@example.com"].attributes["segment_name"])

	calls := p.calls
	sum = s.push(p, list())
	require.Equal(t, calls, p.calls, "nothing differs, nothing is asked")
	require.Equal(t, 2, sum.Plan.Unchanged)
	require.Zero(t, sum.Plan.Changes)
}

// What was delivered before there was anything but segments is as it should be until something else comes to it.
func TestOlderDeliveriesAreNotWrittenAgain(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com")
	ann := s.person("", "ann@example.com")
	s.place(ann, "champions")
	target := list()
	target.Attributes = append(target.Attributes, "lifecycle", "predicted_value", "next_order_week", "churn_risk", "value_tier")
	target.Audiences = append(target.Audiences, connectors.Audience{Key: "tier_top", Name: "Top Value"})
	s.exec(`INSERT INTO deliveries (store_id, destination, person_id, address, audiences, hash, state, at)
		SELECT $1, 'letters', $2, 'ann@example.com', '{champions}', decode(md5(concat('champions', chr(31), 'champions', chr(31),
			'Champions', chr(31), '50403/', DATE '2026-02-01' - DATE '1970-01-01')), 'hex'), 'delivered', now()`, ann)
	require.Equal(t, 1, s.push(p, target).Plan.Unchanged)
	s.exec(`INSERT INTO standings (store_id, person_id, stage, tier) VALUES ($1, $2, 'active', 'top')`, ann)
	require.Equal(t, 1, s.push(p, target).Delivered)
	require.Equal(t, []string{"champions", "tier_top"}, p.ours("ann@example.com"))
	require.Equal(t, 1, s.push(p, target).Plan.Unchanged)
}

func TestAttributesWithoutAValueAreTakenAway(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com")
	ann := s.person("", "ann@example.com")
	s.place(ann, "champions")
	s.exec(`INSERT INTO standings (store_id, person_id, stage, tier, churn, value, next_week)
		VALUES ($1, $2, 'active', 'top', 'low', 120, '2026-03-09')`, ann)
	target := list()
	target.Attributes = []string{"lifecycle", "predicted_value", "next_order_week", "churn_risk", "value_tier"}
	s.push(p, target)
	require.Equal(t, map[string]string{
		"lifecycle": "active", "predicted_value": "120.00", "next_order_week": "2026-03-09", "churn_risk": "low", "value_tier": "top",
	}, p.people["ann@example.com"].attributes)
	s.exec(`UPDATE standings SET churn = '', value = NULL, next_week = NULL WHERE store_id = $1`)
	s.push(p, target)
	require.Equal(t, map[string]string{"lifecycle": "active", "value_tier": "top"}, p.people["ann@example.com"].attributes)
}

func TestProspectsAreWrittenOnlyWhereTheyAreAskedFor(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com", "bob@example.com")
	s.place(s.person("", "ann@example.com"), "champions")
	s.exec(`INSERT INTO standings (store_id, person_id, stage, own) VALUES ($1, $2, 'prospect', '{abroad}')`, s.person("", "bob@example.com"))
	target := list()
	target.Attributes = append(target.Attributes, "lifecycle")
	require.Equal(t, 1, s.push(p, target).Delivered)
	require.Empty(t, p.people["bob@example.com"].attributes)

	for _, key := range []string{"lifecycle_prospect", "prospects"} {
		asked := target
		if asked.Audiences = append(slices.Clone(target.Audiences), connectors.Audience{Key: key, Name: key}); key == "prospects" {
			asked.Prospects, asked.Names = key, map[string]string{key: "Prospects"}
		}
		asked.Guard.Confirmed = []string{"lifecycle_prospect"}
		s.push(p, asked)
		require.Equal(t, []string{key}, p.ours("bob@example.com"))
		require.Equal(t, "prospect", p.people["bob@example.com"].attributes["lifecycle"])
		require.Equal(t, asked.Prospects, p.people["bob@example.com"].attributes["segment"])
	}
	s.push(p, confirmed(target, "prospects"))
	require.Empty(t, p.people["bob@example.com"].attributes)
	require.Empty(t, p.ours("bob@example.com"))
}

func TestMovedPeopleJoinAndLeave(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com", "bob@example.com")
	ann := s.person("", "ann@example.com")
	s.place(ann, "champions")
	s.place(s.person("", "bob@example.com"), "champions")
	s.push(p, list())
	s.place(ann, "lost")
	sum := s.push(p, list())
	require.Equal(t, []string{"lost"}, p.ours("ann@example.com"))
	require.Equal(t, "lost", p.people["ann@example.com"].attributes["segment"])
	require.Equal(t, 1, sum.Delivered)
	d := sum.Plan.Audiences[0]
	require.Equal(t, []int{2, 1, 0, 1}, []int{d.Before, d.After, d.Join, d.Leave})
	require.True(t, p.people["ann@example.com"].in["newsletter"])
	require.Equal(t, map[string]string{"colour": "green"}, p.people["ann@example.com"].foreign)
}

func TestShopTagsNeedAnAccount(t *testing.T) {
	s, p := newShop(t), newPlatform("7")
	p.byAccount = true
	s.place(s.person("", "ann@example.com"), "champions")
	s.place(s.person("7", "bob@example.com"), "champions")
	sum := s.push(p, tags())
	require.Equal(t, map[string]int{connectors.ReasonNoAccount: 1}, sum.Plan.Withheld)
	require.Equal(t, []string{"champions"}, p.ours("7"))
}

func TestWhoeverUnsubscribedLeavesEverythingForEver(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com", "bob@example.com")
	ann := s.person("7", "ann@example.com")
	s.place(ann, "champions")
	s.place(s.person("", "bob@example.com"), "champions")
	s.push(p, list())
	p.people["ann@example.com"].out["champions"] = true
	s.place(ann, "lost")
	sum := s.push(p, list())
	require.Equal(t, 1, sum.Suppressed)
	require.Empty(t, p.ours("ann@example.com"))
	require.Empty(t, p.people["ann@example.com"].attributes)

	other := newPlatform("ann@example.com", "bob@example.com")
	elsewhere := list()
	elsewhere.Destination = "cards"
	sum = s.push(other, elsewhere)
	require.Equal(t, 1, sum.Plan.Withheld[connectors.ReasonUnsubscribed])
	require.Empty(t, other.ours("ann@example.com"), "at no other destination either")

	calls := p.calls
	s.now = s.now.Add(30 * 24 * time.Hour)
	sum = s.push(p, list())
	require.Equal(t, calls, p.calls)
	require.Equal(t, 1, sum.Plan.Withheld[connectors.ReasonUnsubscribed])

	s.consent(ann, "7", "subscribed", s.now)
	delete(p.people["ann@example.com"].out, "champions")
	s.push(p, list())
	require.Equal(t, []string{"lost"}, p.ours("ann@example.com"), "until they subscribe again themselves")
}

func TestWithheldPeopleAreOfferedAgainAfterAWeek(t *testing.T) {
	s, p := newShop(t), newPlatform()
	s.place(s.person("", "ann@example.com"), "champions")
	require.Equal(t, map[string]int{connectors.ReasonNotThere: 1}, s.push(p, list()).Withheld)
	p.people["ann@example.com"] = newPlatform("x").people["x"]
	s.now = s.now.Add(6 * 24 * time.Hour)
	sum := s.push(p, list())
	require.Equal(t, 1, p.calls)
	require.Equal(t, map[string]int{connectors.ReasonNotThere: 1}, sum.Plan.Withheld)
	s.now = s.now.Add(2 * 24 * time.Hour)
	require.Equal(t, 1, s.push(p, list()).Delivered)
}

func TestRefusedPeopleWaitForAChange(t *testing.T) {
	s, p := newShop(t), newPlatform()
	var people []int64
	for i := range 20 {
		address := fmt.Sprintf("p%d@example.com", i)
		people = append(people, s.person("", address))
		s.place(people[i], "champions")
		p.people[address] = newPlatform("x").people["x"]
	}
	p.bad = map[string]bool{"p3@example.com": true, "p11@example.com": true}
	sum := s.push(p, list())
	require.Equal(t, []int{18, 2}, []int{sum.Delivered, sum.Refused})
	require.Equal(t, 2, s.count(`SELECT count(*) FROM deliveries WHERE store_id = $1 AND state = 'refused'
		AND reason = 'subscribers: bad address'`))
	calls := p.calls
	s.now = s.now.Add(30 * 24 * time.Hour)
	s.push(p, list())
	require.Equal(t, calls, p.calls)
	s.place(people[3], "lost")
	require.Equal(t, 1, s.push(p, list()).Refused)
}

func TestRetryLaterComesBackInTheNextPush(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com")
	s.place(s.person("", "ann@example.com"), "champions")
	p.script = func(int, []connectors.Change) (int, error) { return 0, nil } // says nothing about anybody
	sum := s.push(p, list())
	require.Equal(t, 1, sum.RetryLater)
	require.Equal(t, 1, p.calls, "no second try in the same push")
	require.Equal(t, 1, s.count(`SELECT attempts FROM outbox WHERE store_id = $1`))
	p.script = nil
	require.Equal(t, 1, s.push(p, list()).Delivered)
}

func TestWhatAnUnheardTryDidIsTakenBack(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com", "bob@example.com")
	ann := s.person("", "ann@example.com")
	s.place(ann, "champions")
	s.place(s.person("", "bob@example.com"), "champions")
	lost := &connectors.Error{Kind: connectors.KindRetry, Op: "subscribers", Err: errors.New("connection lost")}
	p.script = func(int, []connectors.Change) (int, error) { return 2, lost }
	_, err := activation.Push(context.Background(), s.options(p, list()))
	require.ErrorIs(t, err, lost)
	require.Equal(t, []string{"champions"}, p.ours("ann@example.com"), "it was accepted")
	p.script = nil
	s.place(ann, "lost")
	s.push(p, list())
	require.Equal(t, []string{"lost"}, p.ours("ann@example.com"))
	require.Equal(t, []string{"champions"}, p.ours("bob@example.com"))

	p.script = func(int, []connectors.Change) (int, error) { return 1, lost }
	s.place(ann, "champions")
	_, err = activation.Push(context.Background(), s.options(p, list()))
	require.Error(t, err)
	p.script = nil
	s.place(ann, "lost") // as delivered, but not as it may stand
	s.push(p, confirmed(list(), "lost", "champions"))
	require.Equal(t, []string{"lost"}, p.ours("ann@example.com"))
}

func confirmed(t activation.Target, names ...string) activation.Target {
	t.Guard.Confirmed = names
	return t
}

func TestGuardHoldsAndLetsPass(t *testing.T) {
	s, p := newShop(t), newPlatform()
	var people []int64
	for i := range 60 {
		address := fmt.Sprintf("p%02d@example.com", i)
		people = append(people, s.person("", address))
		s.place(people[i], "champions")
		p.people[address] = newPlatform("x").people["x"]
	}
	target := list()
	target.Guard = activation.Guard{Shrink: 0.3, MinSize: 50}
	s.push(p, target)
	for _, person := range people[:18] { // 30 %, and not more
		s.place(person, "lost")
	}
	s.push(p, target)
	for _, person := range people[18:31] { // 13 of 42: 31 %, but fewer than 50
		s.place(person, "lost")
	}
	s.push(p, target)
	for _, person := range people[31:] { // the last of all
		s.place(person, "lost")
	}
	calls := p.calls
	_, err := activation.Push(context.Background(), s.options(p, target))
	var held *activation.HeldError
	require.ErrorAs(t, err, &held)
	require.Equal(t, []activation.Hold{{
		Audience: connectors.Audience{Key: "champions", Name: "Champions", ID: "id-champions"}, Before: 29,
	}}, held.Held)
	require.ErrorContains(t, err, "perennial push --confirm champions")
	require.Equal(t, calls, p.calls, "nothing was sent")
	require.Equal(t, 1, s.count(`SELECT count(*) FROM holds WHERE store_id = $1`))
	require.Zero(t, s.count(`SELECT count(*) FROM outbox WHERE store_id = $1`))

	sum := s.push(p, confirmed(target, "CHAMPIONS"))
	require.Equal(t, 29, sum.Delivered)
	require.Zero(t, s.count(`SELECT count(*) FROM holds WHERE store_id = $1`))

	for _, person := range people[:19] { // 19 of 60 leave "lost": more than 30 %
		s.place(person, "champions")
	}
	_, err = activation.Push(context.Background(), s.options(p, target))
	require.ErrorAs(t, err, &held)
	require.Equal(t, 41, held.Held[0].After)
}

// grouped says into how many groups of its preset the analysis of the day before the clock put people.
func (s *shop) grouped(preset string, groups int) {
	s.t.Helper()
	version := fmt.Sprint(preset, groups)
	s.exec(`INSERT INTO schemes (store_id, scheme, version, rule, first_day)
		SELECT $1, 'rfm', $2, jsonb_strip_nulls(jsonb_build_object('preset', nullif($3, ''), 'groups', nullif($4::integer, 0))), '2026-02-01'
		ON CONFLICT DO NOTHING`, version, preset, groups)
	s.exec(`INSERT INTO snapshots (store_id, scheme, day, segment, version, as_of, place, customers, orders, gross, net)
		SELECT $1, 'rfm', $3::timestamptz::date, 'any', $2, $3::timestamptz - interval '1 hour', 1, 0, 0, 0, 0`, version, s.now)
}

// The groups of a small shop give way to others when it grows, though some keep their key: that is no mistake, that night.
func TestGroupsOfAShopThatGrewAreNotHeld(t *testing.T) {
	s, p := newShop(t), newPlatform()
	var people []int64
	for i := range 60 {
		address := fmt.Sprintf("p%02d@example.com", i)
		people = append(people, s.person("", address))
		s.place(people[i], "lost")
		p.people[address] = newPlatform("x").people["x"]
	}
	target := list()
	target.Guard = activation.Guard{Shrink: 0.3, MinSize: 50}
	s.grouped("", 4)
	s.push(p, target)

	move := func(segment string) {
		s.now = s.now.Add(24 * time.Hour)
		for _, person := range people[:40] {
			s.place(person, segment)
		}
	}
	var held *activation.HeldError
	move("champions")
	s.grouped("usual", 4)
	_, err := activation.Push(context.Background(), s.options(p, target))
	require.ErrorAs(t, err, &held, "the groups are the same")
	s.now = s.now.Add(24 * time.Hour)
	s.grouped("usual", 0)
	require.Equal(t, 40, s.push(p, target).Delivered)

	move("lost")
	s.grouped("usual", 0)
	s.push(p, confirmed(target, "champions"))
	move("champions")
	s.grouped("klaviyo", 4)
	_, err = activation.Push(context.Background(), s.options(p, target))
	require.ErrorAs(t, err, &held, "the preset is another")
	s.now = s.now.Add(24 * time.Hour)
	s.grouped("usual", 0)
	_, err = activation.Push(context.Background(), s.options(p, target))
	require.ErrorAs(t, err, &held, "the groups are the same again")
}

func TestWithoutOlderOrdersNobodyIsPushed(t *testing.T) {
	s, p := newShop(t), newPlatform()
	staying, leaving := s.person("ann", "ann@example.com"), s.person("bob", "bob@example.com")
	for address, person := range map[string]int64{"ann@example.com": staying, "bob@example.com": leaving} {
		s.place(person, "champions")
		p.people[address] = newPlatform("x").people["x"]
	}
	narrow := list()
	narrow.Guard.Since = time.Date(2026, 9, 23, 0, 0, 0, 0, time.UTC)
	calls := p.calls
	_, err := activation.Push(context.Background(), s.options(p, narrow))
	var held *activation.HeldError
	require.ErrorAs(t, err, &held)
	require.ErrorContains(t, err, "orders before 2026-09-23 are not known")
	require.ErrorContains(t, err, "perennial push --confirm history")
	require.Equal(t, calls, p.calls, "nothing was sent")

	require.Equal(t, 2, s.push(p, confirmed(narrow, activation.History)).Delivered)
	require.Zero(t, s.count(`SELECT count(*) FROM holds WHERE store_id = $1`))

	s.consent(leaving, "bob", "unsubscribed", s.now)
	s.place(staying, "lost")
	_, err = activation.Push(context.Background(), s.options(p, narrow))
	require.ErrorAs(t, err, &held)
	require.Empty(t, p.ours("bob@example.com"), "who unsubscribed is let go all the same")
	require.Equal(t, []string{"champions"}, p.ours("ann@example.com"))
}

func TestConsentIsNotHeld(t *testing.T) {
	s, p := newShop(t), newPlatform()
	var people []int64
	for i := range 60 {
		account := fmt.Sprintf("p%02d", i)
		people = append(people, s.person(account, account+"@example.com"))
		s.place(people[i], "champions")
		p.people[account+"@example.com"] = newPlatform("x").people["x"]
	}
	target := list()
	target.Guard = activation.Guard{Shrink: 0.3, MinSize: 50}
	s.push(p, target)

	for _, person := range people[10:] { // a bad sync
		s.place(person, "lost")
	}
	lost := &connectors.Error{Kind: connectors.KindRetry, Op: "subscribers", Err: errors.New("connection lost")}
	p.script = func(int, []connectors.Change) (int, error) { return 0, lost }
	_, err := activation.Push(context.Background(), s.options(p, confirmed(target, "champions")))
	require.ErrorIs(t, err, lost, "the work list is left behind")
	p.script = nil
	s.consent(people[3], "p03", "unsubscribed", s.now)
	s.consent(people[40], "p40", "unsubscribed", s.now)
	p.seen = nil
	sum, err := activation.Push(context.Background(), s.options(p, target))
	var held *activation.HeldError
	require.ErrorAs(t, err, &held)
	require.ErrorContains(t, err, "2 who unsubscribed were let go")
	require.Equal(t, []int{2, 2}, []int{len(p.seen), sum.Delivered}, "nobody else moves")
	for _, address := range []string{"p03@example.com", "p40@example.com"} {
		require.Empty(t, p.ours(address))
		require.Empty(t, p.people[address].attributes)
	}
	require.Equal(t, []string{"champions"}, p.ours("p30@example.com"))
	require.Equal(t, 1, s.count(`SELECT count(*) FROM holds WHERE store_id = $1`))

	p.seen = nil
	_, err = activation.Push(context.Background(), s.options(p, target))
	require.ErrorAs(t, err, &held)
	require.Empty(t, p.seen, "once is enough")
	sum = s.push(p, confirmed(target, "champions"))
	require.Equal(t, 49, sum.Delivered)
}

func TestDryRunStoresAndSendsNothing(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com")
	s.place(s.person("", "ann@example.com"), "champions")
	o := s.options(p, list())
	o.DryRun = true
	sum, err := activation.Push(context.Background(), o)
	require.NoError(t, err)
	require.Equal(t, 1, sum.Plan.Changes)
	require.Equal(t, 1, sum.Plan.Audiences[0].Join)
	require.Zero(t, p.calls)
	require.Empty(t, p.made)
	for _, table := range []string{"outbox", "audiences", "deliveries", "pushes", "holds"} {
		require.Zero(t, s.count(`SELECT count(*) FROM `+table+` WHERE store_id = $1`), table)
	}
}

func TestChangedAddressMovesTheMembership(t *testing.T) {
	s, p := newShop(t), newPlatform("old@example.com", "new@example.com")
	ann := s.person("7", "old@example.com")
	s.place(ann, "champions")
	s.push(p, list())
	s.exec(`UPDATE persons SET email = 'new@example.com' WHERE store_id = $1`)
	sum := s.push(p, list())
	require.Equal(t, 1, sum.Plan.Moved)
	require.Empty(t, p.ours("old@example.com"))
	require.Empty(t, p.people["old@example.com"].attributes)
	require.Equal(t, []string{"champions"}, p.ours("new@example.com"))
	calls := p.calls
	s.push(p, list())
	require.Equal(t, calls, p.calls)

	s.exec(`UPDATE persons SET email = NULL, customer_id = NULL WHERE store_id = $1`) // nameless, as after an erasure
	s.push(p, confirmed(list(), "champions"))
	require.Empty(t, p.ours("new@example.com"), "the address under which it was delivered is remembered")
}

// TestRemoteIDGoesWithItsAddress holds that a destination is told its own id of a person under the address it was told of,
// and under no other.
func TestRemoteIDGoesWithItsAddress(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com")
	ann := s.person("7", "ann@example.com")
	s.place(ann, "champions")
	s.push(p, list())
	require.Empty(t, p.seen[0].Person.RemoteID)
	s.place(ann, "lost")
	s.push(p, confirmed(list(), "champions"))
	require.Equal(t, "remote-ann@example.com", p.seen[1].Person.RemoteID)
	standing, ok, err := s.ledger.Standing(context.Background(), "letters", ann)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "remote-ann@example.com", standing.Person.RemoteID)

	s.exec(`UPDATE persons SET email = 'new@example.com' WHERE store_id = $1`)
	s.push(p, list()) // out under the old address; under the new one the platform knows nobody
	require.Equal(t, "remote-ann@example.com", p.seen[2].Person.RemoteID)
	require.Equal(t, "new@example.com", p.seen[3].Person.Email)
	require.Empty(t, p.seen[3].Person.RemoteID)
	s.place(ann, "champions")
	s.push(p, list())
	require.Equal(t, "new@example.com", p.seen[4].Person.Email)
	require.Empty(t, p.seen[4].Person.RemoteID, "an id is not carried over to another address")
}

func TestConsentOfTheShop(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com", "bob@example.com", "cid@example.com", "dee@example.com")
	for i, name := range []string{"ann", "bob", "cid", "dee"} {
		person := s.person(name, name+"@example.com")
		s.place(person, "champions")
		if state := []string{"subscribed", "unsubscribed", "", "subscribed"}[i]; state != "" {
			s.consent(person, name, state, s.now)
		}
	}
	target := list()
	target.Consent, target.Exclude = activation.ConsentShop, []string{" Dee@Example.com"}
	sum := s.push(p, target)
	require.Equal(t, map[string]int{
		connectors.ReasonUnsubscribed: 1, connectors.ReasonNoConsent: 1, connectors.ReasonExcluded: 1,
	}, sum.Plan.Withheld)
	require.Equal(t, 1, sum.Delivered)
	require.EqualValues(t, "subscribed", p.seen[0].Consent)
}

func TestAudienceThatIsNotWantedAnyMoreIsEmptied(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com")
	s.place(s.person("", "ann@example.com"), "champions")
	s.push(p, list())
	target := list()
	target.Audiences = target.Audiences[1:]
	_, err := activation.Push(context.Background(), s.options(p, target))
	var held *activation.HeldError
	require.ErrorAs(t, err, &held)
	s.push(p, confirmed(target, "Champions"))
	require.Empty(t, p.ours("ann@example.com"))
}

// Whoever leaves a segment that the owner gave up is not lost to the RFM groups.
func TestSegmentThatTheOwnerGaveUpIsHeldAlone(t *testing.T) {
	s, p := newShop(t), newPlatform()
	target := list()
	target.Guard = activation.Guard{Shrink: 0.3, MinSize: 50}
	target.Audiences = append(target.Audiences, connectors.Audience{Key: "vip", Name: "VIP"})
	var people []int64
	for i := range 60 {
		address := fmt.Sprintf("p%02d@example.com", i)
		people = append(people, s.person("", address))
		s.stand(people[i], stand{segment: "champions", rfm: "555", since: "2026-02-01", known: true, stage: "active", own: []string{"vip"}})
		p.people[address] = newPlatform("x").people["x"]
	}
	s.place(people[0], "lost")
	s.push(p, target)
	s.place(people[0], "champions")
	target.Audiences = target.Audiences[:2]
	var held *activation.HeldError
	_, err := activation.Push(context.Background(), s.options(p, target))
	require.ErrorAs(t, err, &held)
	require.Equal(t, []activation.Hold{{Audience: connectors.Audience{Key: "vip", Name: "VIP", ID: "id-vip"}, Before: 60}}, held.Held)
}

func TestAudienceDeletedAtThePlatformIsFilledAnew(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com", "bob@example.com")
	s.place(s.person("", "ann@example.com"), "champions")
	s.place(s.person("", "bob@example.com"), "lost")
	target := list()
	target.Guard = activation.Guard{Shrink: 0.3, MinSize: 50}
	s.push(p, target)
	p.deleteAudience("champions")
	sum := s.push(p, target)
	require.Equal(t, []string{"champions"}, p.ours("ann@example.com"), "in the same push that makes it again")
	require.Equal(t, 1, sum.Delivered)
	require.Equal(t, 1, sum.Plan.Unchanged)
	calls := p.calls
	s.push(p, target)
	require.Equal(t, calls, p.calls)
}

// lasting is a platform whose audiences are marks on people, which stay when the audience gets another id.
type lasting struct{ *platform }

func (l lasting) Ensure(ctx context.Context, audiences []connectors.Audience) ([]connectors.Audience, error) {
	ready, err := l.platform.Ensure(ctx, audiences)
	for i := range ready {
		ready[i].Kept = true
	}
	return ready, err
}

func TestMembersOutliveTheIDOfAnAudience(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com", "bob@example.com")
	ann := s.person("", "ann@example.com")
	s.place(ann, "champions")
	s.place(s.person("", "bob@example.com"), "champions")
	o := s.options(p, confirmed(list(), "champions"))
	o.Destination = lasting{p}
	_, err := activation.Push(context.Background(), o)
	require.NoError(t, err)
	p.remade["champions"]++
	s.place(ann, "lost")
	sum, err := activation.Push(context.Background(), o)
	require.NoError(t, err)
	require.Equal(t, 1, sum.Delivered, "whoever stays is not written again")
	require.Equal(t, []string{"lost"}, p.ours("ann@example.com"), "whoever goes is taken out")
}

func TestUnknownAttributeIsNamed(t *testing.T) {
	s := newShop(t)
	target := list()
	target.Attributes = []string{"shoe_size"}
	_, err := activation.Push(context.Background(), s.options(newPlatform(), target))
	require.ErrorContains(t, err, `unknown attribute "shoe_size"`)
}

// timed is a ledger in memory with jobs only, for tests in which time is invented.
type timed struct {
	activation.Ledger
	jobs    []activation.Pending
	records int
}

func (l *timed) Jobs(context.Context, string) ([]activation.Pending, error) { return l.jobs, nil }

func (l *timed) Audiences(context.Context, string) ([]connectors.Audience, error) { return nil, nil }

func (l *timed) SaveAudiences(context.Context, string, []connectors.Audience) error { return nil }

func (l *timed) Plan(context.Context, activation.Target, bool, time.Time) (activation.Plan, error) {
	return activation.Plan{}, nil // whoever is in a job is not planned for again
}

func (l *timed) Filled(context.Context, activation.Target, time.Time) error { return nil }

func (l *timed) Next(context.Context, activation.Target, int64, int, time.Time) ([]connectors.Change, error) {
	return nil, nil
}

func (l *timed) SaveJob(_ context.Context, _ string, job connectors.Job, people []int64, at time.Time) error {
	l.jobs = nil
	if job != "" {
		l.jobs = []activation.Pending{{Job: job, People: people, StartedAt: at}}
	}
	return nil
}

func (l *timed) Record(_ context.Context, _ string, outcomes []connectors.Outcome, _ time.Time) (int, error) {
	l.records += len(outcomes)
	l.jobs = nil
	return 0, nil
}

func TestJobsAreAskedForUntilTheyEndOrPatienceDoes(t *testing.T) {
	for name, c := range map[string]struct {
		finish  func(asked int) bool
		age     time.Duration
		pending int
		stuck   int
		records int
	}{
		"done at once":  {finish: func(int) bool { return true }, records: 1},
		"done in time":  {finish: func(asked int) bool { return asked > 20 }, records: 1},
		"left for next": {finish: func(int) bool { return false }, pending: 1},
		"a day old":     {finish: func(int) bool { return false }, age: 25 * time.Hour, pending: 1},
		"stuck":         {finish: func(int) bool { return false }, age: 27 * time.Hour, stuck: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlatform("ann@example.com")
				p.finish = c.finish
				p.jobs["j"] = []connectors.Change{{Person: connectors.Person{ID: 1, Email: "ann@example.com"}}}
				l := &timed{jobs: []activation.Pending{{Job: "j", People: []int64{1}, StartedAt: time.Now().Add(-c.age)}}}
				start := time.Now()
				sum, err := activation.Push(t.Context(), activation.Options{
					Ledger: l, Destination: p, Target: list(), Now: time.Now,
				})
				require.NoError(t, err)
				require.Equal(t, []int{c.pending, c.stuck, c.records}, []int{sum.Pending, sum.Stuck, l.records})
				require.LessOrEqual(t, time.Since(start), 15*time.Minute)
			})
		})
	}
}

// stepwise is a platform whose jobs go one step further each time somebody asks.
type stepwise struct {
	*platform
	last error
}

func (s *stepwise) Resume(_ context.Context, job connectors.Job) (connectors.Result, error) {
	return connectors.Result{Job: job + "+", NotBefore: time.Now().Add(time.Hour)}, s.last
}

// A job of several steps may take several nights: only one that stands still is given up, also where the platform does
// not let its end be read.
func TestJobsThatGoOnAreNotGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &stepwise{platform: newPlatform()}
		l := &timed{jobs: []activation.Pending{{Job: "j", People: []int64{1}, StartedAt: time.Now()}}}
		o := activation.Options{Ledger: l, Destination: p, Target: list(), Now: time.Now}
		for range 5 {
			time.Sleep(24 * time.Hour)
			sum, err := activation.Push(t.Context(), o)
			require.NoError(t, err)
			require.Equal(t, []int{1, 0}, []int{sum.Pending, sum.Stuck})
		}
		p.last = &connectors.Error{Kind: connectors.KindRetry, Err: errors.New("the result cannot be read")}
		time.Sleep(24 * time.Hour)
		_, err := activation.Push(t.Context(), o)
		require.ErrorIs(t, err, p.last)
		time.Sleep(24 * time.Hour)
		sum, err := activation.Push(t.Context(), o)
		require.NoError(t, err)
		require.Equal(t, 1, sum.Stuck)
	})
}

func TestJobsAreKeptInTheDatabase(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com", "bob@example.com")
	ann := s.person("", "ann@example.com")
	s.place(ann, "champions")
	p.asJobs, p.finish = true, func(int) bool { return false }
	o := s.options(p, list())
	o.JobWait = time.Millisecond
	sum, err := activation.Push(context.Background(), o)
	require.NoError(t, err)
	require.Equal(t, 1, sum.Pending)
	s.place(ann, "lost")
	p.asJobs, p.finish = false, nil
	s.push(p, confirmed(list(), "champions")) // the job first, then what changed since
	require.Equal(t, []string{"lost"}, p.ours("ann@example.com"))
	require.Zero(t, s.count(`SELECT count(*) FROM jobs WHERE store_id = $1`))

	s.place(s.person("", "bob@example.com"), "champions")
	p.asJobs, p.finish = true, func(int) bool { return false }
	o.JobWait = time.Nanosecond
	_, err = activation.Push(context.Background(), o)
	require.NoError(t, err)
	clear(p.jobs) // the platform forgot them
	p.asJobs, p.finish = false, nil
	require.Equal(t, 1, s.push(p, list()).Stuck)
	require.Equal(t, []string{"champions"}, p.ours("bob@example.com"))
}
