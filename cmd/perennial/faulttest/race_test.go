//go:build race

package faulttest

// buildFlags build the daemon under test with the race detector too: it ends with an exit code of its own where it finds a race.
func buildFlags() []string { return []string{"-race"} }
