package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/perennial-cvo/perennial/analysis"
)

// Customers reads the aggregates of everybody known: who has a counted order, an account in the shop, or an order that
// does not count. Somebody who has a membership or a standing but is known no more comes too, and is gone.
func (s *Store) Customers(ctx context.Context) ([]analysis.Customer, error) {
	var all []analysis.Customer
	err := s.read(ctx, func(tx *sqlx.Tx) error {
		r := &customerReader{tx: tx, store: s.id}
		if err := r.prepare(ctx); err != nil {
			return err
		}
		people, err := r.people(ctx)
		if err != nil {
			return err
		}
		r.all = make([]analysis.Customer, 0, len(people.sure)+len(people.doubtful))
		if err := r.buyers(ctx, customerTexts("person_stats WHERE store_id = $1 AND"), s.id); err != nil {
			return err
		}
		if err := r.prospects(ctx, people); err != nil {
			return err
		}
		for _, step := range []func(context.Context) error{r.memberships, r.standings} {
			if err := step(ctx); err != nil {
				return err
			}
		}
		all = r.all
		return nil
	})
	return all, err
}

// CustomersAsOf computes the same from the orders for everybody with a counted order, with the membership that stands today
// and no standing.
func (s *Store) CustomersAsOf(ctx context.Context, asOf time.Time) ([]analysis.Customer, error) {
	var all []analysis.Customer
	err := s.read(ctx, func(tx *sqlx.Tx) error {
		r := &customerReader{tx: tx, store: s.id, past: true}
		if err := r.prepare(ctx); err != nil {
			return err
		}
		if err := s.localDays(ctx, tx); err != nil {
			return err
		}
		if err := r.makeRoom(ctx); err != nil {
			return err
		}
		if err := r.buyers(ctx, `WITH`+aggregates("")+customerTexts("fresh WHERE"), s.id, asOf); err != nil {
			return err
		}
		if err := r.memberships(ctx); err != nil {
			return err
		}
		all = r.all
		return nil
	})
	return all, err
}

// customerReader puts together aggregates, memberships and standings of everybody. The server hands them out unsorted and
// in few rows, each the text of many people: joining, sorting and sending a million rows costs several times as much.
type customerReader struct {
	tx     *sqlx.Tx
	store  int64
	past   bool  // only who has a counted order is wanted
	person int64 // who alone is wanted; 0: everybody
	all    []analysis.Customer
	places places
}

func (r *customerReader) prepare(ctx context.Context) error {
	r.places = places{}
	return wideMemory(ctx, r.tx)
}

// makeRoom counts everybody: a list that has to grow takes twice its memory.
func (r *customerReader) makeRoom(ctx context.Context) error {
	var people int
	if err := r.tx.GetContext(ctx, &people, `SELECT count(*) FROM persons WHERE store_id = $1`, r.store); err != nil {
		return fmt.Errorf("people: %w", err)
	}
	r.all = make([]analysis.Customer, 0, people)
	return nil
}

// wanted ends a condition on a person; args are its values, the shop's id first.
func (r *customerReader) wanted() (condition string, args []any) {
	if r.person == 0 {
		return "", []any{r.store}
	}
	return ` AND person_id = $2`, []any{r.store, r.person}
}

// texts reads rows that end in a text of numbers, and calls each for every one, until its numbers are read.
func (r *customerReader) texts(ctx context.Context, query string, args, columns []any, each func(n *numbers) error) error {
	rows, err := r.tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
	for rows.Next() {
		var n numbers
		if err := rows.Scan(append(columns, &n.text)...); err != nil {
			return err
		}
		for n.text != "" {
			if err := each(&n); err != nil {
				return err
			}
		}
		if n.err != nil {
			return n.err
		}
	}
	return rows.Err()
}

// customerTexts reads the people with orders from a source that ends in a condition, together by their last day. Amounts
// come as they are, which costs the server less than to scale them.
func customerTexts(source string) string {
	return ` SELECT last_day - DATE '1970-01-01', string_agg(concat_ws(' ', person_id, orders, first_day - DATE '1970-01-01', gross,
			net, days, coalesce(previous_day - DATE '1970-01-01', 0), bought, first_bought, coalesce(cost, 'NaN')), ' ')
		FROM ` + source + ` orders > 0 GROUP BY last_day`
}

// buyers reads a query of customerTexts.
func (r *customerReader) buyers(ctx context.Context, query string, args ...any) error {
	var day int
	err := r.texts(ctx, query, args, []any{&day}, func(n *numbers) error {
		r.add(n.customer(day))
		return nil
	})
	if err != nil {
		return fmt.Errorf("customers: %w", err)
	}
	return nil
}

func (n *numbers) customer(lastDay int) analysis.Customer {
	c := analysis.Customer{
		Person: n.whole(), Orders: int(n.whole()), FirstDay: int(n.whole()), LastDay: lastDay, Gross: n.amount(), Net: n.amount(),
		Days: int(n.whole()), PreviousDay: int(n.whole()), Bought: n.amount(), FirstBought: n.amount(),
	}
	if c.Costed = !n.missing(); c.Costed {
		c.Cost = n.amount()
	}
	return c
}

func (r *customerReader) add(c analysis.Customer) *analysis.Customer {
	r.places.put(c.Person, len(r.all))
	r.all = append(r.all, c)
	return &r.all[len(r.all)-1]
}

