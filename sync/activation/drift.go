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
// shop makes one customer of two, that one carries what both had. It keeps 16 bytes in memory for each membership. Of a
// destination from which nothing can be read back the record is all there is.
func ReadBack(ctx context.Context, o Options) (Drift, error) {
	if _, is := o.Destination.(connectors.OneWay); is {
		return Drift{}, nil
	}
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
	gone    map[uint64]bool   // addresses and remote ids that unsubscribed, by digest
	whole   []string          // keys of the audiences whose members are all ours
	all     bool              // everybody with attributes of ours is seen, also who is in no audience
	drift   Drift
}

func (b *readBack) run(ctx context.Context) error {
	began := b.Now()
	if err := b.holdAgainst(ctx); err != nil {
		return err
	}
	return b.Ledger.SaveLook(ctx, b.Target.Destination, Looked{Whole: began, At: began})
}

func (b *readBack) holdAgainst(ctx context.Context) error {
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
		b.all = b.Target.Extent == connectors.OnlyAttributes
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
	delete(m.Attributes, membership) // m.Audiences says it
	address, attributes := m.Email, digestOf(m.Attributes)
	if b.Target.NeedsAccount {
		address = m.CustomerID
	}
	if b.all {
		b.members[digest(address)] = attributes
	}
	for _, key := range audiences {
		b.members[digest(address, key)] = attributes
		b.drift.Read++
	}
	if m.Consent.State == commerce.ConsentUnsubscribed {
		b.gone[digest(address)] = true
		if m.RemoteID != "" {
			b.gone[digestOfID(m.RemoteID)] = true
		}
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
			if b.Target.NeedsConsent && b.left(d) {
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

// left reports whether a person unsubscribed, be it under another address than ours.
func (b *readBack) left(d Delivery) bool {
	return b.gone[digest(b.address(d))] || d.RemoteID != "" && b.gone[digestOfID(d.RemoteID)]
}

// digestOfID is unlike the digest of any address.
func digestOfID(remote string) uint64 { return digest("", remote) }

func (b *readBack) address(d Delivery) string {
	if b.Target.NeedsAccount {
		return d.Person.CustomerID
	}
	return d.Person.Email
}

// check returns what really stands for a person, and whether that differs from the record. Attributes are seen only of
// people who are in an audience, or of everybody where the platform has no lists of ours.
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
	if b.altered(d, seen) {
		b.drift.Changed++
		return real, true
	}
	return real, false
}

// altered says whether the attributes of a person are not what they were, as far as that can be seen.
func (b *readBack) altered(d Delivery, seen bool) bool {
	if len(d.Audiences) > 0 {
		return !seen
	}
	attributes, there := b.members[digest(b.address(d))]
	return b.all && len(d.Attributes) > 0 && (!there || attributes != digestOf(d.Attributes))
}

// strays are the audiences that stand for a person who was never given them.
func (b *readBack) strays(d Delivery) []string {
	return slices.DeleteFunc(slices.Clone(b.whole), func(key string) bool {
		_, carries := b.members[digest(b.address(d), key)]
		return !carries || slices.Contains(d.Audiences, key)
	})
}

// membership is the key of the attribute that says who is in which audience where there are no lists.
const membership = "audiences"

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
