package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/rfm"
)

// customerReader puts together aggregates and memberships of everybody. The server hands out both unsorted and in few
// rows, each the text of many people: joining, sorting and sending a million rows costs several times as much.
type customerReader struct {
	tx       *sqlx.Tx
	standing standing
	people   int // with a membership
}

// newCustomerReader reads the memberships that stand.
func newCustomerReader(ctx context.Context, tx *sqlx.Tx, store int64) (*customerReader, error) {
	if err := wideMemory(ctx, tx); err != nil {
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT r, f, m, segment, string_agg(person_id::text, ' ') FROM rfm_scores
		WHERE store_id = $1 GROUP BY r, f, m, segment`, store)
	if err != nil {
		return nil, fmt.Errorf("memberships: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
	r := &customerReader{tx: tx, standing: standing{}}
	for rows.Next() {
		var m membership
		var people numbers
		if err := rows.Scan(&m.Score.R, &m.Score.F, &m.Score.M, &m.Segment, &people.text); err != nil {
			return nil, fmt.Errorf("membership: %w", err)
		}
		for people.text != "" {
			r.standing.add(people.whole(), &m)
			r.people++
		}
		if people.err != nil {
			return nil, fmt.Errorf("membership: %w", people.err)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("memberships: %w", err)
	}
	return r, nil
}

// customerTexts reads the people with orders from a source that ends in a condition, together by their last day. Amounts
// come as they are, which costs the server less than to scale them.
func customerTexts(source string) string {
	return ` SELECT last_day - DATE '1970-01-01',
		string_agg(concat_ws(' ', person_id, orders, first_day - DATE '1970-01-01', gross, net), ' ')
		FROM ` + source + ` orders > 0 GROUP BY last_day`
}

// read reads a query of customerTexts and takes the membership of each out of those that stand.
func (r *customerReader) read(ctx context.Context, query string, args ...any) ([]analysis.Customer, error) {
	rows, err := r.tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("customers: %w", err)
	}
	defer func() { _ = rows.Close() }()                       // rows.Err tells what went wrong
	all := make([]analysis.Customer, 0, r.people+r.people/50) // about as many: it seldom has to grow
	for rows.Next() {
		var day int
		var n numbers
		if err := rows.Scan(&day, &n.text); err != nil {
			return nil, fmt.Errorf("customer: %w", err)
		}
		for n.text != "" {
			c := analysis.Customer{
				Person: n.whole(), Orders: int(n.whole()), FirstDay: int(n.whole()), LastDay: day, Gross: n.amount(), Net: n.amount(),
			}
			if m := r.standing.take(c.Person); m != nil {
				c.Score, c.Segment = m.Score, m.Segment
			}
			all = append(all, c)
		}
		if n.err != nil {
			return nil, fmt.Errorf("customer: %w", n.err)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("customers: %w", err)
	}
	return all, nil
}

// membership is what stands of one person. Few are different, and each is kept once.
type membership struct {
	Score   rfm.Score
	Segment string
}

// blockSize is how many neighbouring ids share a block.
const blockSize = 64

// standing finds memberships by person. Ids are close together, so blocks of neighbours are found in a fraction of the
// time that a map of everybody takes.
type standing map[int64]*[blockSize]*membership

func (s standing) add(person int64, m *membership) {
	block := s[person/blockSize]
	if block == nil {
		block = new([blockSize]*membership)
		s[person/blockSize] = block
	}
	block[person%blockSize] = m
}

// take returns the membership of a person, nil for none, and removes it.
func (s standing) take(person int64) *membership {
	block := s[person/blockSize]
	if block == nil {
		return nil
	}
	m := block[person%blockSize]
	block[person%blockSize] = nil
	return m
}

// rest is what was not taken.
func (s standing) rest() iter.Seq2[int64, *membership] {
	return func(yield func(int64, *membership) bool) {
		for number, block := range s {
			for i, m := range block {
				if m != nil && !yield(number*blockSize+int64(i), m) {
					return
				}
			}
		}
	}
}

var errNumber = errors.New("unreadable number")

// numbers reads a text of numbers with a space between them. After an error there are none left.
type numbers struct {
	text string
	err  error
}

func (n *numbers) next() string {
	number, rest, _ := strings.Cut(n.text, " ")
	n.text = rest
	return number
}

func (n *numbers) fail() int64 {
	n.text, n.err = "", errNumber
	return 0
}

func (n *numbers) whole() int64 {
	number, err := strconv.ParseInt(n.next(), 10, 64)
	if err != nil {
		return n.fail()
	}
	return number
}

// amount reads a decimal in ten-thousandths, half of one away from zero.
func (n *numbers) amount() int64 {
	text := n.next()
	digits, negative := strings.CutPrefix(text, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	value, err := strconv.ParseUint(whole, 10, 63)
	if err != nil || value > math.MaxInt64/10_000-1 {
		return n.fail()
	}
	for i := range 4 {
		value *= 10
		if i < len(fraction) {
			value += uint64(fraction[i] - '0') // the server writes nothing but digits
		}
	}
	if len(fraction) > 4 && fraction[4] >= '5' {
		value++
	}
	if negative {
		return -int64(value)
	}
	return int64(value)
}
