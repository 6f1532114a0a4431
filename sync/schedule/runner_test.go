package schedule

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// memory is a Ledger with the rules that the database keeps.
type memory struct {
	mu     sync.Mutex
	leases map[int64]lease
	nights map[int64]Nightly
	down   error
}

type lease struct {
	holder  string
	epoch   int64
	expires time.Time
}

func newMemory() *memory {
	return &memory{leases: map[int64]lease{}, nights: map[int64]Nightly{}}
}

func (m *memory) Acquire(ctx context.Context, store int64, holder string, ttl time.Duration) (int64, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := errors.Join(m.down, ctx.Err()); err != nil {
		return 0, false, err
	}
	held := m.leases[store]
	if held.holder != holder {
		if time.Now().Before(held.expires) {
			return 0, false, nil
		}
		held.epoch++
	}
	m.leases[store] = lease{holder: holder, epoch: held.epoch, expires: time.Now().Add(ttl)}
	return held.epoch, true, nil
}

func (m *memory) Release(_ context.Context, store int64, holder string, epoch int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if held := m.leases[store]; held.holder == holder && held.epoch == epoch {
		m.leases[store] = lease{epoch: epoch}
	}
	return nil
}

func (m *memory) Nightly(_ context.Context, store int64) (Nightly, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.nights[store], m.down
}

func (m *memory) SaveNightly(_ context.Context, store, epoch int64, nightly Nightly) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leases[store].epoch != epoch {
		return errors.New("fenced")
	}
	m.nights[store] = nightly
	return m.down
}

func (m *memory) EndInterrupted(context.Context, int64, time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.down
}

func (m *memory) StartRun(context.Context, int64, string, time.Time) (int64, error) { return 1, nil }

func (m *memory) EndRun(context.Context, int64, int64, End) error { return nil }

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = err
}

func (m *memory) night(store int64) Nightly {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.nights[store]
}

// diary counts what a job did.
type diary struct {
	mu   sync.Mutex
	runs []string
	now  int
	most int
}

func (d *diary) enter(occurrence string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.runs = append(d.runs, occurrence)
	d.now++
	d.most = max(d.most, d.now)
}

func (d *diary) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now--
}

func (d *diary) entries() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.runs...)
}

func shops(ids ...int64) func(context.Context) ([]Shop, error) {
	var list []Shop
	for _, id := range ids {
		list = append(list, Shop{ID: id, Name: "shop", Spec: "0 3 * * *", Zone: time.UTC})
	}
	return func(context.Context) ([]Shop, error) { return list, nil }
}

func runner(ledger Ledger, name string, job Job, ids ...int64) *Runner {
	return NewRunner(Options{
		Holder: Holder{Ledger: ledger, Name: name, TTL: time.Minute},
		Shops:  shops(ids...), Job: job, Parallel: 2,
	})
}

func stop(t *testing.T, r *Runner, patience time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return r.Stop(ctx)
}

func TestRunnerNightAfterNight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins at midnight UTC, 1 January 2000
		ledger, seen := newMemory(), &diary{}
		r := runner(ledger, "a", func(_ context.Context, _, _ int64, occurrence string) error {
			seen.enter(occurrence)
			defer seen.leave()
			time.Sleep(40 * time.Minute) // longer than the lease and many ticks
			return nil
		}, 1)
		require.NoError(t, r.Start(t.Context()))
		time.Sleep(72 * time.Hour)
		require.NoError(t, stop(t, r, time.Minute))
		require.Equal(t, []string{"1999-12-31T03:00", "2000-01-01T03:00", "2000-01-02T03:00", "2000-01-03T03:00"}, seen.entries())
		require.Equal(t, 1, seen.most, "runs of one shop never overlap")
	})
}

func TestRunnerRetriesThreeTimesThenWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, seen := newMemory(), &diary{}
		ledger.nights[1] = Nightly{Done: "1999-12-31T03:00"}
		var mu sync.Mutex
		var when []string
		r := runner(ledger, "a", func(_ context.Context, _, _ int64, occurrence string) error {
			mu.Lock()
			defer mu.Unlock()
			when = append(when, time.Now().UTC().Truncate(5*time.Minute).Format("02 15:04"))
			seen.enter(occurrence)
			return errors.New("shop is down")
		}, 1)
		require.NoError(t, r.Start(t.Context()))
		time.Sleep(29 * time.Hour)
		require.NoError(t, stop(t, r, time.Minute))
		require.Equal(t, []string{"01 03:00", "01 03:05", "01 03:25", "01 04:25", "02 03:00", "02 03:05", "02 03:25", "02 04:25"}, when)
		require.Equal(t, Nightly{Done: "2000-01-02T03:00"}, ledger.night(1))
	})
}

