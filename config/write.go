package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"github.com/perennial-cvo/perennial/config/secret"
)

// Write puts cfg into a commented file of mode 0600, whole or not at all. It refuses to replace a file that is there
// unless replace is set. Secrets stand in it as they are; settings such as consumer_key_env stand in it by name. What help,
// which may be nil, says of a connector's settings stands above them.
func Write(path string, cfg Config, help Help, replace bool) error {
	half, err := os.CreateTemp(filepath.Dir(path), ".perennial-*") // mode 0600
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	defer func() { _ = os.Remove(half.Name()) }() // gone after a rename
	_, err = half.WriteString(render(cfg, &page{help: help}))
	if err := errors.Join(err, half.Sync(), half.Close()); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	if !replace {
		err = os.Link(half.Name(), path) // unlike a rename, it fails where a file is
	}
	if _, there := os.Lstat(path); replace || err != nil && errors.Is(there, fs.ErrNotExist) { // or the disk knows no links
		err = os.Rename(half.Name(), path)
	}
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("configuration: %s is there already and is left as it is; name another file, or say that it may be replaced", path)
	}
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return nil
}

// Redacted returns cfg as a file with its secrets masked, for people to look at.
func Redacted(cfg Config) string { return render(cfg, &page{masked: true}) }

// page is a file that is being written.
type page struct {
	strings.Builder
	masked bool
	help   Help
}

// Help says in one line what a setting of a kind of connector is; nothing where it does not know.
type Help func(kind, setting string) string

func render(cfg Config, p *page) string {
	p.comment("Perennial's configuration. `perennial check` reads it, tries everything in it and says what is wrong.",
		"A secret may stand elsewhere: instead of name = \"...\" write name_env = \"VARIABLE\" or name_file = \"/path\".", "")
	p.comment("Marks what is Perennial's in shops and e-mail platforms: tags, lists and attributes begin with it.")
	p.set("prefix", cfg.Prefix)
	p.table("[database]", "PostgreSQL 14 or newer. Without a url Perennial runs a private one in data_dir.")
	p.option("url", cfg.Database.URL, "postgres://perennial@localhost/perennial?sslmode=disable")
	p.option("data_dir", cfg.Database.DataDir, "/var/lib/perennial")
	p.table("[health]", `Health, readiness and metrics; "" switches them off.`)
	p.set("listen", cfg.Health.Listen)
	p.table("[dashboard]", "Pages to look at, in the browser at this address; off until a password is set, or with \"\".")
	p.set("listen", cfg.Dashboard.Listen)
	p.option("password", cfg.Dashboard.Password, "$argon2id$...", "The hash that `perennial password` prints.")
	p.option("token", cfg.Dashboard.Token, "...", "For programs that read the API under /api/v1: 24 random characters or more.")
	p.option("url", cfg.Dashboard.URL, "https://shop.example/perennial", "Where browsers find it, if a proxy stands before it.")
	p.digest(cfg.Digest)
	p.table("[log]", "level: debug, info, warn, error. format: text, json.")
	p.set("level", cfg.Log.Level)
	p.set("format", cfg.Log.Format)
	for _, store := range cfg.Stores {
		p.store(store)
	}
	return p.String()
}

func (p *page) digest(d Digest) {
	p.table("[digest]", "A mail about every shop once a week; off while it goes to nobody.")
	p.option("to", d.To, []string{"owner@example.com"})
	p.option("from", d.From, "perennial@example.com")
	p.option("host", d.Host, "smtp.example.com", "The server that takes it.")
	p.option("port", d.Port, 587, "Left out: 587 for starttls, 465 for tls.")
	p.option("tls", d.TLS, StartTLS, "starttls, tls; none for a server on this machine.")
	p.option("username", d.Username, "perennial@example.com")
	p.option("password", d.Password, "...")
	p.option("weekday", d.Weekday, "monday", "When, by the shop's clock, once the night is done.")
	p.option("at", d.At, "08:00")
}

