package report

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/product"
	"github.com/perennial-cvo/perennial/analysis/retention"
	"github.com/perennial-cvo/perennial/analysis/segment"
	"github.com/perennial-cvo/perennial/analysis/value"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// listed is how many quarantined records and runs are listed one by one.
const listed = 20

// Options says what to report.
type Options struct {
	Now  time.Time // when the report is made
	AsOf time.Time // of the bridge; zero: that of the last analysis, or Now where there is none
}

// Report is what there is to tell about one shop.
type Report struct {
	MadeAt      time.Time          `json:"made_at"`
	Incomplete  *Gap               `json:"incomplete,omitempty"` // nil where all orders are known
	Overview    Overview           `json:"overview"`
	Segments    Segmentation       `json:"segments"`
	Grid        []Cell             `json:"grid"`                // by scores; empty before the first analysis
	Sets        []Set              `json:"sets"`                // by something else than RFM
	Movement    *Movement          `json:"movement,omitempty"`  // between RFM groups in the last month; nil before the first analysis
	Next        []NextSegment      `json:"next_segment"`        // of the schemes that foretell it
	Worth       *Appraisal         `json:"worth,omitempty"`     // nil before the first
	Retention   *retention.Summary `json:"retention,omitempty"` // nil before the first
	Products    *product.Summary   `json:"products,omitempty"`  // nil before the first
	Values      *value.Summary     `json:"values,omitempty"`    // nil before the first
	Trials      []Trial            `json:"trials"`              // of audiences of which a share is held out, or was
	TrialsDay   string             `json:"trials_day,omitempty"`
	BridgeAsOf  time.Time          `json:"bridge_as_of"`
	Bridge      []BridgeLine       `json:"bridge"`
	Deliveries  []Delivery         `json:"deliveries"`
	Quarantined []Quarantined      `json:"quarantined"`
	Warnings    []string           `json:"warnings"` // in words
}

// Appraisal is what customers are worth, with its day written as others are.
type Appraisal struct {
	analysis.Worth
	Day string `json:"day"`
}

// Segmentation is how the last analysis divided the customers, and by which rule.
type Segmentation struct {
	Store      string          `json:"store"`
	Incomplete *Gap            `json:"incomplete,omitempty"` // nil where all orders are known
	Currency   string          `json:"currency"`
	AsOf       time.Time       `json:"as_of,omitzero"` // zero: nothing was analysed yet
	Day        string          `json:"day"`            // local day of AsOf; orders before its midnight count
	Basis      analysis.Basis  `json:"basis"`
	Rule       string          `json:"rule"` // in words
	Note       string          `json:"note"` // why fewer than five scores were used; empty where there is nothing to say
	Customers  int             `json:"customers"`
	Orders     int             `json:"orders"`
	Revenue    decimal.Decimal `json:"revenue"` // on the basis
	Rows       []SegmentRow    `json:"rows"`

	prospects string // id of the preset's group of people without an order that counts, who are no customers; empty: none
}

// SegmentRow is one segment: what it is, who is in it, what they are worth.
type SegmentRow struct {
	ID            string          `json:"id"`
	Audience      string          `json:"audience"` // key under which it is pushed
	Name          string          `json:"name"`
	Meaning       string          `json:"meaning"`
	Action        string          `json:"action"`
	Customers     int             `json:"customers"`
	CustomerShare float64         `json:"customer_share"` // 0 to 1
	Orders        int             `json:"orders"`
	Gross         decimal.Decimal `json:"gross"`
	Net           decimal.Decimal `json:"net"`
	Revenue       decimal.Decimal `json:"revenue"`       // gross or net, by the basis
	RevenueShare  float64         `json:"revenue_share"` // of the revenue of all segments; 0 where that is not positive
	AverageOrder  decimal.Decimal `json:"average_order"` // revenue an order
	// Foretold is what these people are expected to spend within the horizon; nil where it is not known.
	Foretold *decimal.Decimal `json:"predicted_value,omitempty"`
}

