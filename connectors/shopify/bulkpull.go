package shopify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// How an operation is waited for, and when it is given up.
const (
	firstLook = 500 * time.Millisecond
	lastLook  = time.Minute
	// retries of a window whose file was not whole, before it is halved.
	retries = 2
	// stale is when a failure is old enough to try the same again.
	stale = time.Hour
	// longestRun is when an operation that does not come to an end is given up. Shopify ends them after ten days.
	longestRun = 11 * 24 * time.Hour
	// longestLine of a file.
	longestLine = 256 << 20
)

// bulkText is the document of the operation for a position.
func (k kind) bulkText(p position, granted map[string]bool) string {
	document := prune(text("bulk_"+k.root), granted)
	if filter := k.filter(p); filter != "" {
		document = strings.Replace(document, k.root+" {", k.root+"(query: "+strconv.Quote(filter)+") {", 1)
	}
	return document
}

// start starts the operation of the window, or finds the one that was started when the answer was lost. The page carries
// its id, to be stored before anything is asked of it.
func (w *pull) start(ctx context.Context) error {
	granted, err := w.scopes(ctx)
	if err != nil {
		return err
	}
	if missing := w.lacking(granted); len(missing) > 0 {
		return w.deniedScopes(missing)
	}
	document := w.bulkText(w.position, granted)
	op, err := w.begin(ctx, document)
	var busy *errBusy
	if errors.As(err, &busy) {
		w.Phase = starting
		w.out.NotBefore = w.now().Add(slotRest)
		return nil
	}
	if err != nil {
		return err
	}
	if !op.CreatedAt.IsZero() && op.CreatedAt.Before(w.Began) {
		w.Began = op.CreatedAt.UTC().Truncate(time.Second) // it knows nothing of what came after
	}
	w.Phase, w.Op, w.Asked = reading, op.ID, w.now().UTC()
	w.out.NotBefore = w.Asked.Add(firstLook)
	return nil
}

func (w *pull) begin(ctx context.Context, document string) (operation, error) {
	going, err := w.running(ctx)
	if err != nil {
		return operation{}, err
	}
	for _, op := range going {
		if op.Kind != "MUTATION" && op.Status != "CANCELING" && sameText(op.Query, document) {
			return op, nil
		}
	}
	return w.startQuery(ctx, document)
}

// sameText compares documents whatever their spaces.
func sameText(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	return len(x) == len(y) && strings.Join(x, " ") == strings.Join(y, " ")
}

// result waits for the operation, and reads the next chunk of its file.
func (w *pull) result(ctx context.Context) error {
	op := w.done
	if op.ID != w.Op {
		var err error
		op, err = w.operation(ctx, w.Op)
		if connectors.KindOf(err) == connectors.KindRecord && ctx.Err() == nil { // forgotten by the shop
			return w.again(operation{ID: w.Op}, err)
		}
		if err != nil {
			return err
		}
	}
	switch op.Status {
	case "COMPLETED":
		fresh := w.done.ID != op.ID
		w.done = op
		err := w.readFile(ctx, op)
		if errors.Is(err, errExpired) {
			return w.refused(ctx, op, err, fresh)
		}
		return err
	case "EXPIRED":
		return w.again(op, errors.New("the result of the bulk operation has expired"))
	case "FAILED", "CANCELED": // what there may be of a result is a part, and nobody can say of what
		return w.failed(ctx, op)
	default: // under way, whatever Shopify may come to call it
		now := w.now()
		if now.Sub(w.Asked) > longestRun {
			return w.again(op, fmt.Errorf("the bulk operation is still %s", op.Status))
		}
		w.out.NotBefore = now.Add(min(lastLook, max(firstLook, now.Sub(w.Asked)/4)))
		return nil
	}
}

// refused goes on where the address of the result is not valid: with a fresh one, and where that is refused as well for
// longer than a while, with another operation.
func (w *pull) refused(ctx context.Context, op operation, err error, fresh bool) error {
	w.done = operation{}
	switch {
	case !fresh:
		return w.result(ctx)
	case w.now().Sub(op.CompletedAt) < stale:
		return err
	default:
		return w.again(op, err)
	}
}

// failed gives up an operation: over less it may succeed.
func (w *pull) failed(ctx context.Context, op operation) error {
	cause := fmt.Errorf("the shop's bulk operation ended as %s %s", op.Status, op.ErrorCode)
	if op.ErrorCode != "ACCESS_DENIED" {
		if w.halve() {
			w.warn(op, "is done again in two halves")
			return nil
		}
		return w.again(op, cause)
	}
	w.asked = time.Time{} // it may have changed
	granted, err := w.scopes(ctx)
	if err != nil {
		return err
	}
	missing := w.lacking(granted)
	if w.Tries == 0 && len(missing) == 0 { // a scope was taken away and given back meanwhile, as it seems
		w.Tries++
		w.restart()
		return nil
	}
	if w.now().Sub(w.Asked) > stale {
		w.restart()
		return nil
	}
	if len(missing) == 0 {
		missing = w.needed
	}
	return w.deniedScopes(missing)
}

