package shopifytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
)

// graph answers one document: read, judged, paid for and executed.
func (s *Server) graph(q *question, fault *Fault) *answer {
	if q == nil {
		return jsonAnswer(http.StatusBadRequest, map[string]any{"errors": map[string]any{"query": "Required parameter missing or invalid"}})
	}
	if s.opts.Validator != nil && (q.wrong == nil || q.wrong.code != "PARSE_ERROR") {
		if wrong := s.opts.Validator.Request(q.Query, q.Variables); len(wrong) > 0 {
			return jsonAnswer(http.StatusOK, map[string]any{"errors": wrong})
		}
	}
	if q.wrong != nil {
		return jsonAnswer(http.StatusOK, map[string]any{"errors": []any{q.wrong.json()}})
	}
	price := q.document.cost()
	if price > MaxCost {
		return tooCostly(price)
	}
	s.mu.Lock()
	paid := !fault.is(Throttled) && s.bucket.take(price, s.clock())
	status := s.bucket.status()
	s.mu.Unlock()
	if fault.is(Throttled) {
		status["currentlyAvailable"] = 0.0
	}
	if !paid {
		return throttled(price, status)
	}
	if fault.is(InternalError) {
		return s.internalError(price)
	}
	x := s.execute(q, fault)
	s.judge(q, x)
	used := x.price(q.document, price)
	s.mu.Lock()
	s.bucket.settle(price - used)
	status = s.bucket.status()
	s.mu.Unlock()
	return x.answer(price, used, status)
}

// execute runs a document over the shop.
func (s *Server) execute(q *question, fault *Fault) *execution {
	c := &call{server: s, now: s.shop.Now(), access: s.may()}
	x := &execution{call: c}
	x.run(s.root(q.document.operation, fault), q.document)
	if fault.is(AccessDenied) && len(q.document.roots) > 0 {
		denial := denied(q.document.roots[0].name, "a scope that was taken away")
		c.path = []any{q.document.roots[0].key}
		x.fail(denial, &selection{at: q.document.roots[0].at})
	}
	return x
}

// root is the Query or Mutation object: the shop's fields and the engine's own.
func (s *Server) root(operation ast.Operation, fault *Fault) *object {
	var own map[string]resolver
	var shop *object
	if operation == ast.Mutation {
		shop, own = s.mutation(), s.bulkMutations(fault)
	} else {
		shop, own = s.query(), s.bulkQueries()
	}
	fields := maps.Clone(shop.fields)
	maps.Copy(fields, own)
	if operation != ast.Mutation {
		wrapNodes(s, fields)
	}
	return &object{typ: shop.typ, fields: fields}
}

// judge lets the validator look at the answer.
func (s *Server) judge(q *question, x *execution) {
	if s.opts.Validator == nil || x.broken {
		return
	}
	if err := s.opts.Validator.Answer(q.Query, q.Variables, json.RawMessage(x.out)); err != nil {
		s.violate(fmt.Errorf("answer of %s: %w", q.document.name, err))
	}
}

func (s *Server) violate(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violations = append(s.violations, err)
}

// Violations lists what the validator found in the fake's own answers.
func (s *Server) Violations() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}

// price is what was really answered, in points: less where pages were not full.
func (x *execution) price(d *document, asked float64) float64 {
	if d.operation == ast.Mutation {
		return asked
	}
	return min(asked, math.Floor(x.used))
}

// answer puts the parts together.
func (x *execution) answer(asked, used float64, status map[string]any) *answer {
	body := map[string]any{"extensions": map[string]any{
		"cost": map[string]any{"requestedQueryCost": asked, "actualQueryCost": used, "throttleStatus": status},
	}}
	if len(x.call.search) > 0 {
		var all []any
		for _, e := range x.call.search {
			all = append(all, map[string]any{"path": e.path, "query": e.query, "parsed": e.parsed, "warnings": e.warnings})
		}
		body["extensions"].(map[string]any)["search"] = all //nolint:errcheck // just made
	}
	rest, err := json.Marshal(body)
	if err != nil {
		panic("shopifytest: answer: " + err.Error())
	}
	var out bytes.Buffer
	out.Grow(len(x.out) + len(rest) + 64)
	out.WriteByte('{')
	if len(x.errors) > 0 {
		wrong, err := json.Marshal(x.errors)
		if err != nil {
			panic("shopifytest: errors: " + err.Error())
		}
		out.WriteString(`"errors":`)
		out.Write(wrong)
		out.WriteByte(',')
	}
	out.WriteString(`"data":`)
	out.Write(x.out)
	out.WriteByte(',')
	out.Write(rest[1:])
	return rawAnswer(http.StatusOK, out.Bytes())
}

const limitsPage = "https://shopify.dev/api/usage/rate-limits"

func throttled(price float64, status map[string]any) *answer {
	return jsonAnswer(http.StatusOK, map[string]any{
		"errors": []any{map[string]any{"message": "Throttled", "extensions": map[string]any{"code": "THROTTLED", "documentation": limitsPage}}},
		"extensions": map[string]any{
			"cost": map[string]any{"requestedQueryCost": price, "actualQueryCost": nil, "throttleStatus": status},
		},
	})
}

func tooCostly(price float64) *answer {
	message := fmt.Sprintf("Query cost is %v, which exceeds the single query max cost limit (%d).\n\nSee %s for more information on how the cost of a query is calculated.", price, MaxCost, limitsPage)
	return jsonAnswer(http.StatusOK, map[string]any{"errors": []any{map[string]any{
		"message": message, "extensions": map[string]any{"code": "MAX_COST_EXCEEDED", "cost": price, "maxCost": MaxCost, "documentation": limitsPage},
	}}})
}

func (s *Server) internalError(price float64) *answer {
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", s.next())
	return jsonAnswer(http.StatusOK, map[string]any{
		"errors": []any{map[string]any{
			"message":    "Internal error. Looks like something went wrong on our end.\nRequest ID: " + id + " (include this in support requests).",
			"extensions": map[string]any{"code": "INTERNAL_SERVER_ERROR", "requestId": id},
		}},
		"extensions": map[string]any{"cost": map[string]any{"requestedQueryCost": price}},
	})
}
