package connectortest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// SourceHarness is what a source's own test supplies.
type SourceHarness struct {
	Factory connectors.Factory
	// Start opens a fresh shop for one test. It holds at least 25 orders of accounts and guests, a few customers and,
	// where the source offers them, products and reviews, and its settings make pages so small that orders need at
	// least three. Of a review platform, whose factory says Reviews, everything said of orders holds for reviews instead;
	// what only orders have is in OrderTests. Whatever must be closed is closed by t.Cleanup.
	Start func(t *testing.T) SourceRig
	// Skips gives the reason for each test that cannot be run.
	Skips map[string]string
}

// SourceRig is one shop under test. A nil function is an ability that the harness does not have.
type SourceRig struct {
	// Settings are good ones; they lead to a fresh instance as often as the suite likes.
	Settings connectors.Settings
	// Secrets are the values that may stand in no error and no log.
	Secrets []string
	// Now is the clock that the source gets; the real one where nil.
	Now func() time.Time
	// Patience is how long one call may take; 30 seconds where zero.
	Patience time.Duration

	// Truth returns the ids of all records of a resource that live in the shop now, each once, in any order.
	Truth func(resource commerce.Resource) []string
	// Fault makes the shop misbehave.
	Fault func(Fault)
	// Requests returns everything asked so far.
	Requests func() []Request
	// Revoke makes the key invalid.
	Revoke func()
	// Restrict takes a permission from the key and returns the word by which the source must name it.
	Restrict func() string
	// Change does something to the shop and returns the ids of the orders, or reviews, that it touched. The shop's clock has moved on
	// by enough that the change is later than everything before it.
	Change func(Change) []string
	// Case adds what the case asks for and says what the source has to make of it. It is called before the first
	// pull and may change the shop's currency and time zone.
	Case func(Case) Expected
	// FutureCursor returns a cursor for increments of the resource that lies years ahead.
	FutureCursor func(resource commerce.Resource) connectors.Cursor
}

// Change is something that happens in a shop.
type Change string

// The changes.
const (
	EditOld      Change = "edit an old order"        // its modification time moves
	SilentEdit   Change = "edit an order silently"   // the content of an old order changes, its modification time does not
	DeleteOrder  Change = "delete an order"          // for good
	TrashOrder   Change = "trash an order"           // it can be restored, and lists hide it
	RefundOld    Change = "refund an old order"      // in part, as the shop does it
	EqualTimes   Change = "give equal timestamps"    // more orders than two pages hold get one modification time, later than all others
	EditPaged    Change = "edit orders while paging" // some orders that the first page held and some that it did not
	DeletePaged  Change = "delete while paging"      // some orders that the first page held
	AddWhilePage Change = "add orders while paging"
	Unreadable   Change = "add an unreadable order" // such as one without a readable total; it is not in Truth
)

// Case is a kind of order that sources get wrong.
type Case string

// The cases.
const (
	CancelledOrder   Case = "cancelled order"
	PartialRefund    Case = "partial refund"
	FullRefund       Case = "full refund"
	GuestOrder       Case = "guest order"
	ZeroTotal        Case = "zero total"
	NegativeTotal    Case = "negative total"
	NullFields       Case = "null fields"
	NoDecimals       Case = "currency without decimals"
	ThreeDecimals    Case = "currency with three decimals"
	ForeignScript    Case = "foreign script"
	ShopTimeZone     Case = "shop time zone" // placed within an hour of midnight in a shop far from UTC
	CapitalsInEmail  Case = "e-mail with capitals and spaces"
	OrderWithoutMail Case = "order without an e-mail address"
)

// Cases lists every case.
func Cases() []Case {
	return []Case{
		CancelledOrder, PartialRefund, FullRefund, GuestOrder, ZeroTotal, NegativeTotal, NullFields, NoDecimals,
		ThreeDecimals, ForeignScript, ShopTimeZone, CapitalsInEmail, OrderWithoutMail,
	}
}

// Expected is what a source has to make of a case. Of the order these fields are compared: Status, CustomerID, Email,
// FirstName, LastName, Country, PlacedAt, Currency, Goods, Discount, Shipping, Tax, Fees and Total; of each refund OrderID,
// At, Currency and Amount; of each line ProductID, Name, Quantity, Subtotal and Total, where Lines is not nil.
type Expected struct {
	Order   commerce.Order
	Lines   []commerce.Line
	Refunds []commerce.Refund
}

