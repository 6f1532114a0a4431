package listmonk

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/listmonk/listmonktest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// follow resumes a job to its end, each time in another process, and returns the outcomes by person.
func (b *bench) follow(t *testing.T, result connectors.Result, settings connectors.Settings) map[int64]connectors.Outcome {
	t.Helper()
	all := map[int64]connectors.Outcome{}
	for range 50 {
		for _, o := range result.Outcomes {
			require.NotContains(t, all, o.PersonID, "an outcome twice")
			all[o.PersonID] = o
		}
		if result.Job == "" {
			return all
		}
		var err error
		result, err = b.open(t, settings).Resume(t.Context(), result.Job)
		require.NoError(t, err)
	}
	require.Fail(t, "the job has no end")
	return nil
}

// importing are the settings with which newcomers come by imports.
var importing = connectors.Settings{"import_from": 2, "list_batch": 1000, "batch": 500}

// welcome are the changes that bring newcomers into audiences.
func welcome(n int, audiences ...connectors.Audience) []connectors.Change {
	changes := newcomers(n)
	for i := range changes {
		joining := join(changes[i].Person, audiences...)
		joining.Consent = changes[i].Consent
		changes[i] = joining
	}
	return changes
}

// asked counts requests.
func (b *bench) asked(method, part string) (n int) {
	for _, r := range b.Requests() {
		if r.Method == method && strings.Contains(r.Path, part) {
			n++
		}
	}
	return n
}

// TestFirstLoadComesByOneImportForEachList counts what thousands of newcomers cost, and looks at what was sent.
func TestFirstLoadComesByOneImportForEachList(t *testing.T) {
	b := startBench(t)
	d := b.open(t, connectors.Settings{"list_batch": defaultListBatch, "batch": defaultBatch})
	lists := ensure(t, d, champions, atRisk)
	all := welcome(3000, champions)
	for i := range all {
		switch i % 3 {
		case 0: // to the smaller list only
			all[i].Audiences = []string{atRisk.Key}
		case 1: // to both
			all[i].Audiences = []string{champions.Key, atRisk.Key}
		}
	}
	known := b.people(simulator.Subscribed)[0]
	result, err := d.Apply(t.Context(), append(all, join(known, champions)))
	require.NoError(t, err)
	require.Len(t, result.Outcomes, 1, "who was there is done at once")
	require.NotEmpty(t, result.Job)
	require.NotContains(t, string(result.Job), "example.com")
	done := b.follow(t, result, connectors.Settings{"list_batch": defaultListBatch, "batch": defaultBatch})
	require.Len(t, done, 3001)
	for _, o := range done {
		require.Equal(t, connectors.Delivered, o.State)
		require.NotEmpty(t, o.RemoteID)
	}
	require.Len(t, b.members(lists[0]), 2001)
	require.Len(t, b.members(lists[1]), 2000)
	require.Equal(t, 2, b.asked("POST", "/api/import/subscribers"))
	require.Zero(t, b.asked("POST", "/api/subscribers"), "nobody is created singly")
	require.Equal(t, 1, b.asked("PATCH", ""), "an import carries the attributes of newcomers")
	require.LessOrEqual(t, b.asked("PUT", "/api/subscribers/lists"), 3)
	p := b.person(t, all[1].Person.Email)
	require.Equal(t, "New Comer", p.Name)
	require.Equal(t, map[string]any{"rfm": "545", "_created": true}, p.Attribs["perennial"])
	require.Equal(t, map[int]string{b.listID(lists[0]): "unconfirmed", b.listID(lists[1]): "unconfirmed"}, p.Lists)
	for _, r := range b.Requests() {
		if r.Method == "POST" && strings.Contains(r.Path, "/import/") {
			require.Contains(t, r.Body, `"overwrite_userinfo":false`)
			require.Contains(t, r.Body, `"overwrite_subscription_status":false`)
			require.NotContains(t, r.Body, `"subscription_status"`)
			require.NotContains(t, r.Body, `"overwrite":`)
			require.NotContains(t, r.Body, "blocklist")
		}
	}
	require.Empty(t, b.OptinMails())
}

