package brevo

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// Remove deletes the lists of the audiences, as far as they are ours, and our folder once nothing is left in it. The
// people stay in Brevo.
func (d *destination) Remove(ctx context.Context, audiences []connectors.Audience) error {
	folder, err := d.findFolder(ctx)
	if err != nil {
		return err
	}
	var spared []error
	for _, a := range audiences {
		id, err := listID(a)
		if err != nil {
			return err
		}
		if id == 0 {
			continue // no list was made
		}
		l, there, err := d.listByID(ctx, id)
		switch {
		case err != nil:
			return err
		case !there:
			continue // gone already
		case !d.isOurName(l.Name) && (folder == 0 || l.Folder != folder):
			spared = append(spared, &connectors.Error{
				Kind: connectors.KindPermanent, Op: fmt.Sprintf("list %d", id),
				Err:    errors.New("it is not in our folder and was left alone"),
				Remedy: "delete it by hand if it is to go",
			})
			continue
		}
		if err := d.remove(ctx, "list removal", fmt.Sprintf("/contacts/lists/%d", id)); err != nil {
			return err
		}
	}
	if err := d.removeFolder(ctx, folder); err != nil {
		return err
	}
	d.forgetLists()
	return errors.Join(spared...)
}

// removeFolder deletes our folder where no list is in it.
func (d *destination) removeFolder(ctx context.Context, folder int64) error {
	if folder == 0 {
		return nil
	}
	rest, err := d.listsIn(ctx, folder)
	if err != nil || len(rest) > 0 {
		return err
	}
	return d.remove(ctx, "folder removal", fmt.Sprintf("/contacts/folders/%d", folder))
}

// remove deletes something; that it is gone already is no error.
func (d *destination) remove(ctx context.Context, op, path string) error {
	_, err := ask[struct{}](ctx, d.api.contacts, httpapi.Request{Op: op, Method: http.MethodDelete, Path: path, MayBeEmpty: true})
	if isAbout(err, http.StatusNotFound) {
		return nil
	}
	return err
}