func TestRunnerHeedsWhatTheErrorAsks(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want Nightly
	}{
		{"final", &Final{errors.New("key refused")}, Nightly{Done: "2000-01-01T03:00"}},
		{"later", &Later{at("2000-01-01T05:00:00Z"), errors.New("budget")}, Nightly{NextTry: at("2000-01-01T05:00:00Z")}},
		{"later, in the past", &Later{at("1990-01-01T05:00:00Z"), errors.New("budget")}, Nightly{NextTry: at("2000-01-01T03:01:00Z")}},
		{"later, for ever", &Later{at("2990-01-01T05:00:00Z"), errors.New("budget")}, Nightly{NextTry: at("2000-01-02T03:00:00Z")}},
		{"wrapped", errors.Join(errors.New("x"), &Final{errors.New("key refused")}), Nightly{Done: "2000-01-01T03:00"}},
		{"any other", errors.New("down"), Nightly{Attempts: 1, NextTry: at("2000-01-01T03:05:00Z")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := runner(newMemory(), "a", nil)
			r.opts.Holder.Now = func() time.Time { return at("2000-01-01T03:00:00Z") }
			require.Equal(t, tt.want, r.after(Nightly{}, "2000-01-01T03:00", tt.err))
		})
	}
}

func TestRunnerPanicIsOneShopsFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		ledger, seen := newMemory(), &diary{}
		r := runner(ledger, "a", func(_ context.Context, store, _ int64, occurrence string) error {
			if store == 1 {
				panic("canary-secret")
			}
			seen.enter(occurrence)
			return nil
		}, 1, 2)
		r.log = slog.New(slog.NewTextHandler(&out, nil))
		err := r.Once(t.Context())
		require.ErrorContains(t, err, "panic")
		require.NotContains(t, err.Error()+out.String(), "canary-secret")
		require.Len(t, seen.entries(), 1)
		require.Equal(t, 1, ledger.night(1).Attempts)
		require.Zero(t, ledger.leases[1].expires, "the lease is given back")
	})
}

func TestRunnerBoundsHowManyShopsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, seen := newMemory(), &diary{}
		r := runner(ledger, "a", func(_ context.Context, _, _ int64, occurrence string) error {
			seen.enter(occurrence)
			defer seen.leave()
			time.Sleep(time.Minute)
			return nil
		}, 1, 2, 3, 4, 5)
		require.NoError(t, r.Once(t.Context()))
		require.Len(t, seen.entries(), 5)
		require.Equal(t, 2, seen.most)
	})
}

func TestTwoDaemonsNeverRunOneShopAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, seen := newMemory(), &diary{}
		job := func(_ context.Context, _, _ int64, occurrence string) error {
			seen.enter(occurrence)
			defer seen.leave()
			time.Sleep(10 * time.Minute)
			return nil
		}
		a, b := runner(ledger, "a", job, 1), runner(ledger, "b", job, 1)
		require.NoError(t, a.Start(t.Context()))
		require.NoError(t, b.Start(t.Context()))
		time.Sleep(50 * time.Hour)
		require.NoError(t, stop(t, a, time.Minute))
		require.NoError(t, stop(t, b, time.Minute))
		require.Len(t, seen.entries(), 3, "each night once, whoever has it")
		require.Equal(t, 1, seen.most)
	})
}

func TestLostLeaseCancelsTheJob(t *testing.T) {
	t.Run("taken by another", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ledger := newMemory()
			r := runner(ledger, "a", untilCancelled, 1)
			go func() {
				time.Sleep(5 * time.Second)
				ledger.mu.Lock()
				defer ledger.mu.Unlock()
				ledger.leases[1] = lease{holder: "b", epoch: 99, expires: time.Now().Add(time.Hour)}
			}()
			began := time.Now()
			require.ErrorIs(t, r.Once(t.Context()), ErrLeaseLost)
			require.LessOrEqual(t, time.Since(began), time.Minute)
			require.Equal(t, Nightly{}, ledger.night(1), "nothing is recorded under a lost lease")
			require.Equal(t, "b", ledger.leases[1].holder)
		})
	})
	t.Run("database away for longer than the lease", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ledger := newMemory()
			r := runner(ledger, "a", untilCancelled, 1)
			go func() {
				time.Sleep(5 * time.Second)
				ledger.fail(errors.New("connection refused"))
			}()
			began := time.Now()
			require.ErrorIs(t, r.Once(t.Context()), ErrLeaseLost)
			require.InDelta(t, time.Minute, time.Since(began), float64(20*time.Second))
		})
	})
	t.Run("a short absence is forgiven", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ledger := newMemory()
			r := runner(ledger, "a", func(ctx context.Context, _, _ int64, _ string) error {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(10 * time.Minute):
					return nil
				}
			}, 1)
			go func() {
				time.Sleep(15 * time.Second)
				ledger.fail(errors.New("connection refused"))
				time.Sleep(30 * time.Second)
				ledger.fail(nil)
			}()
			require.NoError(t, r.Once(t.Context()))
		})
	})
}

