package activation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/perennial-cvo/perennial/connectors"
)

// Purged is what a purge did.
type Purged struct {
	People    int // from whom everything of ours was taken away
	Left      int // whom the platform did not let go; they are kept in mind
	Strays    int // of People, those of whom nothing was known: the shop made one customer of two, or a memory was lost
	Audiences int // removed
}

// Purge takes back everything that was ever added to a destination: memberships, attributes, and the audiences themselves
// where they are things of their own. Only what was taken away is forgotten, so that it can be called again.
func Purge(ctx context.Context, o Options) (Purged, error) {
	p := purger{pusher: pusher{Options: o.withDefaults()}}
	if err := p.run(ctx); err != nil {
		return p.purged, fmt.Errorf("purge of %s: %w", o.Target.Destination, err)
	}
	return p.purged, nil
}

type purger struct {
	pusher
	purged Purged
}

func (p *purger) run(ctx context.Context) error {
	audiences, err := p.Ledger.Audiences(ctx, p.Target.Destination)
	if err != nil {
		return err
	}
	p.Target.Audiences = audiences
	if len(audiences) > 0 {
		if err := p.ensure(ctx, nil); err != nil {
			return err
		}
	}
	if err := p.await(ctx, func(Pending) bool { return true }); err != nil {
		return err
	}
	if err := p.hear(ctx); err != nil {
		return fmt.Errorf("nothing was taken away, because who unsubscribed could not be read: %w", err)
	}
	if err := p.takeBack(ctx); err != nil {
		return err
	}
	if err := p.takeBackStrays(ctx); err != nil {
		return err
	}
	if p.purged.Left > 0 {
		return &connectors.Error{
			Kind: connectors.KindRetry, Op: "taking back",
			Err:    fmt.Errorf("%d people are left; what was taken back is done", p.purged.Left),
			Remedy: "run the purge again; if it ends the same way, look at the people in the platform",
		}
	}
	if remover, ok := p.Destination.(connectors.Remover); ok && len(p.Target.Audiences) > 0 {
		if err := remover.Remove(ctx, p.Target.Audiences); err != nil {
			return fmt.Errorf("audiences: %w", err)
		}
		p.purged.Audiences = len(p.Target.Audiences)
	}
	return p.Ledger.ForgetAudiences(ctx, p.Target.Destination)
}

// await waits for jobs of earlier pushes to end: one that is at work could put back what is taken away here.
func (p *purger) await(ctx context.Context, concerns func(Pending) bool) error {
	jobs, err := p.Ledger.Jobs(ctx, p.Target.Destination)
	if err != nil || !slices.ContainsFunc(jobs, concerns) {
		return err
	}
	if err := p.settle(ctx, true); err != nil {
		return err
	}
	if jobs, err = p.Ledger.Jobs(ctx, p.Target.Destination); err != nil || !slices.ContainsFunc(jobs, concerns) {
		return err
	}
	return &connectors.Error{
		Kind: connectors.KindRetry, Op: "jobs", Err: errors.New("the platform still works on an earlier push"),
		Remedy: "nothing was taken away, so that nothing comes back: run this again later",
	}
}

// hear notes who unsubscribed since the last push: what an audience remembers of it goes with the audience.
func (p *purger) hear(ctx context.Context) error {
	_, mute := p.Destination.(connectors.OneWay)
	if !p.Target.NeedsConsent || mute || len(p.Target.Audiences) == 0 {
		return nil
	}
	b := newReadBack(p.pusher)
	b.listens = true
	return b.holdAgainst(ctx) // no look to be remembered: only who unsubscribed is noted
}

