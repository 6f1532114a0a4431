package main

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/segment"
	"github.com/perennial-cvo/perennial/config"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/all"
	"github.com/perennial-cvo/perennial/sync/activation"
)

func TestStatuses(t *testing.T) {
	woo, ok := all.Find("woocommerce")
	require.True(t, ok)
	usual := statuses(woo, config.Store{})
	require.True(t, usual["completed"])
	require.False(t, usual["on-hold"])
	_, known := usual["shipped"]
	require.False(t, known)

	own := statuses(woo, config.Store{PurchaseStatuses: []string{"completed", "shipped"}})
	require.True(t, own["shipped"])
	require.True(t, own["completed"])
	require.False(t, own["processing"], "the owner's list is the whole list")
	require.True(t, woo.Statuses["processing"], "the connector's own table stays as it is")
	require.Equal(t, map[string]bool{"paid": true}, statuses(connectors.Factory{}, config.Store{PurchaseStatuses: []string{"paid"}}))
}

func TestPolicy(t *testing.T) {
	s := &shop{cfg: config.Store{
		Revenue: "gross", IncludeTax: true, SharedEmails: []string{" Counter@Shop.example "},
		Rates: []config.Rate{{Currency: "USD", From: "2026-01-01", Rate: "0.92"}},
	}}
	policy := s.policy("EUR")
	require.Equal(t, "EUR", policy.Currency)
	require.Equal(t, "gross", policy.Revenue)
	require.True(t, policy.IncludeTax)
	require.False(t, policy.IncludeShipping)
	require.Equal(t, []string{"counter@shop.example"}, policy.SharedEmails)
	require.Len(t, policy.Rates, 1)
	require.Equal(t, "0.92", policy.Rates[0].Rate)
}

func TestConsentMode(t *testing.T) {
	require.Equal(t, activation.ConsentPlatform, consentMode(config.Store{}))
	require.Equal(t, activation.ConsentOwner, consentMode(config.Store{Consent: "owner"}))
}

func TestAnalysisOptions(t *testing.T) {
	a := &app{globals: &globals{now: time.Now}}
	s := &shop{app: a, cfg: config.Store{Revenue: "gross", RFM: config.RFM{
		Convention: "thresholds", Recency: []int{30}, Frequency: []int{2}, Monetary: []string{"49.90"},
	}}}
	options, err := s.analysisOptions()
	require.NoError(t, err)
	require.Equal(t, analysis.Gross, options.Basis)
	require.Equal(t, []int64{499000}, options.Rule.Monetary)

	s.cfg.RFM.Preset, s.cfg.Lifecycle.Interval = "klaviyo", 45
	s.cfg.Segments = []config.Segment{{ID: "vip", Name: "VIP", Rule: "net > 1000", Action: "Call."}}
	options, err = s.analysisOptions()
	require.NoError(t, err)
	require.Equal(t, "klaviyo", options.Preset)
	require.Equal(t, segment.Lifecycle{Interval: 45}, options.Lifecycle)
	require.Equal(t, []segment.Own{{ID: "vip", Name: "VIP", Rule: "net > 1000", Action: "Call."}}, options.Own)

	s.cfg.RFM.Monetary = []string{"much"}
	_, err = s.analysisOptions()
	code, remedy := classify(err)
	require.Equal(t, exitUsage, code)
	require.Contains(t, remedy, "49.90")
}

func target(t *testing.T, cfg config.Store, d config.Destination) (activation.Target, error) {
	t.Helper()
	listmonk, ok := all.Find("listmonk")
	require.True(t, ok)
	cfg.Guard = config.Guard{Shrink: 0.3, MinSize: 50}
	sets, err := newAudienceSets(cfg, "")
	require.NoError(t, err)
	return (&shop{cfg: cfg}).target(d, listmonk, sets)
}

func keys(t activation.Target) []string {
	var keys []string
	for _, a := range t.Audiences {
		keys = append(keys, a.Key)
	}
	return keys
}

