package connectortest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/connectortest"
)

var destinationBites = []bite{
	{"no retry on 429", "429 with Retry-After"},
	{"empty body on retry", "429 on a write repeats the body"},
	{"Retry-After ignored", "429 with Retry-After"},
	{"context ignored", "cancelled during the call"},
	{"asks after cancel", "cancelled before the call"},
	{"goroutine left", "cancelled during the call"},
	{"401 misclassified", "revoked credentials"},
	{"permission unnamed", "missing permission is named"},
	{"any settings accepted", "empty settings are refused"},
	{"any settings accepted", "unknown setting is refused"},
	{"secret in the error", "no secret in errors and logs"},
	{"secret in the log", "good credentials"},
	{"a new list each time", "ensure twice"},
	{"foreign list taken by name", "what is not ours is untouched"},
	{"joins nobody", "join"},
	{"grows at each push", "join twice"},
	{"never leaves", "leave"},
	{"never leaves", "move between audiences"},
	{"attributes kept", "attributes"},
	{"asks for nothing", "no change, no request"},
	{"first batch only", "more people than a batch holds"},
	{"bad address blocks", "one bad address"},
	{"bad address unreported", "one bad address"},
	{"resubscribes", "unsubscribed stays out of the audience"},
	{"forgets by list", "unsubscribed stays out of every audience"},
	{"removes the unsubscribed", "unsubscribed survives leave and join"},
	{"unsubscribed read as member", "unsubscribed is read back"},
	{"mails the suppressed", "suppressed is withheld"},
	{"creates strangers", "stranger is not created"},
	{"brings back the deleted", "deleted is not created again"},
	{"touches foreign tags", "what is not ours is untouched"},
	{"erases nothing", "erase"},
	{"removes nothing", "remove"},
	{"removes what is not ours", "remove spares what is not ours"},
	{"delivered though refused", "platform that stays down"},
	{"delivered though refused", "503 HTML claims nothing"},
	{"bad answer taken for an empty one", "HTML page claims nothing"},
	{"503 is for ever", "503 HTML claims nothing"},
	{"job believed", "job fails partly"},
	{"job believed", "job ends with nothing done"},
	{"job waited for without end", "job stalls"},
}

// contact is a person as the invented platform keeps them.
type contact struct {
	Lists   map[string]string // list -> "in" or "left"
	Attrs   map[string]string // ours
	Tags    []string          // the merchant's
	Blocked bool
}

// platform is an invented e-mail platform.
type platform struct {
	mu       sync.Mutex
	wire     *wire
	contacts map[string]*contact
	lists    map[string]string // id -> name; ours begin with the prefix
	jobFault connectortest.JobFault
	jobs     map[string][]command
}

const platformBatch = 3

func newPlatform() *platform {
	p := &platform{wire: &wire{}, contacts: map[string]*contact{}, jobs: map[string][]command{}}
	p.lists = map[string]string{"1": "Newsletter", "2": "Champions"}
	for i := range 10 {
		p.contacts[address(i)] = &contact{Lists: map[string]string{"1": "in"}, Attrs: map[string]string{}, Tags: []string{"vip"}}
	}
	p.contacts["bad@example.com"] = &contact{Lists: map[string]string{"1": "in"}, Attrs: map[string]string{}}
	return p
}

func address(i int) string { return fmt.Sprintf("p%d@example.com", i) }

// command is one person's part of a write.
type command struct {
	Email  string
	Join   []string
	Leave  []string
	Attrs  map[string]string
	Force  bool // subscribe again
	Create bool
	Tags   bool // replace the tags
	Remove bool // forget that the person left
}

// write carries out a batch as one job and returns its number.
func (p *platform) write(body string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var commands []command
	_ = json.Unmarshal([]byte(body), &commands)
	id := fmt.Sprint(len(p.jobs) + 1)
	p.jobs[id] = commands
	text, _ := json.Marshal(map[string]any{"job": id, "refused": p.perform(commands)})
	return string(text)
}

func (p *platform) perform(commands []command) []string {
	var refused []string
	for i, c := range commands {
		if c.Email == "bad@example.com" {
			refused = append(refused, c.Email)
			continue
		}
		switch p.jobFault {
		case connectortest.JobDoesNone, connectortest.JobStalls:
			continue
		case connectortest.JobPartly:
			if i > 0 {
				continue
			}
		}
		p.one(c)
	}
	if len(commands) > 0 {
		p.jobFault = ""
	}
	return refused
}