// takeBack makes everybody leave everything, page by page.
func (p *purger) takeBack(ctx context.Context) error {
	after := int64(0)
	for {
		deliveries, err := p.Ledger.Delivered(ctx, p.Target.Destination, after, p.batch())
		if err != nil || len(deliveries) == 0 {
			return err
		}
		after = deliveries[len(deliveries)-1].Person.ID
		changes := make([]connectors.Change, len(deliveries))
		for i, d := range deliveries {
			changes[i] = leaving(d)
		}
		gone, err := p.apply(ctx, changes)
		if releasing := p.Ledger.Release(ctx, p.Target.Destination, gone); releasing != nil {
			return releasing
		}
		p.purged.People += len(gone)
		if err != nil {
			return err
		}
		p.purged.Left += len(changes) - len(gone)
	}
}

// takeBackStrays walks through a shop for what stands there under our keys without being known here.
func (p *purger) takeBackStrays(ctx context.Context) error {
	roll, ok := p.Destination.(connectors.Roll)
	if !ok || !p.Target.NeedsAccount || len(p.Target.Audiences) == 0 || p.purged.Left > 0 {
		return nil
	}
	var strays []connectors.Change
	var cursor connectors.Cursor
	for {
		page, err := roll.Everybody(ctx, cursor)
		if err != nil {
			return fmt.Errorf("what is left in the shop: %w", err)
		}
		for _, m := range page.Members {
			if c, is := p.stray(m); is {
				c.Person.ID = int64(-len(strays) - 1)
				strays = append(strays, c)
			}
		}
		if page.Done {
			break
		}
		if page.Next == cursor {
			return errCursor
		}
		cursor = page.Next
	}
	for part := range slices.Chunk(strays, p.batch()) {
		gone, err := p.apply(ctx, part)
		p.purged.People += len(gone)
		p.purged.Strays += len(gone)
		if err != nil {
			return err
		}
		p.purged.Left += len(part) - len(gone)
	}
	return nil
}

// stray is the change that takes from somebody what they carry under keys of ours.
func (p *purger) stray(m connectors.Member) (connectors.Change, bool) {
	c := connectors.Change{Person: connectors.Person{CustomerID: m.CustomerID, Email: m.Email}}
	for _, key := range m.Audiences {
		if slices.ContainsFunc(p.Target.Audiences, func(a connectors.Audience) bool { return a.Key == key }) {
			c.Leave = append(c.Leave, key)
		}
	}
	ours := slices.Concat(p.Target.Attributes, Attributes(), slices.Collect(maps.Values(p.Target.Renamed)), []string{membership})
	for key := range m.Attributes {
		if slices.Contains(ours, key) {
			c.Drop = append(c.Drop, key)
		}
	}
	slices.Sort(c.Drop)
	return c, len(c.Leave)+len(c.Drop) > 0
}

// leaving is the change that takes away everything of ours.
func leaving(d Delivery) connectors.Change {
	c := connectors.Change{Person: d.Person, Leave: d.Audiences}
	for key := range d.Attributes {
		c.Drop = append(c.Drop, key)
	}
	return c
}

// apply applies leaving changes, waits for jobs, and returns the people from whom nothing of ours is left: also those
// whom the platform does not have any more. A page that fails for a single record is halved until it is found.
func (p *purger) apply(ctx context.Context, changes []connectors.Change) ([]int64, error) {
	result, failure := p.Destination.Apply(ctx, changes)
	gone := departed(result.Outcomes)
	if result.Job != "" {
		more, err := p.follow(ctx, result)
		return append(gone, more...), err
	}
	rest := unanswered(changes, result.Outcomes)
	if connectors.KindOf(failure) != connectors.KindRecord || len(rest) < 2 {
		if connectors.KindOf(failure) == connectors.KindRecord {
			return gone, nil // that one is left
		}
		return gone, failure
	}
	half := len(rest) / 2
	for _, part := range [][]connectors.Change{rest[:half], rest[half:]} {
		more, err := p.apply(ctx, part)
		gone = append(gone, more...)
		if err != nil {
			return gone, err
		}
	}
	return gone, nil
}

