package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// week is how long people whom the platform did not take are left in peace where the target does not say.
const week = 7 * 24 * time.Hour

// errHeld takes the work list back.
var errHeld = errors.New("held by the guard")

// Plan compares desired with delivered and stores the differences as the work list. Where the guard holds an audience,
// only that is stored, and who leaves because they unsubscribed.
func (s *Store) Plan(ctx context.Context, target activation.Target, dry bool, at time.Time) (activation.Plan, error) {
	p, err := newPlanner(s.id, target, at)
	if err != nil {
		return activation.Plan{}, err
	}
	if dry {
		err := s.read(ctx, func(tx *sqlx.Tx) error { return p.compare(ctx, tx, "WITH"+comparison(target)+summary) })
		return p.plan, err
	}
	err = s.write(ctx, func(tx *sqlx.Tx) error {
		if err := p.compare(ctx, tx, "WITH"+comparison(target)+workList(p.attributes)+summary); err != nil {
			return err
		}
		if len(p.plan.Held) > 0 {
			return errHeld
		}
		return p.saveOutcome(ctx, tx)
	})
	if errors.Is(err, errHeld) {
		err = s.write(ctx, func(tx *sqlx.Tx) error {
			if err := p.letGo(ctx, tx); err != nil {
				return err
			}
			return p.saveOutcome(ctx, tx)
		})
	}
	if err != nil {
		return activation.Plan{}, err
	}
	return p.plan, nil
}

// planner makes one plan.
type planner struct {
	store      int64
	target     activation.Target
	at         time.Time
	attributes string // SQL of the attributes object
	args       []any
	plan       activation.Plan
	leftOut    map[string]int // by reason, the plan's own part of what is withheld
}

func newPlanner(store int64, target activation.Target, at time.Time) (*planner, error) {
	p := &planner{store: store, target: target, at: at}
	pushed := map[string]bool{}
	var pairs []string
	for _, key := range slices.Compact(slices.Sorted(slices.Values(target.Attributes))) {
		value, ok := attributeValues[key]
		if !ok {
			return nil, &connectors.Error{
				Kind: connectors.KindPermanent, Op: "push to " + target.Destination,
				Err:    fmt.Errorf("unknown attribute %q", key),
				Remedy: "choose among segment, segment_name, rfm and since",
			}
		}
		pushed[key] = true
		pairs = append(pairs, `'`+key+`', `+value)
	}
	p.attributes = `jsonb_build_object(` + strings.Join(pairs, ", ") + `)`
	if len(pairs) == 0 {
		p.attributes = `'{}'::jsonb`
	}
	ask := target.AskAgain
	if ask <= 0 {
		ask = week
	}
	segments, audiences, fixed, names := rulesOf(target, pushed)
	exclude := make([]string, len(target.Exclude))
	for i, address := range target.Exclude {
		exclude[i] = strings.ToLower(strings.TrimSpace(address))
	}
	p.args = []any{
		store, target.Destination, pgArray(segments), pgArray(audiences), pgArray(fixed), pushed["rfm"], pushed["since"],
		target.NeedsAccount, pgArray(exclude), len(pairs) > 0, at.Add(-ask), pgArray(names),
	}
	return p, nil
}

// rulesOf lists what each segment means for the target: its audience, if wanted, what of the hash it decides, and its
// name. Texts are separated by a character that none of them can hold, so that no two states look alike.
func rulesOf(target activation.Target, pushed map[string]bool) (segments, audiences, fixed, names []string) {
	wanted := map[string]bool{}
	for _, a := range target.Audiences {
		wanted[a.Key] = true
		segments = append(segments, a.Key)
	}
	for id := range target.Names {
		if !wanted[id] {
			segments = append(segments, id)
		}
	}
	slices.Sort(segments)
	segments = slices.Compact(segments)
	for _, id := range segments {
		audience, shown, name := "", "", target.Names[id]
		if wanted[id] {
			audience = id
		}
		if name == "" {
			name = id
		}
		if pushed["segment"] {
			shown = id
		}
		shown += "\x1f"
		if pushed["segment_name"] {
			shown += name
		}
		audiences, names = append(audiences, audience), append(names, name)
		fixed = append(fixed, audience+"\x1f"+shown+"\x1f")
	}
	return segments, audiences, fixed, names
}

// group is one line of the summary.
type group struct {
	Verdict  string         `db:"verdict"`
	Moved    bool           `db:"moved"`
	Again    bool           `db:"again"`
	Before   pq.StringArray `db:"before"`
	Audience sql.NullString `db:"audience"`
	Wanted   bool           `db:"wanted"`
	Reason   string         `db:"reason"`
	Tried    string         `db:"tried"`
	People   int            `db:"people"`
}

// compare runs the comparison, with or without storing the work list, and fills in the plan.
func (p *planner) compare(ctx context.Context, tx *sqlx.Tx, query string) error {
	if err := wideMemory(ctx, tx); err != nil {
		return err
	}
	var groups []group
	if err := tx.SelectContext(ctx, &groups, query, p.args...); err != nil {
		return fmt.Errorf("comparison: %w", err)
	}
	known, err := p.known(ctx, tx)
	if err != nil {
		return err
	}
	p.plan, p.leftOut = activation.Plan{Withheld: map[string]int{}}, map[string]int{}
	differences := map[string]*activation.Difference{}
	for _, g := range groups {
		p.count(g, differences)
	}
	p.sortOut(differences, known)
	return nil
}