// Collect gathers the report of one shop.
func Collect(ctx context.Context, facts Facts, o Options) (Report, error) {
	r := Report{MadeAt: o.Now}
	var err error
	if r.Overview, err = facts.Overview(ctx); err != nil {
		return Report{}, fmt.Errorf("overview: %w", err)
	}
	r.Incomplete = missing(r.Overview)
	if err := r.divide(ctx, facts); err != nil {
		return Report{}, err
	}
	if err := r.appraise(ctx, facts); err != nil {
		return Report{}, err
	}
	if err := r.recall(ctx, facts); err != nil {
		return Report{}, err
	}
	if r.BridgeAsOf = o.AsOf; r.BridgeAsOf.IsZero() {
		r.BridgeAsOf = r.Segments.AsOf
	}
	if r.BridgeAsOf.IsZero() {
		r.BridgeAsOf = o.Now
	}
	if r.Bridge, err = facts.Bridge(ctx, r.BridgeAsOf); err != nil {
		return Report{}, fmt.Errorf("revenue bridge: %w", err)
	}
	if r.BridgeAsOf.Equal(r.Segments.AsOf) {
		r.Bridge = toSegments(r.Bridge, r.Segments)
	}
	if r.Deliveries, err = delivered(ctx, facts); err != nil {
		return Report{}, err
	}
	if r.Quarantined, err = facts.Quarantine(ctx, listed); err != nil {
		return Report{}, fmt.Errorf("quarantine: %w", err)
	}
	r.Warnings = append(warnings(r.Overview, r.Segments), Holds(r.Deliveries, r.Overview)...)
	r.Overview.Resources, r.Bridge = list(r.Overview.Resources), list(r.Bridge)
	r.Quarantined, r.Warnings = list(r.Quarantined), list(r.Warnings)
	return r, nil
}

// divide gathers how people are divided, and how they move.
func (r *Report) divide(ctx context.Context, facts Facts) error {
	s, err := segmentSets(ctx, facts, r.Overview)
	if err != nil {
		return err
	}
	r.Segments, r.Sets = s.Segmentation, s.Sets
	if r.Grid, err = grid(ctx, facts); err != nil {
		return err
	}
	if r.Movement, err = lastMonth(ctx, facts, s.all[analysis.SchemeRFM]); err != nil {
		return err
	}
	r.Next, err = nextSegments(ctx, facts, s.all)
	return err
}

// recall gathers what the last nights worked out.
func (r *Report) recall(ctx context.Context, facts Facts) (err error) {
	if r.Retention, err = last(ctx, facts.RetentionSummary); err != nil {
		return fmt.Errorf("retention: %w", err)
	}
	if r.Products, err = last(ctx, facts.ProductSummary); err != nil {
		return fmt.Errorf("products: %w", err)
	}
	if r.Values, err = last(ctx, facts.ValueSummary); err != nil {
		return fmt.Errorf("values: %w", err)
	}
	if err := r.trials(ctx, facts); err != nil {
		return fmt.Errorf("trials: %w", err)
	}
	return nil
}

// last is what a method that may have nothing yet returns, nil for nothing.
func last[T any](ctx context.Context, read func(context.Context) (T, bool, error)) (*T, error) {
	summary, ok, err := read(ctx)
	if err != nil || !ok {
		return nil, err
	}
	return &summary, nil
}

// delivered is what stands at each destination.
func delivered(ctx context.Context, facts Facts) ([]Delivery, error) {
	all, err := facts.Deliveries(ctx)
	if err != nil {
		return nil, fmt.Errorf("deliveries: %w", err)
	}
	for i := range all {
		all[i].Audiences, all[i].Held = list(all[i].Audiences), list(all[i].Held)
		all[i].Retries = list(all[i].Retries)
	}
	return list(all), nil
}

