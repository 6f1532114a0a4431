package schedule

import (
	"archive/zip"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	require.NoError(t, err)
	return loc
}

func TestDue(t *testing.T) {
	const nightly = "0 3 * * *"
	tests := []struct {
		name       string
		zone, spec string
		now        string // local, with offset
		nightly    Nightly
		occurrence string
		due        bool
		next       string
	}{
		{
			name: "never ran: at once", zone: "Europe/Berlin", spec: nightly, now: "2026-11-22T14:00:00+01:00",
			occurrence: "2026-11-22T03:00", due: true, next: "2026-11-22T14:00:00+01:00",
		},
		{
			name: "done", zone: "Europe/Berlin", spec: nightly, now: "2026-11-22T14:00:00+01:00",
			nightly:    Nightly{Done: "2026-11-22T03:00"},
			occurrence: "2026-11-22T03:00", next: "2026-11-23T03:00:00+01:00",
		},
		{
			name: "the minute has come", zone: "Europe/Berlin", spec: nightly, now: "2026-11-23T03:00:00+01:00",
			nightly:    Nightly{Done: "2026-11-22T03:00"},
			occurrence: "2026-11-23T03:00", due: true, next: "2026-11-23T03:00:00+01:00",
		},
		{
			name: "a week of downtime is caught up once", zone: "Europe/Berlin", spec: nightly, now: "2026-11-29T14:00:00+01:00",
			nightly:    Nightly{Done: "2026-11-22T03:00"},
			occurrence: "2026-11-29T03:00", due: true, next: "2026-11-29T14:00:00+01:00",
		},
		{
			name: "waiting for the next try", zone: "Europe/Berlin", spec: nightly, now: "2026-11-23T03:10:00+01:00",
			nightly:    Nightly{Done: "2026-11-22T03:00", Attempts: 1, NextTry: at("2026-11-23T03:20:00+01:00")},
			occurrence: "2026-11-23T03:00", next: "2026-11-23T03:20:00+01:00",
		},
		{
			name: "the next try has come", zone: "Europe/Berlin", spec: nightly, now: "2026-11-23T03:20:00+01:00",
			nightly:    Nightly{Done: "2026-11-22T03:00", Attempts: 1, NextTry: at("2026-11-23T03:20:00+01:00")},
			occurrence: "2026-11-23T03:00", due: true, next: "2026-11-23T03:20:00+01:00",
		},
		{
			name: "spring gap: after the gap", zone: "America/New_York", spec: "30 2 * * *", now: "2026-03-08T03:00:00-04:00",
			nightly:    Nightly{Done: "2026-03-07T02:30"},
			occurrence: "2026-03-08T02:30", due: true, next: "2026-03-08T03:00:00-04:00",
		},
		{
			name: "spring gap: not before", zone: "America/New_York", spec: "30 2 * * *", now: "2026-03-08T01:59:59-05:00",
			nightly:    Nightly{Done: "2026-03-07T02:30"},
			occurrence: "2026-03-07T02:30", next: "2026-03-08T03:00:00-04:00",
		},
		{
			name: "gap at midnight", zone: "Asia/Beirut", spec: "0 0 * * *", now: "2026-03-28T23:30:00+02:00",
			nightly:    Nightly{Done: "2026-03-28T00:00"},
			occurrence: "2026-03-28T00:00", next: "2026-03-29T01:00:00+03:00",
		},
		{
			name: "repeated hour: second pass is nothing new", zone: "America/New_York", spec: "30 1 * * *", now: "2026-11-01T01:30:00-05:00",
			nightly:    Nightly{Done: "2026-11-01T01:30"},
			occurrence: "2026-11-01T01:30", next: "2026-11-02T01:30:00-05:00",
		},
		{
			name: "repeated hour: before it comes again", zone: "America/New_York", spec: "30 1 * * *", now: "2026-11-01T01:10:00-05:00",
			nightly:    Nightly{Done: "2026-11-01T01:30"},
			occurrence: "2026-10-31T01:30", next: "2026-11-02T01:30:00-05:00",
		},
		{
			name: "a day that was left out", zone: "Pacific/Apia", spec: nightly, now: "2011-12-31T00:30:00+14:00",
			nightly:    Nightly{Done: "2011-12-29T03:00"},
			occurrence: "2011-12-29T03:00", next: "2011-12-31T03:00:00+14:00",
		},
		{
			name: "stored under a clock of the year 2999", zone: "UTC", spec: nightly, now: "2026-11-22T14:00:00Z",
			nightly:    Nightly{Done: "2999-01-01T03:00", NextTry: at("2999-01-01T03:00:00Z")},
			occurrence: "2026-11-22T03:00", due: true, next: "2026-11-22T14:00:00Z",
		},
		{
			name: "leap days only", zone: "UTC", spec: "0 3 29 2 *", now: "2026-11-22T14:00:00Z",
			nightly:    Nightly{Done: "2024-02-29T03:00"},
			occurrence: "2024-02-29T03:00", next: "2028-02-29T03:00:00Z",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			occurrence, due, next, err := Due(tt.spec, zone(t, tt.zone), at(tt.now), tt.nightly)
			require.NoError(t, err)
			require.Equal(t, tt.occurrence, occurrence)
			require.Equal(t, tt.due, due)
			require.WithinDuration(t, at(tt.next), next, 0)
		})
	}
}

func at(text string) time.Time {
	moment, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return moment
}

