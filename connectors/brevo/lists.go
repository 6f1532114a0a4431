package brevo

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

// smallPage is the most lists or folders that Brevo gives at once.
const smallPage = 50

// noList is how the ids of audiences begin where only attributes are written; the key follows. Where the audience had a list
// in another mode, the id of that one comes last, so that purge and the other mode find it.
const noList = "attribute:"

// findFolder looks for our folder: the oldest one with our name. 0 means that there is none.
func (d *destination) findFolder(ctx context.Context) (int64, error) {
	for offset := 0; ; offset += smallPage {
		query := url.Values{"limit": {strconv.Itoa(smallPage)}, "offset": {strconv.Itoa(offset)}, "sort": {"asc"}}
		p, err := ask[struct {
			Folders []list `json:"folders"`
		}](ctx, d.api.contacts, httpapi.Request{Op: "folders", Path: "/contacts/folders", Query: query})
		if err != nil {
			return 0, err
		}
		if i := slices.IndexFunc(p.Folders, func(f list) bool { return f.Name == d.prefix }); i >= 0 {
			return p.Folders[i].ID, nil
		}
		if len(p.Folders) < smallPage {
			return 0, nil
		}
	}
}

// listsIn reads the lists of a folder, the oldest first.
func (d *destination) listsIn(ctx context.Context, folder int64) ([]list, error) {
	var all []list
	for offset := 0; ; offset += smallPage {
		query := url.Values{"limit": {strconv.Itoa(smallPage)}, "offset": {strconv.Itoa(offset)}, "sort": {"asc"}}
		p, err := ask[struct {
			Lists []list `json:"lists"`
		}](ctx, d.api.contacts, httpapi.Request{Op: "lists", Path: fmt.Sprintf("/contacts/folders/%d/lists", folder), Query: query})
		if err != nil {
			return nil, err
		}
		for _, l := range p.Lists {
			l.Folder = folder
			all = append(all, l)
		}
		if len(p.Lists) < smallPage {
			slices.SortFunc(all, func(a, b list) int { return int(a.ID - b.ID) })
			return all, nil
		}
	}
}

