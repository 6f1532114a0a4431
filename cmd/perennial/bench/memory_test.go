package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/sync/postgres/postgrestest"
)

// binary builds the command once.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "perennial-bench-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "perennial")
	build := exec.Command("go", "build", "-o", path, "github.com/perennial-cvo/perennial/cmd/perennial")
	if out, err := build.CombinedOutput(); err != nil {
		return path, fmt.Errorf("build: %w\n%s", err, out)
	}
	built = path
	return path, nil
})

var built string

func removeBinary() {
	if built != "" {
		_ = os.RemoveAll(filepath.Dir(built))
	}
}

// measureMemory lets the built binary live through the first night of a shop with a million orders, and then through a
// second, and watches its memory.
func measureMemory(tb testing.TB, scale float64) []figure {
	bin, err := binary()
	require.NoError(tb, err)
	dir := tb.TempDir()
	orders := sized(1_000_000, scale, 100)
	writeOrders(tb, filepath.Join(dir, "orders.csv"), orders)
	address := postgrestest.URL(tb)
	config := filepath.Join(dir, "perennial.toml")
	require.NoError(tb, os.WriteFile(config, []byte(fmt.Sprintf(memoryConfig, dir)), 0o600))

	var figures []figure
	for night, now := range []time.Time{today, today.AddDate(0, 0, 1)} {
		cmd := exec.Command(bin, "--config", config, "--now", now.Format(time.RFC3339), "run", "--once", "--quiet")
		cmd.Env = append(os.Environ(), "PERENNIAL_BENCH_DATABASE_URL="+address, "PERENNIAL_STATE_DIR="+dir)
		began := time.Now()
		peak := watched(tb, cmd)
		tb.Logf("night %d with %d orders took %v", night+1, orders, time.Since(began).Round(time.Second))
		figures = append(figures, figure{
			name: fmt.Sprintf("memory of night %d with %d orders", night+1, orders), unit: "MB", ours: peak, target: 150, alone: true,
		})
	}
	db := postgrestest.SQL(tb, address)
	var stored, scored int
	require.NoError(tb, db.QueryRow(`SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM rfm_scores)`).Scan(&stored, &scored))
	require.Equal(tb, orders, stored)
	require.Equal(tb, (orders+2)/3, scored)
	return figures
}

const memoryConfig = `[database]
url_env = "PERENNIAL_BENCH_DATABASE_URL"

[health]
listen = ""

[[stores]]
name = "bench"
kind = "csvfile"
consent = "platform"

[stores.settings]
folder    = %q
shop      = "Bench"
currency  = "EUR"
time_zone = "Europe/Berlin"

[stores.settings.orders]
files = ["orders.csv"]
rows  = "line"

[stores.settings.orders.columns]
order_id    = "order"
date        = "date"
email       = "email"
name        = "name"
country     = "country"
sku         = "sku"
quantity    = "quantity"
unit_price  = "price"
`

// writeOrders writes an orders file with two lines an order and three orders a person.
func writeOrders(tb testing.TB, path string, orders int) {
	tb.Helper()
	file, err := os.Create(path)
	require.NoError(tb, err)
	w := bufio.NewWriterSize(file, 1<<20)
	fmt.Fprintln(w, "order,date,email,name,country,sku,quantity,price")
	for n := range orders {
		at := today.Add(-24*time.Hour - time.Duration(n*37%63_072_000)*time.Second).Format(time.RFC3339)
		for line := range 2 {
			fmt.Fprintf(w, "%08d,%s,person%d@example.com,Ada Lindqvist-%d,DE,SKU-%d,1,%d.%02d\n",
				n, at, n/3, n/3, (n*7+line)%400, 9+n*31%90, n%100)
		}
	}
	require.NoError(tb, w.Flush())
	require.NoError(tb, file.Close())
}

// watched runs a command, which must succeed, and returns the most memory that it ever had resident, in MB. The kernel's
// own count at the end of a child would include what its parent had at the fork.
func watched(tb testing.TB, cmd *exec.Cmd) float64 {
	tb.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(tb, cmd.Start())
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	peak := 0.0
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case err := <-done:
			require.NoError(tb, err, out.String())
			return peak
		case <-look.C:
			peak = max(peak, residentPeak(cmd.Process.Pid))
		}
	}
}

func residentPeak(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, found := strings.Cut(string(text), "VmHWM:")
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return 0
	}
	kilobytes, _ := strconv.ParseFloat(fields[0], 64) // the kernel writes numbers
	return kilobytes / 1000
}
