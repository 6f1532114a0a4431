package ingest

import (
	"context"

	"github.com/perennial-cvo/perennial/connectors"
)

// ahead is the next page on its way while the one before is written, so that a slow shop and the database do not wait for
// each other. There is still only one request at a time, and pages are committed in their order.
type ahead struct {
	page connectors.Page
	err  error
}

// take returns the page at the cursor: the one on its way, or one asked for now.
func (p *pulling) take(ctx context.Context) (connectors.Page, error) {
	if p.ahead == nil {
		return p.ask(ctx, p.cursor)
	}
	got := <-p.ahead
	p.ahead = nil
	return got.page, got.err
}

// readAhead begins to ask for the page behind the one in hand.
func (p *pulling) readAhead(ctx context.Context, cursor connectors.Cursor) {
	answer := make(chan ahead, 1)
	p.ahead = answer
	go func() {
		page, err := p.ask(ctx, cursor)
		answer <- ahead{page, err}
	}()
}

// settle waits until nothing is on its way any more: a source is used by one goroutine at a time. The context of what is
// on its way is cancelled.
func (p *pulling) settle() {
	if p.ahead != nil {
		<-p.ahead
		p.ahead = nil
	}
}
