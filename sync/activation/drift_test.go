package activation_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// blind is a platform that only takes.
type blind struct{ *platform }

func (blind) OneWay() {}

// Nobody is held for lost because a destination tells nothing: everybody would be sent again every night.
func TestNothingIsReadBackFromOneWay(t *testing.T) {
	var _ connectors.OneWay = blind{}
	drift, err := activation.ReadBack(t.Context(), activation.Options{Destination: blind{newPlatform("ann@example.com")}}) // asks no ledger
	require.NoError(t, err)
	require.Zero(t, drift)
}