func (w *pull) warn(op operation, what string) {
	w.log.Warn("a bulk operation "+what, "resource", w.resource, "operation", op.ID, "status", op.Status, "code", op.ErrorCode)
}

func (w *pull) deniedScopes(missing []string) error {
	scopes := strings.Join(missing, ", ")
	return &connectors.Error{
		Kind: connectors.KindCredentials, Op: w.root + " by bulk operation", Permission: scopes,
		Err: errors.New("access denied"), Remedy: "grant the app the scope " + scopes + w.grant(),
	}
}

// again begins the window anew where nothing else helps; at most so often at once, and then once in each later run.
func (w *pull) again(op operation, cause error) error {
	w.done = operation{}
	if w.Tries < retries || w.now().Sub(w.Asked) > stale {
		w.warn(op, "is done again")
		w.Tries++
		w.restart()
		return nil
	}
	if op.Status == "COMPLETED" && w.halve() {
		w.warn(op, "is done again in two halves")
		return nil
	}
	return &connectors.Error{
		Kind: connectors.KindRetry, Op: w.root + " by bulk operation", Err: cause,
		Remedy: "Shopify has trouble; what was read is kept, and the next run begins this part again",
	}
}

// readFile reads one chunk of the result. At its end the lines are counted against what the shop announced: a file that
// is not whole is never believed.
func (w *pull) readFile(ctx context.Context, op operation) error {
	if op.URL != "" {
		whole, err := w.readChunk(ctx, op)
		if err != nil || !whole {
			return err
		}
	}
	if w.Lines != op.Objects || w.Roots != op.Roots {
		return w.again(op, fmt.Errorf("the file has %d lines and %d records, %d and %d were announced", w.Lines, w.Roots, op.Objects, op.Roots))
	}
	if !w.advance() {
		w.proceed()
	}
	return nil
}

func (w *pull) readChunk(ctx context.Context, op operation) (whole bool, err error) {
	if w.resource == commerce.Products {
		if err := w.file(ctx, op); err != nil {
			return false, err
		}
	}
	body, whole, err := w.lines(ctx, op.URL, w.Offset)
	if err == nil && whole && op.Size > 0 && w.Offset+int64(len(body)) != op.Size { // something else than the file came
		body, whole, err = w.lines(ctx, op.URL, w.Offset)
	}
	if err != nil {
		return false, err
	}
	w.Offset += int64(len(body))
	return whole, w.parse(ctx, body)
}

// lines reads whole lines of a file from a byte on: as many as a chunk holds, at least one. Behind the last line there
// may be no newline.
func (s *source) lines(ctx context.Context, url string, from int64) (body []byte, whole bool, err error) {
	for size := s.set.BulkChunk; ; size *= 2 {
		body, whole, err = s.chunk(ctx, url, from, size)
		if err != nil || whole {
			return body, whole, err
		}
		if end := bytes.LastIndexByte(body, '\n'); end >= 0 {
			return body[:end+1], false, nil
		}
		if size >= longestLine {
			return nil, false, &connectors.Error{
				Kind: connectors.KindPermanent, Op: "bulk result", Err: fmt.Errorf("a line is longer than %d bytes", size),
				Remedy: "report this: one record of the shop is larger than we can read",
			}
		}
	}
}

