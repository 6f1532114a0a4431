//go:build !race

package faulttest

func buildFlags() []string { return nil }
