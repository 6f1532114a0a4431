// Package rfm scores customers by recency, frequency and monetary value, each from 1 (worst) to 5 (best), under a stated
// and tie-stable convention: equal values get equal scores, whatever the order of the rows.
package rfm

// Row is one customer as of a moment. Only customers with at least one counted order have a row.
type Row struct {
	Person    int64
	Recency   int   // whole local days from the last counted order to the moment
	Frequency int   // counted orders
	Monetary  int64 // in ten-thousandths of the store's currency; may be negative
}

// Score is the score of one customer, each part from 1 to the number of bins.
type Score struct{ R, F, M uint8 }