func TestTarget(t *testing.T) {
	usual, err := target(t, config.Store{}, config.Destination{Name: "letters"})
	require.NoError(t, err)
	require.Len(t, usual.Audiences, 11)
	require.Equal(t, activation.Attributes(), usual.Attributes)
	require.True(t, usual.NeedsConsent)
	require.Equal(t, activation.Guard{Shrink: 0.3, MinSize: 50}, usual.Guard)

	some, err := target(t, config.Store{}, config.Destination{
		Audiences: []string{"lost"}, Attributes: []string{"rfm"}, Exclude: []string{" Office@Shop.example"},
	})
	require.NoError(t, err)
	require.Equal(t, []connectors.Audience{{Key: "lost", Name: "Lost"}}, some.Audiences)
	require.Equal(t, []string{"rfm"}, some.Attributes)
	require.Equal(t, []string{"office@shop.example"}, some.Exclude)
	require.Len(t, some.Names, 11)

	_, err = target(t, config.Store{}, config.Destination{Audiences: []string{"friends"}})
	require.ErrorContains(t, err, `unknown audience "friends"`)
	code, remedy := classify(err)
	require.Equal(t, exitUsage, code)
	require.Contains(t, remedy, "rfm, lifecycle, tier, churn, own, champions, ")
	require.Contains(t, remedy, "lifecycle_won_back")
	_, err = target(t, config.Store{}, config.Destination{Attributes: []string{"shoe_size"}})
	require.ErrorContains(t, err, `unknown attribute "shoe_size"`)
}

func TestNamesOfAttributes(t *testing.T) {
	for text, names := range map[string]map[string]string{
		"":                             {"segment": "kundengruppe", "r": "r"},
		`unknown attribute "shoe"`:     {"shoe": "size"},
		`cannot be called "lifecycle"`: {"segment": "lifecycle"},
	} {
		err := checkDestinations(config.Store{Name: "garden", Attributes: names})
		if text == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, text)
	}
	renamed, err := target(t, config.Store{Attributes: map[string]string{"rfm": "notes"}}, config.Destination{Name: "letters"})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"rfm": "notes"}, renamed.Renamed)
}

// TestWhoDecidesWhoIsDue in an audience of which a share is held out: destinations that mail it, or else those that have it.
func TestWhoDecidesWhoIsDue(t *testing.T) {
	has := func(mails bool, keys ...string) receiver {
		r := receiver{target: activation.Target{NeedsConsent: mails}}
		for _, key := range keys {
			r.target.Audiences = append(r.target.Audiences, connectors.Audience{Key: key})
		}
		return r
	}
	list := []receiver{has(false, "lost", "vip"), has(true, "lost"), has(true, "lost", "loyal"), has(true)}
	s := &shop{cfg: config.Store{Holdout: map[string]float64{"lost": 0.1, "vip": 0.2, "nowhere": 0.3}}}
	s.holdOut(list)
	var exposes [][]string
	for _, r := range list {
		exposes = append(exposes, r.target.Exposes)
		require.Equal(t, s.cfg.Holdout, r.target.Holdout)
	}
	require.Equal(t, [][]string{{"vip"}, {"lost"}, {"lost"}, nil}, exposes)
	s.cfg.Holdout = nil
	s.holdOut(list)
	require.NotNil(t, list[0].target.Holdout, "so that trials end")
	require.ErrorContains(t, checkDestinations(config.Store{Holdout: map[string]float64{"friends": 0.1}}), `unknown audience "friends"`)
	require.NoError(t, checkDestinations(config.Store{Holdout: map[string]float64{"lifecycle_lapsed": 0.1}}))
}