// Source runs the suite for sources.
func Source(t *testing.T, h SourceHarness) {
	t.Helper()
	require.NotNil(t, h.Factory.NewSource, "the factory makes no source")
	runAll(t, sourceTests(), h.Skips, func(t *testing.T) *sourceRun { return startSource(t, h) })
}

// SourceTests lists the names of the tests for sources.
func SourceTests() []string { return names(sourceTests()) }

func sourceTests() []test[*sourceRun] {
	var all []test[*sourceRun]
	all = append(all, sourceCheckTests()...)
	all = append(all, sourcePagingTests()...)
	all = append(all, sourceChangeTests()...)
	all = append(all, sourceCaseTests()...)
	all = append(all, sourceFaultTests()...)
	return all
}

// OrderTests lists the names of the tests that ask for what only orders have, and that a review platform skips.
func OrderTests() []string {
	all := []string{"every order complete", "trashed order", "refund of an old order", "equal timestamps"}
	for _, c := range Cases() {
		all = append(all, string(c))
	}
	return all
}

// sourceRun is one test of one source.
type sourceRun struct {
	*testing.T
	SourceRig
	factory connectors.Factory
	journal *journal
	subject commerce.Resource // what the tests of one resource look at: orders, or the reviews of a review platform
}

// all is the pull of everything, from its beginning.
func (r *sourceRun) all() position { return position{resource: r.subject, mode: connectors.Increment} }

// sweep is the sweep from its beginning.
func (r *sourceRun) sweep() position { return position{resource: r.subject, mode: connectors.Sweep} }

// from is the pull behind a cursor.
func (r *sourceRun) from(cursor connectors.Cursor) position {
	return position{resource: r.subject, mode: connectors.Increment, cursor: cursor}
}

