package activation_test

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/activation"
	"github.com/perennial-cvo/perennial/sync/postgres/postgrestest"
)

// shop is a shop whose people and segments the test writes by hand.
type shop struct {
	t      testing.TB
	raw    *sql.DB
	id     int64
	ledger activation.Ledger
	now    time.Time
	open   func(name string) *shop
}

func newShop(t testing.TB) *shop {
	t.Helper()
	url := postgrestest.URL(t)
	db, raw := postgrestest.Open(t, url), postgrestest.SQL(t, url)
	open := func(name string) *shop {
		ctx := context.Background()
		id, err := db.Register(ctx, name, "csvfile")
		require.NoError(t, err)
		epoch, ok, err := db.Acquire(ctx, id, "test", time.Hour)
		require.NoError(t, err)
		require.True(t, ok)
		return &shop{t: t, raw: raw, id: id, ledger: db.Store(id, epoch), now: time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)}
	}
	s := open("garden")
	s.open = open
	return s
}

func (s *shop) exec(query string, args ...any) {
	s.t.Helper()
	_, err := s.raw.Exec(query, append([]any{s.id}, args...)...)
	require.NoError(s.t, err)
}

// person makes a guest or, with an account, a customer, and returns the id.
func (s *shop) person(account, email string) int64 {
	s.t.Helper()
	var id int64
	require.NoError(s.t, s.raw.QueryRow(`INSERT INTO persons (store_id, person_id, customer_id, email)
		VALUES ($1, nextval('person_ids'), nullif($2, ''), nullif($3, '')) RETURNING person_id`, s.id, account, email).Scan(&id))
	return id
}

// place puts a person into a segment, or into none.
func (s *shop) place(person int64, segment string) {
	s.t.Helper()
	if segment == "" {
		s.exec(`DELETE FROM rfm_scores WHERE store_id = $1 AND person_id = $2`, person)
		return
	}
	s.exec(`INSERT INTO rfm_scores (store_id, person_id, r, f, m, segment, since) VALUES ($1, $2, 5, 4, 3, $3, '2026-02-01')
		ON CONFLICT (store_id, person_id) DO UPDATE SET segment = excluded.segment`, person, segment)
}

// customer makes a customer record of the shop with a consent.
func (s *shop) consent(person int64, account, consent string, at time.Time) {
	s.t.Helper()
	s.exec(`INSERT INTO customers (store_id, id, person_id, email, first_name, last_name, role, country, region, city,
		postcode, tags, consent, consent_at, hash) VALUES ($1, $2, $3, '', '', '', '', '', '', '', '', '{}', $4, $5, '')
		ON CONFLICT (store_id, id) DO UPDATE SET consent = excluded.consent, consent_at = excluded.consent_at`,
		account, person, consent, sql.NullTime{Time: at, Valid: !at.IsZero()})
}

func (s *shop) count(query string, args ...any) int {
	s.t.Helper()
	var n int
	require.NoError(s.t, s.raw.QueryRow(query, append([]any{s.id}, args...)...).Scan(&n))
	return n
}

// list is a target with lists that are mailed.
func list() activation.Target {
	return activation.Target{
		Destination: "letters", NeedsConsent: true, Consent: activation.ConsentPlatform,
		Audiences:  []connectors.Audience{{Key: "champions", Name: "Champions"}, {Key: "lost", Name: "Lost"}},
		Attributes: []string{"segment", "segment_name", "rfm", "since"},
		Names:      map[string]string{"champions": "Champions", "lost": "Lost", "loyal": "Loyal"},
	}
}

// tags is a target with the shop's own tags.
func tags() activation.Target {
	t := list()
	t.Destination, t.NeedsConsent, t.NeedsAccount = "shop", false, true
	return t
}

func (s *shop) options(p *platform, target activation.Target) activation.Options {
	return activation.Options{
		Ledger: s.ledger, Destination: p, Target: target, Now: func() time.Time { return s.now },
	}
}

func (s *shop) push(p *platform, target activation.Target) activation.Summary {
	s.t.Helper()
	sum, err := activation.Push(context.Background(), s.options(p, target))
	require.NoError(s.t, err)
	return sum
}

// platform is a destination in memory, with subscribers who exist before and lists or tags of others beside ours.
type platform struct {
	byAccount bool
	people    map[string]*subscriber // by address
	made      []string               // keys of our audiences
	remade    map[string]int         // how often somebody deleted an audience of ours
	calls     int                    // of Apply
	sent      int                    // people in all calls
	bad       map[string]bool        // addresses for which the platform fails the whole call
	script    func(call int, changes []connectors.Change) (accept int, err error)
	jobs      map[connectors.Job][]connectors.Change
	asJobs    bool
	asked     int // of Resume
	finish    func(asked int) bool
	seen      []connectors.Change
}

// subscriber is one person at the platform.
type subscriber struct {
	remote     string // the platform's own id
	subscribed bool
	in         map[string]bool // ours and foreign ones
	out        map[string]bool // audiences of ours which they left themselves
	attributes map[string]string
	foreign    map[string]string
}

