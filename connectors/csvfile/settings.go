package csvfile

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/text/currency"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// The formats.
const (
	formatColumns     = "columns"
	formatShopify     = "shopify"
	formatWooCommerce = "woocommerce"
)

// Settings are the settings of one shop of files, as they stand in the configuration.
type Settings struct {
	Folder    string `mapstructure:"folder"`
	Format    string `mapstructure:"format"`    // shopify, woocommerce or columns
	Shop      string `mapstructure:"shop"`      // name for people
	Currency  string `mapstructure:"currency"`  // of rows that name none
	TimeZone  string `mapstructure:"time_zone"` // of dates that name none
	Delimiter string `mapstructure:"delimiter"` // one character or "tab"; a comma by default
	Encoding  string `mapstructure:"encoding"`  // utf-8, latin-1, windows-1252
	Decimal   string `mapstructure:"decimal"`   // "." or ","
	PageSize  int    `mapstructure:"page_size"` // records read at a time; 1000 by default

	Orders    *Table `mapstructure:"orders"`
	Customers *Table `mapstructure:"customers"`
	Products  *Table `mapstructure:"products"`
	Reviews   *Table `mapstructure:"reviews"`
}

// Table maps the files of one resource.
type Table struct {
	Files []string `mapstructure:"files"` // names or patterns, relative to the folder
	// Rows says what one row of an orders file is: order or line.
	Rows string `mapstructure:"rows"`
	// Columns name the column of each field.
	Columns map[string]string `mapstructure:"columns"`
	// Dates are the layouts of dates, such as "DD/MM/YYYY HH:mm"; ISO 8601 where empty.
	Dates []string `mapstructure:"dates"`
	// Keep are conditions that a row must meet, all of them; other rows are left out.
	Keep []Filter `mapstructure:"keep"`
	// CreditNotes are conditions that make a row part of a credit note, besides a negative amount.
	CreditNotes []Filter `mapstructure:"credit_notes"`
	// Returns says what becomes of negative rows and credit notes: refund or leave_out.
	Returns string `mapstructure:"returns"`
}

// Filter is one condition on a row.
type Filter struct {
	Column    string   `mapstructure:"column"`
	Is        []string `mapstructure:"is"`
	Not       []string `mapstructure:"not"`
	Prefix    string   `mapstructure:"prefix"`
	NotPrefix string   `mapstructure:"not_prefix"`
	Min       any      `mapstructure:"min"`
	Positive  bool     `mapstructure:"positive"`
	Present   bool     `mapstructure:"present"`
	// lenient lets a filter of a format pass where the export has no such column.
	lenient bool
}

// What becomes of returns.
const (
	returnsRefund   = "refund"
	returnsLeaveOut = "leave_out"
)

// The kinds of row in an orders file.
const (
	rowsOrder = "order"
	rowsLine  = "line"
)

// plan is the checked form of the settings.
type plan struct {
	settings Settings
	location *time.Location
	comma    byte
	tables   map[commerce.Resource]*table
	identity string // of the shop: its name where one is set, else the folder
	version  string // of everything that decides how a file is read
}

func (s Settings) plan() (*plan, error) {
	p := &plan{tables: map[commerce.Resource]*table{}}
	if s.Format == "" {
		s.Format = formatColumns
	}
	s.Currency = strings.ToUpper(strings.TrimSpace(s.Currency))
	if _, err := currency.ParseISO(s.Currency); err != nil {
		return nil, fmt.Errorf("setting %q: %q is no ISO 4217 currency", "currency", s.Currency)
	}
	if s.Decimal == "" {
		s.Decimal = "."
	}
	if s.Decimal != "." && s.Decimal != "," {
		return nil, fmt.Errorf(`setting "decimal": %q is neither "." nor ","`, s.Decimal)
	}
	if s.PageSize < 0 {
		return nil, fmt.Errorf(`setting "page_size": %d is negative`, s.PageSize)
	}
	if s.PageSize == 0 {
		s.PageSize = pageGroups
	}
	absolute, err := filepath.Abs(s.Folder)
	if err != nil {
		return nil, fmt.Errorf("setting %q: %w", "folder", err)
	}
	p.identity = Kind + ":" + absolute
	if s.Shop != "" {
		p.identity = Kind + ":" + s.Shop
	} else {
		s.Shop = filepath.Base(absolute)
	}
	if p.location, err = commerce.Location(s.TimeZone); err != nil {
		return nil, fmt.Errorf(`setting "time_zone": %q is no time zone such as "Europe/Berlin"`, s.TimeZone)
	}
	if p.comma, err = delimiter(s.Delimiter); err != nil {
		return nil, err
	}
	if _, err := decoder(s.Encoding); err != nil {
		return nil, err
	}
	p.settings = s
	if err := p.addTables(); err != nil {
		return nil, err
	}
	version, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	p.version = string(version)
	return p, nil
}

func delimiter(text string) (byte, error) {
	switch {
	case text == "":
		return ',', nil
	case text == "tab" || text == `\t`:
		return '\t', nil
	case len(text) == 1 && text != `"` && text != "\n" && text != "\r":
		return text[0], nil
	default:
		return 0, fmt.Errorf(`setting "delimiter": %q is neither one character nor "tab"`, text)
	}
}

// addTables fills the tables from the format, or from the mapping.
func (p *plan) addTables() error {
	s := p.settings
	own := map[commerce.Resource]*Table{
		commerce.Orders: s.Orders, commerce.Customers: s.Customers,
		commerce.Products: s.Products, commerce.Reviews: s.Reviews,
	}
	switch s.Format {
	case formatShopify:
		p.tables = shopifyTables()
	case formatWooCommerce:
		p.tables = wooCommerceTables()
	case formatColumns:
		if s.Orders == nil {
			return fmt.Errorf(`setting "orders" is missing: it says which columns of your files mean what`)
		}
	default:
		return fmt.Errorf(`setting "format": %q is none of "shopify", "woocommerce", "columns"`, s.Format)
	}
	for resource, mapping := range own {
		if mapping == nil {
			continue
		}
		t, err := newTable(resource, *mapping)
		if err != nil {
			return fmt.Errorf("setting %q: %w", string(resource), err)
		}
		p.tables[resource] = t
	}
	for _, t := range p.tables {
		layouts, err := layoutsOf(t.Dates)
		if err != nil {
			return fmt.Errorf("setting %q: %w", string(t.resource), err)
		}
		t.layouts = layouts
	}
	return nil
}
