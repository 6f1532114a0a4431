package connectors_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/connectors"
)

func TestJobsComeBackAsTheyWere(t *testing.T) {
	type state struct {
		Version int                `json:"v"`
		People  connectors.Numbers `json:"people"`
		Names   []string           `json:"names"`
	}
	rapid.Check(t, func(t *rapid.T) {
		want := state{
			Version: rapid.Int().Draw(t, "version"), Names: rapid.SliceOf(rapid.String()).Draw(t, "names"),
			People: rapid.SliceOf(rapid.Int64()).Draw(t, "people"),
		}
		job, err := connectors.PackJob(want)
		require.NoError(t, err)
		var got state
		require.NoError(t, connectors.UnpackJob(job, &got))
		wanted, err := json.Marshal(want)
		require.NoError(t, err)
		found, err := json.Marshal(got)
		require.NoError(t, err)
		require.JSONEq(t, string(wanted), string(found))
		require.Len(t, got.People, len(want.People))
		for i := range want.People {
			require.Equal(t, want.People[i], got.People[i])
		}
	})
}

func TestManyPeopleTakeLittleRoom(t *testing.T) {
	people := make(connectors.Numbers, 100_000)
	for i := range people {
		people[i] = int64(i + 7)
	}
	job, err := connectors.PackJob(people)
	require.NoError(t, err)
	require.Less(t, len(job), 4_000)
}

func TestDamagedJobsAreGivenUp(t *testing.T) {
	for _, job := range []connectors.Job{"", "%", "AAAA", "bm9uc2Vuc2U"} {
		var state struct{}
		require.Equal(t, connectors.KindPermanent, connectors.KindOf(connectors.UnpackJob(job, &state)), "%q", job)
	}
	job, err := connectors.PackJob("somebody@example.com")
	require.NoError(t, err)
	var state struct{}
	err = connectors.UnpackJob(job, &state)
	require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
	require.NotContains(t, err.Error(), "somebody")
	require.Error(t, json.Unmarshal([]byte(`"gg"`), new(connectors.Numbers)))
	require.Error(t, json.Unmarshal([]byte(`7`), new(connectors.Numbers)))
}