func newPlatform(addresses ...string) *platform {
	p := &platform{people: map[string]*subscriber{}, remade: map[string]int{}, jobs: map[connectors.Job][]connectors.Change{}}
	for _, address := range addresses {
		p.people[address] = &subscriber{
			remote: "remote-" + address, subscribed: true, in: map[string]bool{"newsletter": true}, out: map[string]bool{},
			attributes: map[string]string{}, foreign: map[string]string{"colour": "green"},
		}
	}
	return p
}

func (p *platform) Check(context.Context) (connectors.Report, error) {
	return connectors.Report{}, nil
}

func (p *platform) Ensure(_ context.Context, audiences []connectors.Audience) ([]connectors.Audience, error) {
	ready := slices.Clone(audiences)
	for i := range ready {
		ready[i].ID = "id-" + ready[i].Key + strings.Repeat("-again", p.remade[ready[i].Key])
		if !slices.Contains(p.made, ready[i].Key) {
			p.made = append(p.made, ready[i].Key)
		}
	}
	return ready, nil
}

func (p *platform) Apply(_ context.Context, changes []connectors.Change) (connectors.Result, error) {
	p.calls++
	p.sent += len(changes)
	p.seen = append(p.seen, changes...)
	for _, c := range changes {
		if p.bad[p.address(c.Person)] {
			return connectors.Result{}, &connectors.Error{Kind: connectors.KindRecord, Op: "subscribers", Err: errors.New("bad address")}
		}
	}
	accept, err := len(changes), error(nil)
	if p.script != nil {
		accept, err = p.script(p.calls, changes)
	}
	if p.asJobs && err == nil {
		job := connectors.Job("job-" + changes[0].Person.Email)
		p.jobs[job] = changes
		return connectors.Result{Job: job}, nil
	}
	var result connectors.Result
	for _, c := range changes[:accept] {
		result.Outcomes = append(result.Outcomes, p.bring(c))
	}
	if err != nil {
		result.Outcomes = nil // accepted, and nobody heard of it
	}
	return result, err
}

func (p *platform) address(person connectors.Person) string {
	if p.byAccount {
		return person.CustomerID
	}
	return person.Email
}

// bring is what a good destination does for one person: it raises no consent.
func (p *platform) bring(c connectors.Change) connectors.Outcome {
	o := connectors.Outcome{PersonID: c.Person.ID, State: connectors.Delivered}
	who := p.people[p.address(c.Person)]
	if who != nil {
		o.RemoteID = who.remote
	}
	if who == nil {
		o.State, o.Reason = connectors.Withheld, connectors.ReasonNotThere
		return o
	}
	if joins := len(c.Audiences) > 0 || len(c.Attributes) > 0; joins && !p.byAccount && (!who.subscribed || len(who.out) > 0) {
		o.State, o.Reason = connectors.Withheld, connectors.ReasonUnsubscribed
		return o
	}
	for _, key := range c.Leave {
		delete(who.in, key)
	}
	for _, key := range c.Audiences {
		who.in[key] = true
	}
	for _, key := range c.Drop {
		delete(who.attributes, key)
	}
	maps.Copy(who.attributes, c.Attributes)
	return o
}

func (p *platform) Resume(_ context.Context, job connectors.Job) (connectors.Result, error) {
	p.asked++
	changes, ok := p.jobs[job]
	if !ok {
		return connectors.Result{}, &connectors.Error{Kind: connectors.KindPermanent, Op: "job", Err: errors.New("unknown")}
	}
	if p.finish != nil && !p.finish(p.asked) {
		return connectors.Result{Job: job}, nil
	}
	delete(p.jobs, job)
	var result connectors.Result
	for _, c := range changes {
		result.Outcomes = append(result.Outcomes, p.bring(c))
	}
	return result, nil
}

func (p *platform) Members(_ context.Context, audience connectors.Audience, _ connectors.Cursor) (connectors.MemberPage, error) {
	page := connectors.MemberPage{Done: true}
	for address, who := range p.people {
		if !who.in[audience.Key] && !who.out[audience.Key] {
			continue
		}
		m := connectors.Member{RemoteID: who.remote, Email: address, CustomerID: address, Attributes: maps.Clone(who.attributes)}
		m.Consent.State = commerce.ConsentSubscribed
		if who.out[audience.Key] || !who.subscribed {
			m.Consent.State = commerce.ConsentUnsubscribed
		}
		page.Members = append(page.Members, m)
	}
	return page, nil
}

func (p *platform) Remove(_ context.Context, audiences []connectors.Audience) error {
	p.made = slices.DeleteFunc(p.made, func(key string) bool {
		return slices.ContainsFunc(audiences, func(a connectors.Audience) bool { return a.Key == key })
	})
	for _, a := range audiences { // and with the list everything that it remembers
		for _, who := range p.people {
			delete(who.in, a.Key)
			delete(who.out, a.Key)
		}
	}
	return nil
}

// deleteAudience is what somebody does at the platform who takes a list of ours for rubbish.
func (p *platform) deleteAudience(key string) {
	p.made = slices.DeleteFunc(p.made, func(made string) bool { return made == key })
	p.remade[key]++
	for _, who := range p.people {
		delete(who.in, key)
	}
}

// ours lists the audiences of ours in which somebody is.
func (p *platform) ours(address string) []string {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(p.people[address].in)) {
		if key != "newsletter" {
			keys = append(keys, key)
		}
	}
	return keys
}
