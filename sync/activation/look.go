package activation

import (
	"context"
	"fmt"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

const (
	// lookBack is how far before the last look a look begins: platforms tell of some things late.
	lookBack = 24 * time.Hour
	// leaversAtOnce is how many people who left are looked up at once.
	leaversAtOnce = 10_000
)

// Looked says when somebody last asked a destination what stands there; zero: never.
type Looked struct {
	Whole time.Time // everything was read back
	At    time.Time // that, or who left
}

// Look asks a platform that mails people who left since it was asked last, so that a push leaves them alone at every
// destination. A platform that cannot tell them by themselves, and every platform once in so long, is read back whole. Nothing
// is asked of a destination from which nothing can be read.
func Look(ctx context.Context, o Options, wholeEvery time.Duration) (Drift, error) {
	if _, is := o.Destination.(connectors.OneWay); is {
		return Drift{}, nil
	}
	leavers, can := o.Destination.(connectors.Leavers)
	looked, err := o.Ledger.Looked(ctx, o.Target.Destination)
	if err != nil {
		return Drift{}, err
	}
	if now := o.Now(); !can || looked.Whole.IsZero() || now.Sub(looked.Whole).Abs() >= wholeEvery {
		return ReadBack(ctx, o)
	}
	l := look{pusher: pusher{Options: o.withDefaults()}}
	if err := l.run(ctx, leavers, looked.At); err != nil {
		return l.drift, fmt.Errorf("look at %s: %w", o.Target.Destination, err)
	}
	return l.drift, nil
}

// look is one look at who left.
type look struct {
	pusher
	left  []connectors.Member
	drift Drift
}

func (l *look) run(ctx context.Context, leavers connectors.Leavers, last time.Time) error {
	began := l.Now()
	if last.After(began) { // the clock went back
		last = began
	}
	if err := l.ensure(ctx, nil); err != nil {
		return err
	}
	var cursor connectors.Cursor
	for {
		page, err := leavers.Leavers(ctx, last.Add(-lookBack), cursor)
		if err != nil {
			return fmt.Errorf("people who left: %w", err)
		}
		for _, m := range page.Members {
			if m.Consent.State == commerce.ConsentUnsubscribed {
				l.left = append(l.left, m)
			}
		}
		l.drift.Read += len(page.Members)
		if page.Done || len(l.left) >= leaversAtOnce {
			if err := l.suppress(ctx); err != nil {
				return err
			}
		}
		if page.Done {
			return l.Ledger.SaveLook(ctx, l.Target.Destination, Looked{At: began})
		}
		if page.Next == cursor {
			return errCursor
		}
		cursor = page.Next
	}
}

// suppress notes of those who left and are ours that they did, as of when they left: if they subscribed in the shop since,
// that stands.
func (l *look) suppress(ctx context.Context) error {
	now := l.Now()
	at := map[string]time.Time{} // by address, and by the platform's own id
	var addresses, remotes []string
	for _, m := range l.left {
		when := m.Consent.At
		if when.IsZero() || when.After(now) {
			when = now
		}
		if m.Email != "" {
			addresses, at[m.Email] = append(addresses, m.Email), when
		}
		if m.RemoteID != "" {
			remotes, at[m.RemoteID] = append(remotes, m.RemoteID), when
		}
	}
	l.left = l.left[:0]
	ours, err := l.Ledger.Known(ctx, l.Target.Destination, addresses, remotes)
	if err != nil {
		return err
	}
	leaving := map[time.Time][]int64{}
	for _, person := range ours {
		when, named := at[person.Email]
		if !named {
			when = at[person.RemoteID]
		}
		leaving[when] = append(leaving[when], person.ID)
	}
	for when, people := range leaving {
		if err := l.Ledger.Suppress(ctx, l.Target.Destination, people, connectors.ReasonUnsubscribed, when); err != nil {
			return err
		}
	}
	l.drift.Unsubscribed += len(ours)
	return nil
}