// TestImportThatDoesLessThanItSays lets the importer end in every way that is no success, and holds that nobody is called
// delivered for its word, that everybody is there in the end, and that its log is read and told.
func TestImportThatDoesLessThanItSays(t *testing.T) {
	for _, fault := range []listmonktest.ImportFault{listmonktest.ImportPartly, listmonktest.ImportNone, listmonktest.ImportFails} {
		t.Run(string(fault), func(t *testing.T) {
			b := startBench(t)
			var log bytes.Buffer
			d := b.open(t, importing)
			d.log = slog.New(slog.NewTextHandler(&log, nil))
			list := ensure(t, d, champions)[0]
			b.SpoilImport(fault)
			changes := welcome(8, champions)
			result, err := d.Apply(t.Context(), changes)
			require.NoError(t, err)
			result, err = d.Resume(t.Context(), result.Job)
			require.NoError(t, err)
			require.Empty(t, result.Outcomes, "an import that was begun is no outcome")
			result, err = d.Resume(t.Context(), result.Job)
			require.NoError(t, err)
			for _, o := range b.follow(t, result, importing) {
				require.Equal(t, connectors.Delivered, o.State)
			}
			require.Len(t, b.members(list), 8)
			require.Equal(t, 1, b.asked("GET", "/import/subscribers/logs"))
			require.Contains(t, log.String(), "fewer people than it was given")
			require.NotContains(t, log.String(), "@")
		})
	}
}

func TestImportRefusesInItsOwnWords(t *testing.T) {
	b := startBench(t)
	d := b.open(t, importing)
	list := ensure(t, d, champions)[0]
	changes := welcome(5, champions)
	changes[2].Person.Email = "two..dots@example.com"
	result, err := d.Apply(t.Context(), changes)
	require.NoError(t, err)
	done := b.follow(t, result, importing)
	require.Equal(t, connectors.Refused, done[changes[2].Person.ID].State)
	require.Equal(t, "Invalid email", done[changes[2].Person.ID].Reason)
	require.Len(t, b.members(list), 4)
	require.Zero(t, b.asked("POST", "/api/subscribers"), "what the log tells is not asked again")
}

func TestNULBytesCostNobodyTheirImport(t *testing.T) {
	b := startBench(t)
	d := b.open(t, importing)
	list := ensure(t, d, champions)[0]
	changes := welcome(4, champions)
	changes[1].Person.FirstName = "Zo\x00e"
	changes[2].Attributes = map[string]string{"rfm": "5\x0045"}
	result, err := d.Apply(t.Context(), changes)
	require.NoError(t, err)
	for _, o := range b.follow(t, result, importing) {
		require.Equal(t, connectors.Delivered, o.State)
	}
	require.Len(t, b.members(list), 4)
	require.Equal(t, "Zoe Comer", b.person(t, changes[1].Person.Email).Name)
	require.Equal(t, "545", b.person(t, changes[2].Person.Email).Attribs["perennial"].(map[string]any)["rfm"])
	require.Zero(t, b.asked("POST", "/api/subscribers"))

	known := b.people(simulator.Subscribed)[0]
	c := join(known, champions)
	c.Attributes = map[string]string{"segment_name": "Best\x00 of all"}
	require.Equal(t, connectors.Delivered, apply(t, d, c).State)
	require.Equal(t, connectors.Unchanged, apply(t, d, c).State)
	for _, r := range b.Requests() {
		require.NotContains(t, r.Body, `\u0000`)
		require.NotContains(t, r.Body, "\x00")
	}
}

// TestSomebodyElsesImportIsWaitedFor keeps the one importer busy over restarts.
func TestSomebodyElsesImportIsWaitedFor(t *testing.T) {
	b := startBench(t)
	list := ensure(t, b.open(t, importing), champions)[0]
	b.HoldImport()
	b.importOfAnAdmin(t)
	result, err := b.open(t, importing).Apply(t.Context(), welcome(4, champions))
	require.NoError(t, err)
	job := result.Job
	for range 3 {
		result, err = b.open(t, importing).Resume(t.Context(), job)
		require.NoError(t, err)
		require.Equal(t, job, result.Job, "it stands as before, in the same words")
		require.False(t, result.NotBefore.IsZero())
		require.Empty(t, result.Outcomes)
	}
	require.Empty(t, b.members(list))
	b.ReleaseImport()
	require.Len(t, b.follow(t, result, importing), 4)
	require.Len(t, b.members(list), 4)
	require.Equal(t, 2, b.asked("POST", "/api/import/subscribers"), "the admin's and ours")
}