func TestTargetsOfEverySet(t *testing.T) {
	cfg := config.Store{RFM: config.RFM{Preset: "shopify"}, Segments: []config.Segment{{ID: "vip", Rule: "net > 1000"}}}
	for name, c := range map[string]struct {
		asked, want []string
	}{
		"nothing":       {nil, []string{"champions", "loyal", "active", "new", "promising", "needs_attention", "at_risk", "previously_loyal", "almost_lost", "dormant", "vip"}},
		"sets":          {[]string{"churn", "own"}, []string{"churn_high", "churn_medium", "churn_low", "vip"}},
		"set and key":   {[]string{"own", "tier_top"}, []string{"tier_top", "vip"}},
		"prospects":     {[]string{"prospects"}, []string{"prospects"}},
		"stages":        {[]string{"lifecycle"}, []string{"lifecycle_prospect", "lifecycle_first_time", "lifecycle_active", "lifecycle_won_back", "lifecycle_slipping", "lifecycle_lapsed", "lifecycle_lost"}},
		"not in use":    {[]string{"recent"}, nil},
		"twice is once": {[]string{"tier", "tier_top"}, []string{"tier_top", "tier_high", "tier_middle", "tier_low"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := target(t, cfg, config.Destination{Audiences: c.asked})
			require.NoError(t, err)
			require.Equal(t, c.want, keys(got))
			require.Equal(t, "prospects", got.Prospects)
		})
	}
}

// Groups are those of the last analysis: of another preset, or fewer, until the next one.
func TestTargetsFollowTheLastAnalysis(t *testing.T) {
	sets, err := newAudienceSets(config.Store{RFM: config.RFM{Preset: "klaviyo"}}, `{"preset": "shopify", "groups": 2}`)
	require.NoError(t, err)
	require.Equal(t, []connectors.Audience{{Key: "recent", Name: "Recent"}, {Key: "inactive", Name: "Inactive"}}, sets.wanted([]string{"rfm"}))
	target := activation.Target{}
	sets.direct(&target, []string{"rfm"})
	require.Empty(t, target.Prospects)
}

func TestNamesOfAudiencesAreUnique(t *testing.T) {
	for _, preset := range segment.Presets() {
		sets, err := newAudienceSets(config.Store{RFM: config.RFM{Preset: preset.ID}, Segments: []config.Segment{{ID: "vip", Rule: "net > 1000"}}}, "")
		require.NoError(t, err)
		seen := map[string]bool{}
		for _, set := range sets.sets {
			for _, a := range set.audiences {
				require.False(t, seen[a.Key] || seen[strings.ToLower(a.Name)], "%s: %v", preset.ID, a)
				seen[a.Key], seen[strings.ToLower(a.Name)] = true, true
			}
		}
	}
}

func TestRulesOfTheOwnerAreCheckedAtTheStart(t *testing.T) {
	for name, c := range map[string]struct {
		store config.Store
		says  []string
	}{
		"a field":     {config.Store{Segments: []config.Segment{{ID: "vip", Rule: "net > 5 and\n odrers > 2"}}}, []string{`segment "vip"`, "line 2, column 2", "did you mean orders"}},
		"a name":      {config.Store{Segments: []config.Segment{{ID: "vip", Name: "champions", Rule: "net > 5"}}}, []string{`segment "vip"`, `"champions" is that of another`}},
		"an id":       {config.Store{Segments: []config.Segment{{ID: "tier_best", Rule: "net > 5"}}}, []string{`"tier_best"`}},
		"a group":     {config.Store{RFM: config.RFM{Preset: "klaviyo"}, Segments: []config.Segment{{ID: "vip", Rule: `rfm_segment == "hibernating"`}}}, []string{"hibernating"}},
		"a cell":      {config.Store{RFM: config.RFM{Segments: map[string]string{"555": "friends"}}}, []string{"rfm.segments", "friends"}},
		"a lifecycle": {config.Store{Lifecycle: config.Lifecycle{Lapsed: 1.2}}, []string{"lifecycle", "ascending"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.store.Name = "garden"
			_, err := analysisOptions(c.store)
			require.ErrorContains(t, err, "configuration: store garden")
			for _, text := range c.says {
				require.ErrorContains(t, err, text)
			}
			code, _ := classify(err)
			require.Equal(t, exitUsage, code)
		})
	}
}

func TestConfirmedAudiencesAreKnown(t *testing.T) {
	sets, err := newAudienceSets(config.Store{}, "")
	require.NoError(t, err)
	for _, name := range []string{"at_risk", "Cannot lose them", "lifecycle_lost", "Lifecycle: Lost", "top value"} {
		require.True(t, sets.knows(name), name)
	}
	require.False(t, sets.knows("friends"))
}

