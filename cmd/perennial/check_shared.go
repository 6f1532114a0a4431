package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/perennial-cvo/perennial/config"
	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/webhook"
)

// sharedPlatforms finds e-mail platforms to which several stores push. Lists and attributes carry the prefix and no store,
// so the stores would undo each other's work.
func sharedPlatforms(cfg config.Config) []connectors.Finding {
	var seen []place
	var findings []connectors.Finding
	for _, store := range cfg.Stores {
		for _, destination := range store.Destinations {
			at := placeOf(store.Name, destination)
			if source, _ := store.Settings["folder"].(string); source != "" && filepath.Clean(source) == at.folder {
				findings = append(findings, connectors.Finding{
					Level: connectors.Problem, Subject: "destination " + destination.Name,
					Text:   fmt.Sprintf("it writes into the folder %s, from which store %s is read", at.folder, store.Name),
					Remedy: "give it a folder of its own, or its files may be taken for exports of the shop",
				})
			}
			other := slices.IndexFunc(seen, at.isSame)
			if other < 0 {
				seen = append(seen, at)
				continue
			}
			findings = append(findings, at.sharedWith(seen[other]))
		}
	}
	return findings
}

// place is where a destination of a store is, as far as its settings tell. The key is compared and never shown.
type place struct {
	store, name, kind, folder, url, audience string
	key                                      secret.Text
	account                                  string // as the platform tells it; empty where it was not asked or does not
}

func placeOf(store string, destination config.Destination) place {
	setting := func(name string) secret.Text {
		switch value := destination.Settings[name].(type) {
		case secret.Text: // a secret, or given by a variable or a file
			return value
		case string:
			return secret.New(value)
		default:
			return secret.Text{}
		}
	}
	p := place{
		store: store, name: destination.Name, kind: destination.Kind, key: setting("api_key"), audience: setting("audience").Reveal(),
		url: strings.TrimRight(strings.ToLower(setting("url").Reveal()), "/"),
	}
	if folder := setting("folder").Reveal(); folder != "" {
		p.folder = filepath.Clean(folder)
	}
	return p
}

// isSame reports whether two destinations write to the same place. A webhook is told which store speaks. Platforms with
// keys have one address for everybody: there the key says whose account it is, and at Mailchimp the audience, whose id is
// nobody else's, whatever key opens it.
func (p place) isSame(q place) bool {
	if p.kind != q.kind || p.kind == webhook.Kind {
		return false
	}
	elsewhere := p.url != "" && q.url != "" && p.url != q.url
	switch {
	case p.folder != "" || q.folder != "":
		return p.folder == q.folder
	case p.audience != "" || q.audience != "":
		return p.audience == q.audience && !elsewhere
	case !p.key.IsZero() || !q.key.IsZero():
		return p.key.Equal(q.key) && !elsewhere
	default:
		return p.url != "" && p.url == q.url
	}
}

// meet notes whose account a destination writes to, and says so where an earlier one writes to the same with another key;
// what their settings tell has been said.
func (c *checklist) meet(store config.Store, name, account string) {
	at := slices.IndexFunc(store.Destinations, func(d config.Destination) bool { return d.Name == name })
	if at < 0 || account == "" {
		return
	}
	p := placeOf(store.Name, store.Destinations[at])
	p.account = account
	other := slices.IndexFunc(c.accounts, func(q place) bool { return q.kind == p.kind && q.account == account })
	if other < 0 {
		c.accounts = append(c.accounts, p)
	} else if !p.isSame(c.accounts[other]) {
		c.add(p.sharedWith(c.accounts[other]))
	}
}

// sharedWith says that a destination and an earlier one write to the same place.
func (p place) sharedWith(earlier place) connectors.Finding {
	who, remedy := fmt.Sprintf("stores %s and %s", earlier.store, p.store), "give each store an e-mail platform of its own, or push only one of them there"
	if earlier.store == p.store {
		who, remedy = fmt.Sprintf("destinations %s and %s of store %s", earlier.name, p.name, p.store), "make one destination of them"
	}
	return connectors.Finding{
		Level: connectors.Problem, Subject: "destination " + p.name,
		Text: fmt.Sprintf("%s push to the same %s, into the same lists and attributes", who, p.kind), Remedy: remedy,
	}
}