// TestSomebodyWasFaster begins an import between our look at the importer and our file, with either refusal that there is.
func TestSomebodyWasFaster(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusInternalServerError} {
		b := startBench(t)
		refusals := 0
		before(t, b, func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost || r.URL.Path != importPath || refusals > 0 {
				return false
			}
			refusals++
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = fmt.Fprint(w, `{"message":"Error starting import: an import is already running"}`)
			return true
		})
		d := b.open(t, importing)
		list := ensure(t, d, champions)[0]
		changes := welcome(4, champions)
		result, err := d.Apply(t.Context(), changes)
		require.NoError(t, err)
		require.NoError(t, b.Subscribe(changes[0].Person.Email, b.Newsletter(), confirmed))
		require.Len(t, b.follow(t, result, importing), 4)
		require.Len(t, b.members(list), 4)
		require.Equal(t, 1, refusals)
	}
}

// importOfAnAdmin begins an import that is none of ours.
func (b *bench) importOfAnAdmin(t *testing.T) {
	t.Helper()
	body, kind, err := form("subs.csv", []byte("email,name\nadmin@example.com,Admin\n"), map[string]any{
		"mode": "subscribe", "delim": ",", "lists": []int{b.Newsletter()},
	})
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+importPath, bytes.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", kind)
	r.SetBasicAuth("pusher", canary)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
}

// TestImporterThatNeverEndsIsGoneAround: neither somebody else's import nor a stalled one of ours keeps people out for ever.
func TestImporterThatNeverEndsIsGoneAround(t *testing.T) {
	for name, ours := range map[string]bool{"ours": true, "somebody else's": false} {
		t.Run(name, func(t *testing.T) {
			b := startBench(t)
			now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
			d := b.open(t, importing)
			d.now = func() time.Time { return now }
			list := ensure(t, d, champions)[0]
			b.HoldImport()
			if !ours {
				b.importOfAnAdmin(t)
			}
			result, err := d.Apply(t.Context(), welcome(4, champions))
			require.NoError(t, err)
			for range 5 {
				result, err = d.Resume(t.Context(), result.Job)
				require.NoError(t, err)
				require.NotEmpty(t, result.Job)
				now = now.Add(10 * time.Minute)
			}
			now = now.Add(time.Hour)
			result, err = d.Resume(t.Context(), result.Job)
			require.NoError(t, err)
			require.Empty(t, result.Job)
			require.Len(t, result.Outcomes, 4)
			require.Len(t, b.members(list), 4)
			require.Equal(t, 4, b.asked("POST", "/api/subscribers"))
			b.ReleaseImport() // and where it wakes up all the same, it changes nothing
			require.Len(t, b.members(list), 4)
		})
	}
}

// TestWaitingCountsForNoImport: what begins after a long wait has all the time that an import may take.
func TestWaitingCountsForNoImport(t *testing.T) {
	b := startBench(t)
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	d := b.open(t, importing)
	d.now = func() time.Time { return now }
	ensure(t, d, champions)
	result, err := d.Apply(t.Context(), welcome(4, champions))
	require.NoError(t, err)
	now = now.Add(importPatience - time.Minute)
	result, err = d.Resume(t.Context(), result.Job)
	require.NoError(t, err)
	j, err := openJob(result.Job)
	require.NoError(t, err)
	require.NotEmpty(t, j.File)
	require.Equal(t, now, j.Since)
}

// TestImportWhoseAnswerIsLostIsRecognised loses the answer to the request that begins the import.
func TestImportWhoseAnswerIsLostIsRecognised(t *testing.T) {
	b := startBench(t)
	d := b.open(t, importing)
	list := ensure(t, d, champions)[0]
	result, err := d.Apply(t.Context(), welcome(4, champions))
	require.NoError(t, err)
	b.HoldImport()
	b.Fault(listmonktest.Fault{Kind: simulator.LostAnswer, Times: 1, Writes: true})
	result, err = d.Resume(t.Context(), result.Job)
	require.NoError(t, err)
	j, err := openJob(result.Job)
	require.NoError(t, err)
	require.NotEmpty(t, j.File, "the import that runs is ours")
	b.ReleaseImport()
	require.Len(t, b.follow(t, result, importing), 4)
	require.Len(t, b.members(list), 4)
}