// readOurs reads our folder and the lists in it, and remembers them.
func (d *destination) readOurs(ctx context.Context) ([]list, error) {
	folder, err := d.findFolder(ctx)
	if err != nil {
		return nil, err
	}
	var found []list
	if folder != 0 {
		if found, err = d.listsIn(ctx, folder); err != nil {
			return nil, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	ours := map[int64]bool{}
	for id := range d.ours {
		ours[id] = true
	}
	for _, l := range found {
		ours[l.ID] = true
	}
	d.folder, d.ours = folder, ours
	return found, nil
}

// meetOurs makes sure that this instance knows which lists are ours.
func (d *destination) meetOurs(ctx context.Context) error {
	d.mu.Lock()
	known := d.ours != nil
	d.mu.Unlock()
	if known {
		return nil
	}
	_, err := d.readOurs(ctx)
	return err
}

// ourLists returns the ids of lists of ours. Nobody changes what it returned.
func (d *destination) ourLists() map[int64]bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ours
}

// Ensure finds the lists by the id given, then by the exact name within our folder, and makes those that are missing.
// Where only attributes are written no lists are made.
func (d *destination) Ensure(ctx context.Context, audiences []connectors.Audience) ([]connectors.Audience, error) {
	all := slices.Clone(audiences)
	found, err := d.readOurs(ctx)
	if err != nil {
		return nil, err
	}
	if !d.writesLists() {
		for i, a := range all {
			id, err := listID(a)
			if err != nil {
				return nil, err
			}
			if all[i].ID = noList + a.Key; id != 0 {
				all[i].ID += fmt.Sprintf("=%d", id)
			}
			d.rememberFormer(a.Key, id)
		}
		return all, nil
	}
	claimed := map[int64]bool{}
	for i, a := range all { // ids first, so that no list goes to another audience of the same name
		id, err := d.listOf(ctx, a, found)
		if err != nil {
			return nil, err
		}
		claimed[id] = true
		if all[i].ID = ""; id != 0 {
			all[i].ID = strconv.FormatInt(id, 10)
		}
	}
	for i, a := range all {
		if a.ID == "" {
			id, err := d.findOrMake(ctx, a, found, claimed)
			if err != nil {
				return nil, err
			}
			claimed[id] = true
			all[i].ID = strconv.FormatInt(id, 10)
		}
		id, _ := strconv.ParseInt(all[i].ID, 10, 64)
		d.remember(a.Key, id)
	}
	return all, nil
}

// listOf returns the list that was made for an audience earlier, 0 where it is gone. It may have been moved or renamed.
func (d *destination) listOf(ctx context.Context, a connectors.Audience, found []list) (int64, error) {
	id, err := listID(a)
	if err != nil || id == 0 {
		return 0, err
	}
	if slices.ContainsFunc(found, func(l list) bool { return l.ID == id }) {
		return id, nil
	}
	_, there, err := d.listByID(ctx, id)
	if err != nil || !there {
		return 0, err
	}
	return id, nil
}

// listByID reads one list.
func (d *destination) listByID(ctx context.Context, id int64) (l list, there bool, err error) {
	l, err = ask[list](ctx, d.api.contacts, httpapi.Request{Op: "list", Path: fmt.Sprintf("/contacts/lists/%d", id)})
	if isAbout(err, http.StatusNotFound) {
		return list{}, false, nil
	}
	return l, err == nil, err
}

// findOrMake returns a list of ours with the name of an audience.
func (d *destination) findOrMake(ctx context.Context, a connectors.Audience, found []list, claimed map[int64]bool) (int64, error) {
	i := slices.IndexFunc(found, func(l list) bool { return l.Name == d.listName(a) && !claimed[l.ID] })
	if i >= 0 {
		return found[i].ID, nil
	}
	folder, err := d.ourFolder(ctx)
	if err != nil {
		return 0, err
	}
	l, err := send[made](ctx, d.api.contacts, httpapi.Request{Op: "new list", Path: "/contacts/lists"}, map[string]any{
		"name": d.listName(a), "folderId": folder,
	})
	return l.ID, err
}

// ourFolder returns our folder and makes it where it is missing.
func (d *destination) ourFolder(ctx context.Context) (int64, error) {
	d.mu.Lock()
	folder := d.folder
	d.mu.Unlock()
	if folder != 0 {
		return folder, nil
	}
	f, err := send[made](ctx, d.api.contacts, httpapi.Request{Op: "new folder", Path: "/contacts/folders"}, map[string]any{"name": d.prefix})
	if err != nil {
		return 0, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.folder = f.ID
	return f.ID, nil
}

// remember keeps which list belongs to which audience.
func (d *destination) remember(key string, id int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lists[key] = id
	ours := map[int64]bool{id: true}
	for known := range d.ours {
		ours[known] = true
	}
	d.ours = ours
}

// rememberFormer keeps which list an audience had in another mode, if it had one.
func (d *destination) rememberFormer(key string, id int64) {
	if id != 0 {
		d.remember(key, id)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lists[key], d.former[id] = 0, id != 0
}

// list returns the list of an audience.
func (d *destination) list(key string) (id int64, known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id, known = d.lists[key]
	return id, known
}

func (d *destination) forgetLists() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.folder, d.ours, d.lists = 0, nil, map[string]int64{}
}

// listID reads the id of an audience. It is 0 where there is none.
func listID(a connectors.Audience) (int64, error) {
	text := strings.TrimSpace(a.ID)
	if strings.HasPrefix(text, noList) {
		_, text, _ = strings.Cut(text, "=")
	}
	if text == "" {
		return 0, nil
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return 0, &connectors.Error{Kind: connectors.KindPermanent, Op: "audience " + a.Key, Err: errors.New("it has no list id")}
	}
	return id, nil
}
