package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/segment"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
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
		err := s.read(ctx, func(tx *sqlx.Tx) error { return p.compare(ctx, tx, "WITH"+p.comparison()+p.summary()) })
		return p.plan, err
	}
	err = s.write(ctx, func(tx *sqlx.Tx) error {
		if err := s.beginTrials(ctx, tx, target, at); err != nil {
			return err
		}
		if err := p.compare(ctx, tx, "WITH"+p.comparison()+p.workList()+p.summary()); err != nil {
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
	store   int64
	target  activation.Target
	at      time.Time
	pushed  pushed
	plan    activation.Plan
	leftOut map[string]int // by reason, the plan's own part of what is withheld
	// regrouped: the RFM groups are others than at the last push, because of the number of customers.
	regrouped bool
}

func newPlanner(store int64, target activation.Target, at time.Time) (*planner, error) {
	pushed, err := newPushed(target)
	return &planner{store: store, target: target, at: at, pushed: pushed}, err
}

// arguments are those of a query that begins with the comparison, in which the last few get their numbers: the server refuses
// values that nothing mentions.
func (p *planner) arguments(ctx context.Context, tx *sqlx.Tx, query string) (string, []any, error) {
	var currency string
	if err := tx.GetContext(ctx, &currency, `SELECT currency FROM stores WHERE store_id = $1`, p.store); err != nil {
		return "", nil, fmt.Errorf("currency of the shop: %w", err)
	}
	ask := p.target.AskAgain
	if ask <= 0 {
		ask = week
	}
	exclude := make([]string, len(p.target.Exclude))
	for i, address := range p.target.Exclude {
		exclude[i] = strings.ToLower(strings.TrimSpace(address))
	}
	audiences := make([]string, len(p.target.Audiences))
	for i, a := range p.target.Audiences {
		audiences[i] = a.Key
	}
	r := p.rules()
	args := []any{
		p.store, p.target.Destination, p.target.NeedsAccount, pgArray(exclude), p.at.Add(-ask), commerce.Decimals(currency),
		pgArray(audiences), pgArray(r.segments), pgArray(r.audiences), pgArray(r.fixed), pgArray(r.shown), pgArray(r.names),
	}
	tried, shares := holdouts(p.target.Holdout)
	for _, named := range []struct {
		name  string
		value any
	}{{"$now", p.at}, {"$tried", pgArray(tried)}, {"$shares", pgArray(shares)}, {"$exposes", pgArray(p.target.Exposes)}} {
		if strings.Contains(query, named.name) {
			args = append(args, named.value)
			query = strings.ReplaceAll(query, named.name, "$"+strconv.Itoa(len(args)))
		}
	}
	return query, args, nil
}

// segmentRules say what each RFM segment means for a target: its audience, empty where that is not wanted; the part of the
// hash that it decides; and its id and name as they are shown. The segment of people without scores is empty.
type segmentRules struct{ segments, audiences, fixed, shown, names []string }

// rules lists them. Texts of the hash are separated by a character that none of them can hold, so that no two states look
// alike.
func (p *planner) rules() segmentRules {
	var r segmentRules
	wanted := map[string]bool{}
	for _, a := range p.target.Audiences {
		wanted[a.Key] = true
	}
	add := func(of, id string) {
		audience, name, fixed := "", cmp.Or(p.target.Names[id], id), ""
		if wanted[id] {
			audience = id
		}
		if p.pushed.has("segment") {
			fixed = id + p.pushed.mark("segment")
		}
		fixed += "\x1f"
		if p.pushed.has("segment_name") {
			fixed += name + p.pushed.mark("segment_name")
		}
		if fixed = audience + "\x1f" + fixed + "\x1f"; strings.Trim(fixed, "\x1f") == "" {
			fixed = "" // as where there is no such group
		}
		r.segments, r.audiences, r.fixed = append(r.segments, of), append(r.audiences, audience), append(r.fixed, fixed)
		r.shown, r.names = append(r.shown, id), append(r.names, name)
	}
	ids := slices.AppendSeq(slices.Collect(maps.Keys(wanted)), maps.Keys(p.target.Names))
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if id != p.target.Prospects {
			add(id, id)
		}
	}
	if p.target.Prospects != "" {
		add("", p.target.Prospects)
	}
	return r
}

// group is one line of the summary.
type group struct {
	Verdict   string         `db:"verdict"`
	Moved     bool           `db:"moved"`
	Again     bool           `db:"again"`
	Before    pq.StringArray `db:"before"`
	Audiences pq.StringArray `db:"audiences"` // desired, where Wanted
	Wanted    bool           `db:"wanted"`
	Reason    string         `db:"reason"`
	Tried     string         `db:"tried"`
	People    int            `db:"people"`
	Out       pq.StringArray `db:"out"` // audiences that they are held out of and would be in
	Rule      *int64         `db:"rule"`
	Place     *int64         `db:"place"`
}

// compare runs the comparison, with or without storing the work list, and fills in the plan.
func (p *planner) compare(ctx context.Context, tx *sqlx.Tx, query string) error {
	if err := roomToCompare(ctx, tx); err != nil {
		return err
	}
	query, args, err := p.arguments(ctx, tx, query)
	if err != nil {
		return err
	}
	var groups []group
	if err := tx.SelectContext(ctx, &groups, query, args...); err != nil {
		return fmt.Errorf("comparison: %w", err)
	}
	known, err := p.known(ctx, tx)
	if err != nil {
		return err
	}
	if p.regrouped, err = p.otherGroups(ctx, tx); err != nil {
		return err
	}
	p.plan, p.leftOut = activation.Plan{Withheld: map[string]int{}, Refused: map[string]int{}}, map[string]int{}
	if p.plan.Retries, err = retries(ctx, tx, p.store, p.target.Destination); err != nil {
		return err
	}
	differences := map[string]*activation.Difference{}
	for _, g := range groups {
		p.count(g, differences)
	}
	p.sortOut(differences, known)
	return nil
}

// roomToCompare lets everybody be compared in memory. To the planner, sorting everybody by where they stand looks cheaper than
// it is.
func roomToCompare(ctx context.Context, tx *sqlx.Tx) error {
	if err := wideMemory(ctx, tx); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `SET LOCAL enable_mergejoin = off`); err != nil {
		return fmt.Errorf("room to compare: %w", err)
	}
	return nil
}

