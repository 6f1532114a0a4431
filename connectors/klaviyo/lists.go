package klaviyo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
)

// propertyID is how the ids of audiences begin that are no lists.
const propertyID = "property:"

// list is a list of Klaviyo.
type list struct {
	ID         string `json:"id"`
	Attributes struct {
		Name string `json:"name"`
	} `json:"attributes"`
}

// allLists reads every list of the account; Klaviyo gives ten at a time.
func (d *destination) allLists(ctx context.Context) ([]list, error) {
	var all []list
	query := url.Values{"fields[list]": {"name"}, "sort": {"created"}}
	for {
		page, err := ask[[]list](ctx, d.api, call{op: "lists", to: readLists, path: "/api/lists", query: query})
		if err != nil {
			return nil, err
		}
		all = append(all, page.Data...)
		next := page.next()
		if next == "" || next == query.Get("page[cursor]") {
			return all, nil
		}
		query.Set("page[cursor]", next)
	}
}

func (d *destination) listName(a connectors.Audience) string { return d.prefix + ": " + a.Name }

// hasOurName reports whether a list is named as only ours are.
func (d *destination) hasOurName(l list) bool {
	return strings.HasPrefix(l.Attributes.Name, d.prefix+": ")
}

// isOurs reports whether a list is one of ours, be it of a former audience.
func (d *destination) isOurs(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ours[id]
}

// listOf returns the id of the list of an audience.
func (d *destination) listOf(key string) (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id, ok := d.lists[key]
	return id, ok
}

// Ensure finds the lists by the id given, then by their exact names, and makes those that are missing: Klaviyo lets only
// 150 be made a day. In mode attributes there are no lists, and an audience is a value of a property.
func (d *destination) Ensure(ctx context.Context, audiences []connectors.Audience) ([]connectors.Audience, error) {
	ready := slices.Clone(audiences)
	known, err := d.allLists(ctx)
	if err != nil {
		return nil, err
	}
	d.remember(known)
	d.noteNames(audiences)
	if d.attributesOnly() {
		for i := range ready {
			ready[i].ID = propertyID + ready[i].Key
		}
		return ready, nil
	}
	taken := map[string]bool{} // by audiences that come with their list
	for _, a := range audiences {
		taken[a.ID] = a.ID != ""
	}
	for i, a := range ready {
		l, err := d.ensureList(ctx, a, known, taken)
		if err != nil {
			return nil, err
		}
		known = append(known, l)
		ready[i].ID, taken[l.ID] = l.ID, true
		d.mu.Lock()
		d.lists[a.Key], d.ours[l.ID] = l.ID, true
		d.mu.Unlock()
	}
	return ready, nil
}

// noteNames notes how audiences are called.
func (d *destination) noteNames(audiences []connectors.Audience) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range audiences {
		d.names[a.Key] = a.Name
	}
}

// remember notes which lists carry our prefix.
func (d *destination) remember(known []list) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.surveyed = true
	for _, l := range known {
		d.ours[l.ID] = d.ours[l.ID] || d.hasOurName(l)
	}
}

// ensureList finds or makes one list. A list may be renamed in Klaviyo: it keeps its id. Whether it was made under another
// prefix shows in its name.
func (d *destination) ensureList(ctx context.Context, a connectors.Audience, known []list, taken map[string]bool) (list, error) {
	if i := slices.IndexFunc(known, func(l list) bool { return l.ID == a.ID }); i >= 0 {
		name := known[i].Attributes.Name
		if before, ours := strings.CutSuffix(name, ": "+a.Name); ours && before != d.prefix {
			return list{}, &connectors.Error{
				Kind: connectors.KindPermanent, Op: "list " + a.ID,
				Err:    fmt.Errorf("it was made under the prefix %q, and the prefix is %q now", before, d.prefix),
				Remedy: fmt.Sprintf("set prefix = %q again; to change it, run perennial purge --yes before", before),
			}
		}
		return known[i], nil
	}
	name := d.listName(a)
	for _, name := range []string{name, name + " (" + a.Key + ")"} { // the second where two audiences have one name
		i := slices.IndexFunc(known, func(l list) bool { return l.Attributes.Name == name })
		if i < 0 {
			return d.makeList(ctx, name)
		}
		if !taken[known[i].ID] {
			return known[i], nil
		}
	}
	return list{}, &connectors.Error{
		Kind: connectors.KindPermanent, Op: "audience " + a.Key, Err: fmt.Errorf("another audience has the list %q", name),
		Remedy: "give the two audiences different names",
	}
}

func (d *destination) makeList(ctx context.Context, name string) (list, error) {
	body := map[string]any{"type": "list", "attributes": map[string]any{"name": name, "opt_in_process": "single_opt_in"}}
	made, err := ask[list](ctx, d.api, call{op: "new list", to: createList, method: http.MethodPost, path: "/api/lists", body: body, once: true})
	var e *connectors.Error
	if errors.As(err, &e) && e.Kind == connectors.KindWait {
		e.Remedy = "Klaviyo lets 150 lists be made a day, and few at once; nothing to do: those that are missing are made in a later run"
	}
	return made.Data, err
}

// Remove deletes the lists of the audiences, as far as they carry our prefix. The people stay in Klaviyo.
func (d *destination) Remove(ctx context.Context, audiences []connectors.Audience) error {
	var spared []error
	for _, a := range audiences {
		if strings.HasPrefix(a.ID, propertyID) {
			continue // gone with the last person's property
		}
		path, err := listPath(a)
		if err != nil {
			return err
		}
		l, err := ask[list](ctx, d.api, call{op: "list", to: readList, path: path, query: url.Values{"fields[list]": {"name"}}})
		switch {
		case saysStatus(err, http.StatusNotFound):
			continue // gone already
		case err != nil:
			return err
		case !d.hasOurName(l.Data):
			spared = append(spared, &connectors.Error{
				Kind: connectors.KindPermanent, Op: "list " + a.ID, Err: errors.New("its name does not begin with our prefix, and it was left alone"),
				Remedy: "delete it by hand if it is to go",
			})
			continue
		}
		err = d.api.send(ctx, call{op: "list removal", to: deleteList, method: http.MethodDelete, path: path})
		if err != nil && !saysStatus(err, http.StatusNotFound) {
			return err
		}
	}
	return errors.Join(spared...)
}

// listPath is the address of the list of an audience.
func listPath(a connectors.Audience) (string, error) {
	if a.ID == "" || strings.ContainsAny(a.ID, "/?#%") {
		return "", &connectors.Error{Kind: connectors.KindPermanent, Op: "audience " + a.Key, Err: errors.New("it has no list id")}
	}
	return "/api/lists/" + a.ID, nil
}
