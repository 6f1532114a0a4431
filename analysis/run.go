package analysis

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/perennial-cvo/perennial/analysis/rfm"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// SchemeRFM is the name of the scheme that groups people by recency, frequency and monetary value.
const SchemeRFM = "rfm"

// Basis says which amount is the monetary value of a customer.
type Basis string

// The bases.
const (
	Net   Basis = "net"   // goods less discounts and refunds
	Gross Basis = "gross" // goods less discounts, refunds not taken off
)

// ErrNotLoaded is returned for a shop whose first load is not complete. Nothing was analysed and nothing was changed.
var ErrNotLoaded = errors.New("the first load is not complete, so nothing was analysed; what was read so far is kept, " +
	"and the next run goes on from there (`perennial status` says how far it is)")

// ErrFuture is returned for a moment that has not come yet in the shop.
var ErrFuture = errors.New("as of a day in the future")

// Options says what to analyse, as of when and by which rules. The zero Options, with a clock, is the nightly run.
type Options struct {
	Now      func() time.Time  // the clock
	AsOf     time.Time         // any moment of the local day as of whose start is asked; zero: today
	Rule     rfm.Rule          // how scores are made
	Preset   string            // id of the preset of RFM groups; empty: the usual one
	Segments map[string]string // overrides of the segment map
	Basis    Basis             // Net where empty
	Full     bool              // recompute everybody's aggregates, not only those of people touched since the last run
	Intraday bool              // as of now rather than of the start of today: orders of today count. What the day says is said anew
	Past     bool              // compute from the orders and save nothing; always so for a day before today

	Lifecycle segment.Lifecycle // where its interval is zero, it is measured
	Own       []segment.Own     // the owner's segments
	Worth     *Worth            // foretells; nil before the first appraisal
}

// Rule is everything that decides membership. Its JSON is Scheme.Rule, from which ParseRule reads it back.
type Rule struct {
	rfm.Rule
	Used     int               `json:"used"` // bins really used
	Preset   string            `json:"preset,omitempty"`
	Groups   int               `json:"groups,omitempty"` // how many of the preset's are in use; 0: all
	Basis    Basis             `json:"basis"`
	Segments map[string]string `json:"segments,omitempty"`
}

// ParseRule reads the JSON of a scheme's rule.
func ParseRule(text string) (Rule, error) {
	var r Rule
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return Rule{}, fmt.Errorf("scheme rule: %w", err)
	}
	return r, nil
}

// Outcome is what a run found and what it changed.
type Outcome struct {
	Shop       Shop
	Result     Result
	Rule       Rule
	Sentence   string         // how scores are made, in words
	Note       string         // why fewer bins or groups were used than there are; empty when there is nothing to say
	Thresholds Thresholds     // in force in this run
	Customers  int            // with at least one counted order
	Refreshed  int            // whose aggregates were recomputed
	Moves      []segment.Move // from the membership that stood; nil for the past
	Preset     segment.Preset // whose groups are in use, as many as there are customers for
	Saved      Saved
	Past       bool // nothing was saved
}

// Thresholds says what each score covered, score 1 first: days, orders, and ten-thousandths of the currency.
type Thresholds struct {
	Recency   []rfm.Range `json:"recency"`
	Frequency []rfm.Range `json:"frequency"`
	Monetary  []rfm.Range `json:"monetary"`
}

// Run analyses one shop: it brings the aggregates up to date, scores everybody, maps scores to segments, finds where
// everybody stands beside them, and saves what differs from what stands. As of a day in the past it computes from the
// orders, saves nothing, Result.Members holds everybody, and there is neither churn nor a segment of the owner's, which
// depend on what was not kept.
func Run(ctx context.Context, facts Facts, o Options) (Outcome, error) {
	r, err := prepare(ctx, facts, o)
	if err != nil {
		return Outcome{}, err
	}
	customers, refreshed, err := r.read(ctx, facts, o.Full)
	if err != nil {
		return Outcome{}, err
	}
	if !r.past {
		if r.stood, err = facts.Rules(ctx); err != nil {
			return Outcome{}, fmt.Errorf("standing rules: %w", err)
		}
	}
	out, err := r.group(customers)
	if err != nil {
		return Outcome{}, err
	}
	if err := r.place(ctx, facts, customers, &out.Result); err != nil || r.past {
		return out, err
	}
	out.Refreshed = refreshed
	if out.Saved, err = facts.Save(ctx, out.Result); err != nil {
		return Outcome{}, fmt.Errorf("save result: %w", err)
	}
	return out, nil
}