// eachLine calls f for every line of a chunk that is not blank. A byte order mark is no part of its line.
func eachLine(body []byte, f func(line []byte) error) error {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	for len(body) > 0 {
		line := body
		if end := bytes.IndexByte(body, '\n'); end >= 0 {
			line, body = body[:end], body[end+1:]
		} else {
			body = nil
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if err := f(line); err != nil {
			return err
		}
	}
	return nil
}

// part is a chunk of a file on its way into a page.
type part struct {
	*pull
	included map[string]bool // by gid of the orders of the chunk: whether prices contain their tax
	rejected map[string]bool // gids of the records of the chunk that could not be read
	refunded []string        // gids of orders with refunds
}

// parse reads the lines of a chunk. Children come after their parents, anywhere.
func (w *pull) parse(ctx context.Context, body []byte) error {
	c := &part{pull: w, included: map[string]bool{}, rejected: map[string]bool{}}
	c.makeRoom(body)
	if err := eachLine(body, c.line); err != nil {
		return err
	}
	if len(c.refunded) > 0 {
		return w.addRefunds(ctx, c.refunded, &w.out)
	}
	return nil
}

// sampleSize is how much of a chunk tells what the rest of it is like.
const sampleSize = 64 << 10

// makeRoom sizes the page for what the chunk is likely to hold: growing slices of large records costs as much as reading
// them.
func (c *part) makeRoom(body []byte) {
	sample := body[:min(len(body), sampleSize)]
	lines, found := bytes.Count(body, []byte("\n"))+1, bytes.Count(sample, []byte("\n"))+1
	children := lines * bytes.Count(sample, []byte(parentKey)) / found
	switch c.resource {
	case commerce.Orders:
		c.out.Records.Orders = make([]commerce.Order, 0, max(0, lines-children))
		c.out.Records.Lines = make([]commerce.Line, 0, children)
	case commerce.Customers:
		c.out.Records.Customers = make([]commerce.Customer, 0, lines)
	default:
		c.out.Records.Products = make([]commerce.Product, 0, lines)
	}
}

func (c *part) line(line []byte) error {
	c.Lines++
	typ := lineType(line)
	if typ == c.typ || typ == "" && !isChild(line) {
		c.Roots++
	}
	err := c.record(typ, line)
	var bad *unreadable
	if errors.As(err, &bad) {
		if id := gidOf(line); id != "" {
			c.rejected[id] = true
		}
		c.out.Rejected = append(c.out.Rejected, bad.reject(line))
		return nil
	}
	return err
}

// record puts one line into the page.
func (c *part) record(typ string, line []byte) error {
	records := &c.out.Records
	switch typ {
	case "Order":
		return c.order(line)
	case "LineItem":
		return c.lineItem(line)
	case "Customer":
		customer, err := c.customer(line)
		if err == nil {
			records.Customers = append(records.Customers, customer)
		}
		return err
	case "Product":
		var n productNode
		if err := decode(line, &n); err != nil {
			return &unreadable{cause: err}
		}
		product, err := productOf(&n, c.filed.titles[n.ID])
		if err == nil {
			records.Products = append(records.Products, product)
		}
		return err
	case "ProductVariant":
		return c.variantLine(line)
	default: // collections are read ahead of the file; whatever else is a child that nobody asked for
		if typ == "" && !isChild(line) {
			return &unreadable{cause: errors.New("not a record")}
		}
		return nil
	}
}

func (c *part) order(line []byte) error {
	var n orderNode
	if err := decode(line, &n); err != nil {
		return &unreadable{cause: err}
	}
	o, err := orderOf(&n)
	if err != nil {
		return err
	}
	c.included[n.ID] = n.TaxesIncluded
	c.Taxes = c.Taxes.with(n.TaxesIncluded)
	c.await(&n, o.ModifiedAt)
	if len(n.Refunds) > 0 {
		c.refunded = append(c.refunded, n.ID)
	}
	c.out.Records.Orders = append(c.out.Records.Orders, o)
	return nil
}

func (c *part) lineItem(line []byte) error {
	var n lineNode
	if err := decode(line, &n); err != nil {
		return &unreadable{id: tail(parentOf(line)), cause: inLine(err)}
	}
	if c.rejected[n.Parent] {
		return nil
	}
	included, here := c.included[n.Parent]
	if !here {
		included = c.Taxes.includes(&n)
	}
	l, err := lineOf(&n, tail(n.Parent), included)
	if err != nil {
		return &unreadable{id: l.OrderID, cause: inLine(err)}
	}
	c.out.Records.Lines = append(c.out.Records.Lines, l)
	return nil
}

func (c *part) variantLine(line []byte) error {
	var n variantNode
	if err := decode(line, &n); err != nil {
		return &unreadable{id: variantID(gidOf(line)), cause: err}
	}
	if c.rejected[n.Parent] {
		return nil
	}
	v, err := variantOf(&n, tail(n.Parent))
	if err == nil {
		c.out.Records.Products = append(c.out.Records.Products, v)
	}
	return err
}

// memberships say which collections the products of a file are in. Children stand anywhere in a file, and a product is
// one record with its collections, so they are read before the products are.
type memberships struct {
	op     string
	titles map[string][]string // by gid of the product
}

// file reads the memberships of an operation's file, once for each instance.
func (w *pull) file(ctx context.Context, op operation) error {
	if w.filed.op == op.ID {
		return nil
	}
	found := memberships{op: op.ID, titles: map[string][]string{}}
	same := map[string]string{} // each title once in memory
	take := func(line []byte) error {
		if !isChild(line) || lineType(line) != "Collection" {
			return nil
		}
		var n collectionNode
		if decode(line, &n) != nil {
			return nil //nolint:nilerr // set aside when its chunk is read
		}
		if _, known := same[n.Title]; !known {
			same[n.Title] = n.Title
		}
		found.titles[n.Parent] = append(found.titles[n.Parent], same[n.Title])
		return nil
	}
	for from, whole := int64(0), false; !whole; {
		var body []byte
		var err error
		if body, whole, err = w.lines(ctx, op.URL, from); err != nil {
			return err
		}
		if err := eachLine(body, take); err != nil {
			return err
		}
		from += int64(len(body))
	}
	w.filed = found
	return nil
}
