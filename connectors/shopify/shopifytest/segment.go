package shopifytest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// segment is a group of customers: a name and a condition.
type segment struct {
	id              int64
	name, query     string
	created, edited time.Time
}

const (
	mostSegments    = 6000
	longestName     = 255
	longestSegment  = 5000
	longestMembers  = 1000 // of a page of members
	attributeNeeded = "At least one attribute to change must be present"
)

func (g segment) object() *object {
	return &object{typ: "Segment", id: gid("Segment", g.id), record: g, changed: g.edited, plain: map[string]any{
		"name": g.name, "query": g.query, "creationDate": g.created, "lastEditDate": g.edited,
	}}
}

func (s *Server) allSegments() []segment {
	s.kept.mu.Lock()
	defer s.kept.mu.Unlock()
	return slices.Clone(s.kept.segments)
}

func (s *Server) segment(id int64) (segment, bool) {
	all := s.allSegments()
	i := slices.IndexFunc(all, func(g segment) bool { return g.id == id })
	if i < 0 {
		return segment{}, false
	}
	return all[i], true
}

func (s *Server) segmentByID(id int64) *object {
	if g, ok := s.segment(id); ok {
		return g.object()
	}
	return nil
}

func (s *Server) segmentList() *connection {
	return &connection{typ: "Segment", search: segmentSearch, sort: segmentSort, items: func() []*object {
		var items []*object
		for _, g := range s.allSegments() {
			if s.opts.Lag == 0 || !g.created.After(s.shop.Now().Add(-s.opts.Lag)) { // the catalogue is an index
				items = append(items, g.object())
			}
		}
		return items
	}}
}

// readSegment is segment(id).
func (s *Server) readSegment(_ *call, args map[string]any) (any, error) {
	id, err := idOf(args, "id", "Segment")
	if err != nil {
		return nil, err
	}
	if o := s.segmentByID(id); o != nil {
		return o, nil
	}
	return nil, &failure{message: "Segment does not exist", code: "NOT_FOUND"}
}

// createSegment is segmentCreate. A name that is taken gets a number behind it.
func (s *Server) createSegment(_ *call, args map[string]any) (any, error) {
	name, _ := args["name"].(string)   //nolint:errcheck // the schema asks for one
	query, _ := args["query"].(string) //nolint:errcheck // the schema asks for one
	name = strings.TrimSpace(name)     // a condition keeps its blanks
	if wrong := append(nameWrong(name), s.queryWrong(name, query)...); len(wrong) > 0 {
		return segmentAnswer(nil, wrong...), nil
	}
	s.kept.mu.Lock()
	defer s.kept.mu.Unlock()
	if len(s.kept.segments) >= mostSegments {
		return segmentAnswer(nil, userError{message: "Segment limit reached. Delete an existing segment to create more."}), nil
	}
	now := s.shop.Now()
	g := segment{id: s.kept.next(), name: s.kept.freeName(name, 0), query: query, created: now, edited: now}
	s.kept.segments = append(s.kept.segments, g)
	return segmentAnswer(g.object()), nil
}

var numbered = regexp.MustCompile(`^(.*) \((\d+)\)$`)

// freeName is the name, with the next number behind it where another segment has it; call it with the lock held.
func (k *kept) freeName(name string, own int64) string {
	taken := func(name string) bool {
		return slices.ContainsFunc(k.segments, func(g segment) bool { return g.id != own && g.name == name })
	}
	stem, n := name, 1
	if parts := numbered.FindStringSubmatch(name); parts != nil {
		stem = parts[1]
		n, _ = strconv.Atoi(parts[2]) //nolint:errcheck // digits
	}
	free := name
	for taken(free) {
		n++
		free = fmt.Sprintf("%s (%d)", stem, n)
	}
	return free
}

func segmentAnswer(g *object, wrong ...userError) map[string]any {
	return map[string]any{"segment": maybe(g), "userErrors": userErrors("UserError", wrong...)}
}

