package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/config"
)

func TestWhoIsNotInAPlatformIsTold(t *testing.T) {
	cfg := []config.Destination{{Name: "letters"}, {Name: "open", Settings: map[string]any{"create_missing": true}}}
	of := func(name string, delivered, absent int) report.Delivery {
		return report.Delivery{Destination: name, Delivered: delivered, Withheld: map[string]int{"not in the platform": absent, "unsubscribed": 5}}
	}
	for text, d := range map[string]report.Delivery{
		"letters does not know 1,200 people of the shop who belong there, and has 600":     of("letters", 600, 1200),
		"letters does not know 1 person of the shop who belong there, and has nobody else": of("letters", 0, 1),
	} {
		require.Equal(t, text, absent(d, cfg))
	}
	for _, d := range []report.Delivery{of("letters", 600, 0), of("open", 0, 7), of("shop", 0, 7), of("gone", 0, 7)} {
		require.Empty(t, absent(d, cfg))
	}
}
