package activation_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
)

func TestEveryReasonHasARemedy(t *testing.T) {
	for _, reason := range []string{
		connectors.ReasonNoConsent, connectors.ReasonUnsubscribed, connectors.ReasonSuppressed, connectors.ReasonNotThere,
		connectors.ReasonNoAccount, connectors.ReasonNoEmail, connectors.ReasonExcluded, connectors.ReasonHeldOut, connectors.ReasonForgotten,
	} {
		require.NotEmpty(t, activation.RemedyFor(reason), reason)
	}
	require.Empty(t, activation.RemedyFor("mailbox full"), "it is the platform that knows")
}
