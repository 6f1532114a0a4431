package config

import (
	"fmt"
	"reflect"
	"sort"
	"strings"

	"github.com/perennial-cvo/perennial/config/secret"
)

var (
	configType = reflect.TypeFor[Config]()
	textType   = reflect.TypeFor[secret.Text]()
)

// checkCase refuses keys of one table that differ only in case: one of them would silently be dropped later on.
func (r *reader) checkCase(path string, value any) {
	switch value := value.(type) {
	case map[string]any:
		first := map[string]string{}
		for _, key := range sortedKeys(value) {
			lower := strings.ToLower(key)
			if other, twice := first[lower]; twice {
				r.add(joinKey(path, lower), fmt.Sprintf("%q and %q differ only in case", other, key), "keep one of them")
			}
			first[lower] = key
			r.checkCase(joinKey(path, key), value[key])
		}
	case []any:
		for i, item := range value {
			r.checkCase(fmt.Sprintf("%s[%d]", path, i), item)
		}
	}
}

// checkShape compares what stands in the file with the type that it is for: no unknown key, no value of another type.
func (r *reader) checkShape(path string, value any, want reflect.Type) {
	switch {
	case want == textType:
		if _, isString := value.(string); !isString && !isText(value) {
			r.wrongType(path, value, "a text in quotes")
		}
	case want.Kind() == reflect.Pointer:
		r.checkShape(path, value, want.Elem())
	case want.Kind() == reflect.Struct:
		r.checkTable(path, value, want)
	case want.Kind() == reflect.Map:
		table, ok := value.(map[string]any)
		if !ok {
			r.wrongType(path, value, "a table")
			return
		}
		for _, key := range sortedKeys(table) {
			r.checkShape(joinKey(path, key), table[key], want.Elem())
		}
	case want.Kind() == reflect.Slice:
		list, ok := value.([]any)
		if !ok {
			r.wrongType(path, value, "a list")
			return
		}
		for i, item := range list {
			r.checkShape(fmt.Sprintf("%s[%d]", path, i), item, want.Elem())
		}
	default:
		r.checkScalar(path, value, want.Kind())
	}
}

func (r *reader) checkTable(path string, value any, want reflect.Type) {
	table, ok := value.(map[string]any)
	if !ok {
		r.wrongType(path, value, "a table")
		return
	}
	known := map[string]reflect.Type{}
	for i := range want.NumField() {
		known[want.Field(i).Tag.Get("mapstructure")] = want.Field(i).Type
	}
	for _, key := range sortedKeys(table) {
		if fieldType, ok := known[strings.ToLower(key)]; ok {
			r.checkShape(joinKey(path, key), table[key], fieldType)
			continue
		}
		r.add(joinKey(path, key), "unknown key", "known here are "+strings.Join(sortedKeys(known), ", "))
	}
}

func (r *reader) checkScalar(path string, value any, want reflect.Kind) {
	var ok bool
	var name string
	switch want {
	case reflect.String:
		_, ok = value.(string)
		name = "a text in quotes"
	case reflect.Bool:
		_, ok = value.(bool)
		name = "true or false"
	case reflect.Int:
		_, ok = value.(int64)
		name = "a whole number"
	case reflect.Float64:
		_, isInt := value.(int64)
		_, isFloat := value.(float64)
		ok, name = isInt || isFloat, "a number"
	default: // settings: the connector's own matter
		ok = true
	}
	if !ok {
		r.wrongType(path, value, name)
	}
}

func (r *reader) wrongType(path string, value any, want string) {
	got := "a date or time"
	switch value.(type) {
	case string, secret.Text:
		got = "a text"
	case bool:
		got = "true or false"
	case int64:
		got = "a whole number"
	case float64:
		got = "a number"
	case []any:
		got = "a list"
	case map[string]any:
		got = "a table"
	}
	r.add(path, "it is "+got, "write "+want)
}

func sortedKeys[V any](table map[string]V) []string {
	keys := make([]string, 0, len(table))
	for key := range table {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
