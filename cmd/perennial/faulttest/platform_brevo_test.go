package faulttest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/perennial-cvo/perennial/connectors/brevo/brevotest"
)

const canaryBrevo = "xkeysib-canary00000000000000000000k3y"

// brevoFront is a Brevo account.
type brevoFront struct {
	*brevotest.Server
	imports bool // there is one audience, and few people in it are imported
}

func (f brevoFront) kind() string { return "brevo" }

func (f brevoFront) settings(address string) string {
	from := 2000
	if f.imports {
		from = 4
	}
	return fmt.Sprintf("url = %q\napi_key_env = \"FAULTTEST_BREVO\"\nrate = 60\nbatch = 15\nimport_from = %d\n", address+"/v3", from)
}

func (f brevoFront) env() []string { return []string{"FAULTTEST_BREVO=" + canaryBrevo} }

func (f brevoFront) secrets() []string { return []string{canaryBrevo} }

func (f brevoFront) sets() []string {
	if f.imports {
		return []string{"churn_high"}
	}
	return []string{"tier", "own"}
}

// ourLists are the ids of our lists, which have our prefix and stand in a folder of ours.
func (f brevoFront) ourLists() []int64 {
	var ids []int64
	for _, l := range f.Lists() {
		if _, ours := ourName(l.Name); ours {
			ids = append(ids, l.ID)
		}
	}
	return ids
}

func (f brevoFront) stands() map[string]standing {
	lists, all := f.ourLists(), map[string]standing{}
	for _, p := range f.People() {
		s := standing{attributes: fields{}}
		for _, id := range p.Lists {
			if slices.Contains(lists, id) && !slices.Contains(p.Left, id) {
				s.audiences = append(s.audiences, strconv.FormatInt(id, 10))
			}
		}
		for name, value := range p.Attributes {
			if key, ours := strings.CutPrefix(name, "PERENNIAL_"); ours && value != "" {
				s.attributes[strings.ToLower(key)] = fmt.Sprint(value)
			}
		}
		if len(s.audiences)+len(s.attributes) > 0 {
			all[p.Email] = s
		}
	}
	return all
}

func (f brevoFront) foreign() map[string]string {
	lists, all := f.ourLists(), map[string]string{}
	for _, p := range f.People() {
		theirs := maps.Clone(p.Attributes)
		maps.DeleteFunc(theirs, func(name string, _ any) bool { return strings.HasPrefix(name, "PERENNIAL_") })
		on := slices.DeleteFunc(slices.Clone(p.Lists), func(id int64) bool { return slices.Contains(lists, id) })
		all["contact "+p.Email] = fmt.Sprint(p.ID, p.Blacklisted, on, p.Left, theirs)
	}
	for _, l := range f.Lists() {
		if !slices.Contains(lists, l.ID) {
			all["list "+l.Name] = fmt.Sprint(l.ID, l.Folder)
		}
	}
	for name, kind := range f.Attributes() {
		if !strings.HasPrefix(name, "PERENNIAL_") {
			all["attribute "+name] = kind
		}
	}
	all["mails about imports"] = fmt.Sprint(f.Notices())
	return all
}

func (f brevoFront) made() []string {
	var names []string
	folders := map[string]bool{}
	for _, l := range f.Lists() {
		if name, ours := ourName(l.Name); ours {
			names, folders[l.Folder] = append(names, "list "+name), true
		}
	}
	for range folders {
		names = append(names, "folder of lists") // there must be one
	}
	return names
}

func (f brevoFront) mailed() map[string]bool {
	all := map[string]bool{}
	for _, id := range f.ourLists() {
		for _, email := range f.Mailed(id) {
			all[email] = true
		}
	}
	return all
}

func (f brevoFront) willing(email string) bool {
	lists := f.ourLists()
	for _, p := range f.People() {
		if p.Email != email {
			continue
		}
		living := slices.ContainsFunc(p.Lists, func(id int64) bool { return !slices.Contains(lists, id) && !slices.Contains(p.Left, id) })
		return living && !p.Blacklisted && !slices.ContainsFunc(p.Left, func(id int64) bool { return slices.Contains(lists, id) })
	}
	return false
}

func (f brevoFront) leave(email string) error {
	for _, p := range f.People() {
		for _, id := range p.Lists {
			if p.Email == email && slices.Contains(f.ourLists(), id) {
				return f.Unsubscribe(email, id)
			}
		}
	}
	return f.Blacklist(email)
}

func (f brevoFront) writes() []string {
	var all []string
	for _, r := range f.Requests() {
		if r.Write {
			all = append(all, r.Method+" "+r.Path)
		}
	}
	return all
}

func (f brevoFront) news() []tiding { return nil }
