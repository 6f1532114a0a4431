package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/perennial-cvo/perennial/analysis/retention"
)

// earliest is the first month that is told apart, January 1900, as a number of retention.Month: what a shop has from before
// is a mistake, and counts in the month before.
const earliest = -70 * 12

// Retention counts who comes back, from the orders as of a moment, with revenue before refunds or after. Orders of which all
// money was given back are none.
func (s *Store) Retention(ctx context.Context, asOf time.Time, gross bool) (retention.Facts, error) {
	var f retention.Facts
	err := s.read(ctx, func(tx *sqlx.Tx) error {
		if err := wideMemory(ctx, tx); err != nil {
			return err
		}
		if err := s.localDays(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, retentionQuery, s.id, asOf, gross, pq.Array(monthsUntil(asOf)), retention.Within, retention.Weeks)
		if err != nil {
			return fmt.Errorf("retention: %w", err)
		}
		defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
		f, err = readRetention(rows)
		return err
	})
	return f, err
}

// monthsUntil returns the first days of all months from the earliest to that of a moment, anywhere on earth.
func monthsUntil(at time.Time) []int32 {
	const perDay = 24 * 60 * 60
	last := retention.Month.Of(int32(at.Unix()/perDay) + 1)
	var starts []int32
	for month := int32(earliest); month <= last; month++ {
		starts = append(starts, retention.Month.Start(month))
	}
	return starts
}

// monthOf returns the first day of a month, as the query counts them.
func (n *numbers) monthOf() int32 { return retention.Month.Start(int32(n.whole()) + earliest - 1) }

func (n *numbers) weekOf() int32 { return retention.Week.Start(int32(n.whole())) }

func (n *numbers) amounts() retention.Amounts {
	return retention.Amounts{Orders: int(n.whole()), Revenue: n.whole(), Margin: n.whole(), Costed: n.whole()}
}

func (n *numbers) newcomers(key string) retention.Newcomers {
	return retention.Newcomers{Key: key, Observed: int(n.whole()), Returned: int(n.whole()), Young: int(n.whole())}
}

// readRetention takes the rows of the query apart.
func readRetention(rows *sql.Rows) (retention.Facts, error) {
	f := retention.Facts{}
	origins := map[retention.Kind]*retention.Origin{}
	for _, kind := range retention.Kinds() {
		f.Origins = append(f.Origins, retention.Origin{Kind: kind, Names: map[string]string{}})
	}
	for i := range f.Origins {
		origins[f.Origins[i].Kind] = &f.Origins[i]
	}
	for rows.Next() {
		var what, word, name string
		var n numbers
		if err := rows.Scan(&what, &word, &name, &n.text); err != nil {
			return f, fmt.Errorf("retention: %w", err)
		}
		if origin := origins[retention.Kind(what)]; origin != nil {
			origin.Keys = append(origin.Keys, n.newcomers(word))
			if name != "" {
				origin.Names[word] = name
			}
		} else {
			n.count(&f, what, retention.Buyer(word))
		}
		if n.err != nil {
			return f, fmt.Errorf("retention, %s: %w", what, n.err)
		}
	}
	f.Sales = returning(f.Sales)
	return f, rows.Err()
}

// count adds a row that is not about an origin.
func (n *numbers) count(f *retention.Facts, what string, buyer retention.Buyer) {
	switch what {
	case "month":
		f.Months = append(f.Months, retention.Cell{Cohort: n.monthOf(), Period: n.monthOf(), Customers: int(n.whole()), Amounts: n.amounts()})
	case "week":
		f.Weeks = append(f.Weeks, retention.Cell{Cohort: n.weekOf(), Period: n.weekOf(), Customers: int(n.whole()), Amounts: n.amounts()})
	case "visit":
		v := retention.Visit{Period: n.monthOf(), Previous: n.monthOf(), Customers: int(n.whole()), Amounts: n.amounts()}
		if v.New = v.Previous < retention.Month.Start(earliest-1); v.New {
			v.Previous = 0
		}
		f.Visits = append(f.Visits, v)
	case "sale":
		f.Sales = append(f.Sales, retention.Sale{Buyer: buyer, Period: n.monthOf(), Customers: int(n.whole()), Amounts: n.amounts()})
	case "tally":
		f.Tallies = append(f.Tallies, retention.Tally{Orders: int(n.whole()), Days: int(n.whole()), Customers: int(n.whole()), Revenue: n.whole()})
	case "wait":
		f.Waits = append(f.Waits, retention.Wait{Days: int32(n.whole()), Again: n.whole() > 0, Customers: int(n.whole())})
	case "gap":
		f.Gaps = append(f.Gaps, retention.Gap{Days: int32(n.whole()), Count: int(n.whole())})
	case "spread":
		f.Spread = retention.Spread{Customers: int(n.whole()), Squares: n.float(), Fourth: n.float()}
	case "best":
		f.Best = n.whole()
	case "first":
		f.Beginners = n.newcomers("")
	}
}

// returning takes first orders off those of known people, which leaves the later ones.
func returning(sales []retention.Sale) []retention.Sale {
	fresh := map[int32]retention.Amounts{}
	for _, s := range sales {
		if s.Buyer == retention.New {
			fresh[s.Period] = s.Amounts
		}
	}
	for i := range sales {
		if s := &sales[i]; s.Buyer == retention.Returning {
			s.Amounts = s.Less(fresh[s.Period])
		}
	}
	return slices.DeleteFunc(sales, func(s retention.Sale) bool { return s.Orders == 0 })
}
