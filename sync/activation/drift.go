package activation

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// Drift is what a read-back found.
type Drift struct {
	Read         int // members at the platform
	Lost         int // people who were in an audience of ours by our record and are not
	Changed      int // people whose attributes are not as they were delivered
	Unsubscribed int // people of ours who unsubscribed
	Stray        int // people of the shop who carry what others were given, as they do whom the shop merged
}

// ReadBack holds what stands at a destination against the record, once a week or so. What others removed or changed of
// ours is noted, so that the next push mends it; whoever unsubscribed is suppressed, so that the next push takes them out
// everywhere. Members that others added are left alone, but for the shop's own tags: nobody else sets those, and when a
// shop makes one customer of two, that one carries what both had. It keeps 16 bytes in memory for each membership.
func ReadBack(ctx context.Context, o Options) (Drift, error) {
	b := newReadBack(pusher{Options: o.withDefaults()})
	if err := b.run(ctx); err != nil {
		return b.drift, fmt.Errorf("read-back of %s: %w", o.Target.Destination, err)
	}
	return b.drift, nil
}

func newReadBack(p pusher) readBack {
	return readBack{pusher: p, members: map[uint64]uint64{}, gone: map[uint64]bool{}}
}

type readBack struct {
	pusher
	listens bool              // only to who unsubscribed
	members map[uint64]uint64 // address and audience to attributes, by digest
	gone    map[uint64]bool   // addresses that unsubscribed, by digest
	whole   []string          // keys of the audiences whose members are all ours
	drift   Drift
}

func (b *readBack) run(ctx context.Context) error {
	if err := b.ensure(ctx, nil); err != nil {
		return err
	}
	audiences, err := b.Ledger.Audiences(ctx, b.Target.Destination)
	if err != nil {
		return err
	}
	for _, a := range audiences {
		if b.Target.NeedsAccount {
			b.whole = append(b.whole, a.Key)
		}
	}
	if roll, ok := b.Destination.(connectors.Roll); ok {
		if err := b.read(ctx, roll.Everybody); err != nil {
			return fmt.Errorf("members: %w", err)
		}
		return b.compare(ctx)
	}
	for _, audience := range audiences {
		members := func(ctx context.Context, cursor connectors.Cursor) (connectors.MemberPage, error) {
			return b.Destination.Members(ctx, audience, cursor)
		}
		if err := b.read(ctx, members, audience.Key); err != nil {
			return fmt.Errorf("members of %s: %w", audience.Key, err)
		}
	}
	return b.compare(ctx)
}

var errCursor = errors.New("the platform gave the same page twice")

// read notes who is in an audience, or where no audience is named, who is in which.
func (b *readBack) read(
	ctx context.Context, members func(context.Context, connectors.Cursor) (connectors.MemberPage, error), audience ...string,
) error {
	var cursor connectors.Cursor
	for {
		page, err := members(ctx, cursor)
		if err != nil {
			return err
		}
		for _, m := range page.Members {
			b.note(m, append(audience, m.Audiences...))
		}
		if page.Done {
			return nil
		}
		if page.Next == cursor {
			return errCursor
		}
		cursor = page.Next
	}
}

func (b *readBack) note(m connectors.Member, audiences []string) {
	address, attributes := m.Email, digestOf(m.Attributes)
	if b.Target.NeedsAccount {
		address = m.CustomerID
	}
	for _, key := range audiences {
		b.members[digest(address, key)] = attributes
		b.drift.Read++
	}
	if m.Consent.State == commerce.ConsentUnsubscribed {
		b.gone[digest(address)] = true
	}
}

// compare goes through the record and notes what is not so any more.
func (b *readBack) compare(ctx context.Context) error {
	after := int64(0)
	for {
		deliveries, err := b.Ledger.Delivered(ctx, b.Target.Destination, after, 10*pageSize)
		if err != nil || len(deliveries) == 0 {
			return err
		}
		after = deliveries[len(deliveries)-1].Person.ID
		var found []Delivery
		var gone []int64
		for _, d := range deliveries {
			if b.Target.NeedsConsent && b.gone[digest(b.address(d))] {
				gone = append(gone, d.Person.ID)
			} else if real, differs := b.check(d); differs {
				found = append(found, real)
			}
		}
		b.drift.Unsubscribed += len(gone)
		err = b.Ledger.Suppress(ctx, b.Target.Destination, gone, connectors.ReasonUnsubscribed, b.Now())
		if err != nil {
			return err
		}
		if b.listens {
			continue
		}
		if err := b.Ledger.Correct(ctx, b.Target.Destination, found, b.Now()); err != nil {
			return err
		}
	}
}

func (b *readBack) address(d Delivery) string {
	if b.Target.NeedsAccount {
		return d.Person.CustomerID
	}
	return d.Person.Email
}

// check returns what really stands for a person, and whether that differs from the record. Attributes are seen only of
// people who are in an audience.
func (b *readBack) check(d Delivery) (Delivery, bool) {
	real := d
	real.Audiences = nil
	seen, want := false, digestOf(d.Attributes)
	for _, key := range d.Audiences {
		attributes, ok := b.members[digest(b.address(d), key)]
		if !ok {
			continue
		}
		real.Audiences = append(real.Audiences, key)
		seen = seen || attributes == want
	}
	lost := len(real.Audiences) < len(d.Audiences)
	stray := b.strays(d)
	real.Audiences = append(real.Audiences, stray...)
	if d.Waiting { // the next push writes it anyway, and whoever changed it may be us
		return real, lost || len(stray) > 0
	}
	switch {
	case lost:
		b.drift.Lost++
		return real, true
	case len(stray) > 0:
		b.drift.Stray++
		return real, true
	}
	if len(d.Audiences) > 0 && !seen {
		b.drift.Changed++
		return real, true
	}
	return real, false
}

// strays are the audiences that stand for a person who was never given them.
func (b *readBack) strays(d Delivery) []string {
	return slices.DeleteFunc(slices.Clone(b.whole), func(key string) bool {
		_, carries := b.members[digest(b.address(d), key)]
		return !carries || slices.Contains(d.Audiences, key)
	})
}

// digest is a short mark of texts, the same for the same texts.
func digest(texts ...string) uint64 {
	h := fnv.New64a()
	for _, text := range texts {
		_, _ = h.Write([]byte(text)) // never fails
		_, _ = h.Write([]byte{0})
	}
	return h.Sum64()
}

func digestOf(attributes map[string]string) uint64 {
	var texts []string
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		texts = append(texts, key, shortNumber(attributes[key]))
	}
	return digest(texts...)
}

var decimalNumber = regexp.MustCompile(`^-?[0-9]+\.[0-9]+$`)

// shortNumber is a number without zeros that say nothing: platforms that know numbers give 120.00 back as 120 or 120.0.
func shortNumber(text string) string {
	if !decimalNumber.MatchString(text) {
		return text
	}
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}