func (p *platform) one(c command) {
	person := p.contacts[c.Email]
	if person == nil && !c.Create {
		return
	}
	if person == nil {
		person = &contact{Lists: map[string]string{}}
		p.contacts[c.Email] = person
	}
	for _, list := range c.Leave {
		if person.Lists[list] == "in" || c.Remove {
			delete(person.Lists, list)
		}
	}
	for _, list := range c.Join {
		if person.Lists[list] != "left" || c.Force {
			person.Lists[list] = "in"
		}
	}
	person.Attrs = maps.Clone(c.Attrs)
	if c.Tags {
		person.Tags = nil
	}
}

// destination fills the invented platform.
type destination struct {
	client
	platform *platform
	prefix   string
	ids      map[string]string // audience key -> list
}

// ask reads whatever a function makes of the platform.
func ask[T any](ctx context.Context, d *destination, path string, read func() T) (T, error) {
	var out struct {
		Answer T `json:"answer"`
	}
	text, err := d.call(ctx, connectortest.Request{Method: "GET", Path: path}, func(string) string {
		d.platform.mu.Lock()
		defer d.platform.mu.Unlock()
		text, _ := json.Marshal(map[string]any{"answer": read()})
		return string(text)
	})
	if err == nil {
		if json.Unmarshal([]byte(text), &out) != nil {
			err = &connectors.Error{Kind: connectors.KindRetry, Op: path}
		}
	}
	return out.Answer, err
}

func (d *destination) Check(ctx context.Context) (connectors.Report, error) {
	_, err := ask(ctx, d, "/", func() bool { return true })
	var report connectors.Report
	if d.wire.restricted && d.defect != "permission unnamed" {
		report.Findings = []connectors.Finding{{Level: connectors.Problem, Subject: "write_lists", Text: "missing"}}
	}
	return report, err
}

func (d *destination) Ensure(ctx context.Context, audiences []connectors.Audience) ([]connectors.Audience, error) {
	var all []connectors.Audience
	for _, a := range audiences {
		name := d.prefix + ": " + a.Name
		if d.defect == "foreign list taken by name" {
			name = a.Name
		}
		id, err := ask(ctx, d, "/lists", func() string {
			for id, known := range d.platform.lists {
				if known == name && d.defect != "a new list each time" {
					return id
				}
			}
			id := fmt.Sprint(len(d.platform.lists) + 10)
			d.platform.lists[id] = name
			return id
		})
		if err != nil {
			return nil, err
		}
		a.ID = id
		d.ids[a.Key] = id
		all = append(all, a)
	}
	return all, nil
}

func (d *destination) Apply(ctx context.Context, changes []connectors.Change) (connectors.Result, error) {
	var result connectors.Result
	if d.defect == "asks for nothing" {
		if _, err := ask(ctx, d, "/", func() bool { return true }); err != nil {
			return result, err
		}
	}
	for batch := range slices.Chunk(changes, platformBatch) {
		outcomes, err := d.applyBatch(ctx, batch)
		result.Outcomes = append(result.Outcomes, outcomes...)
		if err != nil {
			return result, err
		}
		if d.defect == "first batch only" {
			for _, c := range changes[min(platformBatch, len(changes)):] {
				result.Outcomes = append(result.Outcomes, connectors.Outcome{PersonID: c.Person.ID, State: connectors.Delivered})
			}
			return result, nil
		}
	}
	return result, nil
}

func (d *destination) applyBatch(ctx context.Context, changes []connectors.Change) ([]connectors.Outcome, error) {
	known, err := d.people(ctx)
	if err != nil {
		return nil, err
	}
	var outcomes []connectors.Outcome
	var commands []command
	byEmail := map[string]int64{}
	for _, c := range changes {
		if reason := d.gate(known[c.Person.Email], c); reason != "" {
			outcomes = append(outcomes, connectors.Outcome{PersonID: c.Person.ID, State: connectors.Withheld, Reason: reason})
			continue
		}
		commands = append(commands, d.command(c))
		byEmail[c.Person.Email] = c.Person.ID
	}
	sent, err := d.send(ctx, commands, byEmail)
	return append(outcomes, sent...), err
}

func (d *destination) people(ctx context.Context) (map[string]*contact, error) {
	return ask(ctx, d, "/contacts", func() map[string]*contact { return d.platform.contacts })
}

