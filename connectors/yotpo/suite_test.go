package yotpo_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/connectortest"
	"github.com/perennial-cvo/perennial/connectors/reviews/reviewstest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
	"github.com/perennial-cvo/perennial/connectors/yotpo"
	"github.com/perennial-cvo/perennial/connectors/yotpo/yotpotest"
)

// fake is a platform with some eighty reviews.
type fake struct {
	*yotpotest.Server
	t      *testing.T
	home   string
	hidden map[string]bool // unreadable ones
}

func start(t *testing.T, opts yotpotest.Options) *fake {
	t.Helper()
	shop := simulator.New(simulator.Options{Customers: 40, Orders: 120, Clock: time.Now})
	product := shop.Products()[0].ID
	for i := range 80 {
		shop.AddReview(simulator.Review{
			ProductID: product, Reviewer: "Ann A.", Email: "Ann" + strconv.Itoa(i) + "@Mail.EXAMPLE", Body: "Fine & good.", Rating: 1 + i%5,
			Verified: i%2 == 0, Status: simulator.ReviewApproved,
		})
	}
	f := &fake{Server: yotpotest.New(shop, opts), t: t, hidden: map[string]bool{}}
	server := f.Start()
	t.Cleanup(server.Close)
	f.home = server.URL
	return f
}

func (f *fake) settings() connectors.Settings {
	return connectors.Settings{
		"app_key": yotpotest.AppKey, "secret": yotpotest.Secret, "url": f.home, "page_size": 20, "interval": "0s",
	}
}

func (f *fake) truth(commerce.Resource) []string {
	var ids []string
	for _, v := range f.Shop.Reviews() {
		if id := strconv.FormatInt(v.ID, 10); !f.hidden[id] && v.Status != simulator.ReviewTrash {
			ids = append(ids, id)
		}
	}
	return ids
}

func (f *fake) change(c connectortest.Change) []string {
	all := f.Shop.Reviews() // oldest first, while the platform gives the newest first
	newest := func(places ...int) []int64 {
		var ids []int64
		for _, i := range places {
			ids = append(ids, all[len(all)-1-i].ID)
		}
		return ids
	}
	var ids []int64
	switch c {
	case connectortest.EditOld, connectortest.SilentEdit:
		ids = []int64{all[0].ID}
		f.Alter(ids[0], "content", "Changed my mind.")
	case connectortest.DeleteOrder:
		ids = newest(0)
		f.Shop.DeleteReview(ids[0])
	case connectortest.EditPaged:
		ids = newest(1, 4, 50)
		for _, id := range ids {
			f.Alter(id, "content", "Changed my mind.")
		}
	case connectortest.DeletePaged:
		ids = newest(0, 1, 2, 5, 9, 10, 17, 18, 19)
		for _, id := range ids {
			f.Shop.DeleteReview(id)
		}
	case connectortest.AddWhilePage:
		for range 3 {
			ids = append(ids, f.Shop.AddReview(simulator.Review{ProductID: all[0].ProductID, Rating: 5, Status: simulator.ReviewApproved}))
		}
	case connectortest.Unreadable:
		ids = newest(30)
		f.Alter(ids[0], "score", 11)
		f.hidden[strconv.FormatInt(ids[0], 10)] = true
	}
	var touched []string
	for _, id := range ids {
		touched = append(touched, strconv.FormatInt(id, 10))
	}
	return touched
}

func (f *fake) asked() []connectortest.Request {
	var all []connectortest.Request
	for _, r := range f.Requests() {
		all = append(all, connectortest.Request{Method: r.Method, Path: r.Path, Body: r.Body, Status: r.Status, Write: r.Method != "GET" && !strings.HasPrefix(r.Path, "/oauth/")})
	}
	return all
}

func skips() map[string]string {
	all := map[string]string{
		"missing permission is named":  "a key reads reviews, or is none",
		"cursor from the future":       "a list that cannot be asked for changes",
		"fetch tells living from gone": "reviews cannot be asked for one by one",
	}
	for _, name := range connectortest.OrderTests() {
		all[name] = "a review platform has no orders"
	}
	return all
}

func TestSource(t *testing.T) {
	connectortest.Source(t, connectortest.SourceHarness{
		Factory: yotpo.New(),
		Start: func(t *testing.T) connectortest.SourceRig {
			f := start(t, yotpotest.Options{})
			return connectortest.SourceRig{
				Settings: f.settings(), Secrets: []string{yotpotest.AppKey, yotpotest.Secret, "utoken-"}, Truth: f.truth, Requests: f.asked, Revoke: f.Revoke,
				Change: f.change,
				Fault: func(fault connectortest.Fault) {
					f.Fault(reviewstest.Fault{Kind: reviewstest.FaultKind(fault.Kind), Times: fault.Times, RetryAfter: fault.RetryAfter})
				},
			}
		},
		Skips: skips(),
	})
}

func open(t *testing.T, settings connectors.Settings) connectors.Source {
	t.Helper()
	source, err := yotpo.New().NewSource(settings, connectors.Deps{})
	require.NoError(t, err)
	return source
}

// read pulls everything.
func read(t *testing.T, source connectors.Source) connectors.Page {
	t.Helper()
	var all connectors.Page
	for range 100 {
		page, err := source.Pull(t.Context(), commerce.Reviews, connectors.Sweep, all.Next)
		require.NoError(t, err)
		all.Records.Reviews = append(all.Records.Reviews, page.Records.Reviews...)
		all.Deleted = append(all.Deleted, page.Deleted...)
		all.Rejected = append(all.Rejected, page.Rejected...)
		all.Warnings = append(all.Warnings, page.Warnings...)
		all.Total, all.Next = page.Total, page.Next
		if page.Done {
			return all
		}
	}
	t.Fatal("no end")
	return all
}