func TestPlanIsPrinted(t *testing.T) {
	var out strings.Builder
	s := &shop{app: &app{globals: &globals{streams: streams{out: &out}}}, cfg: config.Store{Name: "garden"}}
	s.printPlan("letters", activation.Plan{
		Changes: 1234, Unchanged: 5,
		Audiences: []activation.Difference{{Audience: connectors.Audience{Key: "lost", Name: "Lost"}, Before: 1200, Join: 3, Leave: 1100, After: 103}},
		Withheld:  map[string]int{"unsubscribed": 2, "not in the platform": 1500, "no e-mail address": 2},
		Refused:   map[string]int{"Invalid email": 7},
		Retries:   []activation.Retry{{Reason: "no answer", People: 1001, NextTry: time.Date(2026, 3, 1, 4, 30, 0, 0, time.UTC)}},
		Pending:   9,
		Held:      []activation.Hold{{Audience: connectors.Audience{Key: "lost", Name: "Lost"}, Before: 1200, After: 103}, {Audience: connectors.Audience{Key: "vip", Name: "VIP"}, Before: 12}},
	})
	require.Equal(t, `garden -> letters: 1,234 people to write, 5 as they should be
  audience                     now      join     leave      then
  Lost                       1,200         3     1,100       103
  left out: 1,500 not in the platform, 2 no e-mail address, 2 unsubscribed
  refused by the platform, not tried again as they are: 7 Invalid email
  to be tried again: 1,001 no answer, due from 2026-03-01 04:30 UTC on
  waiting for the platform: 9 in jobs that it has not finished
  HELD: Lost would go from 1,200 to 103
  HELD: VIP would go from 12 to 0
  if that is right: perennial push --confirm lost,vip
`, out.String())

	out.Reset()
	s.printPlan("letters", activation.Plan{Changes: 1, Audiences: []activation.Difference{
		{Audience: connectors.Audience{Key: "tea", Name: "Regulars who drink 緑茶 and slip"}, Join: 1, After: 1},
	}})
	require.Equal(t, `garden -> letters: 1 person to write, 0 as they should be
  audience                               now      join     leave      then
  Regulars who drink 緑茶 and slip         0         1         0         1
`, out.String())
}

func TestTally(t *testing.T) {
	summary := activation.Summary{
		Delivered: 1000, Refused: 2, RetryLater: 1, Pending: 4, Withheld: map[string]int{"unsubscribed": 3},
		Plan: activation.Plan{Unchanged: 7, Withheld: map[string]int{"no e-mail address": 9}},
	}
	require.Equal(t, "1,000 people delivered, 7 already as they should be, 3 withheld now, 2 refused, 1 to be tried again, "+
		"4 waiting for the platform; left out: 9 no e-mail address", tally(summary))
	require.Equal(t, map[string]int{"delivered": 1000, "refused": 2, "retry_later": 1, "pending": 4, "withheld": 3}, outcomes(summary))
}

func TestCount(t *testing.T) {
	for n, text := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		require.Equal(t, text, count(n))
	}
	require.Equal(t, "1 order", of(1, "order"))
	require.Equal(t, "0 orders", of(0, "order"))
}