func (p *page) store(store Store) {
	p.table("[[stores]]", "A shop.")
	p.set("name", store.Name)
	p.set("kind", store.Kind)
	p.option("time_zone", store.TimeZone, "Europe/Berlin", "Left out: the shop's own.")
	if store.Schedule != "" {
		p.comment("When it runs, in the shop's time: minute, hour, day of month, month, day of week.")
		p.set("schedule", store.Schedule)
	} else {
		p.comment(`When it runs, in the shop's time. schedule = "0 3 * * *" would be the same.`)
		p.set("nightly_at", store.NightlyAt)
	}
	p.option("refresh", store.Refresh, "1h", "Between two nights: who just bought gets no win-back mail. Left out: never.")
	p.comment("net: goods less discounts and refunds. gross: refunds are left in. Tax and shipping count only where included here.")
	p.set("revenue", store.Revenue)
	p.set("include_tax", store.IncludeTax)
	p.set("include_shipping", store.IncludeShipping)
	p.option("purchase_statuses", store.PurchaseStatuses, []string{"processing", "completed"}, "Left out: what is usual for this kind of shop.")
	p.option("shared_emails", store.SharedEmails, []string{"counter@example.com"}, "Addresses that many customers share; they identify nobody.")
	p.comment("Who may be mailed. platform: people who are subscribed in the e-mail platform. shop: what the shop knows.",
		"owner: you have everybody's consent and can show it.")
	p.set("consent", store.Consent)
	p.comment("Write segments back into the shop as tags.")
	p.set("tags", store.Tags)
	p.table("[stores.settings]", "")
	p.settings(store.Kind, store.Settings)
	p.table("[stores.guard]", "A push that would take more than this share out of an audience of this size waits for your word.")
	p.set("shrink", store.Guard.Shrink)
	p.set("min_size", store.Guard.MinSize)
	p.option("short_history", store.Guard.ShortHistory, true, "Push though the key does not see older orders, so that an old customer may look new.")
	p.rfm(store.RFM)
	p.lifecycle(store.Lifecycle)
	p.worth(store.Worth)
	p.segments(store.Segments)
	writeMap(p, "[stores.holdout]", "Shares of people who are held out of audiences, to find out what the audiences bring.", store.Holdout)
	writeMap(p, "[stores.attributes]", "Names of your own for attributes.", store.Attributes)
	for _, rate := range store.Rates {
		p.table("[[stores.rates]]", "")
		p.set("currency", rate.Currency)
		p.set("from", rate.From)
		p.set("rate", rate.Rate)
	}
	if store.Reviews.Kind != "" {
		p.table("[stores.reviews]", "Where its reviews come from, in place of the shop.")
		p.set("kind", store.Reviews.Kind)
		p.table("[stores.reviews.settings]", "")
		p.settings(store.Reviews.Kind, store.Reviews.Settings)
	}
	for _, destination := range store.Destinations {
		p.destination(destination)
	}
}

func (p *page) rfm(rfm RFM) {
	p.table("[stores.rfm]", "How customers are scored: rank_min, quantile_cut, or thresholds of your own.")
	p.set("convention", rfm.Convention)
	p.option("preset", rfm.Preset, "usual", "Their groups: usual (eleven), shopify, klaviyo, omniconvert.")
	p.option("bins", rfm.Bins, 5)
	p.option("recency", rfm.Recency, []int{30, 90, 180, 365})
	p.option("frequency", rfm.Frequency, []int{1, 2, 4, 8})
	p.option("monetary", rfm.Monetary, []string{"50", "100", "250", "1000"})
	if len(rfm.Segments) > 0 {
		p.table("[stores.rfm.segments]", "Cells (recency, frequency, monetary; * for any) and the segment that they are.")
		for _, cell := range sortedKeys(rfm.Segments) {
			p.set(cell, rfm.Segments[cell])
		}
	}
}

// writeMap writes a table of values by key, where there are any.
func writeMap[T any](p *page, table, comment string, values map[string]T) {
	if len(values) == 0 {
		return
	}
	p.table(table, comment)
	for _, key := range sortedKeys(values) {
		p.set(key, values[key])
	}
}

func (p *page) lifecycle(lifecycle Lifecycle) {
	p.table("[stores.lifecycle]", "When an order is overdue, in multiples of the days expected between two of them.")
	p.option("interval", lifecycle.Interval, 90.0, "The shop's usual days from one purchase to the next. Left out: measured.")
	p.option("slipping", lifecycle.Slipping, 1.6)
	p.option("lapsed", lifecycle.Lapsed, 3.0)
	p.option("lost", lifecycle.Lost, 6.0)
}

func (p *page) worth(worth Worth) {
	p.table("[stores.worth]", "How far ahead customers' value is foretold, in days, and what money loses in a year.")
	p.option("horizon", worth.Horizon, 365)
	if worth.DiscountRate != nil {
		p.set("discount_rate", *worth.DiscountRate)
	} else {
		p.option("discount_rate", 0.0, 0.1)
	}
}

