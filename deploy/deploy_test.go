// Package deploy_test checks what is shipped beside the program: nothing here is built, everything here is read.
package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/perennial-cvo/perennial/config"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}

// load loads a configuration with an environment that has every variable.
func load(t *testing.T, text string) config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "perennial.toml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	cfg, err := config.Load(path, func(name string) string {
		switch {
		case name == "DATABASE_URL":
			return "postgres://perennial@localhost/perennial?sslmode=disable"
		case name == "PERENNIAL_API_TOKEN":
			return "a token of thirty characters .."
		case strings.HasPrefix(name, "PERENNIAL_") || name == "CREDENTIALS_DIRECTORY":
			return ""
		}
		return "value of " + name
	})
	require.NoError(t, err)
	return cfg
}

func TestExampleLoads(t *testing.T) {
	cfg := load(t, read(t, "perennial.example.toml"))
	require.Len(t, cfg.Stores, 1)
	require.Len(t, cfg.Stores[0].Destinations, 1)
	require.Equal(t, "0 03 * * *", cfg.Stores[0].Nightly())
}

// TestExampleSaysTheDefaults loads the example without the lines that say a default: nothing changes.
func TestExampleSaysTheDefaults(t *testing.T) {
	text := read(t, "perennial.example.toml")
	defaults := regexp.MustCompile(`(?m)^(prefix|listen|level|format|nightly_at|revenue|include_tax|include_shipping|consent|tags|shrink|min_size|convention) = .*$`)
	require.Equal(t, load(t, text), load(t, defaults.ReplaceAllString(text, "")))
}

// TestExampleCommentsAreTrue uncomments every setting: each still loads.
func TestExampleCommentsAreTrue(t *testing.T) {
	text := read(t, "perennial.example.toml")
	setting := regexp.MustCompile(`(?m)^# ((?:[a-z_]+|"5\*4") = |\[{1,2}[a-z_.]+\]{1,2}$)`)
	text = setting.ReplaceAllString(text, "$1")
	for _, replaced := range []string{`nightly_at = "03:00"`, `convention = "rank_min"`} {
		require.Contains(t, text, replaced)
	}
	text = strings.Replace(text, `nightly_at = "03:00"`, "", 1)
	text = strings.Replace(text, `"rank_min"`, `"thresholds"`, 1)
	cfg := load(t, text)
	store := reflect.ValueOf(cfg.Stores[0])
	for i := range store.NumField() {
		name := store.Type().Field(i).Name
		if !store.Field(i).IsZero() || store.Field(i).Kind() == reflect.Bool || name == "NightlyAt" {
			continue
		}
		t.Errorf("the example shows no value for %s", name)
	}
}

func TestExampleNamesEverySetting(t *testing.T) {
	text := read(t, "perennial.example.toml")
	for _, key := range keys(reflect.TypeFor[config.Config]()) {
		require.Regexp(t, `(?m)^(# )?(\[+[a-z_.]*)?\b`+key+`(_env)?( = |\]+)`, text, "setting %s", key)
	}
}

// keys lists every key of a configuration type and of the types inside it.
func keys(of reflect.Type) []string {
	var all []string
	for i := range of.NumField() {
		field := of.Field(i)
		key := field.Tag.Get("mapstructure")
		all = append(all, key)
		inner := field.Type
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && inner.PkgPath() == of.PkgPath() {
			all = append(all, keys(inner)...)
		}
	}
	return all
}

func TestServiceIsClosed(t *testing.T) {
	unit := read(t, "perennial.service")
	for _, line := range []string{
		"Type=notify", "WatchdogSec=60", "Restart=on-failure", "DynamicUser=yes", "StateDirectory=perennial", "UMask=0077",
		"ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes", "PrivateUsers=yes", "NoNewPrivileges=yes",
		"CapabilityBoundingSet=", "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "RestrictNamespaces=yes", "RestrictRealtime=yes",
		"LockPersonality=yes", "MemoryDenyWriteExecute=yes", "SystemCallFilter=@system-service", "SystemCallArchitectures=native",
		"ProtectKernelTunables=yes", "ProtectKernelModules=yes", "ProtectKernelLogs=yes", "ProtectClock=yes", "ProtectHostname=yes",
		"ProtectControlGroups=yes",
	} {
		require.Contains(t, unit, "\n"+line+"\n")
	}
	require.Regexp(t, `(?m)^MemoryMax=\d`, unit)

	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("the exposure is measured with systemd-analyze, which is not installed")
	}
	out, err := exec.Command(program, "security", "--offline=true", "--no-pager", "./perennial.service").CombinedOutput()
	require.NoError(t, err, "%s", out)
	match := regexp.MustCompile(`Overall exposure level for perennial\.service: ([0-9.]+)`).FindSubmatch(out)
	require.NotNil(t, match, "%s", out)
	exposure, err := strconv.ParseFloat(string(match[1]), 64)
	require.NoError(t, err)
	require.LessOrEqual(t, exposure, 2.0)
}

