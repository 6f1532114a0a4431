package faulttest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestThreeNights(t *testing.T) {
	w := newWorld(t, 300, 7)
	w.night()
	w.CheckInvariants()
}

func TestFirstNightByCommands(t *testing.T) {
	w := newWorld(t, 60, 3)
	require.Contains(t, w.must("check"), "everything is in order")
	w.must("sync")
	w.must("analyze")
	w.must("push")
	w.CheckInvariants()
}