func (p *page) segments(segments []Segment) {
	for _, segment := range segments {
		p.table("[[stores.segments]]", "A segment of your own.")
		p.set("id", segment.ID)
		p.option("name", segment.Name, "Germans who come back")
		p.set("rule", segment.Rule)
		p.option("action", segment.Action, "Thank them.")
	}
	if len(segments) == 0 {
		p.WriteString("\n")
		p.comment("A segment of your own: whoever this is true of. docs/segments.md lists what a rule can ask about.",
			"[[stores.segments]]", `id = "regulars_de"`, `name = "German regulars"`, `rule = 'orders >= 3 and country == "DE"'`)
	}
}

func (p *page) destination(destination Destination) {
	p.table("[[stores.destinations]]", "Where audiences go.")
	p.set("name", destination.Name)
	p.set("kind", destination.Kind)
	p.option("audiences", destination.Audiences, []string{"rfm", "lifecycle_slipping"},
		"Keys of segments, or whole sets: rfm, lifecycle, tier, churn, own. Left out: rfm and own.")
	p.option("attributes", destination.Attributes, []string{"segment", "rfm"}, "Left out: all of them.")
	p.option("exclude", destination.Exclude, []string{"office@example.com"}, "Addresses that are never sent there.")
	p.table("[stores.destinations.settings]", "")
	p.settings(destination.Kind, destination.Settings)
}

func (p *page) settings(kind string, settings map[string]any) {
	for _, key := range sortedKeys(settings) {
		if isBlank(settings[key]) {
			continue
		}
		if p.help != nil {
			name := strings.TrimSuffix(strings.TrimSuffix(key, "_env"), "_file")
			if text := p.help(kind, name); text != "" {
				p.comment(text)
			}
		}
		p.set(key, settings[key])
	}
}

func (p *page) comment(lines ...string) {
	for _, line := range lines {
		p.WriteString(strings.TrimRight("# "+line, " ") + "\n")
	}
}

func (p *page) table(header, comment string) {
	p.WriteString("\n")
	if comment != "" {
		p.comment(comment)
	}
	p.WriteString(header + "\n")
}

func (p *page) set(key string, value any) {
	p.WriteString(tomlKey(key) + " = " + p.literal(value) + "\n")
}

// option writes a value, or where there is none an example that is commented out.
func (p *page) option(key string, value, example any, comments ...string) {
	p.comment(comments...)
	if literal := p.literal(value); literal != `""` && literal != "0" && literal != "0.0" && literal != "[]" && literal != "false" {
		p.set(key, value)
		return
	}
	p.WriteString("# " + tomlKey(key) + " = " + p.literal(example) + "\n")
}

func (p *page) literal(value any) string {
	switch value := value.(type) {
	case secret.Text:
		if p.masked {
			return quote(value.String())
		}
		return quote(value.Reveal())
	case string:
		if p.masked {
			value = userInfo.ReplaceAllString(value, "://***@")
		}
		return quote(value)
	case float64:
		text := strconv.FormatFloat(value, 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text
	case []string:
		return list(value, p.literal)
	case []int:
		return list(value, p.literal)
	case []any:
		return list(value, p.literal)
	case map[string]any:
		return p.inlineTable(value)
	default:
		return fmt.Sprint(value)
	}
}

// userInfo is what may stand before the host of an address.
var userInfo = regexp.MustCompile(`://[^/@\s]+@`)

func (p *page) inlineTable(table map[string]any) string {
	var pairs []string
	for key, value := range table {
		pairs = append(pairs, tomlKey(key)+" = "+p.literal(value))
	}
	sort.Strings(pairs)
	return "{" + strings.Join(pairs, ", ") + "}"
}

func list[T any](items []T, literal func(any) string) string {
	var texts []string
	for _, item := range items {
		texts = append(texts, literal(item))
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func tomlKey(key string) string {
	if bareKey.MatchString(key) {
		return key
	}
	return quote(key)
}

// quote writes a text as TOML reads it.
func quote(text string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, char := range text {
		switch {
		case char == '"' || char == '\\':
			out.WriteByte('\\')
			out.WriteRune(char)
		case char < ' ' || char == 0x7f:
			fmt.Fprintf(&out, `\u%04X`, char)
		default:
			out.WriteRune(char)
		}
	}
	out.WriteByte('"')
	return out.String()
}
