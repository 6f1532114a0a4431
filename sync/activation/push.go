package activation

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
)

// Limits of a push.
const (
	pageSize = 500 // people handed to a destination at once, unless it is a connectors.Batcher
	rounds   = 3   // plans in one push: the difference, those who must leave first, and those who come back after that
	patience = 15 * time.Minute
	// stuck is more than a platform works on anything: Shopify ends what takes it a day. A job must not be given up that
	// may still write, because what is written in its place could be overwritten by it.
	stuck = 26 * time.Hour
	// recordTime is how long answers may take to be recorded when the push itself is called off.
	recordTime = 10 * time.Second
	// recordSize is how many answers are recorded at once: within recordTime on a slow machine.
	recordSize = pageSize
	// longest is more than the longest pause before somebody is tried again.
	longest = 48 * time.Hour
)

// Options say what to push where.
type Options struct {
	Ledger      Ledger
	Destination connectors.Destination
	Target      Target
	Now         func() time.Time
	Log         *slog.Logger
	Progress    func(done, total int) // may be nil; people answered for, and those on the work list
	Waiting     func()                // may be nil; told before every wait for jobs of the platform
	DryRun      bool                  // plan only: nothing is sent and nothing is stored
	BackOff     bool                  // pass over people whose next try is not due, as pushes do that come more often than nightly

	JobWait  time.Duration // how long to wait for jobs of the platform before the next push asks again; 15 minutes
	JobLimit time.Duration // how long a job may stand still before its people are tried anew; 26 hours
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Progress == nil {
		o.Progress = func(int, int) {}
	}
	if o.Waiting == nil {
		o.Waiting = func() {}
	}
	if o.JobWait <= 0 {
		o.JobWait = patience
	}
	if o.JobLimit <= 0 {
		o.JobLimit = stuck
	}
	return o
}

// batch is how many people the destination is handed at once.
func (o Options) batch() int {
	if b, is := o.Destination.(connectors.Batcher); is && b.BatchSize() > 0 {
		return b.BatchSize()
	}
	return pageSize
}

// Summary is what a push found and did. It is right also where the push ended with an error.
type Summary struct {
	Destination string
	DryRun      bool
	Plan        Plan           // as first made
	Delivered   int            // people brought into their desired state
	Unchanged   int            // people whom the platform had there already
	Refused     int            // people whom the platform will not take
	RetryLater  int            // people who are tried again in the next push
	Withheld    map[string]int // people whom the platform or the connector held back, by reason
	Suppressed  int            // people found unsubscribed
	Pending     int            // people in jobs that the platform has not finished
	Stuck       int            // people in jobs that were given up
}

// Push brings one destination from what was delivered to what is desired. Every page is recorded before the next one is
// sent, so that it can be killed anywhere and started again. It returns a *HeldError where the guard stops it.
func Push(ctx context.Context, o Options) (Summary, error) {
	p := pusher{Options: o.withDefaults()}
	p.sum = Summary{Destination: o.Target.Destination, DryRun: o.DryRun, Withheld: map[string]int{}}
	if err := p.push(ctx); err != nil {
		return p.sum, fmt.Errorf("push to %s: %w", o.Target.Destination, err)
	}
	return p.sum, nil
}

// pusher is one push under way.
type pusher struct {
	Options
	sum     Summary
	done    int // people answered for in this round
	total   int
	leaving int       // people withheld in this round though something stands there
	patient time.Time // until when this push waits for jobs; zero before the first wait
	due     time.Time // who is to be tried again later than this is passed over
}

func (p *pusher) push(ctx context.Context) error {
	if p.DryRun {
		var err error
		p.sum.Plan, err = p.Ledger.Plan(ctx, p.Target, true, p.Now())
		return err
	}
	began := p.Now()
	if p.due = began; !p.BackOff {
		p.due = began.Add(longest)
	}
	if err := p.ensure(ctx, nil); err != nil {
		return err
	}
	if err := p.settle(ctx, true); err != nil { // an earlier push may have been cut short in the middle of its job
		return err
	}
	for round := range rounds {
		again, err := p.round(ctx, round == 0)
		if err != nil {
			return err
		}
		if !again {
			break
		}
		p.due = began // whom this push put off comes in the next one
	}
	return p.Ledger.Filled(ctx, p.Target, p.Now())
}

