package faulttest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/perennial-cvo/perennial/connectors/klaviyo/klaviyotest"
)

const canaryKlaviyo = "pk_canary000000000000000000000000k3y"

// klaviyoFront is a Klaviyo account to which events go as well.
type klaviyoFront struct{ *klaviyotest.Server }

func (f klaviyoFront) kind() string { return "klaviyo" }

func (f klaviyoFront) settings(address string) string {
	return fmt.Sprintf("url = %q\napi_key_env = \"FAULTTEST_KLAVIYO\"\nevents = true\nbatch = 25\nlist_batch = 15\n", address)
}

func (f klaviyoFront) env() []string { return []string{"FAULTTEST_KLAVIYO=" + canaryKlaviyo} }

func (f klaviyoFront) secrets() []string { return []string{canaryKlaviyo} }

// sets are those whose groups do not change with the number of customers, so that every move is news.
func (f klaviyoFront) sets() []string { return []string{"lifecycle", "own"} }

func (f klaviyoFront) stands() map[string]standing {
	all := map[string]standing{}
	for _, p := range f.People() {
		s := standing{attributes: fields{}}
		for name, value := range p.Properties {
			if key, ours := strings.CutPrefix(name, "perennial_"); ours {
				s.attributes[key] = fmt.Sprint(value)
			}
		}
		all[p.Email] = s
	}
	for _, l := range f.Lists() {
		if _, ours := ourName(l.Name); !ours {
			continue
		}
		for _, email := range l.Members {
			s := all[email]
			s.audiences = append(s.audiences, l.ID)
			all[email] = s
		}
	}
	maps.DeleteFunc(all, func(_ string, s standing) bool { return len(s.audiences)+len(s.attributes) == 0 })
	return all
}

func (f klaviyoFront) foreign() map[string]string {
	all := map[string]string{}
	for _, p := range f.People() {
		properties := maps.Clone(p.Properties)
		maps.DeleteFunc(properties, func(name string, _ any) bool { return strings.HasPrefix(name, "perennial_") })
		all["person "+p.Email] = fmt.Sprint(p.ID, p.Name, p.Consent, p.Suppressed, p.Left, properties)
	}
	for _, l := range f.Lists() {
		if _, ours := ourName(l.Name); !ours {
			all["list "+l.Name] = fmt.Sprint(l.ID, l.OptIn, l.Members)
		}
	}
	return all
}

func (f klaviyoFront) made() []string {
	var names []string
	for _, l := range f.Lists() {
		if name, ours := ourName(l.Name); ours {
			names = append(names, "list "+name)
		}
	}
	return names
}

func (f klaviyoFront) mailed() map[string]bool {
	all := map[string]bool{}
	for _, l := range f.Lists() {
		if _, ours := ourName(l.Name); ours {
			for _, email := range f.Mailed(l.ID) {
				all[email] = true
			}
		}
	}
	return all
}

func (f klaviyoFront) willing(email string) bool {
	for _, p := range f.People() {
		if p.Email == email {
			return p.Consent == "SUBSCRIBED" && len(p.Suppressed)+len(p.Left) == 0
		}
	}
	return false
}

func (f klaviyoFront) leave(email string) error {
	for _, l := range f.Lists() {
		if _, ours := ourName(l.Name); ours && slices.Contains(l.Members, email) {
			return f.UnsubscribeFrom(email, l.ID)
		}
	}
	return f.Unsubscribe(email)
}

func (f klaviyoFront) writes() []string {
	var all []string
	for _, r := range f.Requests() {
		if r.Write {
			all = append(all, r.Method+" "+r.Path)
		}
	}
	return all
}

func (f klaviyoFront) news() []tiding {
	var all []tiding
	for _, e := range f.Events() {
		way := strings.TrimSuffix(strings.TrimPrefix(e.Metric, "perennial: "), " audience")
		all = append(all, tiding{id: e.UniqueID, email: e.Email, way: way, audience: fmt.Sprint(e.Properties["audience"])})
	}
	return all
}
