package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// top is the checkout, seen from this folder.
const top = "../.."

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{top}, path...)...))
	require.NoError(t, err)
	return string(text)
}

// sections splits a page by its headings of the second level.
func sections(page string) map[string]string {
	found := map[string]string{}
	for _, part := range strings.Split(page, "\n## ")[1:] {
		title, body, _ := strings.Cut(part, "\n")
		found[strings.TrimSpace(title)] = body
	}
	return found
}

// runnable lists the commands that do something, by their words, with the hidden one for scripts.
func runnable(root *cobra.Command) map[string]*cobra.Command {
	all := map[string]*cobra.Command{}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		if name := strings.TrimPrefix(c.CommandPath(), "perennial "); !c.HasSubCommands() && c.Name() != "help" {
			all[name] = c
		}
	}
	walk(root)
	return all
}

func TestEveryCommandIsDocumented(t *testing.T) {
	root := newRoot(streams{}, time.Now)
	page := read(t, "docs", "commands.md")
	described := sections(page)
	flagText := regexp.MustCompile("`--([a-z-]+)")
	commands := runnable(root)
	for name, command := range commands {
		section, ok := described[name]
		if strings.HasPrefix(name, "postgres ") {
			section, ok = described["postgres"]
		}
		if !ok {
			t.Errorf("docs/commands.md says nothing about %q", name)
			continue
		}
		command.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && f.Name != "help" && !strings.Contains(section, "`--"+f.Name) {
				t.Errorf("docs/commands.md: %s: no word about --%s", name, f.Name)
			}
		})
	}
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && !strings.Contains(page, "| `--"+f.Name) {
			t.Errorf("docs/commands.md: no word about --%s", f.Name)
		}
	})
	for title, section := range described {
		for _, found := range flagText.FindAllStringSubmatch(section, -1) {
			known := root.PersistentFlags().Lookup(found[1]) != nil
			for name, command := range commands {
				mine := name == title || strings.HasPrefix(name, title+" ") || title == "Exit codes"
				known = known || mine && command.Flags().Lookup(found[1]) != nil
			}
			if !known {
				t.Errorf("docs/commands.md: %s has no flag --%s", title, found[1])
			}
		}
		if _, known := commands[title]; !known && title != "Exit codes" && title != "postgres" {
			t.Errorf("docs/commands.md: there is no command %q", title)
		}
	}
}

func TestExitCodesAreDocumented(t *testing.T) {
	section := sections(read(t, "docs", "commands.md"))["Exit codes"]
	var listed []string
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \|`).FindAllStringSubmatch(section, -1) {
		listed = append(listed, row[1])
	}
	var known []string
	for _, row := range regexp.MustCompile(`(?m)^\texit\w+\s+= (\d+)`).FindAllStringSubmatch(read(t, "cmd", "perennial", "exit.go"), -1) {
		known = append(known, row[1])
	}
	require.Equal(t, known, listed)
}

// pages are all pages for people in the checkout.
func pages(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(top, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && path != top || entry.Name() == "testdata" || entry.Name() == "bin") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".md") {
			found = append(found, path)
		}
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, len(found), 10)
	return found
}

// anchors are the places of a page that a link may name.
func anchors(page string) map[string]bool {
	found := map[string]bool{}
	drop := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		found[strings.ReplaceAll(drop.ReplaceAllString(strings.ToLower(heading[1]), ""), " ", "-")] = true
	}
	return found
}

func TestLinksLeadSomewhere(t *testing.T) {
	code := regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, found := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(found[1], "#")
			target := page
			if file != "" {
				target = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s leads nowhere", page, found[1])
				continue
			}
			if anchor == "" {
				continue
			}
			there, err := os.ReadFile(target)
			require.NoError(t, err)
			if !anchors(string(there))[anchor] {
				t.Errorf("%s: %s has no such heading", page, found[1])
			}
		}
	}
}

func TestCommandsOfPagesAreTargetsOfMake(t *testing.T) {
	makefile := read(t, "Makefile")
	called := regexp.MustCompile("(?m)(?:^    |`(?:[A-Z_]+=\\S+ )?)make ([a-z]+)")
	seen := map[string]bool{}
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, found := range called.FindAllStringSubmatch(string(text), -1) {
			seen[found[1]] = true
			if !strings.Contains(makefile, "\n"+found[1]+":") {
				t.Errorf("%s: the Makefile has no target %q", page, found[1])
			}
		}
	}
	require.True(t, seen["demo"] && seen["test"], "the README gives its two commands")
}

// TestFirstScreen holds the README to what a stranger sees before scrolling: what it is, that it works, two commands.
func TestFirstScreen(t *testing.T) {
	lines := strings.Split(read(t, "README.md"), "\n")
	screen := strings.Join(lines[:14], "\n")
	for _, part := range []string{"# Perennial", "reads your web shop every night", "docs/screenshots/today.png", "make demo", "make test"} {
		require.Contains(t, screen, part)
	}
}

func TestPictureIsDrawnFromItsSource(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	draw := exec.CommandContext(t.Context(), bash, filepath.Join(top, "docs", "picture.sh"))
	draw.Stdin = strings.NewReader(read(t, "docs", "demo.txt"))
	var out, errs bytes.Buffer
	draw.Stdout, draw.Stderr = &out, &errs
	require.NoError(t, draw.Run(), errs.String())
	require.Equal(t, read(t, "docs", "demo.svg"), out.String(), "docs/picture.sh < docs/demo.txt > docs/demo.svg")
}

func TestEverySettingIsDocumented(t *testing.T) {
	page := read(t, "docs", "configuration.md")
	for _, line := range strings.Split(read(t, "config", "config.go"), "\n") {
		if key := regexp.MustCompile(`mapstructure:"(\w+)"`).FindStringSubmatch(line); key != nil {
			require.True(t, regexp.MustCompile("[`.\\[]"+key[1]+"[`.\\]]").MatchString(page), "docs/configuration.md says nothing about %s", key[1])
		}
	}
}
