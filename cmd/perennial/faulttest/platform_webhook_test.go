package faulttest

import (
	"errors"
	"fmt"

	"github.com/perennial-cvo/perennial/connectors/webhook/webhooktest"
)

const canaryWebhook = "whsec_Y2FuYXJ5MDAwMDAwMDAwMDAwMDAwMDAwMDBrM3k="

// webhookFront is a receiver of the owner's that decides by itself whom it mails. What its owner has beside is untouched.
type webhookFront struct{ *webhooktest.Server }

func (f webhookFront) kind() string { return "webhook" }

func (f webhookFront) settings(address string) string {
	return fmt.Sprintf("url = %q\nsecret_env = \"FAULTTEST_WEBHOOK\"\nsend_unknown = true\nbatch = 25\ntimeout = \"2s\"\n", address+"/hook")
}

func (f webhookFront) env() []string { return []string{"FAULTTEST_WEBHOOK=" + canaryWebhook} }

func (f webhookFront) secrets() []string { return []string{canaryWebhook} }

func (f webhookFront) sets() []string { return []string{"lifecycle", "tier", "churn", "own"} }

func (f webhookFront) stands() map[string]standing {
	all := map[string]standing{}
	for _, c := range f.Contacts() {
		all[c.Email] = standing{audiences: c.Audiences, attributes: c.Attributes}
	}
	return all
}

func (f webhookFront) foreign() map[string]string { return f.Own() }

// made are the addresses: a person who is there twice is one who was told of under two ids.
func (f webhookFront) made() []string {
	var all []string
	for _, c := range f.Contacts() {
		all = append(all, "contact "+c.Email)
	}
	return all
}

func (f webhookFront) mailed() map[string]bool {
	all := map[string]bool{}
	for _, c := range f.Contacts() {
		all[c.Email] = len(c.Audiences) > 0
	}
	return all
}

func (f webhookFront) willing(string) bool { return true }

func (f webhookFront) leave(string) error { return errors.New("nobody can unsubscribe at a webhook") }

func (f webhookFront) writes() []string {
	var all []string
	for _, r := range f.Requests() {
		if r.Write {
			all = append(all, r.Method+" "+r.Path)
		}
	}
	return all
}

func (f webhookFront) news() []tiding {
	var all []tiding
	for _, n := range f.News() {
		all = append(all, tiding{id: n.ID, email: n.Email, way: n.What, audience: n.Audience})
	}
	return all
}
