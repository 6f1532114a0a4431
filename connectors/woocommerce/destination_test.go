package woocommerce

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
)

// accounts is a shop's customers with their meta, as the batch endpoint treats them.
type accounts struct {
	meta    map[int64]map[string]string
	drops   string           // a key that the shop silently does not keep
	poison  int64            // an account over which the shop fails
	batches [][]sentItem     // as received
	errors  map[int64]string // item errors by account
}

type sentItem struct {
	ID   int64 `json:"id"`
	Meta []struct {
		Key   string  `json:"key"`
		Value *string `json:"value"`
	} `json:"meta_data"`
}

func (a *accounts) render(id int64) string {
	var meta []string
	for _, key := range slices.Sorted(keysOf(a.meta[id])) {
		meta = append(meta, fmt.Sprintf(`{"id":1,"key":%q,"value":%q}`, key, a.meta[id][key]))
	}
	return fmt.Sprintf(`{"id":%d,"email":"C%d@Shop.Example","meta_data":[%s]}`, id, id, strings.Join(meta, ","))
}

func keysOf(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func (a *accounts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := trailing(r)
	if r.Method == http.MethodPost && path == "customers/batch" {
		a.batch(w, r)
		return
	}
	if id, err := strconv.ParseInt(strings.TrimPrefix(path, "customers/"), 10, 64); err == nil {
		if a.meta[id] == nil {
			answerJSON(w, 404, `{"code":"wc_user_invalid_id","message":"Invalid resource ID."}`)
			return
		}
		answerJSON(w, 200, a.render(id))
		return
	}
	var ids []int64
	for id := range a.meta {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
	size, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
	var out []string
	for _, id := range ids[min(offset, len(ids)):min(offset+size, len(ids))] {
		out = append(out, a.render(id))
	}
	answerJSON(w, 200, "["+strings.Join(out, ",")+"]")
}

func (a *accounts) batch(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var in struct{ Update []sentItem }
	if json.Unmarshal(body, &in) != nil {
		answerJSON(w, 400, `{"code":"rest_invalid_json"}`)
		return
	}
	a.batches = append(a.batches, in.Update)
	var out []string
	for _, it := range in.Update {
		switch {
		case it.ID == a.poison:
			answerJSON(w, 500, `{"code":"internal_server_error","message":"TypeError"}`)
			return
		case a.errors[it.ID] != "":
			out = append(out, fmt.Sprintf(`{"id":%d,"error":%s}`, it.ID, a.errors[it.ID]))
			continue
		case a.meta[it.ID] == nil:
			out = append(out, fmt.Sprintf(`{"id":%d,"error":{"code":"wc_user_invalid_id","message":"Invalid user ID.","data":{"status":404}}}`, it.ID))
			continue
		}
		for _, m := range it.Meta {
			switch {
			case m.Key == a.drops:
			case m.Value == nil:
				delete(a.meta[it.ID], m.Key)
			default:
				a.meta[it.ID][m.Key] = *m.Value
			}
		}
		out = append(out, a.render(it.ID))
	}
	answerJSON(w, 200, `{"update":[`+strings.Join(out, ",")+`]}`)
}

func newAccounts(n int) *accounts {
	a := &accounts{meta: map[int64]map[string]string{}, errors: map[int64]string{}}
	for id := range int64(n) {
		a.meta[id+1] = map[string]string{"theirs": "x"}
	}
	return a
}

func (a *accounts) destination(t *testing.T) *destination {
	d, err := newDestination(setUp(t, a.ServeHTTP).api, "perennial")
	require.NoError(t, err)
	return d
}

func person(id int64) connectors.Person {
	return connectors.Person{ID: 1000 + id, CustomerID: strconv.FormatInt(id, 10)}
}

func states(r connectors.Result) map[int64]connectors.Outcome {
	all := map[int64]connectors.Outcome{}
	for _, o := range r.Outcomes {
		all[o.PersonID-1000] = o
	}
	return all
}

func TestMetaIsWrittenChangedAndDeleted(t *testing.T) {
	a := newAccounts(1)
	d := a.destination(t)
	apply := func(c connectors.Change) connectors.Outcome {
		c.Person = person(1)
		result, err := d.Apply(t.Context(), []connectors.Change{c})
		require.NoError(t, err)
		require.Len(t, result.Outcomes, 1)
		return result.Outcomes[0]
	}
	got := apply(connectors.Change{Audiences: []string{"loyal", "champions", "loyal"}, Attributes: map[string]string{"rfm": "545", "segment": "champions"}})
	require.Equal(t, connectors.Outcome{PersonID: 1001, State: connectors.Delivered, RemoteID: "1"}, got)
	require.Equal(t, map[string]string{"theirs": "x", "perennial_tags": "champions,loyal", "perennial_rfm": "545", "perennial_segment": "champions"}, a.meta[1])
	apply(connectors.Change{Leave: []string{"loyal", "champions"}, Attributes: map[string]string{"rfm": "111"}, Drop: []string{"segment"}})
	require.Equal(t, map[string]string{"theirs": "x", "perennial_rfm": "111"}, a.meta[1])
	require.Equal(t, connectors.Unchanged, apply(connectors.Change{}).State)
	require.Len(t, a.batches, 2, "nothing to say, nothing sent")
}

func TestItemsAreCheckedBeforeTheyAreSent(t *testing.T) {
	a := newAccounts(3)
	d := a.destination(t)
	bad := map[string]connectors.Change{
		"no number":           {Person: connectors.Person{ID: 1, CustomerID: "abc"}, Audiences: []string{"x"}},
		"negative":            {Person: connectors.Person{ID: 1, CustomerID: "-4"}, Audiences: []string{"x"}},
		"comma in the tag":    {Person: person(1), Audiences: []string{"a,b"}},
		"space in leave":      {Person: person(1), Leave: []string{"a b"}},
		"capitals":            {Person: person(1), Attributes: map[string]string{"Wp_Capabilities": "x"}},
		"the tags themselves": {Person: person(1), Attributes: map[string]string{"tags": "x"}},
		"NUL":                 {Person: person(1), Attributes: map[string]string{"x": "a\x00b"}},
		"invalid UTF-8":       {Person: person(1), Attributes: map[string]string{"x": "\xff"}},
		"endless":             {Person: person(1), Attributes: map[string]string{"x": strings.Repeat("x", 3000)}},
	}
	for name, c := range bad {
		result, err := d.Apply(t.Context(), []connectors.Change{c})
		require.NoError(t, err)
		require.Equal(t, connectors.Refused, result.Outcomes[0].State, name)
		require.NotEmpty(t, result.Outcomes[0].Reason)
	}
	result, err := d.Apply(t.Context(), []connectors.Change{{Person: connectors.Person{ID: 5, Email: "g@x.example"}, Audiences: []string{"x"}}})
	require.NoError(t, err)
	require.Equal(t, connectors.Withheld, result.Outcomes[0].State)
	require.Equal(t, connectors.ReasonNoAccount, result.Outcomes[0].Reason)
	require.Empty(t, a.batches)
}

func TestBatchesStartAt25AndNeverPass100(t *testing.T) {
	a := newAccounts(500)
	var changes []connectors.Change
	for id := range int64(500) {
		changes = append(changes, connectors.Change{Person: person(id + 1), Audiences: []string{"x"}})
	}
	result, err := a.destination(t).Apply(t.Context(), changes)
	require.NoError(t, err)
	require.Len(t, result.Outcomes, 500)
	var sizes []int
	for _, b := range a.batches {
		sizes = append(sizes, len(b))
	}
	require.Equal(t, []int{25, 50, 100, 100, 100, 100, 25}, sizes)
}

func TestSameAccountTwiceGoesInTwoBatches(t *testing.T) {
	a := newAccounts(2)
	result, err := a.destination(t).Apply(t.Context(), []connectors.Change{
		{Person: person(1), Audiences: []string{"x"}}, {Person: connectors.Person{ID: 7, CustomerID: "1"}, Audiences: []string{"y"}},
	})
	require.NoError(t, err)
	require.Len(t, result.Outcomes, 2)
	require.Len(t, a.batches, 2)
	require.Equal(t, "y", a.meta[1]["perennial_tags"])
}

func TestOneFailingAccountIsFoundByHalving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccounts(30)
		a.poison = 17
		var changes []connectors.Change
		for id := range int64(30) {
			changes = append(changes, connectors.Change{Person: person(id + 1), Audiences: []string{"x"}})
		}
		result, err := a.destination(t).Apply(t.Context(), changes)
		require.NoError(t, err)
		require.Len(t, result.Outcomes, 30)
		for id, o := range states(result) {
			if id == 17 {
				require.Equal(t, connectors.RetryLater, o.State)
				continue
			}
			require.Equal(t, connectors.Delivered, o.State, id)
			require.Equal(t, "x", a.meta[id]["perennial_tags"])
		}
	})
}

