package dashboard

import (
	"embed"
	"fmt"
	"html/template"
	"math"
	"path"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/chart"
	"github.com/perennial-cvo/perennial/analysis/report"
)

// In templates/ there is a file for each page, which defines "main", and files that begin with an underscore for what several
// pages have: the layout, and the sections that also stand in the file that `report --html` writes.
//
//go:embed all:templates
var templateFiles embed.FS

// parse reads the templates, each page with the shared ones.
func parse() (map[string]*template.Template, error) {
	shared, err := template.New("").Funcs(functions()).Funcs(goodsFunctions()).ParseFS(templateFiles, "templates/_*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	all := map[string]*template.Template{}
	for _, f := range files {
		if strings.HasPrefix(f.Name(), "_") {
			continue
		}
		one, err := shared.Clone()
		if err != nil {
			return nil, fmt.Errorf("templates: %w", err)
		}
		if one, err = one.ParseFS(templateFiles, path.Join("templates", f.Name())); err != nil {
			return nil, fmt.Errorf("templates: %w", err)
		}
		all[strings.TrimSuffix(f.Name(), ".html")] = one
	}
	return all, nil
}

// functions are what templates may call.
func functions() template.FuncMap {
	return template.FuncMap{
		"count":   report.Count,   // 1234 -> 1,234
		"of":      report.Of,      // 2 "person" "people" -> 2 people
		"percent": report.Percent, // 0.125 -> 12.5 %
		"money":   report.Money,   // decimal, currency
		"whole":   wholeMoney,     // the same without what is behind the point, for figures at a glance
		"float":   decimal.NewFromFloat,
		"day":     func(n int) string { return analysis.Date(n).Format(time.DateOnly) },
		"at":      at,
		"since":   since,
		"bar":     chart.Bar,
		"step":    chart.Step,
		"lines":   chart.Lines,
		"columns": chart.Columns,
		"flows":   chart.Flows,
		"dict":    dict,
		"capital": report.Capital,
		"lower":   strings.ToLower,
		"int":     func(n int32) int { return int(n) },
		"inc":     func(n int) int { return n + 1 },
		"pieces":  pieces,
		"first":   func(n int, all []note) []note { return all[:min(n, len(all))] },
		"after":   func(n int, all []note) []note { return all[min(n, len(all)):] },
		"join":    strings.Join,
		"date":    dayText,
		"prose":   func(text string) string { return strings.ReplaceAll(text, "`", "") },
	}
}

// at writes a moment by the shop's clock; "never" for none.
func at(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return "never"
	}
	return t.In(zone).Format("2006-01-02 15:04")
}

// since says in words how long ago something was.
func since(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := now.Sub(t)
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return report.Of(int(d.Minutes()), "minute", "minutes") + " ago"
	case d < 48*time.Hour:
		return report.Of(int(math.Round(d.Hours())), "hour", "hours") + " ago"
	default:
		return report.Of(int(d.Hours()/24), "day", "days") + " ago"
	}
}

func wholeMoney(amount decimal.Decimal, _ string) string { return report.Units(amount) }

// dict gives a template several things: "key", value, and so on.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict: %d is no even number of things", len(pairs))
	}
	d := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no key", pairs[i])
		}
		d[key] = pairs[i+1]
	}
	return d, nil
}
