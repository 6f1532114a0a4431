package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/sync/schedule"
)

// grafana is what the test reads of the board.
type grafana struct {
	Panels []struct {
		ID          int    `json:"id"`
		Title       string `json:"title"`
		Description string `json:"description"`
		Targets     []struct {
			Expr   string `json:"expr"`
			Legend string `json:"legendFormat"`
		} `json:"targets"`
	} `json:"panels"`
	Templating struct {
		List []struct {
			Name  string `json:"name"`
			Type  string `json:"type"`
			Query string `json:"query"`
		} `json:"list"`
	} `json:"templating"`
}

// told is what a registry tells: the labels of each metric with the values that they had.
type told map[string]map[string][]string

// everything is what the daemon tells after every kind of run has ended in every way.
func everything(t *testing.T) told {
	t.Helper()
	m := newMetrics()
	for _, kind := range []string{"sync", "analyze", "worth", "course", "readback", "push", "retention", "forget", "purge"} {
		for _, state := range []schedule.State{schedule.Succeeded, schedule.Failed, schedule.Deferred, schedule.Held} {
			m.ended("tea", kind, string(state), time.Unix(0, 0), time.Unix(60, 0))
		}
	}
	m.records.WithLabelValues("tea", "read").Inc()
	m.records.WithLabelValues("tea", "quarantined").Inc()
	m.pushed.WithLabelValues("tea", "letters", "delivered").Inc()
	families, err := m.registry.Gather()
	require.NoError(t, err)
	found := told{}
	for _, family := range families {
		values := map[string][]string{"job": nil, "instance": nil} // from whoever scrapes
		for _, metric := range family.GetMetric() {
			for _, pair := range metric.GetLabel() {
				values[pair.GetName()] = append(values[pair.GetName()], pair.GetValue())
			}
		}
		found[family.GetName()] = values
		if family.GetType().String() == "HISTOGRAM" {
			found[family.GetName()+"_sum"], found[family.GetName()+"_count"] = values, values
			buckets := map[string][]string{"le": nil}
			for name, all := range values {
				buckets[name] = all
			}
			found[family.GetName()+"_bucket"] = buckets
		}
	}
	return found
}

// labelsOf are the labels that what an expression returns may have.
func (all told) labelsOf(e parser.Node) map[string]bool {
	found := map[string]bool{}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if selector, is := n.(*parser.VectorSelector); is {
			for name := range all[selector.Name] {
				found[name] = true
			}
		}
		return nil
	})
	return found
}

// wrong says what a query asks for that nobody tells.
func (all told) wrong(query string) []string {
	e, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return []string{err.Error()}
	}
	var found []string
	say := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			if all[n.Name] == nil {
				say("no metric %s", n.Name)
				return nil
			}
			for _, m := range n.LabelMatchers {
				values, known := all[n.Name][m.Name]
				if m.Name != "__name__" && !known {
					say("no label %s of %s", m.Name, n.Name)
				} else if m.Type == labels.MatchEqual && known && !slices.Contains(values, m.Value) {
					say("%s of %s is never %s", m.Name, n.Name, m.Value)
				}
			}
		case *parser.AggregateExpr:
			for _, name := range n.Grouping {
				if !all.labelsOf(n.Expr)[name] {
					say("no label %s to group by", name)
				}
			}
		}
		return nil
	})
	return found
}

var (
	valuesOf = regexp.MustCompile(`^label_values\((.+), *([a-z_]+)\)$`)
	inLegend = regexp.MustCompile(`{{([a-z_]+)}}`)
)

func TestGrafanaBoardAsksForWhatTheDaemonTells(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "grafana.json"))
	require.NoError(t, err)
	var board grafana
	require.NoError(t, json.Unmarshal(text, &board))
	all, asked, ids := everything(t), map[string]bool{}, map[int]bool{}
	require.NotEmpty(t, board.Panels)
	for _, p := range board.Panels {
		require.NotEmpty(t, p.Targets, p.Title)
		require.NotEmpty(t, p.Description, p.Title)
		require.False(t, ids[p.ID], "two panels have the id of %s", p.Title)
		ids[p.ID] = true
		for _, target := range p.Targets {
			require.Empty(t, all.wrong(target.Expr), "%s: %s", p.Title, target.Expr)
			e, err := parser.NewParser(parser.Options{}).ParseExpr(target.Expr)
			require.NoError(t, err)
			for _, label := range inLegend.FindAllStringSubmatch(target.Legend, -1) {
				require.True(t, all.labelsOf(e)[label[1]], "%s: nothing has the label %s", p.Title, label[1])
			}
			for name := range all {
				asked[name] = asked[name] || strings.Contains(target.Expr, name)
			}
		}
	}
	for name := range all {
		require.True(t, !strings.HasPrefix(name, "perennial_") || asked[name], "the board does not show %s", name)
	}
	for _, v := range board.Templating.List {
		if v.Type == "query" {
			parts := valuesOf.FindStringSubmatch(v.Query)
			require.Len(t, parts, 3, v.Name)
			require.Empty(t, all.wrong("sum by ("+parts[2]+") ("+parts[1]+")"), v.Name)
		}
	}
}

// TestWrongQueriesAreFound: the test above would notice.
func TestWrongQueriesAreFound(t *testing.T) {
	all := everything(t)
	for query, want := range map[string]string{
		`perennial_run_total`:                                      "no metric perennial_run_total",
		`perennial_runs_total{shop="tea"}`:                         "no label shop of perennial_runs_total",
		`perennial_runs_total{state="failure"}`:                    "state of perennial_runs_total is never failure",
		`sum by (destination) (rate(perennial_runs_total[5m]))`:    "no label destination to group by",
		`sum by (le) (perennial_run_duration_seconds_sum)`:         "no label le to group by",
		`rate(perennial_runs_total)`:                               "expected type range vector",
		`sum(perennial_runs_total`:                                 "unclosed left parenthesis",
		`histogram_quantile(0.9, perennial_runs_total_bucket[1d])`: "expected type instant vector",
	} {
		require.Contains(t, strings.Join(all.wrong(query), "\n"), want, query)
	}
}
