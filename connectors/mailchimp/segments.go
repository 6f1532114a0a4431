package mailchimp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// segment is a tag as the API shows it: a static segment.
type segment struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

// readSegments reads all tags, ours and others.
func (d *destination) readSegments(ctx context.Context) ([]segment, error) {
	type answer struct {
		Segments []segment `json:"segments"`
	}
	return pages(func(offset int) ([]segment, error) {
		query := page(offset, largestPage, "segments.id", "segments.name", "segments.type")
		query.Set("type", "static")
		a, err := ask[answer](ctx, d.api, httpapi.Request{Op: "tags", Path: d.path("segments"), Query: query}, nil)
		return a.Segments, err
	})
}

func (d *destination) segmentName(a connectors.Audience) string { return d.prefix + ": " + a.Name }

// isOurs reports whether a tag carries our prefix. Mailchimp changes the case of tags at will.
func (d *destination) isOurs(s segment) bool {
	return s.Type == "static" && strings.HasPrefix(strings.ToLower(s.Name), strings.ToLower(d.prefix)+": ")
}

// Ensure finds the tags by the id given, then by name whatever its case, and makes those that are missing. Where tags are
// not written, nothing is made, and the id says that an audience is a value of a merge field.
func (d *destination) Ensure(ctx context.Context, audiences []connectors.Audience) ([]connectors.Audience, error) {
	d.forgetFields() // a push is begun: others may have changed things since the last one
	all := slices.Clone(audiences)
	if d.attributesOnly() {
		for i, a := range all {
			all[i].ID = fieldID + a.Key
		}
		d.remember(all)
		return all, nil
	}
	there, err := d.readSegments(ctx)
	if err != nil {
		return nil, err
	}
	for i, a := range audiences {
		s, err := d.findSegment(there, a)
		if err != nil {
			return nil, err
		}
		if s.ID == 0 {
			if s, err = d.makeSegment(ctx, a); err != nil {
				return nil, err
			}
			there = append(there, s)
		}
		all[i].ID = strconv.Itoa(s.ID)
	}
	if err := distinct(all); err != nil {
		return nil, err
	}
	d.own(there)
	d.remember(all)
	return all, nil
}

// fieldID begins the id of an audience that has no tag, because only attributes are written.
const fieldID = "field:"

// distinct refuses two audiences that would share a tag.
func distinct(audiences []connectors.Audience) error {
	names := map[string]string{}
	for _, a := range audiences {
		if other, taken := names[a.ID]; taken {
			return &connectors.Error{
				Kind: connectors.KindPermanent, Op: "audience " + a.Key,
				Err:    fmt.Errorf("its name %q and that of another, %q, are the same to Mailchimp, which does not tell case apart", a.Name, other),
				Remedy: "give one of them another name",
			}
		}
		names[a.ID] = a.Name
	}
	return nil
}

// findSegment looks for the tag of an audience. What carries the id but not our prefix any more was taken over by somebody,
// unless it carries the prefix of before.
func (d *destination) findSegment(there []segment, a connectors.Audience) (segment, error) {
	for _, s := range there {
		if strconv.Itoa(s.ID) != a.ID {
			continue
		}
		if d.isOurs(s) {
			return s, nil
		}
		if before, is := strings.CutSuffix(strings.ToLower(s.Name), ": "+strings.ToLower(a.Name)); is {
			return segment{}, &connectors.Error{
				Kind: connectors.KindPermanent, Op: "tag " + a.ID,
				Err:    fmt.Errorf("it was made under the prefix %q, and the prefix is %q now", before, d.prefix),
				Remedy: fmt.Sprintf("set prefix = %q again; to change it, run perennial purge --yes before", before),
			}
		}
	}
	for _, s := range there {
		if s.Type == "static" && strings.EqualFold(s.Name, d.segmentName(a)) {
			return s, nil
		}
	}
	return segment{}, nil
}