func startSource(t *testing.T, h SourceHarness) *sourceRun {
	t.Helper()
	r := &sourceRun{T: t, SourceRig: h.Start(t), factory: h.Factory, journal: &journal{}, subject: commerce.Orders}
	if h.Factory.Reviews {
		r.subject = commerce.Reviews
	}
	if r.Patience == 0 {
		r.Patience = defaultPatience
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	t.Cleanup(func() { r.journal.verify(t, r.Secrets) })
	return r
}

// open makes a fresh instance, as another process would.
func (r *sourceRun) open() connectors.Source {
	r.Helper()
	source, err := r.factory.NewSource(r.Settings, r.deps())
	require.NoError(r, err)
	return source
}

func (r *sourceRun) deps() connectors.Deps {
	return connectors.Deps{Log: r.journal.logger(), Now: r.Now, Prefix: "perennial"}
}

func (r *sourceRun) check(source connectors.Source) (connectors.Report, error) {
	r.Helper()
	ctx, cancel := patient(r.Patience)
	defer cancel()
	a := within(r.T, r.Patience, "Check", func() (connectors.Report, error) { return source.Check(ctx) })
	r.journal.note(a.err)
	return a.value, a.err
}

// pull reads one page and holds it against what every page must be.
func (r *sourceRun) pull(source connectors.Source, at position) answer[connectors.Page] {
	r.Helper()
	ctx, cancel := patient(r.Patience)
	defer cancel()
	a := within(r.T, r.Patience, "Pull", func() (connectors.Page, error) {
		return source.Pull(ctx, at.resource, at.mode, at.cursor)
	})
	r.journal.note(a.err)
	if a.err == nil && a.value.NotBefore.IsZero() && !a.value.Done {
		require.NotEqual(r, at.cursor, a.value.Next, "%s: the cursor does not advance", at.resource)
	}
	return a
}

// resources lists what the source offers.
func (r *sourceRun) resources() []commerce.Resource {
	var all []commerce.Resource
	for _, offer := range r.open().Resources() {
		all = append(all, offer.Resource)
	}
	return all
}

func needRequests(r *sourceRun) string {
	if r.Requests == nil {
		return "Requests"
	}
	return ""
}

func needFault(r *sourceRun) string {
	if r.Fault == nil {
		return "Fault"
	}
	return ""
}

func needChange(r *sourceRun) string {
	if r.Change == nil {
		return "Change"
	}
	return ""
}

func sourceCheckTests() []test[*sourceRun] {
	return []test[*sourceRun]{
		{name: "good credentials", run: (*sourceRun).goodCredentials},
		{name: "revoked credentials", needs: needRevoke, run: (*sourceRun).revokedCredentials},
		{name: "missing permission is named", needs: needRestrict, run: (*sourceRun).missingPermission},
		{name: "empty settings are refused", run: (*sourceRun).emptySettings},
		{name: "unknown setting is refused", run: (*sourceRun).unknownSetting},
		{name: "resources in pulling order", run: (*sourceRun).resourcesInOrder},
		{name: "writes nothing", needs: needRequests, run: (*sourceRun).writesNothing},
	}
}

func needRevoke(r *sourceRun) string {
	if r.Revoke == nil {
		return "Revoke"
	}
	return ""
}

func needRestrict(r *sourceRun) string {
	if r.Restrict == nil {
		return "Restrict"
	}
	return ""
}

func (r *sourceRun) goodCredentials() {
	report, err := r.check(r.open())
	require.NoError(r, err)
	require.True(r, report.OK(), "findings: %+v", report.Findings)
	require.NotEmpty(r, report.Shop.Identity)
	if !r.factory.Reviews {
		require.Len(r, report.Shop.Currency, 3, "the currency is an ISO 4217 code")
	}
	_, err = report.Shop.Location()
	require.NoError(r, err, "time zone %q", report.Shop.TimeZone)

	again, err := r.check(r.open())
	require.NoError(r, err)
	require.Equal(r, report.Shop.Identity, again.Shop.Identity, "the same shop has the same identity")
}

func (r *sourceRun) revokedCredentials() {
	source := r.open()
	r.Revoke()
	_, err := r.check(source)
	require.Equal(r, connectors.KindCredentials.String(), connectors.KindOf(err).String(), "Check: %v", err)
	require.NotEmpty(r, connectors.Remedy(err), "the owner is told what to do")
	a := r.pull(source, r.all())
	require.Error(r, a.err)
	require.Equal(r, connectors.KindCredentials.String(), connectors.KindOf(a.err).String(), "Pull: %v", a.err)
}

func (r *sourceRun) missingPermission() {
	word := r.Restrict()
	report, err := r.check(r.open())
	require.Contains(r, describe(report, err), strings.ToLower(word))
	require.False(r, err == nil && report.OK() && !noticed(report), "nothing was found")
}

// noticed reports whether a report has something that the owner should know.
func noticed(report connectors.Report) bool {
	for _, f := range report.Findings {
		if f.Level != connectors.Fine {
			return true
		}
	}
	return false
}

func (r *sourceRun) emptySettings() {
	before := r.requestCount()
	for field, settings := range emptySettings(r.factory, r.Settings) {
		_, err := r.factory.NewSource(settings, r.deps())
		require.Error(r, err, "without %q", field)
		require.Contains(r, err.Error(), field)
		require.Equal(r, connectors.KindPermanent.String(), connectors.KindOf(err).String())
		r.journal.note(err)
	}
	_, err := r.factory.NewSource(connectors.Settings{}, r.deps())
	require.Error(r, err, "no settings at all")
	require.Equal(r, before, r.requestCount(), "settings are refused without network")
}

func (r *sourceRun) unknownSetting() {
	settings := connectors.Settings{"no_such_setting": "x"}
	for key, value := range r.Settings {
		settings[key] = value
	}
	_, err := r.factory.NewSource(settings, r.deps())
	require.ErrorContains(r, err, "no_such_setting")
	r.journal.note(err)
}

func (r *sourceRun) requestCount() int {
	if r.Requests == nil {
		return 0
	}
	return len(r.Requests())
}

func (r *sourceRun) resourcesInOrder() {
	offered := r.resources()
	require.Contains(r, offered, r.subject)
	if r.factory.Reviews {
		require.Len(r, offered, 1, "a review platform offers reviews alone")
	}
	at := -1
	for _, resource := range offered {
		place := -1
		for i, known := range commerce.Resources() {
			if known == resource {
				place = i
			}
		}
		require.Greater(r, place, at, "%s is unknown, offered twice or out of order", resource)
		at = place
	}
}

func (r *sourceRun) writesNothing() {
	source := r.open()
	_, err := r.check(source)
	require.NoError(r, err)
	for _, resource := range r.resources() {
		r.drain(source, position{resource: resource, mode: connectors.Increment})
		r.drain(source, position{resource: resource, mode: connectors.Sweep})
	}
	for _, request := range r.Requests() {
		require.False(r, request.Write, "%s %s", request.Method, request.Path)
	}
}
