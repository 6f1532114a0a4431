package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/analysis/product"
)

// Products counts what was sold of each product and category, as of a moment, with revenue before refunds or after.
func (s *Store) Products(ctx context.Context, asOf time.Time, gross bool) (product.Facts, error) {
	var f product.Facts
	err := s.read(ctx, func(tx *sqlx.Tx) error {
		if err := wideMemory(ctx, tx); err != nil {
			return err
		}
		if err := s.localDays(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, productQuery, s.id, asOf, gross, product.Settled, product.BestPart)
		if err != nil {
			return fmt.Errorf("products: %w", err)
		}
		defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
		f, err = readProducts(rows)
		return err
	})
	return f, err
}

// readProducts takes the rows of the query apart.
func readProducts(rows *sql.Rows) (product.Facts, error) {
	var f product.Facts
	for rows.Next() {
		var what string
		var sold product.Sold
		var n numbers
		if err := rows.Scan(&what, &sold.Key, &sold.Name, &n.text); err != nil {
			return f, fmt.Errorf("products: %w", err)
		}
		switch what {
		case "shop":
			f.Customers, f.Best, f.Tiered = int(n.whole()), int(n.whole()), n.next() == "t"
			f.Orders, f.Lines, f.Reviews, f.Loose = int(n.whole()), int(n.whole()), int(n.whole()), n.whole()
		case "product":
			n.sold(&sold)
			f.Products = append(f.Products, sold)
		case "category":
			n.sold(&sold)
			f.Categories = append(f.Categories, sold)
		}
		if n.err != nil {
			return f, fmt.Errorf("products, %s: %w", what, n.err)
		}
	}
	return f, rows.Err()
}

// sold reads the numbers of a product in the order of productColumns.
func (n *numbers) sold(s *product.Sold) {
	s.Gone = n.next() == "t"
	s.Orders, s.Units, s.Revenue = int(n.whole()), n.float(), n.whole()
	s.BackUnits, s.GivenBack, s.Seen, s.Returned = n.float(), n.whole(), int(n.whole()), int(n.whole())
	s.Buyers, s.Again, s.Firsts, s.BestFirsts = int(n.whole()), int(n.whole()), int(n.whole()), int(n.whole())
	s.Ratings.Count, s.Ratings.Sum, s.Ratings.BestCount, s.Ratings.BestSum = int(n.whole()), n.float(), int(n.whole()), n.float()
	s.Ratings.Stated = n.next() == "t"
}
