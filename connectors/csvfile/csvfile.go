// Package csvfile reads a shop from files: orders, customers, products and reviews as comma-separated text, in the
// columns of Shopify's and WooCommerce's own exports or in any columns by a mapping. It needs no keys. And it writes audiences
// to files, of any shop: plain ones, and hashed ones for Meta and Google. The two have nothing to do with each other.
//
// Every read is a read of all files. A cursor holds a fingerprint of the files and the settings beside the position, so
// an increment over unchanged files ends at once and files that change during a read are read again from their
// beginning. Lines of one order may stand anywhere in the files: a read first spools the rows to an unnamed temporary
// file and keeps two numbers for each row in memory, then hands out whole orders.
package csvfile

import (
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// Kind is the name of this connector in the configuration.
const Kind = "csvfile"

// New returns the factory of files: of a shop that is read from them, and of audiences that are written to them.
func New() connectors.Factory {
	f := connectors.Factory{
		Kind:              Kind,
		Title:             "CSV files",
		DestinationFields: audienceFields(),
		NeedsConsent:      true,
		Fields: []connectors.Field{
			{Name: "folder", Title: "Folder", Help: "where the .csv and .csv.gz files are", Required: true},
			{Name: "format", Title: "Format", Help: "shopify, woocommerce, or columns with a mapping of your own", Default: formatColumns},
			{Name: "currency", Title: "Currency", Help: "ISO code of the amounts, such as EUR", Required: true},
			{Name: "time_zone", Title: "Time zone", Help: "of dates without one, such as Europe/Berlin", Required: true},
			{Name: "shop", Title: "Name of the shop", Help: "as people write it; the folder's name where empty"},
		},
		Statuses: map[string]bool{
			StatusPlaced: true,
			// WooCommerce's words.
			"processing": true, "completed": true, "pending": false, "on-hold": false, "cancelled": false,
			"refunded": false, "failed": false, "checkout-draft": false, "trash": false,
			// Shopify's financial words that are not among them.
			"paid": true, "partially_refunded": true, "partially_paid": false, "authorized": false, "voided": false,
			"expired": false,
		},
	}
	f.NewSource = func(settings connectors.Settings, deps connectors.Deps) (connectors.Source, error) {
		return newSource(f, settings, deps)
	}
	f.NewDestination = func(settings connectors.Settings, deps connectors.Deps) (connectors.Destination, error) {
		return newAudienceFiles(f, settings, deps)
	}
	return f
}

// StatusPlaced is the status of an order in files that have no status column. It counts as a purchase.
const StatusPlaced = "placed"

func newSource(f connectors.Factory, settings connectors.Settings, deps connectors.Deps) (*source, error) {
	var s Settings
	if err := f.Decode(settings, &s); err != nil {
		return nil, err
	}
	plan, err := s.plan()
	if err != nil {
		return nil, &connectors.Error{
			Kind: connectors.KindPermanent, Op: Kind + " settings", Err: err,
			Remedy: "correct this setting",
		}
	}
	now := deps.Now
	if now == nil {
		now = time.Now
	}
	return &source{plan: plan, now: now}, nil
}

// source is stateless but for a cache: the spool of the resource that is being pulled, which any instance can make again.
type source struct {
	plan  *plan
	now   func() time.Time
	cache *spool
}

// Resources lists what the settings or the format have tables for. All are incremental in the sense that unchanged
// files are not read again; a sweep always reads everything.
func (s *source) Resources() []connectors.Offer {
	var offers []connectors.Offer
	for _, resource := range commerce.Resources() {
		if _, ok := s.plan.tables[resource]; ok {
			offers = append(offers, connectors.Offer{Resource: resource, Incremental: true})
		}
	}
	return offers
}
