package listmonk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// listsPage is how many lists are read at once.
const listsPage = 200

// tagged reads every list that carries our tag. The tag is looked at again here, for not every form of the request
// honours it.
func (d *destination) tagged(ctx context.Context) ([]list, error) {
	var ours []list
	for at := 1; ; at++ {
		query := url.Values{"tag": {d.prefix}, "per_page": {strconv.Itoa(listsPage)}, "page": {strconv.Itoa(at)}}
		p, err := ask[page[list]](ctx, d.api, httpapi.Request{Op: "lists", Path: "/api/lists", Query: query})
		if err != nil {
			return nil, err
		}
		for _, l := range p.Results {
			if d.isOurs(l) {
				ours = append(ours, l)
			}
		}
		if len(p.Results) < listsPage {
			slices.SortFunc(ours, func(a, b list) int { return a.ID - b.ID })
			return ours, nil
		}
	}
}

func (d *destination) isOurs(l list) bool { return slices.Contains(l.Tags, d.prefix) }

// keyTag is the second tag of a list: it tells the audience even where the list was renamed and its id forgotten.
func (d *destination) keyTag(key string) string { return d.prefix + ":" + key }

func (d *destination) listName(a connectors.Audience) string { return d.prefix + ": " + a.Name }

// attributeID is how the id of an audience begins that has no list.
const attributeID = "attribute:"

// Ensure finds the lists by the id given, then by the audience's own tag, then by our tag and the exact name, and makes
// those that are missing. Where there are to be no lists it makes none.
func (d *destination) Ensure(ctx context.Context, audiences []connectors.Audience) ([]connectors.Audience, error) {
	ours, err := d.tagged(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]list{}
	all := slices.Clone(audiences)
	if d.attributesOnly() {
		for i := range all {
			all[i].ID = attributeID + all[i].Key
		}
		d.remember(ours, known)
		return all, nil
	}
	for i, a := range audiences {
		l, found := d.find(ours, a)
		if !found {
			if err := d.checkPrefix(ctx, a); err != nil {
				return nil, err
			}
			if l, err = d.makeList(ctx, a, len(ours) > 0); err != nil {
				return nil, err
			}
			ours = append(ours, l)
		}
		if l.Optin != single {
			return nil, doubleOptin(l)
		}
		if l, err = d.rename(ctx, l, a); err != nil {
			return nil, err
		}
		known[a.Key], all[i].ID = l, strconv.Itoa(l.ID)
	}
	d.remember(ours, known)
	return all, nil
}

func doubleOptin(l list) error {
	return &connectors.Error{
		Kind: connectors.KindPermanent, Op: "list " + l.Name, Err: errors.New("it is double opt-in, so people put on it would be sent a request to confirm"),
		Remedy: "set the opt-in of the list to single",
	}
}

// find looks for the list of an audience among ours, which are in order of their ids.
func (d *destination) find(ours []list, a connectors.Audience) (list, bool) {
	for _, same := range []func(list) bool{
		func(l list) bool { return strconv.Itoa(l.ID) == a.ID },
		func(l list) bool { return slices.Contains(l.Tags, d.keyTag(a.Key)) },
		func(l list) bool { return l.Name == d.listName(a) && !d.hasOtherKey(l, a.Key) },
	} {
		if i := slices.IndexFunc(ours, same); i >= 0 {
			return ours[i], true
		}
	}
	return list{}, false
}

// hasOtherKey reports whether a list is marked for another audience, which may have had this name before.
func (d *destination) hasOtherKey(l list, key string) bool {
	return slices.ContainsFunc(l.Tags, func(tag string) bool {
		return strings.HasPrefix(tag, d.keyTag("")) && tag != d.keyTag(key)
	})
}

// rename gives the list of an audience the audience's name, where that is another now. A name that does not begin with our
// prefix was given in listmonk and stays, and so does every name before we know the list by its id.
func (d *destination) rename(ctx context.Context, l list, a connectors.Audience) (list, error) {
	if name := d.listName(a); a.Name == "" || a.ID != strconv.Itoa(l.ID) || l.Name == name || !strings.HasPrefix(l.Name, d.prefix+": ") {
		return l, nil
	}
	body := map[string]any{"name": d.listName(a), "type": l.Type, "optin": l.Optin, "tags": l.Tags} // tags that are not sent are gone
	renamed, err := write[list](ctx, d.api, httpapi.Request{
		Op: "list name", Method: http.MethodPut, Path: "/api/lists/" + strconv.Itoa(l.ID), Idempotent: true,
	}, body)
	if saysAny(err, http.StatusBadRequest, "not found") {
		return l, nil // gone meanwhile: the next push makes it anew
	}
	return renamed, err
}

