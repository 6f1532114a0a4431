package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/perennial-cvo/perennial/analysis/dashboard"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/schedule"
)

func newDigest(g *globals) *cobra.Command {
	var preview, send, asHTML bool
	cmd := &cobra.Command{
		Use:   "digest --preview | --send",
		Short: "Show or send the weekly mail about each shop",
		Long: "The daemon sends it once a week, where the configuration says to whom under [digest]. --preview shows what it would say\n" +
			"now; --send sends it now, beside the one of the week.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case preview == send:
				return fail(exitUsage, "command line: digest shows or sends", "give one of --preview and --send", nil)
			case send && asHTML:
				return fail(exitUsage, "flag --html is about --preview", "the mail has both forms anyway", nil)
			case send:
				return g.reading(cmd.Context(), func(ctx context.Context, s *shop) error { return s.sendDigest(ctx) })
			}
			return g.previewDigest(cmd.Context(), asHTML)
		},
	}
	cmd.Flags().BoolVar(&preview, "preview", false, "show what the mail would say")
	cmd.Flags().BoolVar(&send, "send", false, "send it now")
	cmd.Flags().BoolVar(&asHTML, "html", false, "show its HTML and not its text")
	return cmd
}

func (g *globals) previewDigest(ctx context.Context, asHTML bool) error {
	first := true
	return g.reading(ctx, func(ctx context.Context, s *shop) error {
		m, err := s.digest(ctx)
		if err != nil {
			return err
		}
		if !first {
			g.printf("\n")
		}
		first = false
		if asHTML {
			g.printf("%s", m.HTML)
			return nil
		}
		g.printf("Subject: %s\n\n%s", m.Subject, m.Text)
		return nil
	})
}

// digest writes the mail about the shop as of now.
func (s *shop) digest(ctx context.Context) (dashboard.Mail, error) {
	r, err := report.Collect(ctx, s.store(), report.Options{Now: s.app.now()})
	if err != nil {
		return dashboard.Mail{}, err
	}
	return dashboard.Digest(r, s.app.cfg.Dashboard.URL)
}

// sendDigest sends the mail now, whatever was sent before.
func (s *shop) sendDigest(ctx context.Context) error {
	if !s.app.cfg.Digest.On() {
		return fail(exitUsage, "the weekly mail goes to nobody", "name addresses as to under [digest] in the configuration", nil)
	}
	return s.step(ctx, schedule.Digest, func(ctx context.Context) (map[string]int, error) {
		n, err := s.postDigest(ctx, "by hand "+s.app.now().UTC().Format(time.RFC3339Nano), nil, func(string) error { return nil })
		if n > 0 {
			s.line("the weekly mail was sent to %s", of(n, "address"))
		}
		return map[string]int{"sent": n}, err
	})
}

// postDigest sends the mail of an occurrence to all whom it has not reached, and says how many it was.
func (s *shop) postDigest(ctx context.Context, occurrence string, have []string, reached func(string) error) (sent int, err error) {
	m, err := s.digest(ctx)
	if err != nil {
		return 0, err
	}
	var letters []letter
	for _, to := range s.app.cfg.Digest.To {
		if !slices.Contains(have, to) {
			letters = append(letters, letter{
				to: to, id: s.letterID(occurrence, to), subject: m.Subject, text: m.Text, html: m.HTML, date: s.app.now(),
			})
			have = append(have, to) // once, however often it stands there
		}
	}
	err = mailer{cfg: s.app.cfg.Digest}.send(ctx, letters, func(l letter) error {
		sent++
		return reached(l.to)
	})
	return sent, err
}

// letterID is the same whenever the same mail goes to the same person: if a crash makes it go twice, programs show it once.
func (s *shop) letterID(occurrence, to string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{s.app.cfg.Prefix, s.cfg.Name, occurrence, to}, "\x00")))
	_, domain, _ := strings.Cut(s.app.cfg.Digest.From, "@")
	return "perennial." + hex.EncodeToString(sum[:16]) + "@" + domain
}

// digest tries the server of the weekly mail.
func (c *checklist) digest(ctx context.Context, a *app) {
	d := a.cfg.Digest
	if !d.On() {
		return
	}
	c.part("weekly mail")
	if err := (mailer{cfg: d}).check(ctx); err != nil {
		c.fault(err)
		return
	}
	login := "takes mail without a login"
	if d.Username != "" {
		login = "lets " + d.Username + " in"
	}
	c.add(connectors.Finding{Subject: "server", Text: fmt.Sprintf("%s, port %d, %s", d.Host, d.PortOf(), login)})
	c.add(connectors.Finding{Subject: "sent", Text: fmt.Sprintf("to %s, on %s from %s on", of(len(d.To), "address"), strings.ToLower(d.Weekday), d.At)})
}