func TestWithoutThePermissionToImportPeopleAreCreatedSingly(t *testing.T) {
	b := startBench(t)
	b.Restrict(listmonktest.SubscribersImport)
	d := b.open(t, importing)
	list := ensure(t, d, champions)[0]
	result, err := d.Apply(t.Context(), welcome(4, champions))
	require.NoError(t, err)
	require.Len(t, b.follow(t, result, importing), 4)
	require.Len(t, b.members(list), 4)
	require.Equal(t, 4, b.asked("POST", "/api/subscribers"))
	report, err := d.Check(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK())
	require.Contains(t, fmt.Sprint(report.Findings), "subscribers:import")
}

// TestConsentIsReadAgainWhenTheImporterIsFree lets newcomers sign up and leave while their import waits, and after it.
func TestConsentIsReadAgainWhenTheImporterIsFree(t *testing.T) {
	b := startBench(t)
	d := b.open(t, importing)
	list := ensure(t, d, champions)[0]
	changes := welcome(4, champions)
	b.HoldImport()
	b.importOfAnAdmin(t)
	result, err := d.Apply(t.Context(), changes)
	require.NoError(t, err)
	result, err = d.Resume(t.Context(), result.Job)
	require.NoError(t, err)
	require.NoError(t, b.Subscribe(changes[0].Person.Email, b.Newsletter(), unsubscribed)) // they came and went
	require.NoError(t, b.Subscribe(changes[1].Person.Email, b.Newsletter(), confirmed))    // they came
	b.ReleaseImport()
	b.HoldImport()
	result, err = d.Resume(t.Context(), result.Job) // ours is begun
	require.NoError(t, err)
	states := map[int64]string{}
	for _, o := range result.Outcomes {
		states[o.PersonID] = string(o.State) + " " + o.Reason
	}
	require.Equal(t, map[int64]string{changes[0].Person.ID: "withheld unsubscribed", changes[1].Person.ID: "delivered "}, states)
	require.NoError(t, b.Subscribe(changes[2].Person.Email, b.Newsletter(), unsubscribed)) // after we looked
	b.ReleaseImport()
	done := b.follow(t, connectors.Result{Job: result.Job}, importing)
	require.Equal(t, connectors.Withheld, done[changes[2].Person.ID].State)
	require.Equal(t, connectors.Delivered, done[changes[3].Person.ID].State)
	require.ElementsMatch(t, []string{changes[1].Person.Email, changes[3].Person.Email}, b.members(list))
	require.NotContains(t, b.Mailed(b.listID(list)), changes[2].Person.Email)
	require.NotContains(t, b.person(t, changes[0].Person.Email).Lists, b.listID(list))
}

// TestImportIsFollowedByPatches: whoever signed up a moment before keeps what others wrote and gets our attributes.
func TestImportIsFollowedByPatches(t *testing.T) {
	b := startBench(t)
	d := b.open(t, importing)
	list := ensure(t, d, champions)[0]
	changes := welcome(3, champions)
	b.HoldImport()
	result, err := d.Apply(t.Context(), changes)
	require.NoError(t, err)
	result, err = d.Resume(t.Context(), result.Job)
	require.NoError(t, err)
	b.call(t, "POST", "/api/subscribers", map[string]any{
		"email": changes[0].Person.Email, "name": "Herself", "attribs": map[string]any{"crm": 1}, "lists": []int{b.Newsletter()},
	})
	b.ReleaseImport()
	require.Len(t, b.follow(t, result, importing), 3)
	p := b.person(t, changes[0].Person.Email)
	require.Equal(t, "Herself", p.Name)
	require.Equal(t, map[string]any{"crm": float64(1), "perennial": map[string]any{"rfm": "545"}}, p.Attribs)
	require.Equal(t, 1, b.asked("PATCH", ""))
	require.Len(t, b.members(list), 3)
}