// run is one analysis, checked and ready.
type run struct {
	grouping
	shop Shop
	day  int
	asOf time.Time
	past bool
	// stood are the rules by which people were grouped last, by scheme; none of the past.
	stood map[string]string
}

func prepare(ctx context.Context, facts Facts, o Options) (run, error) {
	g, err := o.grouping()
	if err != nil {
		return run{}, err
	}
	shop, err := facts.Shop(ctx)
	if err != nil {
		return run{}, fmt.Errorf("shop: %w", err)
	}
	if !shop.Loaded {
		return run{}, fmt.Errorf("shop %s: %w", shop.Name, ErrNotLoaded)
	}
	if shop.Location == nil {
		shop.Location = time.UTC
	}
	day, past, err := o.day(shop.Location)
	if err != nil {
		return run{}, err
	}
	r := run{grouping: g, shop: shop, day: day, asOf: StartOfDay(day, shop.Location), past: past}
	if o.Intraday && !past {
		r.asOf = o.Now()
	}
	return r, nil
}

// day returns the local day as of whose start is asked, and whether it is in the past.
func (o Options) day(loc *time.Location) (day int, past bool, err error) {
	today := Day(o.Now(), loc)
	if o.AsOf.IsZero() {
		return today, o.Past, nil
	}
	day = Day(o.AsOf, loc)
	if day > today {
		return 0, false, fmt.Errorf("%w: it is only %s in the shop; choose that day or an earlier one", ErrFuture, Date(today).Format(time.DateOnly))
	}
	return day, o.Past || day < today, nil
}

// read returns the customers, and how many had their aggregates recomputed.
func (r run) read(ctx context.Context, facts Facts, full bool) ([]Customer, int, error) {
	if r.past {
		customers, err := facts.CustomersAsOf(ctx, r.asOf)
		if err != nil {
			return nil, 0, fmt.Errorf("customers as of %s: %w", r.asOf.Format(time.DateOnly), err)
		}
		return customers, 0, nil
	}
	refreshed, err := facts.Refresh(ctx, r.asOf, full)
	if err != nil {
		return nil, 0, fmt.Errorf("refresh aggregates: %w", err)
	}
	customers, err := facts.Customers(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("customers: %w", err)
	}
	return customers, refreshed, nil
}

// grouping is checked options: how rows become members.
type grouping struct {
	rule      rfm.Rule
	preset    segment.Preset
	segments  map[string]string
	basis     Basis
	lifecycle segment.Lifecycle
	own       []segment.Rule
	worth     *Worth
}

func (o Options) grouping() (grouping, error) {
	g := grouping{rule: o.Rule.WithDefaults(), segments: o.Segments, basis: o.Basis, lifecycle: o.Lifecycle, worth: o.Worth}
	if g.basis == "" {
		g.basis = Net
	}
	if g.basis != Net && g.basis != Gross {
		return g, fmt.Errorf("revenue %q: must be %q or %q", g.basis, Net, Gross)
	}
	if err := g.rule.Check(); err != nil {
		return g, err
	}
	if err := g.lifecycle.Check(); err != nil {
		return g, err
	}
	var err error
	if g.preset, err = segment.FindPreset(o.Preset); err != nil {
		return g, err
	}
	if _, err := g.preset.Map().With(o.Segments); err != nil {
		return g, err
	}
	g.own, err = segment.CompileAll(o.Own, g.preset.Keys())
	return g, err
}

// cells is the map of a preset that is in use. The owner's own cells name groups of the whole preset, so they wait until
// it is whole.
func (g grouping) cells(inUse segment.Preset) (segment.Map, error) {
	if len(inUse.Groups) < len(g.preset.Groups) {
		return inUse.Map(), nil
	}
	return inUse.Map().With(g.segments)
}

// scoring is the rule with no more scores than the preset was made for, where the owner asks for no number.
func (g grouping) scoring(customers int, stood Rule) rfm.Rule {
	rule := g.rule
	if rule.Bins != 0 || rule.Convention == rfm.Thresholds {
		return rule
	}
	bins := rule.BinsFor(customers)
	if stood.Used > bins && rule.BinsFor(ample(customers)) >= stood.Used {
		bins = stood.Used
	}
	if bins = min(bins, g.preset.Bins); bins != rule.BinsFor(customers) {
		rule.Bins = bins
	}
	return rule
}

// inUse is the preset with as many groups as there are customers for.
func (g grouping) inUse(customers int, stood Rule) segment.Preset {
	now := g.preset.For(customers)
	if last := g.preset.With(stood.Groups); stood.Used > 0 && len(last.Groups) > len(now.Groups) &&
		len(g.preset.For(ample(customers)).Groups) >= len(last.Groups) {
		return last
	}
	return now
}