// toSegments leads the bridge on from the customers to the segments: an order refunded in full is no purchase any more, and
// whoever has no other is in no segment, though a little more or less than was paid may have been given back.
func toSegments(bridge []BridgeLine, s Segmentation) []BridgeLine {
	if len(bridge) == 0 || bridge[len(bridge)-1].Key != "customers" {
		return bridge
	}
	last := bridge[len(bridge)-1]
	net := decimal.Zero
	for _, row := range s.Rows {
		net = net.Add(row.Net)
	}
	if last.Orders == s.Orders && last.Amount.Equal(net) {
		return bridge
	}
	return append(bridge,
		BridgeLine{Key: "given_back", Label: "refunded in full", Orders: last.Orders - s.Orders, Amount: net.Sub(last.Amount)},
		BridgeLine{Key: "segments", Label: "Net revenue of the segments", Orders: s.Orders, Amount: net, Sum: true})
}

// SegmentSets is how the last analysis divided people, by RFM and by everything else.
type SegmentSets struct {
	Segmentation
	Sets []Set `json:"sets"`

	all map[string]Snapshot // by scheme
	set string              // asked for alone; empty: all
}

// CollectSegments gathers the segments of one shop as the last analysis left them: those of one of SetNames, or of all
// where the name is empty.
func CollectSegments(ctx context.Context, facts Facts, set string) (SegmentSets, error) {
	overview, err := facts.Overview(ctx)
	if err != nil {
		return SegmentSets{}, fmt.Errorf("overview: %w", err)
	}
	s, err := segmentSets(ctx, facts, overview)
	if err != nil || set == "" {
		return s, err
	}
	s.set = set
	s.Sets = slices.DeleteFunc(s.Sets, func(other Set) bool { return other.Name != set })
	if set != analysis.SchemeRFM {
		s.Rows = []SegmentRow{}
	}
	return s, nil
}

func segmentSets(ctx context.Context, facts Facts, overview Overview) (SegmentSets, error) {
	var err error
	s := SegmentSets{Sets: []Set{}}
	if s.Segmentation, err = segmentation(ctx, facts, overview); err != nil || s.AsOf.IsZero() {
		return s, err
	}
	if s.all, err = snapshots(ctx, facts); err != nil {
		return SegmentSets{}, err
	}
	s.countProspects()
	s.Sets, err = sets(s.all, s.Segmentation, overview)
	return s, err
}

// countProspects says how many people are in the preset's group of those without an order that counts: they have no score,
// but a stage.
func (s *SegmentSets) countProspects() {
	for i := range s.Rows {
		for _, g := range s.all[segment.SchemeLifecycle].Groups {
			if s.Rows[i].ID == s.prospects && s.prospects != "" && g.Segment == segment.Prospect {
				s.Rows[i].Customers = g.Customers
			}
		}
	}
}

func segmentation(ctx context.Context, facts Facts, overview Overview) (Segmentation, error) {
	snapshot, err := facts.Groups(ctx, analysis.SchemeRFM)
	if err != nil {
		return Segmentation{}, fmt.Errorf("segments: %w", err)
	}
	return divide(snapshot, overview)
}

// divide turns a snapshot into rows, one for every segment, in their order.
func divide(snapshot Snapshot, overview Overview) (Segmentation, error) {
	s := Segmentation{Store: overview.Store, Incomplete: missing(overview), Currency: overview.Currency, AsOf: snapshot.AsOf, Basis: analysis.Net}
	var rule analysis.Rule
	if snapshot.Rule != "" {
		var err error
		if rule, err = analysis.ParseRule(snapshot.Rule); err != nil {
			return Segmentation{}, err
		}
		s.Basis = rule.Basis
		preset, err := segment.FindPreset(rule.Preset)
		if err != nil {
			return Segmentation{}, err
		}
		s.prospects = preset.Prospects
	}
	s.sum(snapshot.Groups)
	definitions := segment.Definitions()
	if snapshot.Rule != "" {
		var err error
		if definitions, err = analysis.Definitions(analysis.SchemeRFM, snapshot.Rule); err != nil {
			return Segmentation{}, err
		}
	}
	s.Rows = s.rows(analysis.SchemeRFM, definitions, snapshot.Groups)
	if !s.AsOf.IsZero() {
		s.Day = day(analysis.Day(snapshot.AsOf, location(overview)))
		s.Rule, s.Note = rule.Words(), rule.Note(s.Customers)
	}
	return s, nil
}