// of returns the customer that a person is; of somebody who is known no more a new one, or nil where only buyers are wanted.
func (r *customerReader) of(person int64) *analysis.Customer {
	if place, ok := r.places.get(person); ok {
		return &r.all[place]
	}
	if r.past {
		return nil
	}
	return r.add(analysis.Customer{Person: person, Gone: true})
}

// bundle is how many people share a row at most, where nothing else tells them apart.
const bundle = 100_000

// known are the persons of a shop. An account with an address is there as long as anything names it. Other persons may be
// left over: a guest who became an account, an account that the shop deleted.
type known struct{ sure, doubtful []int64 }

// people reads them before anything else, which tells how much room everybody takes without counting.
func (r *customerReader) people(ctx context.Context) (known, error) {
	var p known
	var sure bool
	wanted, args := r.wanted()
	err := r.texts(ctx, fmt.Sprintf(`SELECT customer_id IS NOT NULL AND email IS NOT NULL AS sure, string_agg(person_id::text, ' ')
		FROM persons WHERE store_id = $1 AND (customer_id IS NOT NULL OR email IS NOT NULL)`+wanted+` GROUP BY sure, person_id / %d`, bundle),
		args, []any{&sure}, func(n *numbers) error {
			if person := n.whole(); sure {
				p.sure = append(p.sure, person)
			} else {
				p.doubtful = append(p.doubtful, person)
			}
			return n.err
		})
	if err != nil {
		return known{}, fmt.Errorf("people: %w", err)
	}
	return p, nil
}

// prospects adds whoever is known without a counted order.
func (r *customerReader) prospects(ctx context.Context, p known) error {
	bought := func(person int64) bool {
		_, ok := r.places.get(person)
		return ok
	}
	for _, person := range p.sure {
		if !bought(person) {
			r.add(analysis.Customer{Person: person})
		}
	}
	for doubtful := slices.DeleteFunc(p.doubtful, bought); len(doubtful) > 0; {
		some := doubtful[:min(bundle, len(doubtful))]
		doubtful = doubtful[len(some):]
		var there []int64
		if err := r.tx.SelectContext(ctx, &there, knownPersons, r.store, pgArray(some)); err != nil {
			return fmt.Errorf("prospects: %w", err)
		}
		for _, person := range there {
			r.add(analysis.Customer{Person: person})
		}
	}
	return nil
}

// knownPersons are those of $2 whom an account in the shop or an order stands for.
const knownPersons = `SELECT k.person_id FROM unnest($2::bigint[]) AS k(person_id)
	CROSS JOIN LATERAL (SELECT customer_id, email FROM persons WHERE store_id = $1 AND person_id = k.person_id OFFSET 0) p
	WHERE coalesce(
		(SELECT true FROM customers WHERE store_id = $1 AND id = p.customer_id AND deleted_at IS NULL LIMIT 1),
		(SELECT true FROM orders WHERE store_id = $1 AND customer_id = p.customer_id AND customer_id <> ''
			AND person_id = k.person_id AND deleted_at IS NULL LIMIT 1),
		(SELECT true FROM orders WHERE store_id = $1 AND email = p.email AND email <> ''
			AND person_id = k.person_id AND deleted_at IS NULL LIMIT 1),
		false)`

// memberships adds those of the RFM scheme that stand.
func (r *customerReader) memberships(ctx context.Context) error {
	var m analysis.Member
	wanted, args := r.wanted()
	err := r.texts(ctx, `SELECT r, f, m, segment, string_agg(person_id::text, ' ') FROM rfm_scores
		WHERE store_id = $1`+wanted+` GROUP BY r, f, m, segment`, args, []any{&m.Score.R, &m.Score.F, &m.Score.M, &m.Segment},
		func(n *numbers) error {
			if c := r.of(n.whole()); c != nil {
				c.Score, c.Segment = m.Score, m.Segment
			}
			return nil
		})
	if err != nil {
		return fmt.Errorf("memberships: %w", err)
	}
	return nil
}

// standings adds those that stand. People who stand in the same places share their texts.
func (r *customerReader) standings(ctx context.Context) error {
	var at analysis.Place
	var own pq.StringArray // a new one for each row
	var place *analysis.Place
	wanted, args := r.wanted()
	err := r.texts(ctx, `SELECT stage, tier, churn, own,
			string_agg(concat_ws(' ', person_id, coalesce(next_week - DATE '1970-01-01', 0), coalesce(value, 'NaN')), ' ')
		FROM standings WHERE store_id = $1`+wanted+` GROUP BY stage, tier, churn, own`, args, []any{&at.Stage, &at.Tier, &at.Churn, &own},
		func(n *numbers) error {
			c := r.of(n.whole())
			if at.Own = nil; len(own) > 0 {
				at.Own = own
			}
			if place == nil || !place.Equal(at) { // another row
				place = &analysis.Place{Stage: at.Stage, Tier: at.Tier, Churn: at.Churn, Own: at.Own}
			}
			c.Standing.Place = place
			c.Standing.NextWeek = int(n.whole())
			if c.Standing.Valued = !n.missing(); c.Standing.Valued {
				c.Standing.Value = n.amount()
			}
			return nil
		})
	if err != nil {
		return fmt.Errorf("standings: %w", err)
	}
	return nil
}