// ensure makes the wanted audiences exist, and also those where somebody has to leave, and saves their ids before
// anything is sent there.
func (p *pusher) ensure(ctx context.Context, plan *Plan) error {
	audiences := append([]connectors.Audience(nil), p.Target.Audiences...)
	if plan != nil {
		audiences = audiences[:0]
		for _, d := range plan.Audiences {
			audiences = append(audiences, d.Audience)
		}
	}
	known, err := p.Ledger.Audiences(ctx, p.Target.Destination)
	if err != nil {
		return err
	}
	ids := map[string]string{}
	for _, a := range known {
		ids[a.Key] = a.ID
	}
	for i := range audiences {
		audiences[i].ID = ids[audiences[i].Key]
	}
	ready, err := p.Destination.Ensure(ctx, audiences)
	if err != nil {
		return fmt.Errorf("audiences: %w", err)
	}
	if err := p.emptied(ctx, known, ready); err != nil {
		return err
	}
	if err := p.Ledger.SaveAudiences(ctx, p.Target.Destination, ready); err != nil {
		return err
	}
	if plan == nil {
		p.Target.Audiences = ready
	}
	return nil
}

// emptied notes that nobody stands in audiences that were gone from the platform and had to be made anew.
func (p *pusher) emptied(ctx context.Context, known, ready []connectors.Audience) error {
	anew := map[string]bool{}
	for _, a := range ready {
		anew[a.Key] = slices.ContainsFunc(known, func(k connectors.Audience) bool {
			return k.Key == a.Key && k.ID != "" && k.ID != a.ID && !a.Kept
		})
	}
	maps.DeleteFunc(anew, func(_ string, is bool) bool { return !is })
	if len(anew) == 0 {
		return nil
	}
	after := int64(0)
	for {
		deliveries, err := p.Ledger.Delivered(ctx, p.Target.Destination, after, 10*pageSize)
		if err != nil || len(deliveries) == 0 {
			return err
		}
		after = deliveries[len(deliveries)-1].Person.ID
		var found []Delivery
		for _, d := range deliveries {
			if left := slices.DeleteFunc(slices.Clone(d.Audiences), func(key string) bool { return anew[key] }); len(left) < len(d.Audiences) {
				d.Audiences = left
				found = append(found, d)
			}
		}
		if err := p.Ledger.Correct(ctx, p.Target.Destination, found, p.Now()); err != nil {
			return err
		}
	}
}

// round makes one plan and sends it. It reports whether another plan has to follow.
func (p *pusher) round(ctx context.Context, first bool) (again bool, err error) {
	plan, err := p.Ledger.Plan(ctx, p.Target, false, p.Now())
	if err != nil {
		return false, err
	}
	if first {
		p.sum.Plan = plan
	}
	people := plan.Changes
	if len(plan.Held) > 0 {
		people = len(plan.Withdrawn)
	}
	suppressed := p.sum.Suppressed
	if people > 0 {
		if err := p.carryOut(ctx, plan, people); err != nil {
			return false, err
		}
	}
	if len(plan.Held) > 0 {
		return false, &HeldError{Destination: p.Target.Destination, Held: plan.Held, Withdrawn: len(plan.Withdrawn)}
	}
	// Whoever was found unsubscribed is left out by the next plan for that reason: it comes now, not next night.
	return people > 0 && (plan.Moved > 0 || p.leaving > 0 || p.sum.Suppressed > suppressed), nil
}

// carryOut sends what was planned for so many people and waits for jobs.
func (p *pusher) carryOut(ctx context.Context, plan Plan, people int) error {
	if len(plan.Audiences) > len(p.Target.Audiences) {
		if err := p.ensure(ctx, &plan); err != nil {
			return err
		}
	}
	p.done, p.total, p.leaving = 0, people, 0
	if err := p.send(ctx, plan); err != nil {
		return err
	}
	return p.settle(ctx, true)
}

// send hands the work list to the destination, page by page. Whoever has to be tried again stays behind on the list, and
// where the guard holds the push so does everybody who did not unsubscribe: an earlier push may have left them there.
func (p *pusher) send(ctx context.Context, plan Plan) error {
	after := int64(0)
	for {
		changes, err := p.Ledger.Next(ctx, p.Target, after, p.batch(), p.due)
		if err != nil || len(changes) == 0 {
			return err
		}
		last := changes[len(changes)-1].Person.ID
		if last <= after {
			return fmt.Errorf("work list: person %d again", last)
		}
		after = last
		if len(plan.Held) > 0 {
			changes = slices.DeleteFunc(changes, func(c connectors.Change) bool {
				_, let := slices.BinarySearch(plan.Withdrawn, c.Person.ID)
				return !let
			})
		}
		if len(changes) == 0 {
			continue
		}
		if err := p.deliver(ctx, changes); err != nil {
			return err
		}
		p.Log.DebugContext(ctx, "push page recorded", "destination", p.Target.Destination, "people", len(changes))
	}
}