// letGo puts those on the work list whom the guard does not hold back: consent comes before caution.
func (p *planner) letGo(ctx context.Context, tx *sqlx.Tx) error {
	if err := roomToCompare(ctx, tx); err != nil {
		return err
	}
	query := "WITH" + p.comparison() + p.withdrawals()
	query, args, err := p.arguments(ctx, tx, query)
	if err != nil {
		return err
	}
	p.plan.Withdrawn = nil
	err = tx.SelectContext(ctx, &p.plan.Withdrawn, query, args...)
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
		g.Before = g.Audiences
	case "job":
		p.plan.Pending += g.People
	}
	switch {
	case g.Reason != "":
		p.plan.Withheld[g.Reason] += g.People
		p.leftOut[g.Reason] += g.People
	case g.Again:
		p.plan.Withheld[g.Tried] += g.People
	case g.Verdict == "tried":
		p.plan.Refused[g.Tried] += g.People
	}
	if len(g.Out) > 0 && g.Wanted && g.Reason == "" { // with something else for them
		p.plan.Withheld[connectors.ReasonHeldOut] += g.People
		p.leftOut[connectors.ReasonHeldOut] += g.People
	}
	var after []string
	switch {
	case g.Verdict == "tried" && !g.Again:
		after = g.Before // refused: what stands there stays
	case g.Wanted && !g.Again:
		after = g.Audiences
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
			} else if slices.Contains(g.Out, key) {
				of(key).HeldOut += g.People
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
		d.Audience, d.Scheme = a, schemeOf(a.Key)
		d.Regrouped = p.regrouped && d.Scheme == analysis.SchemeRFM
		p.plan.Audiences = append(p.plan.Audiences, d)
	}
	p.plan.Held = p.target.Guard.Held(p.plan.Audiences)
}

// otherGroups says whether the analysis at the last push made another number of groups of the same preset than the last one.
func (p *planner) otherGroups(ctx context.Context, tx *sqlx.Tx) (bool, error) {
	var texts []string
	err := tx.SelectContext(ctx, &texts, `
		SELECT v.rule::text FROM (SELECT at FROM pushes WHERE store_id = $1 AND destination = $2 UNION ALL SELECT 'infinity') t
		CROSS JOIN LATERAL (SELECT version FROM snapshots WHERE store_id = $1 AND scheme = $3 AND as_of <= t.at
			ORDER BY day DESC LIMIT 1) n
		JOIN schemes v ON v.store_id = $1 AND v.scheme = $3 AND v.version = n.version`,
		p.store, p.target.Destination, analysis.SchemeRFM)
	if err != nil {
		return false, fmt.Errorf("groups at the last push: %w", err)
	}
	if len(texts) < 2 {
		return false, nil
	}
	var presets [2]string
	var groups [2]int
	for i, text := range texts {
		rule, err := analysis.ParseRule(text)
		if err != nil {
			return false, err
		}
		presets[i], groups[i] = cmp.Or(rule.Preset, segment.UsualPreset), rule.Groups
	}
	return presets[0] == presets[1] && groups[0] != groups[1], nil
}

// schemeOf is the scheme of an audience that there is or was, empty for the owner's segments: they may have people in common.
func schemeOf(key string) string {
	for _, scheme := range []string{segment.SchemeLifecycle, segment.SchemeTier, segment.SchemeChurn} {
		if strings.HasPrefix(key, segment.Key(scheme, "")) {
			return scheme
		}
	}
	if slices.ContainsFunc(segment.Presets(), func(p segment.Preset) bool { return slices.Contains(p.Keys(), key) }) {
		return analysis.SchemeRFM
	}
	return ""
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
		INSERT INTO pushes (store_id, destination, at, withheld, unchanged, analysis) VALUES ($1, $2, $3, $4, $5, `+lastAnalysis+`)
		ON CONFLICT (store_id, destination) DO UPDATE SET at = excluded.at, withheld = excluded.withheld, unchanged = excluded.unchanged,
			analysis = excluded.analysis`,
		p.store, p.target.Destination, p.at, string(text), p.plan.Unchanged)
	if err != nil {
		return fmt.Errorf("push: %w", err)
	}
	return nil
}
