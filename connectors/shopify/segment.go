package shopify

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
)

// longestName is how many characters the name of a segment has that is made; Shopify takes 255.
const longestName = 240

// segmentMark stands in the id of an audience between its tag and the number of its segment.
const segmentMark = " segment "

// suffix is what Shopify puts behind the name of a segment whose name is taken.
var suffix = regexp.MustCompile(` \(\d+\)$`)

// segment is a group of customers as Shopify keeps it: a name and a condition.
type segment struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Query string `json:"query"`
}

// condition is the query of the segment of an audience.
func (d *destination) condition(key string) string {
	return "customer_tags CONTAINS '" + d.tag(key) + "'"
}

// ensureSegments gives every audience a segment: that of its id, or one of ours that is found by name and condition, or
// a new one. Shopify lists new segments late, so the id comes first. Where the shop has no room for another segment the
// audience goes on as a tag alone.
func (d *destination) ensureSegments(ctx context.Context, audiences []connectors.Audience) error {
	living, err := d.segmentsByID(ctx, audiences)
	if err != nil {
		return err
	}
	var listed []segment
	for i, a := range audiences {
		tag, number := parseID(a.ID)
		if _, lives := living[number]; lives {
			continue
		}
		if listed == nil {
			if listed, err = d.segments(ctx); err != nil {
				return err
			}
		}
		number = d.found(listed, a)
		if number == "" {
			if number, err = d.makeSegment(ctx, a); err != nil {
				return err
			}
		}
		audiences[i].ID, audiences[i].Kept = tag, true // whoever carries the tag carries it still
		if number != "" {
			audiences[i].ID += segmentMark + number
		}
	}
	return nil
}

// segmentsByID returns those segments of audiences that exist, by number.
func (d *destination) segmentsByID(ctx context.Context, audiences []connectors.Audience) (map[string]segment, error) {
	var ids []string
	for _, a := range audiences {
		if _, number := parseID(a.ID); isNumber(number) {
			ids = append(ids, gid("Segment", number))
		}
	}
	living := map[string]segment{}
	if len(ids) == 0 {
		return living, nil
	}
	var answer struct {
		Nodes []segment `json:"nodes"`
	}
	if err := d.ask(ctx, "segments_by_id", map[string]any{"ids": ids}, &answer); err != nil {
		return nil, err
	}
	for _, s := range answer.Nodes {
		if s.ID != "" {
			living[tail(s.ID)] = s
		}
	}
	return living, nil
}

// segments lists all segments of the shop; never nil.
func (d *destination) segments(ctx context.Context) ([]segment, error) {
	all := []segment{}
	var after any
	for {
		var answer struct {
			Segments struct {
				PageInfo struct {
					More bool   `json:"hasNextPage"`
					End  string `json:"endCursor"`
				} `json:"pageInfo"`
				Nodes []segment `json:"nodes"`
			} `json:"segments"`
		}
		if err := d.ask(ctx, "segments_page", map[string]any{"first": 250, "after": after}, &answer); err != nil {
			return nil, err
		}
		page := answer.Segments
		all = append(all, page.Nodes...)
		if !page.PageInfo.More || page.PageInfo.End == "" || page.PageInfo.End == after {
			return all, nil
		}
		after = page.PageInfo.End
	}
}

// segmentName leaves room for the number that Shopify puts behind a name that is taken.
func (d *destination) segmentName(a connectors.Audience) string {
	name := []rune(d.title() + ": " + a.Name)
	return string(name[:min(len(name), longestName)])
}

// found returns the number of the audience's segment among those listed. One that has our condition and another name is
// the merchant's own.
func (d *destination) found(listed []segment, a connectors.Audience) string {
	name := d.segmentName(a)
	for _, s := range listed {
		if s.Query == d.condition(a.Key) && (s.Name == name || suffix.ReplaceAllString(s.Name, "") == name) {
			return tail(s.ID)
		}
	}
	return ""
}

// makeSegment makes a segment and returns its number, or nothing where the shop is full of segments.
func (d *destination) makeSegment(ctx context.Context, a connectors.Audience) (string, error) {
	var answer struct {
		Create struct {
			Segment *segment   `json:"segment"`
			Errors  userErrors `json:"userErrors"`
		} `json:"segmentCreate"`
	}
	err := d.ask(ctx, "segment_create", map[string]any{"name": d.segmentName(a), "query": d.condition(a.Key)}, &answer)
	switch made := answer.Create; {
	case err != nil:
		return "", permitted(err)
	case made.Segment != nil && made.Segment.ID != "":
		return tail(made.Segment.ID), nil
	case strings.Contains(d.words(made.Errors), "limit"):
		d.log.WarnContext(ctx, "no segment was made, the tags are written all the same", "audience", a.Key, "err", d.words(made.Errors))
		return "", nil
	default:
		return "", &connectors.Error{
			Kind: connectors.KindPermanent, Op: "segment of " + a.Key, Err: errors.New(d.words(made.Errors)),
			Remedy: "set segments = false, or give the audience another name",
		}
	}
}

// Remove deletes the segments of audiences. One that is gone, and one whose condition the merchant changed, is left: he
// made it his own. Tags go when people leave.
func (d *destination) Remove(ctx context.Context, audiences []connectors.Audience) error {
	living, err := d.segmentsByID(ctx, audiences)
	if err != nil {
		return err
	}
	for _, a := range audiences {
		tag, number := parseID(a.ID)
		s, lives := living[number]
		if !lives || tag != d.tag(a.Key) || strings.TrimSpace(s.Query) != d.condition(a.Key) {
			continue
		}
		var answer struct {
			Delete struct {
				Errors userErrors `json:"userErrors"`
			} `json:"segmentDelete"`
		}
		if err := d.ask(ctx, "segment_delete", map[string]any{"id": s.ID}, &answer); err != nil {
			return permitted(err)
		}
		if failed := answer.Delete.Errors; len(failed) > 0 && !failed.gone() {
			return &connectors.Error{Kind: connectors.KindRetry, Op: "segment of " + a.Key, Err: errors.New(d.words(failed))}
		}
	}
	return nil
}