// sum makes the totals.
func (s *Segmentation) sum(groups []Group) {
	for _, g := range groups {
		s.Customers += g.Customers
		s.Orders += g.Orders
		s.Revenue = s.Revenue.Add(revenue(g, s.Basis))
	}
}

// rows makes a row for every segment of a scheme, those without anybody included.
func (s Segmentation) rows(scheme string, definitions []segment.Definition, groups []Group) []SegmentRow {
	found := map[string]Group{}
	for _, g := range groups {
		found[g.Segment] = g
	}
	var rows []SegmentRow
	for _, d := range definitions {
		r := s.row(d, found[d.ID])
		r.Audience = segment.Key(scheme, d.ID)
		rows = append(rows, r)
	}
	return rows
}

func (s Segmentation) row(d segment.Definition, g Group) SegmentRow {
	r := SegmentRow{
		ID: d.ID, Name: d.Name, Meaning: d.Meaning, Action: d.Action,
		Customers: g.Customers, Orders: g.Orders, Gross: g.Gross, Net: g.Net, Revenue: revenue(g, s.Basis),
	}
	if s.Customers > 0 {
		r.CustomerShare = float64(g.Customers) / float64(s.Customers)
	}
	if s.Revenue.IsPositive() {
		r.RevenueShare, _ = r.Revenue.Div(s.Revenue).Float64()
	}
	if g.Orders > 0 {
		r.AverageOrder = r.Revenue.DivRound(decimal.NewFromInt(int64(g.Orders)), 4)
	}
	return r
}

func revenue(g Group, basis analysis.Basis) decimal.Decimal {
	if basis == analysis.Gross {
		return g.Gross
	}
	return g.Net
}

// day writes a day that is counted from 1970-01-01.
func day(n int) string { return analysis.Date(n).Format(time.DateOnly) }

// location is the shop's time zone, or UTC where it makes no sense.
func location(o Overview) *time.Location {
	loc, err := commerce.Location(o.TimeZone)
	if err != nil {
		return time.UTC
	}
	return loc
}

// warnings says in words what an owner should know before believing the numbers, and what to do about it.
func warnings(o Overview, s Segmentation) []string {
	var all []string
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	switch {
	case !o.Loaded:
		say("The first load is not complete: nothing is analysed or pushed before it is. The daemon goes on with it, or `perennial sync`.")
	case s.AsOf.IsZero():
		say("Nothing was analysed yet. `perennial analyze` does it now; the next nightly run does it by itself.")
	}
	if s.Note != "" {
		say("%s", s.Note)
	}
	if o.Unattributed > 0 {
		say("%s neither an account nor an e-mail address, and %s to no segment.",
			Of(o.Unattributed, "order names", "orders name"), verb(o.Unattributed, "belongs", "belong"))
	}
	for _, code := range slices.Sorted(maps.Keys(o.SetAside)) {
		n := o.SetAside[code]
		say("%s in %s %s set aside, because no rate to %s is known; add one under rates in the configuration to count %s.",
			Of(n, "order", "orders"), code, verb(n, "is", "are"), o.Currency, verb(n, "it", "them"))
	}
	for _, status := range slices.Sorted(maps.Keys(o.UnknownStatuses)) {
		n := o.UnknownStatuses[status]
		say("%s the status %q, which is unknown, and %s not count; if it is a purchase, add it to purchase_statuses.",
			Of(n, "order has", "orders have"), status, verb(n, "does", "do"))
	}
	if o.Quarantined > 0 {
		say("%s could not be read; %s kept aside with the reason and tried again at every sweep. `perennial status` lists %s.",
			Of(o.Quarantined, "record", "records"), verb(o.Quarantined, "it is", "they are"), verb(o.Quarantined, "it", "them"))
	}
	return all
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// list makes an empty list of none, so that JSON says [] and never null.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// JSON writes anything this package collects, indented, with a line break at its end.
func JSON(w io.Writer, what any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(what); err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	return nil
}
