// Package config reads the one file that an owner writes, with secrets from environment or files, into a checked
// Config. It knows connector kinds by name only: their settings stay undecoded for the connector itself.
package config

import (
	"time"

	"github.com/perennial-cvo/perennial/config/secret"
)

// Config is the whole configuration, checked.
type Config struct {
	Prefix    string    `mapstructure:"prefix"` // marks what is ours in shops and platforms; "perennial"
	Database  Database  `mapstructure:"database"`
	Health    Health    `mapstructure:"health"`
	Dashboard Dashboard `mapstructure:"dashboard"`
	Digest    Digest    `mapstructure:"digest"`
	Log       Log       `mapstructure:"log"`
	Stores    []Store   `mapstructure:"stores"`
}

// Database says where Postgres is. Without a URL, Perennial runs a private one in DataDir.
type Database struct {
	URL     secret.Text `mapstructure:"url"`
	DataDir string      `mapstructure:"data_dir"`
}

// Health is the local HTTP server for health, readiness and metrics; an empty Listen switches it off.
type Health struct {
	Listen string `mapstructure:"listen"`
}

// Dashboard is the server of pages and of the API; an empty Listen switches it off, and without a password or token it is off
// as well.
type Dashboard struct {
	Listen   string      `mapstructure:"listen"`
	URL      string      `mapstructure:"url"`      // under which browsers reach it, where a proxy stands before it
	Password secret.Text `mapstructure:"password"` // argon2id hash, as `perennial password` writes it
	Token    secret.Text `mapstructure:"token"`    // for the API
}

// Log says how much is logged and how.
type Log struct {
	Level  string `mapstructure:"level"`  // debug, info, warn, error
	Format string `mapstructure:"format"` // text, json
}

// Store is one shop.
type Store struct {
	Name     string         `mapstructure:"name"`
	Kind     string         `mapstructure:"kind"`
	Settings map[string]any `mapstructure:"settings"` // the connector's own; secrets are secret.Text
	TimeZone string         `mapstructure:"time_zone"`

	NightlyAt string `mapstructure:"nightly_at"` // "03:00", the shop's local time
	Schedule  string `mapstructure:"schedule"`   // cron spec of five fields instead, the shop's local time

	Refresh string `mapstructure:"refresh"` // how often between two nights, such as "1h"; empty: not at all

	Revenue          string   `mapstructure:"revenue"` // net or gross
	IncludeTax       bool     `mapstructure:"include_tax"`
	IncludeShipping  bool     `mapstructure:"include_shipping"`
	PurchaseStatuses []string `mapstructure:"purchase_statuses"` // empty: the connector's table
	SharedEmails     []string `mapstructure:"shared_emails"`     // addresses that are not one person
	Rates            []Rate   `mapstructure:"rates"`

	RFM       RFM       `mapstructure:"rfm"`
	Lifecycle Lifecycle `mapstructure:"lifecycle"`
	Worth     Worth     `mapstructure:"worth"`
	Segments  []Segment `mapstructure:"segments"` // the owner's own

	Consent string `mapstructure:"consent"` // platform, shop, owner
	Tags    bool   `mapstructure:"tags"`    // write segments back into the shop
	Guard   Guard  `mapstructure:"guard"`

	// Holdout are the shares of people who are held out of audiences, by key, to find out what the audiences bring.
	Holdout map[string]float64 `mapstructure:"holdout"`

	Attributes map[string]string `mapstructure:"attributes"` // names under which attributes are written, by key

	Reviews Reviews `mapstructure:"reviews"` // where they come from; the zero value is the shop itself

	Destinations []Destination `mapstructure:"destinations"`
}

// Reviews is a review platform that keeps a store's reviews.
type Reviews struct {
	Kind     string         `mapstructure:"kind"`
	Settings map[string]any `mapstructure:"settings"`
}

// Rate converts another currency from a day on, until the next rate of the same currency.
type Rate struct {
	Currency string `mapstructure:"currency"`
	From     string `mapstructure:"from"` // day, 2006-01-02
	Rate     string `mapstructure:"rate"` // units of the store's currency for one of this currency; quoted, so that no digit is lost
}

// RFM says how customers are scored and grouped.
type RFM struct {
	Preset     string            `mapstructure:"preset"`     // usual, shopify, klaviyo, omniconvert
	Convention string            `mapstructure:"convention"` // rank_min, quantile_cut, thresholds
	Bins       int               `mapstructure:"bins"`       // 0: five, or fewer for few customers
	Recency    []int             `mapstructure:"recency"`    // for thresholds: days, ascending
	Frequency  []int             `mapstructure:"frequency"`  // for thresholds: orders, ascending
	Monetary   []string          `mapstructure:"monetary"`   // for thresholds: amounts, ascending
	Segments   map[string]string `mapstructure:"segments"`   // cells such as "555" or "5*4" to a segment id; overrides the map
}

// Lifecycle says when an order is overdue; see segment.Lifecycle. What is zero has its default.
type Lifecycle struct {
	Interval float64 `mapstructure:"interval"` // the shop's usual days between purchases; 0: measured
	Slipping float64 `mapstructure:"slipping"`
	Lapsed   float64 `mapstructure:"lapsed"`
	Lost     float64 `mapstructure:"lost"`
}

// Worth says how what customers will be worth is foretold.
type Worth struct {
	Horizon      int      `mapstructure:"horizon"`       // days ahead; 365 where left out
	DiscountRate *float64 `mapstructure:"discount_rate"` // what money loses in a year; 0.1 where left out; nil only before Load
}

// Segment is one of the owner's own segments.
type Segment struct {
	ID     string `mapstructure:"id"`
	Name   string `mapstructure:"name"`
	Rule   string `mapstructure:"rule"`
	Action string `mapstructure:"action"`
}

// Guard stops pushes that look like a mistake.
type Guard struct {
	Shrink  float64 `mapstructure:"shrink"`   // largest share of an audience that may leave at once
	MinSize int     `mapstructure:"min_size"` // of the audiences to which it applies
	// ShortHistory lets pushes go on where the key does not see older orders, so that an old customer may look new.
	ShortHistory bool `mapstructure:"short_history"`
}

// Destination is an e-mail platform or another receiver of audiences.
type Destination struct {
	Name     string         `mapstructure:"name"`
	Kind     string         `mapstructure:"kind"`
	Settings map[string]any `mapstructure:"settings"`
	// Audiences are keys of audiences, or the words rfm, lifecycle, tier, churn and own for whole sets; empty: rfm and own.
	Audiences  []string `mapstructure:"audiences"`
	Attributes []string `mapstructure:"attributes"` // empty: all
	Exclude    []string `mapstructure:"exclude"`    // addresses never sent there
}

// RefreshEvery is how often the store is looked at between two nights; 0: not at all.
func (s Store) RefreshEvery() time.Duration {
	every, err := time.ParseDuration(s.Refresh)
	if err != nil {
		return 0
	}
	return every
}

// Nightly returns the cron spec of the store's schedule.
func (s Store) Nightly() string {
	if s.Schedule != "" {
		return s.Schedule
	}
	at, err := time.Parse("15:04", s.NightlyAt)
	if err != nil {
		return "0 3 * * *"
	}
	return at.Format("4 15 * * *")
}