// ample is a number of customers for which there must be too few groups or scores, before those that stand are given up: a
// shop that loses a customer and wins another would regroup everybody twice.
func ample(customers int) int { return customers * 10 / 9 }

// standingRule is the rule of the RFM groups that stand, where it is of the kind that is wanted now; else none.
func (r run) standingRule() (Rule, error) {
	text := r.stood[SchemeRFM]
	if text == "" {
		return Rule{}, nil
	}
	last, err := ParseRule(text)
	if err != nil {
		return Rule{}, err
	}
	if preset, err := segment.FindPreset(last.Preset); err != nil || preset.ID != r.preset.ID || last.Convention != r.rule.Convention || last.Bins != r.rule.Bins {
		return Rule{}, nil //nolint:nilerr // groups of a preset that is gone stand for nothing
	}
	return last, nil
}

// group scores the customers and sums up the segments.
func (r run) group(customers []Customer) (Outcome, error) {
	rows := make([]rfm.Row, 0, len(customers))
	for i := range customers {
		if c := &customers[i]; c.Orders > 0 {
			rows = append(rows, rfm.Row{Person: c.Person, Recency: r.day - c.LastDay, Frequency: c.Orders, Monetary: r.value(c)})
		}
	}
	stood, err := r.standingRule()
	if err != nil {
		return Outcome{}, err
	}
	scored, err := rfm.Calculate(rows, r.scoring(len(rows), stood))
	if err != nil {
		return Outcome{}, err
	}
	inUse := r.inUse(len(rows), stood)
	cells, err := r.cells(inUse)
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{
		Shop: r.shop, Past: r.past, Customers: len(rows), Preset: inUse, Rule: r.ruleOf(scored, inUse),
		Sentence:   scored.Rule.Words(),
		Thresholds: Thresholds{Recency: scored.Recency, Frequency: scored.Frequency, Monetary: scored.Monetary},
	}
	out.Note = out.Rule.Note(len(rows))
	scheme, err := out.Rule.scheme(cells)
	if err != nil {
		return Outcome{}, err
	}
	out.Result = Result{AsOf: r.asOf, Day: r.day, Scheme: scheme}
	r.members(customers, scored, cells, &out)
	return out, nil
}

func (g grouping) ruleOf(scored rfm.Result, inUse segment.Preset) Rule {
	rule := Rule{Rule: scored.Rule, Used: scored.Bins, Basis: g.basis, Segments: g.segments}
	rule.Bins = g.rule.Bins
	if inUse.ID != segment.UsualPreset {
		rule.Preset = inUse.ID
	}
	if len(inUse.Groups) < len(g.preset.Groups) {
		rule.Groups = len(inUse.Groups)
	}
	return rule
}

func (g grouping) value(c *Customer) int64 {
	if g.basis == Gross {
		return c.Gross
	}
	return c.Net
}

// newcomers counts who comes to a segment for the first time: on the first night everybody, and a list of a million that
// has to grow takes twice its memory.
func newcomers(customers []Customer) (count int) {
	for i := range customers {
		if customers[i].Orders > 0 && customers[i].Segment == "" {
			count++
		}
	}
	return count
}

// members sums up the segments and finds what differs from the membership that stands; of the past, it lists everybody.
func (r run) members(customers []Customer, scored rfm.Result, cells segment.Map, out *Outcome) {
	groups, movement, row := newGroups(out.Preset.Groups), segment.NewMatrix(out.Preset.IDs()), 0
	out.Result.Members = make([]Member, 0, newcomers(customers))
	for i := range customers {
		c := &customers[i]
		if c.Orders <= 0 {
			if c.Segment != "" && !r.past {
				out.Result.Left = append(out.Result.Left, c.Person)
				movement.Add(c.Segment, "", 0)
			}
			continue
		}
		score := scored.Scores[row]
		row++
		id := cells.Of(score.R, score.F, score.M, scored.Bins)
		groups.add(id, c)
		movement.Add(c.Segment, id, 0)
		if r.past || score != c.Score || id != c.Segment {
			out.Result.Members = append(out.Result.Members, Member{Person: c.Person, Score: score, Segment: id})
		}
	}
	slices.SortFunc(out.Result.Members, func(a, b Member) int { return cmp.Compare(a.Person, b.Person) })
	slices.Sort(out.Result.Left)
	out.Result.Groups = groups.all
	if !r.past {
		out.Moves = movement.Moves()
	}
}