func nameWrong(name string) []userError {
	switch {
	case name == "":
		return []userError{{field: []string{"name"}, message: "Name can't be blank"}}
	case utf8.RuneCountInString(name) > longestName:
		return []userError{{field: []string{"name"}, message: fmt.Sprintf("Name is too long (maximum is %d characters)", longestName)}}
	}
	return nil
}

// queryWrong says what is wrong with a condition; its grammar is looked at only where the name is right.
func (s *Server) queryWrong(name, query string) []userError {
	wrong := func(message string) []userError { return []userError{{field: []string{"query"}, message: message}} }
	switch {
	case strings.TrimSpace(query) == "":
		return wrong("Query can't be blank")
	case utf8.RuneCountInString(query) > longestSegment:
		return wrong(fmt.Sprintf("Query is too long (maximum is %d characters)", longestSegment))
	case len(nameWrong(name)) > 0:
		return nil
	}
	var all []userError
	_, complaints := parseCondition(query, s.filterTypes())
	for _, complaint := range complaints {
		all = append(all, wrong("Query "+complaint)...)
	}
	return all
}

// updateSegment is segmentUpdate.
func (s *Server) updateSegment(_ *call, args map[string]any) (any, error) {
	id, err := idOf(args, "id", "Segment")
	if err != nil {
		return nil, err
	}
	g, ok := s.segment(id)
	if !ok {
		return segmentAnswer(nil, userError{field: []string{"id"}, message: "Segment does not exist"}), nil
	}
	name, named := args["name"].(string)
	query, asked := args["query"].(string)
	if !named && !asked {
		return segmentAnswer(nil, userError{message: attributeNeeded}), nil
	}
	var wrong []userError
	if named {
		name = strings.TrimSpace(name)
		wrong = nameWrong(name)
	}
	if asked && len(wrong) == 0 {
		wrong = s.queryWrong(g.name, query)
	}
	if len(wrong) > 0 {
		return segmentAnswer(nil, wrong...), nil
	}
	s.kept.mu.Lock()
	defer s.kept.mu.Unlock()
	i := slices.IndexFunc(s.kept.segments, func(have segment) bool { return have.id == id })
	if i < 0 {
		return segmentAnswer(nil, userError{field: []string{"id"}, message: "Segment does not exist"}), nil
	}
	if named {
		s.kept.segments[i].name = s.kept.freeName(name, id)
	}
	if asked {
		s.kept.segments[i].query = query
	}
	s.kept.segments[i].edited = s.shop.Now()
	return segmentAnswer(s.kept.segments[i].object()), nil
}

// deleteSegment is segmentDelete.
func (s *Server) deleteSegment(_ *call, args map[string]any) (any, error) {
	id, err := idOf(args, "id", "Segment")
	if err != nil {
		return nil, err
	}
	s.kept.mu.Lock()
	defer s.kept.mu.Unlock()
	before := len(s.kept.segments)
	s.kept.segments = slices.DeleteFunc(s.kept.segments, func(g segment) bool { return g.id == id })
	if len(s.kept.segments) == before {
		return map[string]any{"deletedSegmentId": nil, "userErrors": userErrors("UserError", userError{field: []string{"id"}, message: "Segment does not exist"})}, nil
	}
	return map[string]any{"deletedSegmentId": gid("Segment", id), "userErrors": userErrors("UserError")}, nil
}

// segmentMembers is customerSegmentMembers: of a segment, or of a condition.
func (s *Server) segmentMembers(_ *call, args map[string]any) (any, error) {
	query, _ := args["query"].(string) //nolint:errcheck // absent is empty
	if _, ok := args["segmentId"].(string); ok {
		id, err := idOf(args, "segmentId", "Segment")
		if err != nil {
			return nil, err
		}
		g, ok := s.segment(id)
		if !ok {
			return nil, &failure{message: "Segment does not exist", code: "NOT_FOUND"}
		}
		query = g.query
	}
	holds, complaints := parseCondition(query, s.filterTypes())
	if len(complaints) > 0 {
		return nil, badRequest(complaints[0])
	}
	var members []*simulator.Customer
	for _, c := range s.shop.Customers() {
		if holds(s.traits(c)) {
			members = append(members, c)
		}
	}
	return &connection{
		typ: "CustomerSegmentMember", most: longestMembers, asked: true,
		items: func() []*object {
			items := make([]*object, len(members))
			for i, c := range members {
				items[i] = s.member(c)
			}
			return items
		},
		extra: map[string]resolver{"totalCount": value(int64(len(members))), "statistics": value(map[string]any{})},
	}, nil
}