// follow asks for a job until it ends or is too old: no later push would ask for it.
func (p *purger) follow(ctx context.Context, result connectors.Result) ([]int64, error) {
	var gone []int64
	end := p.Now().Add(p.JobLimit)
	for result.Job != "" && p.Now().Before(end) {
		pause := max(result.NotBefore.Sub(p.Now()), askEvery)
		if err := sleep(ctx, pause); err != nil {
			return gone, err
		}
		var err error
		if result, err = p.Destination.Resume(ctx, result.Job); err != nil {
			return gone, err
		}
		gone = append(gone, departed(result.Outcomes)...)
	}
	return gone, nil
}

func departed(outcomes []connectors.Outcome) []int64 {
	var gone []int64
	for _, o := range outcomes {
		if o.State == connectors.Delivered || o.State == connectors.Unchanged || o.State == connectors.Withheld {
			gone = append(gone, o.PersonID)
		}
	}
	return gone
}

// Erasure is what was done about a person at a destination.
type Erasure struct {
	Done  string // in words
	Able  bool   // the platform can erase; otherwise the person was taken out of what is ours, and stays there
	Stood bool   // something of ours was known to stand there
	// Names are what the person is called there, which Done may hold: ids and addresses.
	Names []string
}

// Erase removes a person from a destination and forgets them, and says what was done. Where the platform knows the person
// under an older address too, that one goes as well.
func Erase(ctx context.Context, o Options, person connectors.Person) (Erasure, error) {
	p := purger{pusher: pusher{Options: o.withDefaults()}}
	erasure, err := p.erase(ctx, person)
	if err != nil {
		return Erasure{}, fmt.Errorf("erasure at %s: %w", o.Target.Destination, err)
	}
	return erasure, nil
}

func (p *purger) erase(ctx context.Context, person connectors.Person) (Erasure, error) {
	concerns := func(job Pending) bool { return slices.Contains(job.People, person.ID) }
	if err := p.await(ctx, concerns); err != nil {
		return Erasure{}, err
	}
	delivery, stands, err := p.Ledger.Standing(ctx, p.Target.Destination, person.ID)
	if err != nil {
		return Erasure{}, err
	}
	if stands && delivery.Person.Email == person.Email {
		person.RemoteID = delivery.RemoteID
	}
	old := delivery.Person
	erasure := Erasure{
		Done: "nothing of ours stood there", Stood: stands,
		Names: []string{person.Email, person.CustomerID, old.Email, old.CustomerID, delivery.RemoteID},
	}
	var eraser connectors.Eraser
	if eraser, erasure.Able = p.Destination.(connectors.Eraser); erasure.Able {
		if erasure.Done, err = eraser.Erase(ctx, person); err != nil {
			return Erasure{}, err
		}
		if stands && (old.Email != person.Email || old.CustomerID != person.CustomerID) {
			more, err := eraser.Erase(ctx, old)
			if err != nil {
				return Erasure{}, err
			}
			erasure.Done += "; under an older address: " + more
		}
	} else if stands {
		if erasure.Done, err = p.takeOut(ctx, delivery); err != nil {
			return Erasure{}, err
		}
	}
	return erasure, p.Ledger.Forget(ctx, p.Target.Destination, []int64{person.ID})
}

// takeOut takes one person out of everything at a platform that cannot erase.
func (p *purger) takeOut(ctx context.Context, d Delivery) (string, error) {
	known, err := p.Ledger.Audiences(ctx, p.Target.Destination)
	if err != nil {
		return "", err
	}
	p.Target.Audiences = known
	if err := p.ensure(ctx, nil); err != nil {
		return "", err
	}
	gone, err := p.apply(ctx, []connectors.Change{leaving(d)})
	if err != nil {
		return "", err
	}
	if len(gone) == 0 {
		return "", &connectors.Error{
			Kind: connectors.KindRetry, Op: "leaving", Err: fmt.Errorf("the platform did not let the person go"),
			Remedy: "try again later, or remove the person in the platform by hand",
		}
	}
	return fmt.Sprintf("taken out of %d audiences, %d attributes removed", len(d.Audiences), len(d.Attributes)), nil
}
