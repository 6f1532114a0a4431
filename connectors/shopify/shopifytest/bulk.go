package shopifytest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What a bulk operation is, as Shopify names it.
const (
	queryType    = "QUERY"
	mutationType = "MUTATION"

	bulkLimit   = 5                  // operations of a type at a time
	resultsLife = 7 * 24 * time.Hour // of a file of results
	operations  = "gid://shopify/BulkOperation/"
)

// operation is one bulk operation. What is in it is guarded by the server's mutex, except while it is carried out.
type operation struct {
	id      int64
	typ     string
	text    string
	created time.Time
	outcome FaultKind // "" ends well

	document *source // of a mutation
	input    []byte

	status    string
	carried   bool // out, or being so
	ready     bool // results are there
	lines     [][]byte
	roots     int
	denied    bool // a field of the query may not be read
	canceled  time.Time
	completed time.Time
	url       string
	partial   string
	size      int
	failure   string
}

func (o *operation) gid() string { return operations + strconv.FormatInt(o.id, 10) }

func (o *operation) over() bool {
	return o.status != "CREATED" && o.status != "RUNNING" && o.status != "CANCELING"
}

// settle moves every operation on as far as the clock says.
func (s *Server) settle() {
	s.mu.Lock()
	var due []*operation
	for _, o := range s.operations {
		if s.advance(o) {
			due = append(due, o)
		}
	}
	s.mu.Unlock()
	for _, o := range due {
		s.carryOut(o)
		s.mu.Lock()
		s.advance(o)
		s.mu.Unlock()
	}
}

// advance sets the status of one operation; it reports whether a mutation is to be carried out now.
func (s *Server) advance(o *operation) (due bool) {
	now, delay := s.clock(), s.opts.BulkDelay
	switch {
	case o.status == "COMPLETED" && now.Sub(o.completed) > resultsLife:
		o.status, o.url = "EXPIRED", ""
	case o.over():
	case o.status == "CANCELING":
		if now.Sub(o.canceled) >= delay/4 {
			o.status = "CANCELED"
		}
	case now.Sub(o.created) < delay/2:
	case !o.carried:
		o.status, o.carried = "RUNNING", true
		return true
	case !o.ready || now.Sub(o.created) < delay:
		o.status = "RUNNING"
	default:
		s.finish(o)
	}
	return false
}

// finish ends an operation as it is to end, with its file.
func (s *Server) finish(o *operation) {
	o.completed = s.clock()
	half := o.lines[:len(o.lines)/2]
	fail := func(code string) {
		o.status, o.failure = "FAILED", code
		o.partial, o.size = s.store(o, half)
		o.lines = half
	}
	switch {
	case o.outcome == BulkFailed:
		fail("INTERNAL_SERVER_ERROR")
	case o.outcome == BulkTimeout:
		fail("TIMEOUT")
	case o.outcome == BulkDenied || o.denied:
		fail("ACCESS_DENIED")
	case o.outcome == BulkCanceled:
		o.status, o.completed, o.lines = "CANCELED", time.Time{}, half
	case o.outcome == BulkExpired:
		o.status = "EXPIRED"
	default:
		o.status = "COMPLETED"
		given := o.lines
		if o.outcome == BulkShort {
			given = half
		}
		o.url, o.size = s.store(o, given)
	}
}

// counts are what polls see: nothing at first, then a part, then all.
func (o *operation) counts() (objects, roots int) {
	switch o.status {
	case "CREATED":
		return 0, 0
	case "RUNNING", "CANCELING":
		return len(o.lines) / 2, o.roots / 2
	}
	return len(o.lines), min(o.roots, len(o.lines))
}

// object is the operation as it is answered.
func (o *operation) object() *object {
	orNull := func(text string) any {
		if text == "" {
			return nil
		}
		return text
	}
	objects, roots := o.counts()
	var size, completed any
	if o.size > 0 && o.over() {
		size = strconv.Itoa(o.size)
	}
	if !o.completed.IsZero() {
		completed = o.completed
	}
	return &object{typ: "BulkOperation", id: o.gid(), record: o, fields: values(map[string]any{
		"status": o.status, "type": o.typ, "errorCode": orNull(o.failure), "createdAt": o.created, "completedAt": completed,
		"objectCount": strconv.Itoa(objects), "rootObjectCount": strconv.Itoa(roots), "fileSize": size, "url": orNull(o.url),
		"partialDataUrl": orNull(o.partial), "query": o.text,
	})}
}

// operation finds one by its global id, nil where there is none.
func (s *Server) operation(gid string) *object {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.operations {
		if o.gid() == gid {
			return o.object()
		}
	}
	return nil
}