// deliver applies one page and records the answers, also where the page failed half-way. A page that fails for a
// single record is halved until the record is found.
func (p *pusher) deliver(ctx context.Context, changes []connectors.Change) error {
	result, failure := p.Destination.Apply(ctx, changes)
	rest := unanswered(changes, result.Outcomes)
	switch {
	case result.Job != "":
		if err := p.Ledger.SaveJob(ctx, p.Target.Destination, result.Job, people(rest), p.Now()); err != nil {
			return err
		}
		rest = nil
	case failure == nil:
		result.Outcomes = append(result.Outcomes, silent(rest)...)
	case connectors.KindOf(failure) == connectors.KindRecord && len(rest) == 1:
		result.Outcomes = append(result.Outcomes, connectors.Outcome{
			PersonID: rest[0].Person.ID, State: connectors.Refused, Reason: failure.Error(),
		})
		rest, failure = nil, nil
	}
	if err := p.record(ctx, result.Outcomes); err != nil {
		return err
	}
	if failure == nil || connectors.KindOf(failure) != connectors.KindRecord {
		return failure
	}
	half := len(rest) / 2
	if half == 0 {
		return nil
	}
	if err := p.deliver(ctx, rest[:half]); err != nil {
		return err
	}
	return p.deliver(ctx, rest[half:])
}

// record stores outcomes, and suppresses whoever turned out to be unsubscribed. What the platform answered is recorded
// even if the push was called off meanwhile.
func (p *pusher) record(ctx context.Context, outcomes []connectors.Outcome) error {
	for part := range slices.Chunk(outcomes, recordSize) {
		if err := p.recordPart(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

func (p *pusher) recordPart(ctx context.Context, outcomes []connectors.Outcome) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	suppressed := map[string][]int64{}
	for _, o := range outcomes {
		if reason := p.count(o); reason != "" {
			suppressed[reason] = append(suppressed[reason], o.PersonID)
		}
	}
	for reason, people := range suppressed {
		if err := p.Ledger.Suppress(ctx, p.Target.Destination, people, reason, p.Now()); err != nil {
			return err
		}
		p.sum.Suppressed += len(people)
	}
	leaving, err := p.Ledger.Record(ctx, p.Target.Destination, outcomes, p.Now())
	if err != nil {
		return err
	}
	p.leaving += leaving
	p.done += len(outcomes)
	p.Progress(p.done, max(p.total, p.done))
	return nil
}

// count adds an outcome to the summary and returns the reason for which the person is to be suppressed, if any.
func (p *pusher) count(o connectors.Outcome) string {
	switch o.State {
	case connectors.Delivered:
		p.sum.Delivered++
	case connectors.Unchanged:
		p.sum.Unchanged++
	case connectors.Refused:
		p.sum.Refused++
	case connectors.Withheld:
		p.sum.Withheld[o.Reason]++
		if p.Target.NeedsConsent && (o.Reason == connectors.ReasonUnsubscribed || o.Reason == connectors.ReasonSuppressed) {
			return o.Reason
		}
	default:
		p.sum.RetryLater++
	}
	return ""
}

// unanswered returns the changes without an outcome.
func unanswered(changes []connectors.Change, outcomes []connectors.Outcome) []connectors.Change {
	answered := make(map[int64]bool, len(outcomes))
	for _, o := range outcomes {
		answered[o.PersonID] = true
	}
	var rest []connectors.Change
	for _, c := range changes {
		if !answered[c.Person.ID] {
			rest = append(rest, c)
		}
	}
	return rest
}

// silent are the outcomes of people about whom the destination said nothing: they are tried again.
func silent(changes []connectors.Change) []connectors.Outcome {
	outcomes := make([]connectors.Outcome, len(changes))
	for i, c := range changes {
		outcomes[i] = connectors.Outcome{PersonID: c.Person.ID, State: connectors.RetryLater, Reason: "no answer"}
	}
	return outcomes
}

func people(changes []connectors.Change) []int64 {
	ids := make([]int64, len(changes))
	for i, c := range changes {
		ids[i] = c.Person.ID
	}
	return ids
}