func (d *destination) makeSegment(ctx context.Context, a connectors.Audience) (segment, error) {
	body := map[string]any{"name": d.segmentName(a), "static_segment": []string{}}
	request := httpapi.Request{Op: "new tag", Method: http.MethodPost, Path: d.path("segments")}
	made, err := ask[segment](ctx, d.api, request, body)
	switch said := refusal(err); {
	case said != nil && said.Status == http.StatusBadRequest:
		err = &connectors.Error{
			Kind: connectors.KindPermanent, Op: "audience " + a.Key, Err: fmt.Errorf("a tag of its name cannot be made: %w", said),
			Remedy: "give the audience another name, or look in Mailchimp for a tag or segment of this one",
		}
	case err == nil && made.ID == 0:
		err = &connectors.Error{Kind: connectors.KindRetry, Op: request.Op, Err: errors.New("no id came with it")}
	}
	return made, err
}

// remember adds the ids of audiences to those known; an earlier Ensure may have found others.
func (d *destination) remember(audiences []connectors.Audience) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range audiences {
		id, _ := strconv.Atoi(a.ID) // 0 where there is no tag
		d.segments[a.Key] = id
	}
}

// segmentOf returns the tag of an audience, 0 where tags are not written.
func (d *destination) segmentOf(key string) (int, error) {
	d.mu.Lock()
	id, known := d.segments[key]
	d.mu.Unlock()
	if !known {
		return 0, &connectors.Error{Kind: connectors.KindPermanent, Op: "audience " + key, Err: errors.New("there is no tag for it")}
	}
	return id, nil
}

// own notes which tags carry our prefix, those of audiences that are no more included.
func (d *destination) own(there []segment) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ours = map[int]bool{}
	for _, s := range there {
		if d.isOurs(s) {
			d.ours[s.ID] = true
		}
	}
}

// ourTags returns the ids of the tags that carry our prefix.
func (d *destination) ourTags() map[int]bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.ours)
}

// Remove deletes the tags of the audiences, as far as they carry our prefix. The contacts stay, and so do merge fields,
// whose values a purge has cleared before. Where only attributes are written, a tag of another mode goes all the same.
func (d *destination) Remove(ctx context.Context, audiences []connectors.Audience) error {
	audiences, err := d.tagged(ctx, audiences)
	if err != nil {
		return err
	}
	var spared []error
	for _, a := range audiences {
		id, err := segmentID(a)
		if err != nil {
			return err
		}
		query := page(0, 1, "id", "name", "type")
		query.Del("count")
		query.Del("offset")
		s, err := ask[segment](ctx, d.api, httpapi.Request{Op: "tag", Path: d.path("segments", id), Query: query}, nil)
		switch {
		case isStatus(err, http.StatusNotFound):
			continue // gone already
		case err != nil:
			return err
		case !d.isOurs(s):
			spared = append(spared, &connectors.Error{
				Kind: connectors.KindPermanent, Op: "tag " + id, Err: errors.New("it does not carry our prefix and was left alone"),
				Remedy: "delete it by hand if it is to go",
			})
			continue
		}
		if err := d.deleteSegment(ctx, id); err != nil {
			return err
		}
	}
	return errors.Join(spared...)
}

// tagged returns the audiences that have a tag, found by name where the id does not tell.
func (d *destination) tagged(ctx context.Context, audiences []connectors.Audience) ([]connectors.Audience, error) {
	var there []segment
	var all []connectors.Audience
	for _, a := range audiences {
		if strings.HasPrefix(a.ID, fieldID) {
			if there == nil {
				var err error
				if there, err = d.readSegments(ctx); err != nil {
					return nil, err
				}
			}
			s, err := d.findSegment(there, connectors.Audience{Key: a.Key, Name: a.Name})
			if err != nil {
				return nil, err
			}
			if s.ID == 0 {
				continue
			}
			a.ID = strconv.Itoa(s.ID)
		}
		all = append(all, a)
	}
	return all, nil
}

// deleteSegment deletes a tag; one that is gone already is no error.
func (d *destination) deleteSegment(ctx context.Context, id string) error {
	request := httpapi.Request{Op: "tag removal", Method: http.MethodDelete, Path: d.path("segments", id), MayBeEmpty: true}
	if _, err := ask[any](ctx, d.api, request, nil); err != nil && !isStatus(err, http.StatusNotFound) {
		return err
	}
	return nil
}

// segmentID reads the id of an audience.
func segmentID(a connectors.Audience) (string, error) {
	if id, err := strconv.Atoi(a.ID); err != nil || id < 1 {
		return "", &connectors.Error{Kind: connectors.KindPermanent, Op: "audience " + a.Key, Err: errors.New("it has no tag id")}
	}
	return a.ID, nil
}
