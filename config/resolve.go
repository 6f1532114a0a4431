package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/perennial-cvo/perennial/config/secret"
)

// overridable are the settings that the environment may give: PERENNIAL_DATABASE_URL, and so on.
var overridable = []string{"prefix", "database.url", "database.data_dir", "health.listen", "dashboard.listen", "dashboard.url", "log.level", "log.format"}

// variable returns the environment variable of a setting.
func variable(key string) string {
	return "PERENNIAL_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// override puts what the environment gives over what the file says.
func (r *reader) override(raw map[string]any) {
	lowerKeys(raw)
	for _, key := range overridable {
		value := r.getenv(variable(key))
		if value == "" {
			continue
		}
		table, last := raw, key
		if section, rest, nested := strings.Cut(key, "."); nested {
			if _, wrong := raw[section]; wrong && !isTable(raw[section]) {
				continue // the check of types says so
			}
			table, last = subtable(raw, section), rest
		}
		if key == "database.url" {
			delete(table, "url_env")
			delete(table, "url_file")
			table[last] = secret.New(value)
			continue
		}
		table[last] = value
	}
}

// resolve fills in what is given as ..._env or ..._file, and turns everything that looks like a secret into secret.Text.
func (r *reader) resolve(raw map[string]any) {
	if database, ok := raw["database"].(map[string]any); ok {
		r.resolveKey("database", database, "url_env")
		r.resolveKey("database", database, "url_file")
		if url, ok := database["url"].(string); ok {
			database["url"] = secret.New(url)
			if hasPassword(url) {
				r.inline = "database.url"
			}
		}
	}
	r.resolveSecrets("dashboard", raw["dashboard"], "password", "token")
	r.resolveSecrets("digest", raw["digest"], "password")
	for i, store := range tables(raw["stores"]) {
		path := fmt.Sprintf("stores[%d]", i)
		r.resolveSettings(path+".settings", store["settings"])
		if reviews, ok := store["reviews"].(map[string]any); ok {
			r.resolveSettings(path+".reviews.settings", reviews["settings"])
		}
		for j, destination := range tables(store["destinations"]) {
			r.resolveSettings(fmt.Sprintf("%s.destinations[%d].settings", path, j), destination["settings"])
		}
	}
}

// resolveSecrets does so for the secrets of a table of ours.
func (r *reader) resolveSecrets(path string, value any, names ...string) {
	table, ok := value.(map[string]any)
	if !ok {
		return
	}
	for _, name := range names {
		r.resolveKey(path, table, name+"_env")
		r.resolveKey(path, table, name+"_file")
		if text, ok := table[name].(string); ok {
			table[name] = secret.New(text)
			if text != "" && r.inline == "" {
				r.inline = joinKey(path, name)
			}
		}
	}
}

func (r *reader) resolveSettings(path string, value any) {
	table, ok := value.(map[string]any)
	if !ok {
		return
	}
	for _, key := range sortedKeys(table) {
		r.resolveKey(path, table, key)
	}
	for _, key := range sortedKeys(table) {
		if text, ok := table[key].(string); ok && looksSecret(key) {
			table[key] = secret.New(text)
			if text != "" && r.inline == "" {
				r.inline = joinKey(path, key)
			}
		}
	}
}

// resolveKey replaces name_env or name_file in table by name.
func (r *reader) resolveKey(path string, table map[string]any, key string) {
	name, byEnv := strings.CutSuffix(key, "_env")
	if !byEnv {
		var byFile bool
		if name, byFile = strings.CutSuffix(key, "_file"); !byFile {
			return
		}
	}
	value, given := table[key]
	if !given || name == "" {
		return
	}
	text, ok := value.(string)
	if !ok {
		r.wrongType(joinKey(path, key), value, "a text in quotes")
		delete(table, key)
		return
	}
	delete(table, key)
	if _, twice := table[name]; twice {
		r.add(joinKey(path, key), fmt.Sprintf("%s is given in more than one way", name), fmt.Sprintf("keep one of %s, %s_env and %s_file", name, name, name))
		return
	}
	var got string
	if byEnv {
		got = r.fromEnv(joinKey(path, key), text)
	} else {
		got = r.fromFile(joinKey(path, key), text)
	}
	table[name] = secret.New(got)
}

func (r *reader) fromEnv(key, name string) string {
	value := r.getenv(name)
	if value == "" {
		r.add(key, fmt.Sprintf("environment variable %q is not set", name), "set it where Perennial is started, or give the value in another way")
	}
	return value
}

// credentials is where a service manager puts secrets for one service.
const credentials = "$CREDENTIALS_DIRECTORY/"

func (r *reader) fromFile(key, path string) string {
	if rest, ok := strings.CutPrefix(path, credentials); ok {
		path = filepath.Join(r.getenv("CREDENTIALS_DIRECTORY"), rest)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(r.file), path)
	}
	text, err := os.ReadFile(path)
	var cause *fs.PathError
	switch {
	case errors.As(err, &cause):
		r.add(key, fmt.Sprintf("file %s: %v", path, cause.Err), "put the value there, readable by the user who runs Perennial")
	case err != nil:
		r.add(key, err.Error(), "put the value there, readable by the user who runs Perennial")
	case strings.TrimSpace(string(text)) == "":
		r.add(key, fmt.Sprintf("file %s is empty", path), "put the value there")
	}
	return strings.TrimRight(string(text), "\r\n")
}

// looksSecret reports whether a setting of this name is taken for a secret. A meta key names a field.
func looksSecret(key string) bool {
	key = strings.ToLower(key)
	for _, word := range []string{"secret", "token", "password"} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return strings.HasSuffix(key, "key") && !strings.HasSuffix(key, "meta_key")
}

func isTable(value any) bool {
	_, ok := value.(map[string]any)
	return ok
}

// lowerKeys writes the keys that are ours in lower case; inside settings only the first level is.
func lowerKeys(table map[string]any) {
	for _, key := range sortedKeys(table) {
		value := table[key]
		lower := strings.ToLower(key)
		delete(table, key)
		table[lower] = value
		if nested, ok := value.(map[string]any); ok && lower == "settings" {
			for _, name := range sortedKeys(nested) {
				kept := nested[name]
				delete(nested, name)
				nested[strings.ToLower(name)] = kept
			}
			continue
		} else if ok {
			lowerKeys(nested)
		}
		for _, item := range tables(value) {
			lowerKeys(item)
		}
	}
}

// secretHook lets plain text fill secret fields.
func secretHook(from, to reflect.Type, value any) (any, error) {
	if to == textType && from.Kind() == reflect.String {
		return secret.New(value.(string)), nil
	}
	return value, nil
}