func TestItemErrors(t *testing.T) {
	a := newAccounts(5)
	a.errors[2] = `{"code":"woocommerce_rest_customer_invalid_email","message":"Email address ann@person.example is invalid.","data":{"status":400}}`
	a.errors[3] = `{"code":"woocommerce_rest_cannot_edit","message":"Sorry.","data":{"status":403}}`
	a.errors[4] = `{"code":"db","message":"gone away","data":{"status":500}}`
	var changes []connectors.Change
	for _, id := range []int64{1, 2, 3, 4, 5, 99} {
		changes = append(changes, connectors.Change{Person: person(id), Audiences: []string{"x"}})
	}
	result, err := a.destination(t).Apply(t.Context(), changes)
	require.NoError(t, err)
	got := states(result)
	require.Equal(t, connectors.Delivered, got[1].State)
	require.Equal(t, connectors.Refused, got[2].State)
	require.NotContains(t, got[2].Reason, "person.example")
	require.Equal(t, connectors.Refused, got[3].State)
	require.Equal(t, connectors.RetryLater, got[4].State)
	require.Equal(t, connectors.Delivered, got[5].State)
	require.Equal(t, connectors.Withheld, got[99].State)
	require.Equal(t, connectors.ReasonNotThere, got[99].Reason)
}

