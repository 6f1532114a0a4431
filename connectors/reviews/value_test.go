package reviews

import (
	"testing"
	"time"

	"github.com/goccy/go-json"
	"github.com/stretchr/testify/require"
)

func TestRatings(t *testing.T) {
	for text, want := range map[string]int{
		`5`: 5, `1`: 1, `"4"`: 4, `4.0`: 4, `4.5`: 5, `3.4`: 3, `null`: 0, `0`: 0, `""`: 0, `0.4`: -1, `6`: -1, `-1`: -1, `5.1`: -1,
	} {
		var s Stars
		require.NoError(t, json.Unmarshal([]byte(text), &s), text)
		got, err := s.Rating("score")
		if want < 0 {
			require.EqualError(t, err, "field score is not within 1 and 5", text)
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{`"five"`, `1e9`, `1e999999999`, `[5]`, `{}`, `true`} {
		var s Stars
		require.Error(t, json.Unmarshal([]byte(text), &s), text)
	}
}

func TestTexts(t *testing.T) {
	for text, want := range map[string]string{
		`"Fine &amp; <b>good</b>.<br>Really<p>so</p>"`: "Fine & good.\nReally\nso",
		`"<script>alert(1)</script>safe"`:              "safe",
		`"  plain 3 < 5 \u0000"`:                       "plain 3 < 5",
		`null`:                                         "",
		`12`:                                           "12",
	} {
		var s Text
		require.NoError(t, json.Unmarshal([]byte(text), &s), text)
		require.Equal(t, want, s.Plain(), text)
	}
	require.Equal(t, "Ann & Bob", Text("Ann &amp; Bob").Name())
	require.Equal(t, "123", Text("gid://shopify/Product/123").Product())
	require.Equal(t, "5280573096092", Text("5280573096092").Product())
	require.Equal(t, "body", Join("", "body"))
	require.Equal(t, "Title\nbody", Join("Title", "body"))
	require.Error(t, json.Unmarshal([]byte(`["a"]`), new(Text)))
}

func TestFlagsAndMoments(t *testing.T) {
	for text, want := range map[string]Flag{
		`true`: {true, true}, `"1"`: {true, true}, `false`: {Known: true}, `0`: {Known: true}, `null`: {}, `"maybe"`: {},
	} {
		var f Flag
		require.NoError(t, json.Unmarshal([]byte(text), &f))
		require.Equal(t, want, f, text)
	}
	at := time.Date(2022, 5, 12, 4, 38, 32, 0, time.UTC)
	for text, want := range map[string]time.Time{
		`"2022-05-12T04:38:32+00:00"`: at, `"2022-05-12T06:38:32.000+02:00"`: at, `"2022-05-12T04:38:32.000Z"`: at,
		`"2022-05-12 04:38:32"`: at, `1652330312`: at, `null`: {}, `""`: {}, `"0001-01-01T00:00:00Z"`: {}, `"soon"`: {}, `{}`: {},
	} {
		var m Moment
		require.NoError(t, json.Unmarshal([]byte(text), &m), text)
		require.True(t, want.Equal(m.At), text)
	}
}

func TestDecodeNamesTheField(t *testing.T) {
	type row struct {
		ID    Text  `json:"id"`
		Score Stars `json:"score"`
	}
	_, err := Decode[row]([]byte(`{"id":1,"score":"canary"}`))
	require.EqualError(t, err, "field score cannot be read")
	_, err = Decode[row]([]byte(`7`))
	require.EqualError(t, err, "not an object")
	got, err := Decode[row]([]byte(`{"id":1,"score":null,"more":[{}]}`))
	require.NoError(t, err)
	require.Equal(t, Text("1"), got.ID)
}