// member is a customer as a member of a segment.
func (s *Server) member(c *simulator.Customer) *object {
	return &object{typ: "CustomerSegmentMember", id: gid("CustomerSegmentMember", c.ID), record: c, fill: func() map[string]resolver {
		facts := s.customerFacts(c)
		fields := map[string]resolver{}
		for _, name := range []string{"displayName", "firstName", "lastName", "note", "defaultAddress", "defaultEmailAddress", "defaultPhoneNumber"} {
			fields[name] = value(facts[name])
		}
		orders := s.customerOrders(c)
		fields["amountSpent"], fields["numberOfOrders"] = orders["amountSpent"], orders["numberOfOrders"]
		fields["lastOrderId"] = value(nil)
		if last := s.kept.tally(c.ID).last; last != nil {
			fields["lastOrderId"] = value(gid("Order", last.ID))
		}
		fields["metafield"], fields["metafields"] = s.metafieldOf(gid("Customer", c.ID)), s.metafieldsOf(gid("Customer", c.ID))
		return fields
	}}
}

// segmentMembership is customerSegmentMembership.
func (s *Server) segmentMembership(_ *call, args map[string]any) (any, error) {
	id, err := idOf(args, "customerId", "Customer")
	if err != nil {
		return nil, err
	}
	c := s.shop.Customer(id)
	memberships := []*object{}
	for _, v := range listOf(args["segmentIds"]) {
		text, _ := v.(string) //nolint:errcheck // the schema takes texts only
		g, ok := s.segment(number(text))
		member := false
		if ok && c != nil {
			holds, _ := parseCondition(g.query, s.filterTypes())
			member = holds(s.traits(c))
		}
		memberships = append(memberships, simple("SegmentMembership", map[string]any{"segmentId": text, "isMember": member}))
	}
	return simple("SegmentMembershipResponse", map[string]any{"memberships": memberships}), nil
}

// createMembersQuery is customerSegmentMembersQueryCreate: a job that has not begun.
func (s *Server) createMembersQuery(_ *call, args map[string]any) (any, error) {
	const typ = "CustomerSegmentMembersQueryUserError"
	in, _ := args["input"].(map[string]any) //nolint:errcheck // the schema asks for one
	id, named := in["segmentId"].(string)
	query, asked := in["query"].(string)
	fail := func(field []string, message string) (any, error) {
		return map[string]any{"customerSegmentMembersQuery": nil, "userErrors": userErrors(typ, userError{field, message, "INVALID"})}, nil
	}
	switch {
	case named && asked:
		return fail([]string{"input"}, "Providing both segment_id and query is not supported.")
	case !named && !asked:
		return fail([]string{"input"}, "You must provide one of segment_id or query.")
	case named:
		if _, ok := s.segment(number(id)); !ok {
			return fail(nil, "Invalid segment ID.")
		}
	default:
		if _, complaints := parseCondition(query, s.filterTypes()); len(complaints) > 0 {
			return fail(nil, complaints[0])
		}
	}
	s.kept.mu.Lock()
	number := s.kept.next()
	s.kept.mu.Unlock()
	return map[string]any{"userErrors": userErrors(typ), "customerSegmentMembersQuery": &object{
		typ: "CustomerSegmentMembersQuery", id: gid("CustomerSegmentMembersQuery", number), plain: map[string]any{"currentCount": int64(0), "done": false},
	}}, nil
}
