package dashboard

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/experiment"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/retention"
)

// TestShapesAreDescribed writes answers of which nothing is left out, and holds them against their schemas: every field that is
// written is described, everything described is written, and all values are of the types that the schemas say.
func TestShapesAreDescribed(t *testing.T) {
	doc, _ := described(t)
	for name, what := range map[string]any{
		"Report": filled[report.Report](), "StoreStatus": filled[report.StoreStatus](), "SegmentSets": filled[report.SegmentSets](),
		"Movements": filled[report.Movements](), "Explanation": filled[report.Explanation](), "People": filled[peopleList](),
		"Shop": filled[shopEntry](), "Problem": filled[problem](),
	} {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(what)
			require.NoError(t, err)
			var value any
			require.NoError(t, json.Unmarshal(text, &value))
			ref := doc.Components.Schemas[name]
			describes(t, name, ref, value)
			require.NoError(t, ref.Value.VisitJSON(value, openapi3.EnableJSONSchema2020()))
		})
	}
}

// describes walks through a value and its schema.
func describes(t *testing.T, path string, ref *openapi3.SchemaRef, value any) {
	t.Helper()
	require.NotNil(t, ref, path)
	switch value := value.(type) {
	case map[string]any:
		if extra := ref.Value.AdditionalProperties.Schema; extra != nil {
			return
		}
		for key, inner := range value {
			if ref.Value.Properties[key] == nil {
				t.Errorf("%s: %s is not in openapi.yaml", path, key)
				continue
			}
			describes(t, path+"."+key, ref.Value.Properties[key], inner)
		}
		for key := range ref.Value.Properties {
			if _, there := value[key]; !there {
				t.Errorf("%s: openapi.yaml describes %s, which is not there", path, key)
			}
		}
	case []any:
		require.NotEmpty(t, value, path)
		describes(t, path+"[]", ref.Value.Items, value[0])
	}
}

// filled is a value with something in every field.
func filled[T any]() T {
	var v T
	fill(reflect.ValueOf(&v).Elem())
	return v
}

func fill(v reflect.Value) {
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(readAt))
		return
	case reflect.TypeFor[decimal.Decimal]():
		v.Set(reflect.ValueOf(decimal.New(1250, -2)))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString(word(v.Type()))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(1.5)
	default:
		if v.CanInt() {
			v.SetInt(20_000)
		} else if v.CanUint() {
			v.SetUint(5)
		}
	}
}

// word is a text that a type may have.
func word(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[report.Direction]():
		return string(report.Up)
	case reflect.TypeFor[analysis.Basis]():
		return string(analysis.Net)
	case reflect.TypeFor[analysis.Step]():
		return string(analysis.Week)
	case reflect.TypeFor[experiment.Verdict]():
		return string(experiment.Helps)
	case reflect.TypeFor[experiment.Lack]():
		return string(experiment.Time)
	case reflect.TypeFor[retention.Kind]():
		return string(retention.Product)
	case reflect.TypeFor[shopState]():
		return string(ready)
	}
	return "2026-03-21" // a day or a word
}

// TestSchemasAreUsed finds none that nothing leads to.
func TestSchemasAreUsed(t *testing.T) {
	doc, _ := described(t)
	var used []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				used = append(used, ref)
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	text, err := doc.MarshalJSON()
	require.NoError(t, err)
	var tree any
	require.NoError(t, json.Unmarshal(text, &tree))
	walk(tree)
	for name := range doc.Components.Schemas {
		require.True(t, slices.Contains(used, "#/components/schemas/"+name), name)
	}
}
