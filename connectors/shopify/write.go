package shopify

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// write carries out wishes by requests that hold many mutations each. A mutation that several customers share and that
// fails is tried again for each of them alone: a customer who is gone must not take his neighbours with him. Only those
// are told about whose every mutation was answered.
func (d *destination) write(ctx context.Context, wishes []wish) ([]connectors.Outcome, error) {
	t := tally{wishes: wishes, open: make([]int, len(wishes)), verdicts: make([]verdict, len(wishes))}
	calls := d.calls(wishes)
	for _, c := range calls {
		for _, place := range c.wishes {
			t.open[place]++
		}
	}
	var alone []call
	err := d.deliver(ctx, calls, func(c call, v verdict) {
		if v.good() || len(c.wishes) == 1 {
			t.note(c, v)
			return
		}
		for _, place := range c.wishes {
			parts := d.callsOf(c.step, place, wishes[place])
			t.open[place] += len(parts) - 1
			alone = append(alone, parts...)
		}
	})
	if err == nil {
		err = d.deliver(ctx, alone, t.note)
	}
	return t.outcomes(), err
}

// deliver sends mutations and gives the verdict on each. Where Shopify fails over a request, it sends less at once, down
// to the one mutation over which it fails; that one is tried again in the next push.
func (d *destination) deliver(ctx context.Context, calls []call, told func(call, verdict)) error {
	for len(calls) > 0 {
		n := min(len(calls), d.room)
		var answer map[string]*payload
		err := d.run(ctx, batch(calls[:n]), &answer)
		switch {
		case tooMuch(err) && n > 1:
			d.room = n / 2
			continue
		case errors.Is(err, httpapi.ErrHeavy):
			told(calls[0], later("Shopify fails over this customer"))
		case err != nil:
			return permitted(err)
		default:
			for i, c := range calls[:n] {
				told(c, d.confirm(c, answer[alias(i)]))
			}
		}
		calls = calls[n:]
	}
	return nil
}

// tooMuch reports whether a request that asks for less may succeed.
func tooMuch(err error) bool { return errors.Is(err, errTooCostly) || errors.Is(err, httpapi.ErrHeavy) }

// confirm is the verdict on a mutation: what Shopify says stands there is held against what was asked for. A tag that the
// merchant set in another case is as good as ours, because Shopify takes both for the same.
func (d *destination) confirm(c call, p *payload) verdict {
	v := d.judge(p)
	if !v.good() {
		return v
	}
	stands := func(tag string) bool { return slices.Contains(p.Node.Tags, tag) }
	carries := func(tag string) bool {
		return slices.ContainsFunc(p.Node.Tags, func(other string) bool { return strings.EqualFold(tag, other) })
	}
	switch {
	case p.shows(c.step) == 0,
		c.step == removing && slices.ContainsFunc(c.tags, stands),
		c.step == adding && !all(c.tags, carries),
		c.step == setting && p.shows(setting) != len(c.fields):
		return unconfirmed()
	}
	return verdict{}
}

func all[T any](list []T, holds func(T) bool) bool {
	return !slices.ContainsFunc(list, func(one T) bool { return !holds(one) })
}

// tally collects the verdicts on the mutations of each wish.
type tally struct {
	wishes   []wish
	open     []int // mutations not answered yet
	verdicts []verdict
}

// note takes a verdict; of several bad ones on one wish the first counts.
func (t *tally) note(c call, v verdict) {
	for _, place := range c.wishes {
		t.open[place]--
		if t.verdicts[place].good() {
			t.verdicts[place] = v
		}
	}
}

func (t *tally) outcomes() []connectors.Outcome {
	var outcomes []connectors.Outcome
	for place, w := range t.wishes {
		if t.open[place] == 0 {
			outcomes = append(outcomes, w.outcome(t.verdicts[place]))
		}
	}
	return outcomes
}
