package config

import (
	"fmt"
	"math/big"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/perennial-cvo/perennial/config/secret"
)

var (
	prefixText   = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,30}$`)
	nameText     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	kindText     = regexp.MustCompile(`^[a-z][a-z0-9]*$`)
	idText       = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)
	segmentText  = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	labelText    = regexp.MustCompile(`^[^\x00-\x1f\x7f]{1,60}$`)
	cellText     = regexp.MustCompile(`^[1-5*]{3}$`)
	currencyText = regexp.MustCompile(`^[A-Z]{3}$`)
	amountText   = regexp.MustCompile(`^-?[0-9]{1,15}(\.[0-9]{1,10})?$`)
	fieldText    = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	hostText     = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$|^::1$`)
	dayTime      = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
)

// shopTags is the destination name of a shop's own tags.
const shopTags = "shop"

// check looks at every value of a file whose shape is right.
func (r *reader) check(cfg Config) {
	r.match("prefix", cfg.Prefix, prefixText, "small letters, digits, - and _, beginning with a letter, 31 at most")
	r.checkDatabase(cfg.Database)
	r.checkListen("health.listen", cfg.Health.Listen)
	r.checkDashboard(cfg.Dashboard)
	r.checkDigest(cfg.Digest)
	r.oneOf("log.level", cfg.Log.Level, "debug", "info", "warn", "error")
	r.oneOf("log.format", cfg.Log.Format, "text", "json")
	if len(cfg.Stores) == 0 {
		r.add("", "no shop", "add a [[stores]] table, or let `perennial init` write one")
	}
	names := map[string]bool{}
	for i, store := range cfg.Stores {
		path := fmt.Sprintf("stores[%d]", i)
		r.checkName(path, store.Name, names)
		r.match(path+".kind", store.Kind, kindText, `the kind of shop, such as "woocommerce"`)
		r.checkStore(path, store)
		r.checkRFM(path+".rfm", store.RFM)
		r.checkLifecycle(path+".lifecycle", store.Lifecycle)
		r.checkWorth(path+".worth", store.Worth)
		r.checkSegments(path+".segments", store.Segments)
		r.checkNames(path+".attributes", store.Attributes)
		r.checkHoldout(path+".holdout", store.Holdout)
		if store.Reviews.Settings != nil { // the table stands there
			r.match(path+".reviews.kind", store.Reviews.Kind, kindText, `the kind of review platform, such as "judgeme"`)
		}
		r.checkDestinations(path, store.Destinations)
	}
}

func (r *reader) checkDatabase(database Database) {
	if address := database.URL.Reveal(); address != "" {
		parsed, err := url.Parse(address)
		isURL := err == nil && (parsed.Scheme == "postgres" || parsed.Scheme == "postgresql")
		if isPairs := !strings.Contains(address, "://") && strings.Contains(address, "="); !isURL && !isPairs {
			r.add("database.url", "not the address of a PostgreSQL server", `write "postgres://user:password@host:5432/name?sslmode=require", with special characters of the password as %xx`)
		}
	}
	if dir := database.DataDir; dir != "" && !filepath.IsAbs(dir) {
		r.add("database.data_dir", fmt.Sprintf("%q is not an absolute path", dir), "write the whole path")
	}
}

func hasPassword(address string) bool {
	if parsed, err := url.Parse(address); err == nil && parsed.Scheme != "" {
		_, given := parsed.User.Password()
		return given || parsed.Query().Has("password")
	}
	return strings.Contains(address, "password") || strings.Contains(address, "@")
}

func (r *reader) checkListen(key, listen string) {
	if listen == "" {
		return
	}
	_, port, err := net.SplitHostPort(listen)
	number, numErr := strconv.Atoi(port)
	if err != nil || numErr != nil || number < 0 || number > 65535 {
		r.add(key, fmt.Sprintf("%q is not an address to listen on", listen), `write host and port, such as "127.0.0.1:8378", or "" for none`)
	}
}

func (r *reader) checkDashboard(d Dashboard) {
	r.checkListen("dashboard.listen", d.Listen)
	if d.URL != "" {
		u, err := url.Parse(d.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			r.add("dashboard.url", fmt.Sprintf("%q is not an address of pages", d.URL), `write the one that you type into the browser, such as "https://shop.example/perennial"`)
		}
	}
	if hash := d.Password.Reveal(); hash != "" && !strings.HasPrefix(hash, "$argon2id$") {
		r.add("dashboard.password", "not the hash of a password", "`perennial password` asks for one and prints its hash")
	}
	if token := d.Token.Reveal(); token != "" && len(token) < minToken {
		r.add("dashboard.token", "too short to be safe", fmt.Sprintf("take %d random characters or more, such as `openssl rand -hex 24` prints", minToken))
	}
}

