package config

import (
	"cmp"
	"fmt"
	"net"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/config/secret"
)

// Digest is the weekly mail about every shop, and the server that takes it; without anybody in To there is none.
type Digest struct {
	To       []string    `mapstructure:"to"`
	From     string      `mapstructure:"from"`
	Host     string      `mapstructure:"host"`
	Port     int         `mapstructure:"port"` // 0: what is usual for TLS
	TLS      string      `mapstructure:"tls"`  // starttls, tls, none
	Username string      `mapstructure:"username"`
	Password secret.Text `mapstructure:"password"`
	Weekday  string      `mapstructure:"weekday"` // monday
	At       string      `mapstructure:"at"`      // "08:00", by the shop's clock
}

// weekdays are the names of days, in the order of their numbers in a cron spec.
var weekdays = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

// The ways in which mail reaches its server.
const (
	StartTLS = "starttls"
	TLS      = "tls"
	NoTLS    = "none"
)

// On says whether there is anybody to write to.
func (d Digest) On() bool { return len(d.To) > 0 }

// Weekly returns the cron spec of the mail.
func (d Digest) Weekly() string {
	at, err := time.Parse("15:04", d.At)
	if err != nil {
		at = time.Date(0, 1, 1, 8, 0, 0, 0, time.UTC)
	}
	return fmt.Sprintf("%d %d * * %d", at.Minute(), at.Hour(), max(0, slices.Index(weekdays, strings.ToLower(d.Weekday))))
}

// PortOf returns the port of the server.
func (d Digest) PortOf() int {
	return cmp.Or(d.Port, map[string]int{StartTLS: 587, TLS: 465, NoTLS: 25}[d.TLS])
}

// IsHere says whether the server is on this machine, so that what goes there passes no line.
func (d Digest) IsHere() bool {
	ip := net.ParseIP(d.Host)
	return strings.EqualFold(d.Host, "localhost") || ip != nil && ip.IsLoopback()
}

func (r *reader) checkDigest(d Digest) {
	r.oneOf("digest.tls", d.TLS, StartTLS, TLS, NoTLS)
	r.oneOf("digest.weekday", strings.ToLower(d.Weekday), weekdays...)
	r.match("digest.at", d.At, dayTime, `a time of day, such as "08:00"`)
	if d.Port < 0 || d.Port > 65535 {
		r.add("digest.port", fmt.Sprintf("%d is no port", d.Port), "write 587 for starttls, 465 for tls, or leave it out")
	}
	for i, to := range d.To {
		r.checkMailbox(fmt.Sprintf("digest.to[%d]", i), to)
	}
	if !d.On() {
		return
	}
	r.match("digest.host", d.Host, hostText, `the name of the server that takes your mail, such as "smtp.example.com"`)
	if d.From == "" {
		r.add("digest.from", "missing", `write the address that the mail is to come from, such as "perennial@example.com"`)
	} else {
		r.checkMailbox("digest.from", d.From)
	}
	switch {
	case d.Username == "" && !d.Password.IsZero():
		r.add("digest.username", "missing", "write the name to which the password belongs")
	case d.Username != "" && d.Password.IsZero():
		r.add("digest.password", "missing", "write the password, better as password_env or password_file; or leave the username out where the server asks for none")
	case d.TLS == NoTLS && d.Username != "" && !d.IsHere():
		r.add("digest.tls", "the password would cross the network for everybody to read", `write "starttls" or "tls"; "none" is for a server on this machine`)
	}
}

// checkMailbox takes one bare address, as it goes to the server.
func (r *reader) checkMailbox(key, text string) {
	if parsed, err := mail.ParseAddress(text); err != nil || parsed.Address != text || strings.ContainsAny(text, "\r\n") {
		r.add(key, fmt.Sprintf("%q is not an e-mail address", text), `write it as "office@example.com"`)
	}
}
