package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/clv"
	"github.com/perennial-cvo/perennial/analysis/rfm"
)

// MarshalJSON writes days as 2006-01-02 and amounts of the thresholds in the store's currency, as everywhere; the analysis
// counts both in whole numbers.
func (e Explanation) MarshalJSON() ([]byte, error) {
	type plain Explanation
	return encode(struct {
		plain
		Thresholds *writtenThresholds `json:"thresholds,omitempty"`
		Outlook    *writtenOutlook    `json:"outlook,omitempty"`
		Grounds    *writtenGrounds    `json:"standing,omitempty"`
	}{plain(e), writeThresholds(e.Thresholds), writeOutlook(e.Outlook), writeGrounds(e.Grounds)})
}

// MarshalJSON writes the days of a person, which are no moments.
func (p Person) MarshalJSON() ([]byte, error) {
	type plain Person
	return encode(struct {
		plain
		FirstDay string `json:"first_day,omitempty"`
		LastDay  string `json:"last_day,omitempty"`
	}{plain(p), writeDay(p.FirstDay), writeDay(p.LastDay)})
}

// MarshalJSON writes the days of an interval, which are no moments.
func (i Interval) MarshalJSON() ([]byte, error) {
	type plain Interval
	return encode(struct {
		plain
		First string `json:"first,omitempty"`
		Last  string `json:"last,omitempty"`
	}{plain(i), writeDay(i.First), writeDay(i.Last)})
}

// encode is json.Marshal that leaves < and > of rules as they are.
func encode(what any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(what); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return b.Bytes(), nil
}

func writeDay(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Format(time.DateOnly)
}

// someDay writes a day that is counted from 1970-01-01; none is 0.
func someDay(n int) string {
	if n == 0 {
		return ""
	}
	return day(n)
}

type writtenThresholds struct {
	Recency   []rfm.Range    `json:"recency"`
	Frequency []rfm.Range    `json:"frequency"`
	Monetary  []writtenRange `json:"monetary"`
}

type writtenRange struct {
	Score     int             `json:"score"`
	Min       decimal.Decimal `json:"min"`
	Max       decimal.Decimal `json:"max"`
	Customers int             `json:"customers"`
}

func writeThresholds(t *analysis.Thresholds) *writtenThresholds {
	if t == nil {
		return nil
	}
	w := &writtenThresholds{Recency: list(t.Recency), Frequency: list(t.Frequency), Monetary: []writtenRange{}}
	for _, r := range t.Monetary {
		w.Monetary = append(w.Monetary, writtenRange{r.Score, decimal.New(r.Min, -4), decimal.New(r.Max, -4), r.Customers})
	}
	return w
}

type writtenOutlook struct {
	analysis.Outlook
	Day    string       `json:"day"`
	Fitted string       `json:"fitted"`
	First  string       `json:"first_day"`
	Last   string       `json:"last_day"`
	Next   *writtenNext `json:"next_order,omitempty"`
}

type writtenNext struct {
	clv.NextOrder
	Day   string `json:"day"`
	Early string `json:"early"`
	Late  string `json:"late"` // empty where it is not known
}

func writeOutlook(o *analysis.Outlook) *writtenOutlook {
	if o == nil {
		return nil
	}
	w := &writtenOutlook{Outlook: *o, Day: day(o.Day), Fitted: day(o.Fitted), First: day(o.First), Last: day(o.Last)}
	if n := o.Next; n != nil {
		w.Next = &writtenNext{NextOrder: *n, Day: day(int(n.Day)), Early: day(int(n.Early)), Late: someDay(int(n.Late))}
	}
	return w
}

type writtenGrounds struct {
	analysis.Grounds
	Stage    *writtenStage `json:"lifecycle,omitempty"`
	NextWeek string        `json:"next_week,omitempty"`
}

type writtenStage struct {
	analysis.StageGround
	Until    string `json:"until"` // empty: for ever
	Slipping string `json:"slipping"`
	Lapsed   string `json:"lapsed"`
	Lost     string `json:"lost"`
}

func writeGrounds(g *analysis.Grounds) *writtenGrounds {
	if g == nil {
		return nil
	}
	w := &writtenGrounds{Grounds: *g, NextWeek: someDay(g.NextWeek)}
	if s := g.Stage; s != nil {
		w.Stage = &writtenStage{
			StageGround: *s, Until: someDay(s.Until), Slipping: someDay(s.Slipping), Lapsed: someDay(s.Lapsed), Lost: someDay(s.Lost),
		}
	}
	return w
}