// minToken is how many characters the token of the API has at least.
const minToken = 24

func (r *reader) checkName(path, name string, seen map[string]bool) {
	r.match(path+".name", name, nameText, "letters, digits, dots, - and _, beginning with a letter or digit, 63 at most")
	lower := strings.ToLower(name)
	if name != "" && seen[lower] {
		r.add(path+".name", fmt.Sprintf("the name %q is taken, upper and lower case apart", name), "give each its own name")
	}
	seen[lower] = true
}

func (r *reader) checkStore(path string, store Store) {
	if zone := store.TimeZone; zone != "" {
		if _, err := time.LoadLocation(zone); err != nil || zone == "Local" {
			r.add(path+".time_zone", fmt.Sprintf("no time zone is called %q", zone), `write a name such as "Europe/Berlin", or leave it out to take the shop's own`)
		}
	}
	switch {
	case store.Schedule != "" && store.NightlyAt != "":
		r.add(path+".schedule", "both schedule and nightly_at are given", "keep one of them")
	case store.Schedule != "":
		r.checkSchedule(path+".schedule", store.Schedule)
	default:
		r.match(path+".nightly_at", store.NightlyAt, dayTime, `a time of day, such as "03:00"`)
	}
	if every, err := time.ParseDuration(store.Refresh); store.Refresh != "" && (err != nil || every < 15*time.Minute || every > 12*time.Hour) {
		r.add(path+".refresh", fmt.Sprintf("%q does not fit", store.Refresh), `write how often, "15m" to "12h", such as "1h", or leave it out`)
	}
	r.oneOf(path+".revenue", store.Revenue, "net", "gross")
	r.oneOf(path+".consent", store.Consent, "platform", "shop", "owner")
	r.noBlank(path+".purchase_statuses", store.PurchaseStatuses)
	r.addresses(path+".shared_emails", store.SharedEmails)
	r.checkRates(path+".rates", store.Rates)
	if share := store.Guard.Shrink; !(share >= 0 && share <= 1) {
		r.add(path+".guard.shrink", fmt.Sprintf("%v is no share", share), "write a number up to 1, such as 0.3; 0 lets audiences shrink as they like")
	}
	if size := store.Guard.MinSize; size < 0 {
		r.add(path+".guard.min_size", fmt.Sprintf("%d is no size", size), "write 0 or more")
	}
}

// checkSchedule refuses what the cron parser cannot read, panics at, or would never run.
func (r *reader) checkSchedule(key, spec string) {
	const remedy = `write five fields: minute, hour, day of month, month, day of week (0 to 6), such as "30 4 * * *"`
	defer func() {
		if recover() != nil {
			r.add(key, fmt.Sprintf("%q is not a cron spec", spec), remedy)
		}
	}()
	if len(strings.Fields(spec)) != 5 || strings.ContainsAny(spec, "@=") {
		r.add(key, fmt.Sprintf("%q has not five fields", spec), remedy+"; the zone is the shop's")
		return
	}
	plan, err := cron.ParseStandard(spec)
	if err != nil {
		r.add(key, err.Error(), remedy)
		return
	}
	if plan.Next(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		r.add(key, fmt.Sprintf("%q names a day that never comes", spec), remedy)
	}
}

func (r *reader) checkRates(path string, rates []Rate) {
	seen := map[string]bool{}
	for i, rate := range rates {
		key := fmt.Sprintf("%s[%d]", path, i)
		r.match(key+".currency", rate.Currency, currencyText, `three capitals, such as "USD"`)
		if _, err := time.Parse(time.DateOnly, rate.From); err != nil {
			r.add(key+".from", fmt.Sprintf("%q is no day", rate.From), `write it as "2026-01-31"`)
		}
		if amount, ok := number(rate.Rate); !ok || amount.Sign() <= 0 {
			r.add(key+".rate", fmt.Sprintf("%q is no rate", rate.Rate), `write a number above 0 in quotes, such as "0.9215"`)
		}
		if id := rate.Currency + rate.From; seen[id] {
			r.add(key, fmt.Sprintf("there are two rates of %s from %s", rate.Currency, rate.From), "keep one of them")
		} else {
			seen[id] = true
		}
	}
}