// gate says why a person is withheld.
func (d *destination) gate(person *contact, c connectors.Change) string {
	switch {
	case person == nil && d.defect == "creates strangers":
		return ""
	case person == nil && d.defect == "brings back the deleted" && c.Consent == commerce.ConsentSubscribed:
		return ""
	case person == nil:
		return connectors.ReasonNotThere
	case person.Blocked && d.defect != "mails the suppressed":
		return connectors.ReasonSuppressed
	case len(c.Audiences) == 0:
		return ""
	}
	for list, state := range person.Lists {
		ours := list != "1" && list != "2"
		if d.defect == "forgets by list" {
			ours = slices.ContainsFunc(c.Audiences, func(key string) bool { return d.ids[key] == list })
		}
		if state == "left" && ours && d.defect != "resubscribes" {
			return connectors.ReasonUnsubscribed
		}
	}
	return ""
}

func (d *destination) command(c connectors.Change) command {
	w := command{Email: c.Person.Email, Attrs: maps.Clone(c.Attributes), Force: d.defect == "resubscribes" || d.defect == "forgets by list"}
	w.Create, w.Tags = d.defect == "creates strangers" || d.defect == "brings back the deleted", d.defect == "touches foreign tags"
	w.Remove = d.defect == "removes the unsubscribed"
	for _, key := range c.Audiences {
		if d.defect != "joins nobody" {
			w.Join = append(w.Join, d.ids[key])
		}
	}
	for _, key := range c.Leave {
		if d.defect != "never leaves" {
			w.Leave = append(w.Leave, d.ids[key])
		}
	}
	switch {
	case d.defect == "attributes kept" && w.Attrs != nil:
		w.Attrs["segment_name"] = "Größte Fans & <Freunde> 🙂"
	case d.defect == "grows at each push" && w.Attrs != nil:
		w.Attrs["pushed"] = fmt.Sprint(len(d.wire.recorded()))
	}
	return w
}

// send writes and then looks whether it was done.
func (d *destination) send(ctx context.Context, commands []command, ids map[string]int64) ([]connectors.Outcome, error) {
	if len(commands) == 0 {
		return nil, nil
	}
	body, _ := json.Marshal(commands)
	text, err := d.call(ctx, connectortest.Request{Method: "POST", Path: "/write", Body: string(body), Write: true}, d.platform.write)
	if err != nil && d.defect == "delivered though refused" {
		text, err = "{}", nil
	}
	if err != nil {
		return nil, err
	}
	var out struct {
		Refused []string `json:"refused"`
	}
	if json.Unmarshal([]byte(text), &out) != nil {
		return nil, &connectors.Error{Kind: connectors.KindRetry, Op: "write"}
	}
	if d.defect == "bad address blocks" && len(out.Refused) > 0 {
		return nil, &connectors.Error{Kind: connectors.KindPermanent, Op: "write"}
	}
	return d.judge(ctx, commands, ids, out.Refused)
}