func TestRecordedPartialError(t *testing.T) {
	d, err := newDestination(setUp(t, func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, 200, string(recorded(t, "customers_batch_partial_error.json")))
	}).api, "perennial")
	require.NoError(t, err)
	var changes []connectors.Change
	for _, id := range []int64{502, 99999999, 501, 500, 7} {
		changes = append(changes, connectors.Change{Person: person(id), Attributes: map[string]string{"segment": "champions"}})
	}
	result, err := d.Apply(t.Context(), changes)
	require.NoError(t, err)
	got := states(result)
	require.Equal(t, connectors.Delivered, got[502].State)
	require.Equal(t, connectors.Withheld, got[99999999].State)
	require.Equal(t, connectors.Refused, got[501].State)
	require.Equal(t, connectors.Refused, got[500].State, "its meta did not come back")
	require.Equal(t, connectors.RetryLater, got[7].State, "no answer, no claim")
}

func TestFieldThatIsNotKeptIsNotDelivered(t *testing.T) {
	a := newAccounts(1)
	a.drops = "perennial_rfm"
	result, err := a.destination(t).Apply(t.Context(), []connectors.Change{{Person: person(1), Audiences: []string{"x"}, Attributes: map[string]string{"rfm": "545"}}})
	require.NoError(t, err)
	require.Equal(t, connectors.Refused, result.Outcomes[0].State)
	require.Contains(t, result.Outcomes[0].Reason, "perennial_rfm")
}

func TestReadOnlyKeyInAnyLanguage(t *testing.T) {
	for _, words := range []string{"The API key provided does not have write permissions.", "Der API-Schlüssel hat keine Schreibrechte."} {
		d, err := newDestination(setUp(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				answerJSON(w, 401, `{"code":"woocommerce_rest_authentication_error","message":"`+words+`","data":{"status":401}}`)
				return
			}
			serveSite(t, nil)(w, r)
		}).api, "")
		require.NoError(t, err)
		_, err = d.Apply(t.Context(), []connectors.Change{{Person: person(1), Audiences: []string{"x"}}})
		var e *connectors.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, connectors.KindCredentials, e.Kind)
		require.Equal(t, "write", e.Permission)
		report, err := d.Check(t.Context())
		require.NoError(t, err, "reading goes on")
		require.Equal(t, connectors.Problem, finding(t, report, "write permission").Level)
	}
}

func TestMembersAndErase(t *testing.T) {
	a := newAccounts(230)
	d := a.destination(t)
	for _, id := range []int64{1, 120, 230} {
		a.meta[id]["perennial_tags"], a.meta[id]["perennial_rfm"] = "champions,loyal", "545"
	}
	a.meta[5]["perennial_tags"] = "loyal"
	a.meta[6]["perennialish"] = "champions"
	read := func(key string) (ids []string) {
		cursor := connectors.Cursor("")
		for {
			page, err := d.Everybody(t.Context(), cursor)
			if key != "" {
				page, err = d.Members(t.Context(), connectors.Audience{Key: key, ID: key}, cursor)
			}
			require.NoError(t, err)
			for _, m := range page.Members {
				ids = append(ids, m.CustomerID)
				require.Equal(t, "c"+m.CustomerID+"@shop.example", m.Email)
				require.NotContains(t, m.Attributes, "tags")
				require.Contains(t, m.Audiences, cmp.Or(key, "loyal"))
			}
			if page.Done {
				return ids
			}
			require.NotEqual(t, cursor, page.Next)
			cursor = page.Next
		}
	}
	require.Equal(t, []string{"1", "120", "230"}, read("champions"))
	require.Equal(t, []string{"1", "5", "120", "230"}, read(""), "everybody who carries anything of ours")

	for range 2 {
		receipt, err := d.Erase(t.Context(), person(120))
		require.NoError(t, err)
		require.NotEmpty(t, receipt)
		require.Equal(t, map[string]string{"theirs": "x"}, a.meta[120])
	}
	for _, p := range []connectors.Person{person(9999), {ID: 1, Email: "g@x.example"}} {
		receipt, err := d.Erase(t.Context(), p)
		require.NoError(t, err)
		require.NotContains(t, receipt, "g@x.example")
	}
}

func TestEnsure(t *testing.T) {
	d := newAccounts(0).destination(t)
	got, err := d.Ensure(t.Context(), []connectors.Audience{{Key: "at_risk", Name: "At risk"}})
	require.NoError(t, err)
	require.Equal(t, []connectors.Audience{{Key: "at_risk", Name: "At risk", ID: "perennial_tags:at_risk"}}, got)
	again, err := d.Ensure(t.Context(), got)
	require.NoError(t, err)
	require.Equal(t, got, again)
	_, err = d.Ensure(t.Context(), []connectors.Audience{{Key: "at_risk", ID: "acme_tags:at_risk"}})
	require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
	require.ErrorContains(t, err, `under the prefix "acme"`, "what stands there would be forgotten")
	_, err = d.Ensure(t.Context(), []connectors.Audience{{Key: "a,b"}})
	require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
}