func (r *reader) checkRFM(path string, rfm RFM) {
	r.oneOf(path+".preset", rfm.Preset, "usual", "shopify", "klaviyo", "omniconvert")
	r.oneOf(path+".convention", rfm.Convention, "rank_min", "quantile_cut", "thresholds")
	if rfm.Bins != 0 && (rfm.Bins < 2 || rfm.Bins > 5) {
		r.add(path+".bins", fmt.Sprintf("%d bins", rfm.Bins), "write 2 to 5, or leave it out")
	}
	monetary := make([]*big.Rat, 0, len(rfm.Monetary))
	for i, text := range rfm.Monetary {
		amount, ok := number(text)
		if !ok {
			r.add(fmt.Sprintf("%s.monetary[%d]", path, i), fmt.Sprintf("%q is no amount", text), `write a number in quotes, such as "149.90"`)
			return
		}
		monetary = append(monetary, amount)
	}
	sizes := map[string]int{"recency": len(rfm.Recency), "frequency": len(rfm.Frequency), "monetary": len(monetary)}
	for _, key := range sortedKeys(sizes) {
		switch wanted := rfm.Convention == "thresholds"; {
		case wanted && (sizes[key] < 1 || sizes[key] > 4):
			r.add(path+"."+key, fmt.Sprintf("%d thresholds", sizes[key]), "give one to four, ascending: four make five groups")
		case !wanted && sizes[key] > 0:
			r.add(path+"."+key, "thresholds without effect", `set convention = "thresholds", or leave them out`)
		}
	}
	const remedy = "write them ascending, each once"
	if !ascending(rfm.Recency, func(a, b int) bool { return a < b }) {
		r.add(path+".recency", "thresholds out of order", remedy)
	}
	if !ascending(rfm.Frequency, func(a, b int) bool { return a < b }) {
		r.add(path+".frequency", "thresholds out of order", remedy)
	}
	if !ascending(monetary, func(a, b *big.Rat) bool { return a.Cmp(b) < 0 }) {
		r.add(path+".monetary", "thresholds out of order", remedy)
	}
	for _, cell := range sortedKeys(rfm.Segments) {
		r.match(path+".segments."+cell, cell, cellText, `a cell as recency, frequency, monetary, such as "555" or "5*4"`)
		r.match(path+".segments."+cell, rfm.Segments[cell], idText, `the id of a segment, such as "champions"`)
	}
}

// checkLifecycle leaves to the analysis how the limits have to follow each other.
func (r *reader) checkLifecycle(path string, lifecycle Lifecycle) {
	for key, value := range map[string]float64{
		"interval": lifecycle.Interval, "slipping": lifecycle.Slipping, "lapsed": lifecycle.Lapsed, "lost": lifecycle.Lost,
	} {
		if !(value >= 0 && value < 100*365) {
			r.add(path+"."+key, fmt.Sprintf("%v does not fit", value), "write a number above 0, or leave it out")
		}
	}
}

func (r *reader) checkWorth(path string, worth Worth) {
	if worth.Horizon < 1 || worth.Horizon > 3650 {
		r.add(path+".horizon", fmt.Sprintf("%d days", worth.Horizon), "write 1 to 3650, such as 365")
	}
	if rate := *worth.DiscountRate; !(rate >= 0 && rate < 1) {
		r.add(path+".discount_rate", fmt.Sprintf("%v does not fit", rate), "write what money loses in a year as a share, such as 0.1; 0 for nothing")
	}
}

// setWords stand for whole sets of audiences.
var setWords = []string{"rfm", "lifecycle", "tier", "churn", "own"}

// checkSegments leaves the rules themselves to the analysis.
func (r *reader) checkSegments(path string, segments []Segment) {
	ids, names := map[string]bool{}, map[string]bool{}
	for i, segment := range segments {
		key := fmt.Sprintf("%s[%d]", path, i)
		const want = "small letters and digits, with single _ between them, beginning with a letter, 40 at most"
		r.match(key+".id", segment.ID, segmentText, want)
		if len(segment.ID) > 40 {
			r.add(key+".id", fmt.Sprintf("%q does not fit", segment.ID), "write "+want)
		}
		if slices.Contains(setWords, segment.ID) {
			r.add(key+".id", fmt.Sprintf("%q stands for a whole set of segments", segment.ID), "choose another id")
		}
		if ids[segment.ID] && segment.ID != "" {
			r.add(key+".id", fmt.Sprintf("the id %q is taken", segment.ID), "give each its own id")
		}
		ids[segment.ID] = true
		if lower := strings.ToLower(segment.Name); lower != "" {
			r.match(key+".name", segment.Name, labelText, "one line of 60 characters at most")
			if names[lower] {
				r.add(key+".name", fmt.Sprintf("the name %q is taken, upper and lower case apart", segment.Name), "give each its own name")
			}
			names[lower] = true
		}
		if strings.TrimSpace(segment.Rule) == "" {
			r.add(key+".rule", "missing", `write what has to be true, such as 'orders >= 2 and country == "DE"'`)
		}
	}
}