// checkPrefix refuses to go on where the list made earlier is marked with another prefix: it is ours, but would pass for
// somebody else's, and with it everybody's subscription to it.
func (d *destination) checkPrefix(ctx context.Context, a connectors.Audience) error {
	if a.ID == "" || strings.HasPrefix(a.ID, attributeID) {
		return nil
	}
	id, err := listID(a)
	if err != nil {
		return err
	}
	l, err := ask[list](ctx, d.api, httpapi.Request{Op: "list", Path: "/api/lists/" + strconv.Itoa(id)})
	if saysAny(err, http.StatusBadRequest, "not found") {
		return nil
	}
	if err != nil {
		return err
	}
	for _, tag := range l.Tags {
		if before, ok := strings.CutSuffix(tag, ":"+a.Key); ok && before != d.prefix && slices.Contains(l.Tags, before) {
			return &connectors.Error{
				Kind: connectors.KindPermanent, Op: fmt.Sprintf("list %d", id),
				Err:    fmt.Errorf("it was made under the prefix %q, and the prefix is %q now", before, d.prefix),
				Remedy: fmt.Sprintf("set prefix = %q again; to change it, run perennial purge --yes before", before),
			}
		}
	}
	return nil
}

// makeList makes a list. A key that sees no list at all would not see the new one tomorrow and make another every night.
func (d *destination) makeList(ctx context.Context, a connectors.Audience, seesLists bool) (list, error) {
	if !seesLists {
		visible, err := d.api.countLists(ctx)
		if err != nil {
			return list{}, err
		}
		if visible == 0 {
			return list{}, &connectors.Error{
				Kind: connectors.KindCredentials, Op: "lists", Permission: "lists:get_all", Err: errors.New("no list is visible to the API user"),
				Remedy: "grant lists:get_all to the API user's role under Admin > User roles",
			}
		}
	}
	body := map[string]any{
		"name": d.listName(a), "type": "private", "optin": single, "tags": []string{d.prefix, d.keyTag(a.Key)},
		"description": "Kept up to date by Perennial, which adds and removes people here.",
	}
	return write[list](ctx, d.api, httpapi.Request{Op: "new list", Method: http.MethodPost, Path: "/api/lists"}, body)
}

// remember keeps which list belongs to which audience.
func (d *destination) remember(ours []list, known map[string]list) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lists = map[string]list{}
	for _, l := range slices.Backward(ours) {
		for _, tag := range l.Tags {
			if key, ok := strings.CutPrefix(tag, d.keyTag("")); ok {
				d.lists[key] = l
			}
		}
	}
	for key, l := range known {
		d.lists[key] = l
	}
}

func (d *destination) forgetLists() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lists = nil
}

// knownLists returns our lists by audience key, read from listmonk where this instance has not met them yet.
func (d *destination) knownLists(ctx context.Context) (map[string]list, error) {
	d.mu.Lock()
	known := d.lists
	d.mu.Unlock()
	if known != nil {
		return known, nil
	}
	ours, err := d.tagged(ctx)
	if err != nil {
		return nil, err
	}
	d.remember(ours, nil)
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lists, nil
}

// Remove deletes the lists of the audiences, as far as they carry our tag. The people stay in listmonk.
func (d *destination) Remove(ctx context.Context, audiences []connectors.Audience) error {
	var spared []error
	for _, a := range audiences {
		if key, ok := strings.CutPrefix(a.ID, attributeID); ok { // it goes with the last person who carries it
			lists, err := d.knownLists(ctx)
			if err != nil {
				return err
			}
			old, made := lists[key] // in another mode
			if !made {
				continue
			}
			a.ID = strconv.Itoa(old.ID)
		}
		id, err := listID(a)
		if err != nil {
			return err
		}
		path := "/api/lists/" + strconv.Itoa(id)
		l, err := ask[list](ctx, d.api, httpapi.Request{Op: "list", Path: path})
		switch {
		case saysAny(err, http.StatusBadRequest, "not found"):
			continue // gone already
		case err != nil:
			return err
		case !d.isOurs(l):
			spared = append(spared, &connectors.Error{
				Kind: connectors.KindPermanent, Op: fmt.Sprintf("list %d", id), Err: errors.New("it does not carry our tag and was left alone"),
				Remedy: "delete it by hand if it is to go",
			})
			continue
		}
		if _, err := ask[bool](ctx, d.api, httpapi.Request{Op: "list removal", Method: http.MethodDelete, Path: path}); err != nil {
			return err
		}
	}
	d.forgetLists()
	return errors.Join(spared...)
}

// listID reads the id of an audience. Without one, listmonk would take a request to mean everybody.
func listID(a connectors.Audience) (int, error) {
	id, err := strconv.Atoi(a.ID)
	if err != nil || id < 1 {
		return 0, &connectors.Error{Kind: connectors.KindPermanent, Op: "audience " + a.Key, Err: errors.New("it has no list id")}
	}
	return id, nil
}