// letGo puts those on the work list whom the guard does not hold back: consent comes before caution.
func (p *planner) letGo(ctx context.Context, tx *sqlx.Tx) error {
	if err := wideMemory(ctx, tx); err != nil {
		return err
	}
	p.plan.Withdrawn = nil
	err := tx.SelectContext(ctx, &p.plan.Withdrawn, "WITH"+comparison(p.target)+withdrawals(p.attributes), p.args...)
	if err != nil {
		return fmt.Errorf("withdrawals: %w", err)
	}
	slices.Sort(p.plan.Withdrawn)
	return nil
}

// known returns the audiences made for the destination so far, by key.
func (p *planner) known(ctx context.Context, tx *sqlx.Tx) (map[string]connectors.Audience, error) {
	rows, err := tx.QueryxContext(ctx, `SELECT key, name, remote_id FROM audiences WHERE store_id = $1 AND destination = $2`,
		p.store, p.target.Destination)
	if err != nil {
		return nil, fmt.Errorf("audiences: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
	known := map[string]connectors.Audience{}
	for rows.Next() {
		var a connectors.Audience
		if err := rows.Scan(&a.Key, &a.Name, &a.ID); err != nil {
			return nil, fmt.Errorf("audience: %w", err)
		}
		known[a.Key] = a
	}
	return known, rows.Err()
}

// count adds one group of people to the plan. People whom the platform did not take before are expected to be withheld
// again, so they do not count as members to come.
func (p *planner) count(g group, differences map[string]*activation.Difference) {
	switch g.Verdict {
	case "change":
		p.plan.Changes += g.People
		if g.Moved {
			p.plan.Moved += g.People
		}
	case "same":
		p.plan.Unchanged += g.People
	}
	if g.Reason != "" {
		p.plan.Withheld[g.Reason] += g.People
		p.leftOut[g.Reason] += g.People
	} else if g.Again {
		p.plan.Withheld[g.Tried] += g.People
	}
	var after []string
	switch {
	case g.Verdict == "tried" && !g.Again:
		after = g.Before // refused: what stands there stays
	case g.Wanted && g.Audience.Valid && !g.Again:
		after = []string{g.Audience.String}
	}
	of := func(key string) *activation.Difference {
		if differences[key] == nil {
			differences[key] = &activation.Difference{Audience: connectors.Audience{Key: key, Name: key}}
		}
		return differences[key]
	}
	for _, key := range g.Before {
		of(key).Before += g.People
		if !slices.Contains(after, key) {
			of(key).Leave += g.People
			if why := cmp.Or(g.Reason, g.Tried); why == connectors.ReasonUnsubscribed || why == connectors.ReasonSuppressed {
				of(key).Unsubscribed += g.People
			}
		}
	}
	for _, key := range after {
		of(key).After += g.People
		if !slices.Contains(g.Before, key) {
			of(key).Join += g.People
		}
	}
}

// sortOut lists the wanted audiences in the target's order, then those that only stand there still, and asks the guard.
func (p *planner) sortOut(differences map[string]*activation.Difference, known map[string]connectors.Audience) {
	var order []connectors.Audience
	for _, a := range p.target.Audiences {
		if a.ID == "" {
			a.ID = known[a.Key].ID
		}
		order = append(order, a)
	}
	var stale []connectors.Audience
	for key, d := range differences {
		if slices.ContainsFunc(order, func(a connectors.Audience) bool { return a.Key == key }) {
			continue
		}
		if a, ok := known[key]; ok {
			d.Audience = a
		}
		stale = append(stale, d.Audience)
	}
	slices.SortFunc(stale, func(a, b connectors.Audience) int { return strings.Compare(a.Key, b.Key) })
	for _, a := range append(order, stale...) {
		d := activation.Difference{}
		if found := differences[a.Key]; found != nil {
			d = *found
		}
		d.Audience = a
		p.plan.Audiences = append(p.plan.Audiences, d)
	}
	p.plan.Held = p.target.Guard.Held(p.plan.Audiences)
}

// saveOutcome stores what the guard holds, and who was left out why unless it held anything.
func (p *planner) saveOutcome(ctx context.Context, tx *sqlx.Tx) error {
	var keys, names []string
	var before, after []int64
	for _, h := range p.plan.Held {
		keys, names = append(keys, h.Audience.Key), append(names, h.Audience.Name)
		before, after = append(before, int64(h.Before)), append(after, int64(h.After))
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM holds WHERE store_id = $1 AND destination = $2 AND key <> ALL ($3)`,
		p.store, p.target.Destination, pgArray(keys))
	if err != nil {
		return fmt.Errorf("holds: %w", err)
	}
	if len(keys) > 0 {
		_, err = tx.ExecContext(ctx, `
			INSERT INTO holds (store_id, destination, key, name, before, after, since)
			SELECT $1, $2, h.*, $7 FROM unnest($3::text[], $4::text[], $5::int[], $6::int[]) AS h
			ON CONFLICT (store_id, destination, key) DO UPDATE SET name = excluded.name, before = excluded.before,
				after = excluded.after`,
			p.store, p.target.Destination, pgArray(keys), pgArray(names), pgArray(before), pgArray(after), p.at)
		if err != nil {
			return fmt.Errorf("holds: %w", err)
		}
		return nil
	}
	return p.savePush(ctx, tx)
}

// savePush notes when the plan was made and whom it left out itself, in pushes.
func (p *planner) savePush(ctx context.Context, tx *sqlx.Tx) error {
	text, err := json.Marshal(p.leftOut)
	if err != nil {
		return fmt.Errorf("push: %w", err)
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO pushes (store_id, destination, at, withheld) VALUES ($1, $2, $3, $4)
		ON CONFLICT (store_id, destination) DO UPDATE SET at = excluded.at, withheld = excluded.withheld`,
		p.store, p.target.Destination, p.at, string(text))
	if err != nil {
		return fmt.Errorf("push: %w", err)
	}
	return nil
}