func (d *destination) judge(ctx context.Context, commands []command, ids map[string]int64, refused []string) ([]connectors.Outcome, error) {
	believe := d.defect == "job believed" || d.defect == "delivered though refused" ||
		d.defect == "bad answer taken for an empty one" || d.defect == "empty body on retry" || d.defect == "joins nobody"
	var outcomes []connectors.Outcome
	for {
		now, err := d.people(ctx)
		if err != nil && !believe {
			return outcomes, err
		}
		stalled := false
		outcomes = nil
		for _, c := range commands {
			o := connectors.Outcome{PersonID: ids[c.Email], State: connectors.Delivered, RemoteID: "number of " + c.Email}
			switch {
			case slices.Contains(refused, c.Email) && d.defect != "bad address unreported":
				o.State, o.Reason = connectors.Refused, "bad address"
			case !believe && now[c.Email] != nil && !maps.Equal(now[c.Email].Attrs, c.Attrs) && c.Email != "bad@example.com":
				o.State, stalled = connectors.RetryLater, true
			}
			outcomes = append(outcomes, o)
		}
		if !stalled || d.defect != "job waited for without end" {
			return outcomes, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (d *destination) Resume(context.Context, connectors.Job) (connectors.Result, error) {
	return connectors.Result{}, nil
}

func (d *destination) Members(ctx context.Context, a connectors.Audience, _ connectors.Cursor) (connectors.MemberPage, error) {
	people, err := d.people(ctx)
	page := connectors.MemberPage{Done: true}
	for email, person := range people {
		state, there := person.Lists[a.ID]
		if !there {
			continue
		}
		m := connectors.Member{Email: email, Attributes: person.Attrs}
		m.Consent.State = commerce.ConsentSubscribed
		if state == "left" && d.defect != "unsubscribed read as member" {
			m.Consent.State = commerce.ConsentUnsubscribed
		}
		page.Members = append(page.Members, m)
	}
	return page, err
}

func (d *destination) Erase(ctx context.Context, p connectors.Person) (string, error) {
	return ask(ctx, d, "/erase", func() string {
		if d.defect != "erases nothing" {
			delete(d.platform.contacts, p.Email)
		}
		return "erased"
	})
}

func (d *destination) Remove(ctx context.Context, audiences []connectors.Audience) error {
	_, err := ask(ctx, d, "/remove", func() bool {
		for _, a := range audiences {
			ours := strings.HasPrefix(d.platform.lists[a.ID], d.prefix) || d.defect == "removes what is not ours"
			if !ours || d.defect == "removes nothing" {
				continue
			}
			delete(d.platform.lists, a.ID)
			for _, person := range d.platform.contacts {
				delete(person.Lists, a.ID)
			}
		}
		return true
	})
	return err
}

// current are the platforms by the test that uses them.
var current sync.Map

func destinationHarness(defect string) connectortest.DestinationHarness {
	f := factory("invented")
	f.NewDestination = func(settings connectors.Settings, deps connectors.Deps) (connectors.Destination, error) {
		plain := maps.Clone(settings)
		delete(plain, "platform")
		if err := accept(f, plain, defect); err != nil {
			return nil, err
		}
		found, _ := current.Load(settings["platform"])
		p, _ := found.(*platform)
		if p == nil {
			p = newPlatform()
		}
		c := client{wire: p.wire, log: deps.Log, now: deps.Now, defect: defect}
		return &destination{client: c, platform: p, prefix: deps.Prefix, ids: map[string]string{}}, nil
	}
	return connectortest.DestinationHarness{Factory: f, Start: func(t *testing.T) connectortest.DestinationRig {
		p := newPlatform()
		current.Store(t.Name(), p)
		settings := goodSettings()
		settings["platform"] = t.Name()
		return p.rig(settings)
	}}
}

func (p *platform) rig(settings connectors.Settings) connectortest.DestinationRig {
	change := func(do func()) {
		p.mu.Lock()
		defer p.mu.Unlock()
		do()
	}
	in := func(a connectors.Audience) (emails []string) {
		change(func() {
			for email, person := range p.contacts {
				if person.Lists[a.ID] == "in" && !person.Blocked {
					emails = append(emails, email)
				}
			}
		})
		return emails
	}
	return connectortest.DestinationRig{
		Settings: settings, Secrets: []string{canary}, Batch: platformBatch, Patience: 4 * time.Second,
		Reachable: func(n int) []connectors.Person {
			var all []connectors.Person
			for i := range n {
				all = append(all, connectors.Person{ID: int64(i + 1), Email: address(i)})
			}
			return all
		},
		Stranger: func() connectors.Person { return connectors.Person{ID: 99, Email: "stranger@example.com"} },
		Bad: func() (connectors.Person, commerce.ConsentState) {
			return connectors.Person{ID: 66, Email: "bad@example.com"}, commerce.ConsentSubscribed
		},
		Members: in, Mailed: in, State: p.state,
		Fault: p.wire.setFault, Requests: p.wire.recorded,
		Revoke:   func() { p.wire.revoked = true },
		Restrict: func() string { p.wire.restricted = true; return "write_lists" },
		Unsubscribe: func(who connectors.Person, a connectors.Audience) {
			change(func() { p.contacts[who.Email].Lists[a.ID] = "left" })
		},
		Delete:          func(who connectors.Person) { change(func() { delete(p.contacts, who.Email) }) },
		Suppress:        func(who connectors.Person) { change(func() { p.contacts[who.Email].Blocked = true }) },
		ForeignAudience: func() connectors.Audience { return connectors.Audience{Key: "x", Name: "Newsletter", ID: "1"} },
		Job:             func(f connectortest.JobFault) { change(func() { p.jobFault = f }) },
	}
}

func (p *platform) state() connectortest.State {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := connectortest.State{Ours: map[string]string{}, Foreign: map[string]string{}}
	for id, name := range p.lists {
		if strings.HasPrefix(name, "perennial") {
			s.Ours["list "+name] = id
		} else {
			s.Foreign["list "+id] = name
		}
	}
	for email, person := range p.contacts {
		s.Foreign[email] = fmt.Sprint(person.Tags, person.Blocked, person.Lists["1"], person.Lists["2"])
		if len(person.Attrs) > 0 {
			s.Ours[email+" attributes"] = fmt.Sprint(person.Attrs)
		}
		for list, state := range person.Lists {
			if list != "1" && list != "2" {
				s.Ours[email+" in "+list] = state
			}
		}
	}
	return s
}