// checkHoldout leaves to the program which audiences there are.
func (r *reader) checkHoldout(path string, shares map[string]float64) {
	for _, key := range sortedKeys(shares) {
		if share := shares[key]; !(share >= 0 && share <= 0.5) {
			r.add(joinKey(path, key), fmt.Sprintf("%v does not fit", share), "write a share of at most a half, such as 0.1; 0 holds out nobody")
		}
		if slices.Contains(setWords, key) {
			r.add(joinKey(path, key), fmt.Sprintf("%q stands for a whole set of audiences", key), "name single audiences: a person is held out of each by a lot of its own")
		}
	}
}

// takenNames are names under which destinations keep something else: the audiences of a person.
var takenNames = []string{"audiences", "tags"}

// checkNames leaves to the program which attributes there are.
func (r *reader) checkNames(path string, names map[string]string) {
	const want = "small letters and digits, with single _ between them, beginning with a letter, 40 at most"
	keys := map[string]string{}
	for _, key := range sortedKeys(names) {
		name, at := names[key], joinKey(path, key)
		switch r.match(at, name, fieldText, want); {
		case len(name) > 40:
			r.add(at, fmt.Sprintf("%q does not fit", name), "write "+want)
		case slices.Contains(takenNames, name):
			r.add(at, fmt.Sprintf("%q is where a person's audiences stand", name), "choose another name")
		case keys[name] != "":
			r.add(at, fmt.Sprintf("%s is called %q too", keys[name], name), "give each its own name")
		}
		keys[name] = key
	}
}

func ascending[T any](list []T, less func(a, b T) bool) bool {
	for i := 1; i < len(list); i++ {
		if !less(list[i-1], list[i]) {
			return false
		}
	}
	return true
}

func (r *reader) checkDestinations(path string, destinations []Destination) {
	names := map[string]bool{}
	for i, destination := range destinations {
		key := fmt.Sprintf("%s.destinations[%d]", path, i)
		r.checkName(key, destination.Name, names)
		if strings.EqualFold(destination.Name, shopTags) {
			r.add(key+".name", `"shop" stands for the shop's own tags`, "choose another name")
		}
		r.match(key+".kind", destination.Kind, kindText, `the kind of platform, such as "listmonk"`)
		r.noBlank(key+".audiences", destination.Audiences)
		r.noBlank(key+".attributes", destination.Attributes)
		r.addresses(key+".exclude", destination.Exclude)
	}
}

func (r *reader) match(key, value string, pattern *regexp.Regexp, want string) {
	switch {
	case value == "":
		r.add(key, "missing", "write "+want)
	case !pattern.MatchString(value):
		r.add(key, fmt.Sprintf("%q does not fit", value), "write "+want)
	}
}

func (r *reader) oneOf(key, value string, words ...string) {
	if !slices.Contains(words, value) {
		r.add(key, fmt.Sprintf("%q is not known", value), "write one of "+strings.Join(words, ", "))
	}
}

func (r *reader) noBlank(key string, list []string) {
	for i, item := range list {
		if strings.TrimSpace(item) == "" {
			r.add(fmt.Sprintf("%s[%d]", key, i), "empty", "leave it out")
		}
	}
}

func (r *reader) addresses(key string, list []string) {
	for i, item := range list {
		if !strings.Contains(item, "@") {
			r.add(fmt.Sprintf("%s[%d]", key, i), "not an e-mail address", `write it as "office@example.com"`)
		}
	}
}

// number reads a decimal number without losing a digit.
func number(text string) (*big.Rat, bool) {
	if !amountText.MatchString(text) {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

// isBlank reports whether a setting has no value.
func isBlank(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case string:
		return value == ""
	case secret.Text:
		return value.IsZero()
	default:
		return false
	}
}
