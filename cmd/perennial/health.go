package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what the daemon tells Prometheus. Label values are store and destination names from the configuration and
// our own words, never anything from a shop.
type metrics struct {
	registry *prometheus.Registry
	runs     *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	records  *prometheus.CounterVec
	success  *prometheus.GaugeVec
	pushed   *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "perennial_runs_total", Help: "Runs that ended, by store, kind (sync, analyze, push) and state.",
		}, []string{"store", "kind", "state"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "perennial_run_duration_seconds", Help: "How long runs took.",
			Buckets: []float64{1, 5, 15, 60, 300, 900, 3600, 14400},
		}, []string{"store", "kind"}),
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "perennial_records_total", Help: "Records read from shops, by store and what became of them.",
		}, []string{"store", "result"}),
		success: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "perennial_last_success_timestamp_seconds", Help: "When a run of this kind last succeeded.",
		}, []string{"store", "kind"}),
		pushed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "perennial_people_pushed_total", Help: "People pushed, by store, destination and outcome.",
		}, []string{"store", "destination", "outcome"}),
	}
	m.registry.MustRegister(m.runs, m.seconds, m.records, m.success, m.pushed,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// ended counts a run that ended at end.
func (m *metrics) ended(store, kind, state string, began, end time.Time) {
	m.runs.WithLabelValues(store, kind, state).Inc()
	m.seconds.WithLabelValues(store, kind).Observe(end.Sub(began).Seconds())
	if state == "succeeded" {
		m.success.WithLabelValues(store, kind).Set(float64(end.Unix()))
	}
}

// healthServer serves /healthz (the process lives), /readyz (it can work) and /metrics.
func healthServer(ready func(context.Context) error, m *metrics) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		if err := ready(ctx); err != nil {
			http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ready")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}

// listener is where something is served, by its table in the configuration.
type listener struct{ what, address string }

// serve listens until ctx ends. Port 0 takes any; the address in use is given to listening.
func (l listener) serve(ctx context.Context, server *http.Server, listening func(net.Addr)) error {
	open, err := (&net.ListenConfig{}).Listen(ctx, "tcp", l.address)
	if err != nil {
		return fail(exitUsage, l.what+" server", "set "+l.what+".listen to a free local address, or to \"\" to switch it off", err)
	}
	listening(open.Addr())
	go func() {
		<-ctx.Done()
		shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		_ = server.Shutdown(shutdown) // what is still open after three seconds is cut with the process
	}()
	if err := server.Serve(open); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("%s server: %w", l.what, err)
	}
	return nil
}