func untilCancelled(ctx context.Context, _, _ int64, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newMemory()
		a, b := Holder{Ledger: ledger, Name: "a", TTL: time.Minute}, Holder{Ledger: ledger, Name: "b", TTL: time.Minute}
		var first, second int64
		err := a.Hold(t.Context(), 7, func(ctx context.Context, epoch int64) error {
			first = epoch
			require.ErrorIs(t, b.Hold(ctx, 7, nil), ErrBusy)
			return nil
		})
		require.NoError(t, err)
		require.NoError(t, b.Hold(t.Context(), 7, func(_ context.Context, epoch int64) error {
			second = epoch
			return nil
		}))
		require.Greater(t, second, first, "the epoch grows when the lease changes hands")
		require.Panics(t, func() {
			_ = a.Hold(t.Context(), 7, func(context.Context, int64) error { panic("x") })
		})
		require.NoError(t, b.Hold(t.Context(), 7, func(context.Context, int64) error { return nil }), "given back after a panic")
	})
}

func TestStop(t *testing.T) {
	t.Run("lets a job finish", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ledger := newMemory()
			r := runner(ledger, "a", func(ctx context.Context, _, _ int64, _ string) error {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(time.Minute):
					return nil
				}
			}, 1)
			require.NoError(t, r.Start(t.Context()))
			time.Sleep(time.Second)
			require.NoError(t, stop(t, r, 2*time.Minute))
			require.Equal(t, "1999-12-31T03:00", ledger.night(1).Done)
			require.NoError(t, stop(t, r, time.Minute), "twice is harmless")
		})
	})
	t.Run("cancels at the deadline, which is no failed try", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ledger := newMemory()
			r := runner(ledger, "a", untilCancelled, 1, 2, 3, 4)
			require.NoError(t, r.Start(t.Context()))
			time.Sleep(time.Second)
			began := time.Now()
			require.NoError(t, stop(t, r, 10*time.Second))
			require.Equal(t, 10*time.Second, time.Since(began))
			for store := range int64(4) {
				require.Equal(t, Nightly{}, ledger.night(store+1))
			}
		})
	})
	t.Run("says so where a job does not end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			r := runner(newMemory(), "a", func(context.Context, int64, int64, string) error {
				<-release
				return nil
			}, 1)
			require.NoError(t, r.Start(t.Context()))
			time.Sleep(time.Second)
			require.ErrorContains(t, stop(t, r, 10*time.Second), "did not end")
			close(release)
		})
	})
	t.Run("before it started", func(t *testing.T) {
		require.NoError(t, stop(t, runner(newMemory(), "a", nil), time.Second))
	})
	t.Run("context ends", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			r := runner(newMemory(), "a", untilCancelled, 1, 2, 3)
			require.NoError(t, r.Start(ctx))
			time.Sleep(time.Second)
			cancel()
			synctest.Wait()
			require.NoError(t, stop(t, r, time.Second))
		})
	})
}

func TestRunnerSurvivesADatabaseThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		ledger, seen := newMemory(), &diary{}
		ledger.fail(errors.New("connection refused"))
		r := runner(ledger, "a", func(_ context.Context, _, _ int64, occurrence string) error {
			seen.enter(occurrence)
			return nil
		}, 1)
		r.log = slog.New(slog.NewTextHandler(&out, nil))
		require.NoError(t, r.Start(t.Context()))
		time.Sleep(time.Hour)
		require.Empty(t, seen.entries())
		ledger.fail(nil)
		time.Sleep(time.Minute)
		require.Len(t, seen.entries(), 1)
		require.NoError(t, stop(t, r, time.Minute))
		require.Contains(t, out.String(), "connection refused")
		require.LessOrEqual(t, strings.Count(out.String(), "\n"), 3*60+1)
	})
}
