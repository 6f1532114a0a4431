package shopify

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
	"github.com/perennial-cvo/perennial/connectors/shopify/schematest"
)

// recordings reads the answers of real shops, as they came.
func recordings(t *testing.T) map[string][]any {
	t.Helper()
	dir := os.Getenv("PERENNIAL_REFERENCE_DIR")
	if dir == "" {
		schematest.StopWithout(t, &schematest.Missing{What: "recorded answers", Err: os.ErrNotExist, Reference: true})
	}
	files, err := filepath.Glob(filepath.Join(dir, "fixtures", "shopify", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	out := map[string][]any{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		var content any
		require.NoError(t, json.Unmarshal(raw, &content))
		out[filepath.Base(file)] = answersIn(content)
	}
	return out
}

// objectsIn calls visit with every JSON object.
func objectsIn(content any, visit func(map[string]any)) {
	switch c := content.(type) {
	case []any:
		for _, element := range c {
			objectsIn(element, visit)
		}
	case map[string]any:
		visit(c)
		for _, value := range c {
			objectsIn(value, visit)
		}
	}
}

// answersIn finds the GraphQL answers of a recorded file.
func answersIn(content any) []any {
	var out []any
	objectsIn(content, func(o map[string]any) {
		_, data := o["data"].(map[string]any)
		faults, _ := o["errors"].([]any)
		if extensions, ok := o["extensions"].(map[string]any); data && ok && extensions["cost"] != nil || len(faults) > 0 {
			out = append(out, o)
		}
	})
	return out
}

func encoded(t *testing.T, value any) []byte {
	t.Helper()
	raw, err := json.Marshal(value)
	require.NoError(t, err)
	return raw
}

// TestRecordedEnvelopes reads cost, errors and search warnings of every recorded answer.
func TestRecordedEnvelopes(t *testing.T) {
	a := recordedAPI(t)
	count := map[string]int{}
	for file, answers := range recordings(t) {
		for _, answer := range answers {
			body := encoded(t, answer)
			e := openEnvelope(body)
			o := answer.(map[string]any)
			faults, _ := o["errors"].([]any)
			require.Len(t, e.failures(), len(faults), file)
			extensions, _ := o["extensions"].(map[string]any)
			if cost, ok := extensions["cost"].(map[string]any); ok {
				throttle := cost["throttleStatus"].(map[string]any)
				found, ok := level(httpapi.Response{Body: body})
				require.True(t, ok, file)
				require.Equal(t, httpapi.Level{
					Max: throttle["maximumAvailable"].(float64), Available: throttle["currentlyAvailable"].(float64),
					Restore: throttle["restoreRate"].(float64),
				}, found, file)
				require.InDelta(t, cost["requestedQueryCost"], e.Extensions.Cost.Requested, 0, file)
				count["cost"]++
			}
			checkVerdict(t, file, a.inspect(httpapi.Response{Status: 200, JSON: true, Body: body}), o, count)
		}
	}
	require.Greater(t, count["cost"], 1000)
	require.Greater(t, count["good"], 1000)
	for _, code := range []string{
		"ACCESS_DENIED", "INTERNAL_SERVER_ERROR", "INVALID_VARIABLE", "NOT_FOUND", "RESOURCE_NOT_FOUND", "BAD_REQUEST", "undefinedField", "warned",
	} {
		require.Positive(t, count[code], code)
	}
}

// checkVerdict holds what the connector makes of an answer against what stands in it.
func checkVerdict(t *testing.T, file string, got *connectors.Error, answer map[string]any, count map[string]int) {
	t.Helper()
	faults, _ := answer["errors"].([]any)
	warned := false
	objectsIn(answer["extensions"], func(o map[string]any) {
		list, _ := o["warnings"].([]any)
		warned = warned || len(list) > 0
	})
	switch {
	case len(faults) == 0 && warned:
		count["warned"]++
		require.NotNil(t, got, file)
		require.ErrorIs(t, got, errSearch, file)
		require.Equal(t, connectors.KindPermanent, got.Kind)
		return
	case len(faults) == 0:
		count["good"]++
		require.Nil(t, got, file)
		return
	}
	require.NotNil(t, got, file)
	code := codeOf(got)
	count[code]++
	want := connectors.KindPermanent
	switch code {
	case "ACCESS_DENIED":
		want = connectors.KindCredentials
		require.NotEmpty(t, got.Remedy)
	case "INTERNAL_SERVER_ERROR":
		want = connectors.KindRetry
	case "NOT_FOUND", "RESOURCE_NOT_FOUND":
		want = connectors.KindRecord
	}
	require.Equal(t, want, got.Kind, "%s: %v", file, got)
	var codes []string
	for _, fault := range faults {
		extensions, _ := fault.(map[string]any)["extensions"].(map[string]any)
		said, _ := extensions["code"].(string)
		codes = append(codes, said)
	}
	require.Contains(t, codes, code, file)
}

// recordedAPI is an api that asks nobody.
func recordedAPI(t *testing.T) *api {
	t.Helper()
	set := defaults()
	set.Shop, set.URL = "alder.myshopify.com", "https://alder.myshopify.com"
	a, err := newAPI(set, connectors.Deps{Now: time.Now, Prefix: "perennial"}, nil)
	require.NoError(t, err)
	return a
}

// TestRecordedOperations reads every recorded bulk operation, and what was said when one was not started.
func TestRecordedOperations(t *testing.T) {
	a := recordedAPI(t)
	operations, busy, refused := 0, 0, 0
	statuses := map[string]bool{}
	for file, answers := range recordings(t) {
		objectsIn(answers, func(o map[string]any) {
			if id, _ := o["id"].(string); strings.HasPrefix(id, "gid://shopify/BulkOperation/") {
				var op operation
				require.NoError(t, json.Unmarshal(encoded(t, o), &op), file)
				operations++
				statuses[op.Status] = true
				require.Equal(t, id, op.ID)
				covered(t, file, o, map[string]any{
					"objectCount": op.Objects, "rootObjectCount": op.Roots, "fileSize": op.Size, "url": op.URL, "status": op.Status,
					"createdAt": op.CreatedAt, "completedAt": op.CompletedAt, "errorCode": op.ErrorCode, "partialDataUrl": op.PartialURL,
				})
			}
			for _, root := range []string{"bulkOperationRunQuery", "bulkOperationRunMutation"} {
				if _, there := o[root].(map[string]any); !there {
					continue
				}
				var s started
				require.NoError(t, json.Unmarshal(encoded(t, o[root]), &s), file)
				op, err := a.begun("bulk", s)
				var running *errBusy
				var told *connectors.Error
				switch {
				case err == nil:
					require.Equal(t, "CREATED", op.Status, file)
				case asError(err, &running):
					busy++
					require.NotEmpty(t, running.IDs, file)
					require.Equal(t, connectors.KindWait, connectors.KindOf(err))
				case asError(err, &told):
					refused++
					require.NotEqual(t, connectors.KindWait, told.Kind)
				}
			}
		})
	}
	require.Greater(t, operations, 100)
	require.GreaterOrEqual(t, busy, 4)
	require.GreaterOrEqual(t, refused, 10)
	for _, status := range []string{"CREATED", "RUNNING", "COMPLETED", "CANCELED", "CANCELING"} {
		require.True(t, statuses[status], status)
	}
}

// covered says that what stands in a recorded object was read: nothing that has a value there is empty here.
func covered(t *testing.T, file string, object, read map[string]any) {
	t.Helper()
	for name, value := range read {
		if stands, there := object[name]; there && !blank(stands) {
			require.False(t, reflect.ValueOf(value).IsZero(), "%s: %s is %v and was not read", file, name, stands)
		}
	}
}

// blank is what reads as an empty value.
func blank(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		amount, err := decimal.NewFromString(v)
		return v == "" || err == nil && amount.IsZero()
	case float64:
		return v == 0
	case bool:
		return !v
	case []any:
		return !slices.ContainsFunc(v, func(element any) bool { return !blank(element) })
	case map[string]any:
		for _, inner := range v {
			if !blank(inner) {
				return false
			}
		}
		return true
	}
	return false
}

// TestRecordedUserErrors reads what mutations said of their input.
func TestRecordedUserErrors(t *testing.T) {
	found, coded := 0, 0
	for file, answers := range recordings(t) {
		objectsIn(answers, func(o map[string]any) {
			list, _ := o["userErrors"].([]any)
			for _, one := range list {
				said := one.(map[string]any)
				var e userError
				require.NoError(t, json.Unmarshal(encoded(t, said), &e), file)
				found++
				if said["code"] != nil {
					coded++
				}
				covered(t, file, said, map[string]any{"message": e.Message, "code": e.Code, "field": e.Field})
			}
		})
	}
	require.Greater(t, found, 200)
	require.Positive(t, coded)
}

// TestRecordedRecords reads every recorded customer, order, product, variant, line and refund with the connector's types,
// as far as the recording has the fields: nothing that was recorded with a value is read as nothing.
func TestRecordedRecords(t *testing.T) {
	types := map[string]reflect.Type{
		"Customer": reflect.TypeFor[customerNode](), "Order": reflect.TypeFor[orderNode](), "Product": reflect.TypeFor[productNode](),
		"ProductVariant": reflect.TypeFor[variantNode](), "LineItem": reflect.TypeFor[lineNode](), "Refund": reflect.TypeFor[refundNode](),
	}
	count := map[string]int{}
	for file, answers := range recordings(t) {
		objectsIn(answers, func(o map[string]any) {
			id, _ := o["id"].(string)
			kind, _, _ := strings.Cut(strings.TrimPrefix(id, gidRoot), "/")
			wanted, known := types[kind]
			if !known || len(o) < 2 {
				return
			}
			node := reflect.New(wanted)
			require.NoError(t, json.Unmarshal(encoded(t, o), node.Interface()), "%s: %s", file, encoded(t, o))
			unread(t, file+" "+id, o, node.Elem())
			count[kind]++
		})
	}
	for kind := range types {
		require.Positive(t, count[kind], kind)
	}
	t.Log(count)
}

// unread goes through a recorded object and a struct that was read from it.
func unread(t *testing.T, place string, object map[string]any, node reflect.Value) {
	t.Helper()
	for i := range node.NumField() {
		name, _, _ := strings.Cut(node.Type().Field(i).Tag.Get("json"), ",")
		stands, there := object[name]
		if !there || name == "" || blank(stands) {
			continue
		}
		field := node.Field(i)
		for field.Kind() == reflect.Pointer && !field.IsNil() {
			field = field.Elem()
		}
		inner, isObject := stands.(map[string]any)
		if isObject && field.Kind() == reflect.Struct {
			unread(t, place+"."+name, inner, field)
			continue
		}
		require.False(t, field.IsZero(), "%s.%s is %v and was not read", place, name, stands)
	}
}

func asError[T error](err error, target *T) bool { return errors.As(err, target) }
