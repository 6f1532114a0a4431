package dashboard

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPieces(t *testing.T) {
	require.Equal(t, []piece{{"Run ", false}, {"perennial push", true}, {".", false}}, pieces("Run `perennial push`."))
	require.Equal(t, []piece{{"one ", false}, {"open", true}}, pieces("one `open"))
	require.Empty(t, pieces(""))
}
