package all_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/all"
)

func TestFactoriesAreWhole(t *testing.T) {
	kinds := map[string]bool{}
	for _, f := range all.Factories() {
		require.NotEmpty(t, f.Kind)
		require.False(t, kinds[f.Kind], "two connectors of kind %s", f.Kind)
		kinds[f.Kind] = true
		require.NotEmpty(t, f.Title, f.Kind)
		require.False(t, f.NewSource == nil && f.NewDestination == nil, "%s makes nothing", f.Kind)
		if f.Reviews {
			require.NotNil(t, f.NewSource, "%s reads no reviews", f.Kind)
			require.Nil(t, f.NewDestination, "%s is no platform to write to", f.Kind)
		}
		if f.DestinationFields != nil {
			require.NotNil(t, f.NewSource, "%s has settings of the destination alone: they are its Fields", f.Kind)
			require.NotNil(t, f.NewDestination, f.Kind)
		}
		checkFields(t, f.Kind, f.Fields)
		checkFields(t, f.Kind, f.DestinationFields)
	}
}

func checkFields(t *testing.T, kind string, all []connectors.Field) {
	t.Helper()
	fields := map[string]bool{}
	for _, field := range all {
		require.Equal(t, strings.ToLower(field.Name), field.Name, "settings keys are lower case")
		require.False(t, fields[field.Name], "%s has the setting %s twice", kind, field.Name)
		fields[field.Name] = true
		require.NotEmpty(t, field.Title, "%s.%s", kind, field.Name)
	}
}

func TestFind(t *testing.T) {
	for _, f := range all.Factories() {
		found, ok := all.Find(f.Kind)
		require.True(t, ok)
		require.Equal(t, f.Kind, found.Kind)
	}
	_, ok := all.Find("no such kind")
	require.False(t, ok)
}