// bulkQueries are the root fields about bulk operations.
func (s *Server) bulkQueries() map[string]resolver {
	return map[string]resolver{
		"bulkOperation": func(_ *call, args map[string]any) (any, error) {
			id, _ := args["id"].(string) //nolint:errcheck // "" is unknown
			if !strings.HasPrefix(id, operations) {
				return nil, &failure{message: "Invalid id: " + id, code: "RESOURCE_NOT_FOUND"}
			}
			return objectOrNull(s.operation(id)), nil
		},
		"currentBulkOperation": func(_ *call, args map[string]any) (any, error) {
			typ, _ := args["type"].(string) //nolint:errcheck // absent is the default
			if typ == "" {
				typ = queryType
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, o := range slices.Backward(s.operations) {
				if o.typ == typ {
					return o.object(), nil
				}
			}
			return nil, nil
		},
		"bulkOperations": func(*call, map[string]any) (any, error) { return s.operationList(), nil },
	}
}

// objectOrNull keeps a nil pointer from looking like something.
func objectOrNull(o *object) any {
	if o == nil {
		return nil
	}
	return o
}

// operationList is the connection of all operations, newest first: reverse turns it to the oldest.
func (s *Server) operationList() *connection {
	of := func(o *object) *operation { return o.record.(*operation) } //nolint:errcheck,forcetypeassert // made above
	newest := func(o *object) any { return -of(o).id }                // ids grow with time, also within a second
	return &connection{
		typ: "BulkOperation", strict: true,
		items: func() []*object {
			s.mu.Lock()
			defer s.mu.Unlock()
			var all []*object
			for _, o := range slices.Backward(s.operations) {
				all = append(all, o.object())
			}
			return all
		},
		search: map[string]func(*object) any{
			"":               func(o *object) any { return of(o).text },
			"id":             func(o *object) any { return of(o).id },
			"status":         func(o *object) any { return of(o).status },
			"operation_type": func(o *object) any { return of(o).typ },
			"created_at":     func(o *object) any { return of(o).created },
			"completed_at":   func(o *object) any { return of(o).completed },
		},
		accept: map[string][]string{
			"status":         {"CANCELED", "CANCELING", "COMPLETED", "CREATED", "FAILED", "RUNNING"},
			"operation_type": {queryType, mutationType},
		},
		sort: map[string]func(*object) any{
			"": newest, "CREATED_AT": newest,
			"COMPLETED_AT": func(o *object) any { return -float64(of(o).completed.UnixMicro()) },
		},
	}
}

// wrapNodes makes node and nodes find bulk operations too.
func wrapNodes(s *Server, fields map[string]resolver) {
	one, many := fields["node"], fields["nodes"]
	fields["node"] = func(c *call, args map[string]any) (any, error) {
		if id, _ := args["id"].(string); strings.HasPrefix(id, operations) { //nolint:errcheck // "" is not one
			return objectOrNull(s.operation(id)), nil
		}
		if one == nil {
			return nil, nil
		}
		return one(c, args)
	}
	fields["nodes"] = func(c *call, args map[string]any) (any, error) {
		ids, _ := args["ids"].([]any) //nolint:errcheck // none
		if len(ids) > longestPage {
			return nil, &failure{
				message: fmt.Sprintf("The input array size of %d is greater than the maximum allowed of %d.", len(ids), longestPage),
				code:    "MAX_INPUT_SIZE_EXCEEDED", top: true,
			}
		}
		mine := func(id any) bool { text, _ := id.(string); return strings.HasPrefix(text, operations) } //nolint:errcheck // "" is not one
		if many != nil && !slices.ContainsFunc(ids, mine) {
			return many(c, args)
		}
		list := make([]any, len(ids))
		for i, id := range ids {
			v, err := fields["node"](c, map[string]any{"id": id})
			if err != nil {
				return nil, err
			}
			list[i] = v
		}
		return list, nil
	}
}

// bulkMutations are the mutations about bulk operations. fault is what is to befall one that is started.
func (s *Server) bulkMutations(fault *Fault) map[string]resolver {
	var outcome FaultKind
	if fault != nil && slices.Contains(bulkFaults, fault.Kind) {
		outcome = fault.Kind
	}
	return map[string]resolver{
		"bulkOperationRunQuery": func(c *call, args map[string]any) (any, error) {
			return payload("BulkOperationRunQueryPayload", "BulkOperationUserError")(s.runQuery(c, args, outcome))
		},
		"bulkOperationRunMutation": func(_ *call, args map[string]any) (any, error) {
			return payload("BulkOperationRunMutationPayload", "BulkMutationUserError")(s.runMutation(args, outcome))
		},
		"bulkOperationCancel": func(_ *call, args map[string]any) (any, error) {
			return payload("BulkOperationCancelPayload", "UserError")(s.cancel(args))
		},
		"stagedUploadsCreate": s.stage,
	}
}

func payload(typ, wrong string) func(*object, []userError) (any, error) {
	return func(o *object, errs []userError) (any, error) {
		return simple(typ, map[string]any{"bulkOperation": objectOrNull(o), "userErrors": userErrors(wrong, errs...)}), nil
	}
}

func (s *Server) cancel(args map[string]any) (*object, []userError) {
	id, _ := args["id"].(string) //nolint:errcheck // "" is unknown
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.operations {
		switch {
		case o.gid() != id:
		case o.over():
			return o.object(), []userError{{message: "A bulk operation cannot be canceled when it is " + strings.ToLower(o.status)}}
		default:
			o.status, o.canceled = "CANCELING", s.clock()
			return o.object(), nil
		}
	}
	return nil, []userError{{field: []string{"id"}, message: "Bulk operation does not exist"}}
}

// begin puts a new operation in the list, unless too many of its type run.
func (s *Server) begin(o *operation) (*object, []userError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var running []string
	for _, other := range s.operations {
		if other.typ == o.typ && !other.over() {
			running = append(running, other.gid())
		}
	}
	limit := bulkLimit
	if s.opts.Version < "2026-01" {
		limit = 1
	}
	if len(running) >= limit {
		return nil, []userError{{
			message: "A bulk " + strings.ToLower(o.typ) + " operation for this app and shop is already in progress: " + strings.Join(running, ", ") + ".",
			code:    "OPERATION_IN_PROGRESS",
		}}
	}
	s.number++
	o.id, o.status, o.created = 7_000_000_000_000+s.number, "CREATED", s.clock()
	s.operations = append(s.operations, o)
	return o.object(), nil
}

// CancelOperations cancels every operation that runs, as an owner may.
func (s *Server) CancelOperations() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.operations {
		if !o.over() {
			o.status, o.canceled = "CANCELED", s.clock()
		}
	}
}
