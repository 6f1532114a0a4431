package report

import "github.com/shopspring/decimal"

// Cell is everybody with one combination of recency, frequency and monetary scores.
type Cell struct {
	R         int             `json:"r"`
	F         int             `json:"f"`
	M         int             `json:"m"`
	Customers int             `json:"customers"`
	Orders    int             `json:"orders"`
	Net       decimal.Decimal `json:"net"`
	Gross     decimal.Decimal `json:"gross"`
}