// TestKilledAtEveryStepOfAFirstLoad ends the process after each of its requests and lets another one go on with what was
// kept: the job, if one was returned, or nothing.
func TestKilledAtEveryStepOfAFirstLoad(t *testing.T) {
	steps := 0
	for step, killed := 1, true; killed; step++ {
		b := startBench(t)
		ctx, kill := context.WithCancel(t.Context())
		var requests atomic.Int64
		steps = step
		before(t, b, func(w http.ResponseWriter, r *http.Request) bool {
			b.ServeHTTP(w, r)
			if int(requests.Add(1)) == step {
				kill()
			}
			return true
		})
		changes := append(welcome(5, champions, atRisk), join(b.people(simulator.Subscribed)[0], champions))
		changes[3].Audiences = []string{atRisk.Key}
		settings := connectors.Settings{"import_from": 2, "list_batch": 4, "batch": 500}
		kept, killedAt := b.load(ctx, t, changes, settings)
		killed = killedAt
		kill()
		d := b.open(t, settings)
		lists := ensure(t, d, champions, atRisk)
		if kept != "" {
			b.follow(t, connectors.Result{Job: kept}, settings)
		}
		result, err := d.Apply(t.Context(), changes)
		require.NoError(t, err)
		b.follow(t, result, settings)
		result, err = d.Apply(t.Context(), changes)
		require.NoError(t, err)
		require.Empty(t, result.Job)
		for _, o := range result.Outcomes {
			require.Equal(t, connectors.Unchanged, o.State, "after %d requests: %s", step, o.Reason)
		}
		require.Len(t, b.members(lists[0]), 5, "after %d requests", step)
		require.Len(t, b.members(lists[1]), 5)
		require.LessOrEqual(t, b.asked("POST", "/api/subscribers"), 1, "after %d requests", step)
	}
	require.Greater(t, steps, 15)
}

// load brings people until it is done or called off, and returns the job that was kept then.
func (b *bench) load(ctx context.Context, t *testing.T, changes []connectors.Change, settings connectors.Settings) (kept connectors.Job, killed bool) {
	t.Helper()
	d := b.open(t, settings)
	if _, err := d.Ensure(ctx, []connectors.Audience{champions, atRisk}); err != nil {
		return "", true
	}
	result, err := d.Apply(ctx, changes)
	for err == nil && result.Job != "" {
		kept = result.Job
		result, err = d.Resume(ctx, kept)
	}
	if err != nil {
		return kept, true
	}
	return "", false
}

func TestRevokedTokenLeavesTheJob(t *testing.T) {
	b := startBench(t)
	d := b.open(t, importing)
	ensure(t, d, champions)
	result, err := d.Apply(t.Context(), welcome(4, champions))
	require.NoError(t, err)
	b.Revoke()
	_, err = d.Resume(t.Context(), result.Job)
	require.Equal(t, connectors.KindCredentials, connectors.KindOf(err), "which activation does not give a job up for")
	require.NotContains(t, err.Error(), "@")
}

func TestSkippedLinesOfALog(t *testing.T) {
	log := "2026/11/22 03:15:13.752762 importer.go:193: processing 'subs.csv'\n" +
		"2026/11/22 03:15:13.753314 importer.go:564: skipping line 4: Invalid email.: [BAD x {}]\n" +
		"2026/11/22 03:15:13.753344 importer.go:575: skipping invalid attributes JSON on line 5 for 'attr@example.com': invalid character\n" +
		"2026/11/22 03:15:14.687602 importer.go:534: skipping line 1. record on line 2: wrong number of fields\n" +
		"2026/11/22 03:15:13.753314 importer.go:564: skipping line 12: The domain is on the blocklist.: [a@example.com Ann {}]\n"
	require.Equal(t, map[int]string{4: "Invalid email", 12: "The domain is on the blocklist"}, skipped(log))
}

// TestJobsArePacked holds that what has to be kept of a first load stays small.
func TestJobsArePacked(t *testing.T) {
	j := job{Parts: []part{{List: 3}}}
	for i, c := range welcome(10_000, champions) {
		c.Attributes = map[string]string{"segment": "champions", "segment_name": "Champions", "rfm": "545", "since": "2026-11-02", "predicted_value": fmt.Sprint(i)}
		j.Parts[0].People = append(j.Parts[0].People, c)
	}
	text, err := j.text()
	require.NoError(t, err)
	require.Less(t, len(text), 1<<20)
	again, err := openJob(text)
	require.NoError(t, err)
	want, err := json.Marshal(j.Parts)
	require.NoError(t, err)
	got, err := json.Marshal(again.Parts)
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(got))
	require.Equal(t, commerce.ConsentSubscribed, again.Parts[0].People[9_999].Consent)
}
