package shopify

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// goodPages of a smaller size are tried before a larger one.
const goodPages = 8

// list is a page of a connection.
type list[T any] struct {
	Nodes    []T `json:"nodes"`
	PageInfo struct {
		HasNextPage bool   `json:"hasNextPage"`
		EndCursor   string `json:"endCursor"`
	} `json:"pageInfo"`
}

// next returns the cursor of the next page, empty where this is the last one. A page that promises more and does not
// say where is not the end.
func (l list[T]) next(op string) (string, error) {
	if !l.PageInfo.HasNextPage {
		return "", nil
	}
	if l.PageInfo.EndCursor == "" {
		return "", trouble(op, "there is more, and no cursor to it")
	}
	return l.PageInfo.EndCursor, nil
}

// shrinkable reports whether asking for less may help.
func shrinkable(err error) bool {
	return errors.Is(err, errTooCostly) || errors.Is(err, httpapi.ErrHeavy)
}

// readPage reads one page of records in the order of their changes.
func (w *pull) readPage(ctx context.Context) error {
	found, err := w.ask250(ctx, w.root+"_page", w.filter(w.position))
	if err != nil {
		return err
	}
	if err := w.take(ctx, found.Nodes); err != nil {
		return err
	}
	return w.turn(found)
}

// ask250 asks for a page behind the position, of fewer records where the shop cannot make so many.
func (w *pull) ask250(ctx context.Context, document, filter string) (list[json.RawMessage], error) {
	most := min(w.page, w.set.PageSize)
	size := most
	if w.Size > 0 {
		size = min(w.Size, most)
	}
	variables := map[string]any{}
	if w.After != "" {
		variables["after"] = w.After
	}
	if filter != "" {
		variables["query"] = filter
	}
	for {
		variables["first"] = size
		answer := map[string]*list[json.RawMessage]{}
		err := w.granting(ctx, document, variables, &answer)
		if shrinkable(err) && size > 1 && ctx.Err() == nil {
			size = max(1, size/2)
			w.Size, w.Good = size, 0
			continue
		}
		if w.After != "" && unknownPlace(err) { // from the beginning of this part: what comes twice does no harm
			w.After = ""
			delete(variables, "after")
			continue
		}
		if err != nil {
			return list[json.RawMessage]{}, err
		}
		w.recover(most)
		for _, found := range answer {
			if found != nil {
				return *found, nil
			}
		}
		return list[json.RawMessage]{}, shapeless(document)
	}
}

// unknownPlace reports whether the shop does not know any more what a cursor of its own means, as when the form of its
// cursors changed between two runs.
func unknownPlace(err error) bool {
	var refused *graphError
	return errors.As(err, &refused) && connectors.KindOf(err) == connectors.KindPermanent &&
		strings.Contains(strings.ToLower(refused.Message), "cursor")
}

// recover lets pages grow again after a while.
func (w *pull) recover(most int) {
	if w.Size == 0 {
		return
	}
	if w.Good++; w.Good >= goodPages {
		w.Size, w.Good = w.Size*2, 0
	}
	if w.Size >= most {
		w.Size, w.Good = 0, 0
	}
}

// turn moves the position behind a page.
func (w *pull) turn(found list[json.RawMessage]) error {
	next, err := found.next(w.root + " page")
	if err != nil {
		return err
	}
	switch next {
	case "":
		w.proceed()
	case w.After:
		return standing(w.root + " page")
	default:
		w.After = next
	}
	return nil
}

// take puts records that came with all their children into the page, and asks for what belongs to them beside.
func (w *pull) take(ctx context.Context, nodes []json.RawMessage) error {
	var refunded []string
	for _, raw := range nodes {
		if isNull(raw) {
			continue
		}
		err := w.read(ctx, raw, &refunded)
		var bad *unreadable
		if errors.As(err, &bad) {
			w.out.Rejected = append(w.out.Rejected, bad.reject(raw))
			continue
		}
		if err != nil {
			return err
		}
	}
	if len(refunded) > 0 {
		return w.addRefunds(ctx, refunded, &w.out)
	}
	return nil
}

// read puts one record with its children into the page. An unreadable one leaves no trace there.
func (w *pull) read(ctx context.Context, raw []byte, refunded *[]string) error {
	switch w.resource {
	case commerce.Products:
		if lineType(raw) == "ProductVariant" { // asked for by its id
			return w.loneVariant(raw)
		}
		return w.wholeProduct(ctx, raw)
	case commerce.Customers:
		c, err := w.customer(raw)
		if err == nil {
			w.out.Records.Customers = append(w.out.Records.Customers, c)
		}
		return err
	default:
		return w.wholeOrder(ctx, raw, refunded)
	}
}

func isNull(raw []byte) bool {
	return len(raw) == 0 || bytes.Equal(bytes.TrimSpace(raw), []byte("null"))
}

// rest reads what one page has not held of a connection of a record.
func rest[T any](ctx context.Context, s *source, document, connection, id string, first list[T]) ([]T, error) {
	all := first.Nodes
	for {
		after, err := first.next(document)
		if err != nil || after == "" {
			return all, err
		}
		var answer struct {
			Node map[string]json.RawMessage `json:"node"`
		}
		if err := s.granting(ctx, document, map[string]any{"id": id, "after": after}, &answer); err != nil {
			return nil, err
		}
		if answer.Node == nil {
			return all, nil // deleted meanwhile
		}
		first = list[T]{}
		if err := json.Unmarshal(answer.Node[connection], &first); err != nil {
			return nil, shapeless(document)
		}
		if first.PageInfo.HasNextPage && first.PageInfo.EndCursor == after {
			return nil, standing(document)
		}
		all = append(all, first.Nodes...)
	}
}

// standing is the error of a page that is followed by itself.
func standing(op string) error {
	return trouble(op, "the cursor does not advance")
}

func shapeless(op string) error { return trouble(op, "the answer has an unknown shape") }

// trouble is the error of an answer that a shop in order would not give.
func trouble(op, what string) error {
	return &connectors.Error{
		Kind: connectors.KindRetry, Op: op, Err: errors.New(what),
		Remedy: "the shop has trouble; the next run goes on where this one stopped",
	}
}