func TestProgressIsLoggedNowAndThen(t *testing.T) {
	var log strings.Builder
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	p := &progress{log: slog.New(slog.NewTextHandler(&log, nil)), now: func() time.Time { return now }}
	for done := 0; done <= 300; done += 10 { // one step a second
		p.step("orders", done, 600)
		now = now.Add(time.Second)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	require.Len(t, lines, 3, "every ten seconds")
	require.Contains(t, lines[0], "step=orders done=100 total=600 left=50s")
	p.finish()

	log.Reset()
	now = now.Add(time.Minute)
	p.step("reviews", 5, 0) // another step begins anew
	now = now.Add(time.Minute)
	p.step("reviews", 6, 0)
	require.NotContains(t, log.String(), "total", "nobody knows how many")
	require.Equal(t, 1, strings.Count(log.String(), "\n"))
}

func TestWaitingIsLoggedNowAndThen(t *testing.T) {
	var log strings.Builder
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	p := &progress{log: slog.New(slog.NewTextHandler(&log, nil)), now: func() time.Time { return now }}
	for range 26 {
		p.wait("orders", "the shop")
		now = now.Add(time.Second)
	}
	p.finish()
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	require.Len(t, lines, 2, "every ten seconds")
	require.Contains(t, lines[1], `msg="waiting for the shop" step=orders since=20s`)
}

func TestRemaining(t *testing.T) {
	require.Equal(t, 30*time.Second, remaining(10*time.Second, 25, 100))
	require.Zero(t, remaining(10*time.Second, 0, 100))
	require.Zero(t, remaining(10*time.Second, 100, 100))
	require.Zero(t, remaining(10*time.Second, 5, 0))
}

func TestHarmlessCells(t *testing.T) {
	for given, want := range map[string]string{"": "", "ann": "ann", "=1+1": "'=1+1", "@x": "'@x", "-5": "'-5", "\tx": "'\tx"} {
		require.Equal(t, want, harmless(given))
	}
}

func TestLogger(t *testing.T) {
	for _, tt := range []struct {
		g             globals
		level, format string
		lines         int
		first         string
	}{
		{globals{}, "info", "text", 2, "level=INFO"},
		{globals{}, "warn", "text", 1, "level=WARN"},
		{globals{verbose: true}, "error", "text", 3, "level=DEBUG"},
		{globals{quiet: true}, "debug", "text", 1, "level=WARN"},
		{globals{}, "info", "json", 2, `"level":"INFO"`},
	} {
		var out strings.Builder
		tt.g.err = &out
		log := tt.g.logger(tt.level, tt.format)
		log.Debug("a")
		log.Info("b")
		log.Warn("c")
		require.Equal(t, tt.lines, strings.Count(out.String(), "\n"))
		require.Contains(t, strings.SplitN(out.String(), "\n", 2)[0], tt.first)
	}
}

func TestKinds(t *testing.T) {
	require.Equal(t, "woocommerce, shopify, csvfile", kinds(isSource))
	require.Equal(t, "csvfile, listmonk, klaviyo, mailchimp, brevo, webhook", kinds(isMailer))
	require.Equal(t, "judgeme, yotpo", kinds(isReviewer), "which are no shops")
}

func TestSettingsAreTyped(t *testing.T) {
	woo, _ := all.Find("woocommerce")
	require.Equal(t, map[string]any{
		"allow_query_auth": true, "off": false, "url": "true north", "page_size": int64(20), "consumer_key": "123", "interval": "2s",
		"consumer_secret_file": "7",
	}, asSettings(woo, map[string]string{
		"allow_query_auth": "true", "off": "false", "url": "true north", "page_size": "20", "consumer_key": "123", "interval": "2s",
		"consumer_secret_file": "7",
	}))
}

func TestTimeOfDay(t *testing.T) {
	require.NoError(t, timeOfDay("03:00"))
	for _, wrong := range []string{"", "25:00", "3:00", "03:00pm", "noon"} {
		require.Error(t, timeOfDay(wrong), wrong)
	}
}

func TestCheckFindings(t *testing.T) {
	var out strings.Builder
	c := &checklist{g: &globals{streams: streams{out: &out}}}
	c.add(connectors.Finding{Subject: "version", Text: "11.0.1"})
	c.add(connectors.Finding{Level: connectors.Notice, Subject: "connection", Text: "plain http", Remedy: "use https"})
	require.NoError(t, c.verdict())
	require.Contains(t, out.String(), "everything is in order")
	c.add(connectors.Finding{Level: connectors.Problem, Subject: "clock", Text: "late", Remedy: "set it"})
	c.fault(&connectors.Error{Kind: connectors.KindCredentials, Op: "check", Remedy: "make a new key"})
	code, _ := classify(c.verdict())
	require.Equal(t, exitCredentials, code, "what failed says more than what was found")
	require.Contains(t, out.String(), "what to do: make a new key")
}
