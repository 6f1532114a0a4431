package csvfile_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/csvfile"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newSource(t *testing.T, settings connectors.Settings) connectors.Source {
	t.Helper()
	source, err := makeSource(settings)
	require.NoError(t, err)
	return source
}

func makeSource(settings connectors.Settings) (connectors.Source, error) {
	return csvfile.New().NewSource(settings, connectors.Deps{Now: func() time.Time { return now }})
}

// write puts files into a new folder and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	return folder
}

// settings returns a mapping of orders, changed by change.
func settings(folder string, orders map[string]any) connectors.Settings {
	return connectors.Settings{"folder": folder, "currency": "EUR", "time_zone": "Europe/Berlin", "orders": orders}
}

// simple maps files of one row an order.
func simple(folder string) connectors.Settings {
	return settings(folder, map[string]any{
		"files":   []any{"*.csv", "*.csv.gz"},
		"columns": map[string]any{"order_id": "id", "email": "email", "date": "date", "total": "total"},
	})
}

// pullAll reads a resource from the beginning to its end, each page by a fresh instance.
func pullAll(t *testing.T, settings connectors.Settings, resource commerce.Resource, mode connectors.Mode) connectors.Page {
	t.Helper()
	var all connectors.Page
	var cursor connectors.Cursor
	for {
		page, err := newSource(t, settings).Pull(t.Context(), resource, mode, cursor)
		require.NoError(t, err)
		all.Records.Orders = append(all.Records.Orders, page.Records.Orders...)
		all.Records.Lines = append(all.Records.Lines, page.Records.Lines...)
		all.Records.Refunds = append(all.Records.Refunds, page.Records.Refunds...)
		all.Records.Customers = append(all.Records.Customers, page.Records.Customers...)
		all.Records.Products = append(all.Records.Products, page.Records.Products...)
		all.Records.Reviews = append(all.Records.Reviews, page.Records.Reviews...)
		all.Records.Complete = append(all.Records.Complete, page.Records.Complete...)
		all.Rejected = append(all.Rejected, page.Rejected...)
		all.Warnings = append(all.Warnings, page.Warnings...)
		all.Next, all.Total = page.Next, page.Total
		if page.Done {
			return all
		}
		require.NotEqual(t, cursor, page.Next, "the cursor advances")
		cursor = page.Next
	}
}