func TestDockerfile(t *testing.T) {
	text := read(t, "Dockerfile")
	var last string
	stages := map[string]bool{"scratch": true}
	for _, from := range regexp.MustCompile(`(?m)^FROM (\S+)(?: AS (\S+))?$`).FindAllStringSubmatch(text, -1) {
		last = from[1]
		if !stages[last] {
			requireTag(t, last)
		}
		stages[from[2]] = true
	}
	require.Equal(t, "scratch", last, "the image holds the program and nothing else")
	final := text[strings.LastIndex(text, "\nFROM "):]
	user := regexp.MustCompile(`(?m)^USER (\d+):(\d+)$`).FindStringSubmatch(final)
	require.NotNil(t, user, "the image has no user of its own")
	require.NotEqual(t, "0", user[1])
	require.Regexp(t, `(?m)^ENTRYPOINT \["/usr/bin/perennial"\]$`, final)
	require.NotRegexp(t, `(?m)^(ADD|ENV .*(PASSWORD|SECRET|TOKEN))`, text)
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "../go.mod"))
	require.Contains(t, text, "golang:"+version[1]+"-")
}

func requireTag(t *testing.T, image string) {
	t.Helper()
	name, tag, tagged := strings.Cut(filepath.Base(image), ":")
	require.True(t, tagged && name != "" && !strings.Contains(tag, "latest"), "%s names no version", image)
}

// composed is what the tests look at in a compose file.
type composed struct {
	Services map[string]struct {
		Image       string            `yaml:"image"`
		Build       map[string]string `yaml:"build"`
		Environment map[string]string `yaml:"environment"`
		Secrets     []string          `yaml:"secrets"`
		Ports       []string          `yaml:"ports"`
		Networks    []string          `yaml:"networks"`
		Volumes     []string          `yaml:"volumes"`
		Healthcheck map[string]any    `yaml:"healthcheck"`
		DependsOn   map[string]struct {
			Condition string `yaml:"condition"`
		} `yaml:"depends_on"`
		ReadOnly bool     `yaml:"read_only"`
		CapDrop  []string `yaml:"cap_drop"`
	} `yaml:"services"`
	Networks map[string]struct {
		Internal bool `yaml:"internal"`
	} `yaml:"networks"`
	Secrets map[string]struct {
		File string `yaml:"file"`
	} `yaml:"secrets"`
	Volumes map[string]any `yaml:"volumes"`
}

func TestCompose(t *testing.T) {
	var file composed
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "compose.yaml")), &file))
	database, perennial := file.Services["database"], file.Services["perennial"]
	require.Regexp(t, `^postgres:17`, database.Image)
	require.NotEmpty(t, database.Healthcheck["test"])
	require.Empty(t, database.Ports, "the database is reached from inside only")
	require.Equal(t, []string{"inside"}, database.Networks)
	require.True(t, file.Networks["inside"].Internal)
	require.Equal(t, "service_healthy", perennial.DependsOn["database"].Condition)
	require.True(t, perennial.ReadOnly)
	require.Equal(t, []string{"ALL"}, perennial.CapDrop)
	for name, service := range file.Services {
		requireTag(t, service.Image)
		for _, port := range service.Ports {
			require.Regexp(t, `^127\.0\.0\.1:`, port, "%s is open to the world", name)
		}
		for _, secret := range service.Secrets {
			require.NotEmpty(t, file.Secrets[secret].File, "secret %s", secret)
		}
		for key, value := range service.Environment {
			if regexp.MustCompile(`PASSWORD|SECRET|TOKEN|URL`).MatchString(key) {
				require.Regexp(t, `^/run/secrets/`, value, fmt.Sprintf("%s of %s stands in the file", key, name))
			}
		}
	}
	dockerfile := filepath.Join(perennial.Build["context"], perennial.Build["dockerfile"])
	require.FileExists(t, dockerfile)
}
