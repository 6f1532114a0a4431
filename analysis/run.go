package analysis

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	Note       string         // why fewer than five bins were used; empty when there is nothing to say
	Thresholds Thresholds     // in force in this run
	Customers  int            // with at least one counted order
	Refreshed  int            // whose aggregates were recomputed
	Moves      []segment.Move // from the membership that stood; nil for the past
	Saved      Saved
	Past       bool // nothing was saved
}

// Thresholds says what each score covered, score 1 first: days, orders, and ten-thousandths of the currency.
type Thresholds struct {
	Recency   []rfm.Range `json:"recency"`
	Frequency []rfm.Range `json:"frequency"`
	Monetary  []rfm.Range `json:"monetary"`
}

// Run analyses one shop: it brings the aggregates up to date, scores everybody, maps scores to segments and saves what
// differs from what stands. As of a day in the past it computes from the orders, saves nothing, and Result.Members
// holds everybody.
func Run(ctx context.Context, facts Facts, o Options) (Outcome, error) {
	r, err := prepare(ctx, facts, o)
	if err != nil {
		return Outcome{}, err
	}
	customers, refreshed, err := r.read(ctx, facts, o.Full)
	if err != nil {
		return Outcome{}, err
	}
	out, err := r.group(customers)
	if err != nil || r.past {
		return out, err
	}
	out.Refreshed = refreshed
	if out.Saved, err = facts.Save(ctx, out.Result); err != nil {
		return Outcome{}, fmt.Errorf("save result: %w", err)
	}
	return out, nil
}

// InForce groups people by the aggregates as the last run left them, and changes nothing: it answers which thresholds
// are in force without the cost of a run. AsOf must be that of the last run. Result.Members stays empty.
func InForce(ctx context.Context, facts Facts, o Options) (Outcome, error) {
	r, err := prepare(ctx, facts, o)
	if err != nil {
		return Outcome{}, err
	}
	customers, err := facts.Customers(ctx)
	if err != nil {
		return Outcome{}, fmt.Errorf("customers: %w", err)
	}
	r.past = true
	out, err := r.group(customers)
	out.Result.Members = nil
	return out, err
}

// run is one analysis, checked and ready.
type run struct {
	grouping
	shop Shop
	day  int
	asOf time.Time
	past bool
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
	return run{grouping: g, shop: shop, day: day, asOf: StartOfDay(day, shop.Location), past: past}, nil
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
	rule     rfm.Rule
	cells    segment.Map
	segments map[string]string
	basis    Basis
}

func (o Options) grouping() (grouping, error) {
	g := grouping{rule: o.Rule.WithDefaults(), segments: o.Segments, basis: o.Basis}
	if g.basis == "" {
		g.basis = Net
	}
	if g.basis != Net && g.basis != Gross {
		return g, fmt.Errorf("revenue %q: must be %q or %q", g.basis, Net, Gross)
	}
	if err := g.rule.Check(); err != nil {
		return g, err
	}
	var err error
	g.cells, err = segment.Default().With(o.Segments)
	return g, err
}

// group scores the customers and sums up the segments.
func (r run) group(customers []Customer) (Outcome, error) {
	rows := make([]rfm.Row, 0, len(customers))
	for i := range customers {
		if c := &customers[i]; c.Orders > 0 {
			rows = append(rows, rfm.Row{Person: c.Person, Recency: r.day - c.LastDay, Frequency: c.Orders, Monetary: r.value(c)})
		}
	}
	scored, err := rfm.Calculate(rows, r.rule)
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{
		Shop: r.shop, Past: r.past, Customers: len(rows),
		Rule:     Rule{Rule: scored.Rule, Used: scored.Bins, Basis: r.basis, Segments: r.segments},
		Sentence: scored.Rule.Words(), Note: scored.Note,
		Thresholds: Thresholds{Recency: scored.Recency, Frequency: scored.Frequency, Monetary: scored.Monetary},
	}
	scheme, err := r.scheme(out.Rule)
	if err != nil {
		return Outcome{}, err
	}
	out.Result = Result{AsOf: r.asOf, Day: r.day, Scheme: scheme}
	r.members(customers, scored, &out)
	return out, nil
}

func (g grouping) value(c *Customer) int64 {
	if g.basis == Gross {
		return c.Gross
	}
	return c.Net
}

// members sums up the segments and finds what differs from the membership that stands; of the past, it lists everybody.
func (r run) members(customers []Customer, scored rfm.Result, out *Outcome) {
	groups, movement, row := newGroups(), segment.Movement{}, 0
	for i := range customers {
		c := &customers[i]
		if c.Orders <= 0 {
			if c.Segment != "" && !r.past {
				out.Result.Left = append(out.Result.Left, c.Person)
				movement.Add(c.Segment, "")
			}
			continue
		}
		score := scored.Scores[row]
		row++
		id := r.cells.Of(score.R, score.F, score.M, scored.Bins)
		groups.add(id, c)
		movement.Add(c.Segment, id)
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

// groups sums up segments in their order, those without anybody included.
type groups struct {
	all   []Group
	index map[string]int
}

func newGroups() groups {
	g := groups{index: map[string]int{}}
	for i, d := range segment.Definitions() {
		g.all = append(g.all, Group{Segment: d.ID})
		g.index[d.ID] = i
	}
	return g
}

func (g groups) add(id string, c *Customer) {
	group := &g.all[g.index[id]]
	group.Customers++
	group.Orders += c.Orders
	group.Gross += c.Gross
	group.Net += c.Net
}

// scheme names the rule by a hash of everything that decides membership, the whole map included, so that a change of the
// built-in map is a new version too.
func (g grouping) scheme(rule Rule) (Scheme, error) {
	text, err := json.Marshal(rule)
	if err != nil {
		return Scheme{}, fmt.Errorf("scheme rule: %w", err)
	}
	decisive := rule
	decisive.Bins, decisive.Segments = rule.Used, nil // what was asked for does not matter, what is used does
	key, err := json.Marshal(decisive)
	if err != nil {
		return Scheme{}, fmt.Errorf("scheme version: %w", err)
	}
	sum := sha256.Sum256(append(key, g.cells.String()...))
	return Scheme{Name: SchemeRFM, Version: hex.EncodeToString(sum[:6]), Rule: string(text)}, nil
}