func TestValidate(t *testing.T) {
	for _, good := range []string{"0 3 * * *", "30 2 * * 1-5", "0 03 * * *", "0 0 29 2 *", "*/15 * * * *", "0 3 1 * MON"} {
		require.NoError(t, Validate(good), good)
	}
	for bad, want := range map[string]string{
		"":                             "five fields",
		"TZ=UTC":                       "five fields",
		"TZ=0":                         "five fields",
		"CRON_TZ=UTC":                  "five fields",
		"TZ=UTC 0 3 * *":               "five fields",
		"TZ=UTC 0 3 * * *":             "five fields",
		"@daily":                       "five fields",
		"@every 0s":                    "five fields",
		"@every -5m a b c":             "five fields",
		"0 0 30 2 *":                   "never comes",
		"0 3 * * 7":                    "above maximum",
		"0 24 * * *":                   "above maximum",
		"60 3 * * *":                   "above maximum",
		"a b c d e":                    "failed to parse",
		"0 0 3 * * *":                  "five fields",
		"*/0 * * * *":                  "step",
		"18446744073709551615 3 * * *": "failed to parse",
	} {
		err := Validate(bad)
		require.ErrorContains(t, err, want, bad)
		_, due, _, err := Due(bad, time.UTC, at("2026-11-22T14:00:00Z"), Nightly{})
		require.Error(t, err, bad)
		require.False(t, due)
	}
}

func TestValidateNeverPanics(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_ = Validate(rapid.StringMatching(`[-@=A-Z0-9*/,? ]{0,24}`).Draw(t, "spec"))
	})
}

// TestEveryLocalDayRunsOnce lives through two years in every zone of the tz database, waking when Due says so and, around
// every change of the clock, each ten minutes.
func TestEveryLocalDayRunsOnce(t *testing.T) {
	from, to := at("2026-01-01T00:00:00Z"), at("2028-01-01T00:00:00Z")
	specs := []string{"0 0 * * *", "30 1 * * *", "30 2 * * *", "0 3 * * *", "30 23 * * *"}
	zones := differentZones(t, from, to)
	if testing.Short() {
		specs = specs[:2]
	}
	require.Greater(t, len(zones), 30, "zones that differ in these years")
	for _, loc := range zones {
		for _, spec := range specs {
			runs := liveThrough(t, spec, loc, from, to)
			local := from.In(loc)
			for day := time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, time.UTC); day.Before(to.AddDate(0, 0, -2)); day = day.AddDate(0, 0, 1) {
				if count := runs[day.Format(time.DateOnly)]; count != 1 {
					t.Fatalf("%s, %s: %d runs on %s", loc, spec, count, day.Format(time.DateOnly))
				}
			}
		}
	}
}

// liveThrough counts runs by the local day for which they are. A run starts within the gap's two hours of its time by the wall clock:
// in Nuuk the last hour of a day falls into the gap, and its run starts as the next day begins.
func liveThrough(t *testing.T, spec string, loc *time.Location, from, to time.Time) map[string]int {
	t.Helper()
	runs := map[string]int{}
	var nightly Nightly
	for now := from; now.Before(to); {
		occurrence, due, next, err := Due(spec, loc, now, nightly)
		if err != nil { // plain comparisons: this loop runs a million times
			t.Fatal(err)
		}
		if due {
			runs[occurrence[:len(time.DateOnly)]]++
			planned, err := time.Parse(wallTime, occurrence)
			if err != nil {
				t.Fatal(err)
			}
			if !now.Equal(from) && onWall(now, loc).Sub(planned) > 2*time.Hour {
				t.Fatalf("%s, %s: late at %s", loc, spec, now)
			}
			nightly.Done = occurrence
			continue
		}
		if !next.After(now) {
			t.Fatalf("%s, %s: asleep for ever at %s", loc, spec, now)
		}
		_, change := now.In(loc).ZoneBounds()
		start, _ := now.In(loc).ZoneBounds()
		near := !change.IsZero() && change.Sub(now) < 5*time.Hour || !start.IsZero() && now.Sub(start) < 5*time.Hour
		if soon := now.Add(10 * time.Minute); near && soon.Before(next) {
			next = soon
		}
		now = next
	}
	return runs
}

// differentZones returns one zone for each set of offsets and changes in the given years.
func differentZones(t *testing.T, from, to time.Time) []*time.Location {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skip("the tz database is read from the Go installation, and there is no go command: ", err)
	}
	archive, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	require.NoError(t, err)
	defer func() { require.NoError(t, archive.Close()) }()
	seen := map[string]bool{}
	var zones []*time.Location
	for _, file := range archive.File {
		loc, err := time.LoadLocation(file.Name)
		if strings.HasSuffix(file.Name, "/") || err != nil {
			continue
		}
		var changes strings.Builder
		for moment := from.In(loc); !moment.IsZero() && moment.Before(to); _, moment = moment.ZoneBounds() {
			_, offset := moment.Zone()
			fmt.Fprint(&changes, moment.Unix(), offset, ";")
		}
		if !seen[changes.String()] {
			seen[changes.String()] = true
			zones = append(zones, loc)
		}
	}
	return zones
}

func FuzzDue(f *testing.F) {
	f.Add("0 3 * * *", int64(1_800_000_000), "2026-11-22T03:00")
	f.Add("TZ=0", int64(0), "")
	f.Fuzz(func(t *testing.T, spec string, unix int64, done string) {
		now := time.Unix(unix%(1<<33), 0)
		occurrence, due, _, err := Due(spec, time.UTC, now, Nightly{Done: done})
		if err == nil && due && occurrence > now.UTC().Format(wallTime) {
			t.Fatalf("%q due before its time: %s", spec, occurrence)
		}
	})
}
