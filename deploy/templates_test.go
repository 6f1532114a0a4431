package deploy_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/segment"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// texts are the ready texts of a platform, by name.
func texts(t *testing.T, platform string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("templates", platform, "*"))
	require.NoError(t, err)
	found := map[string]string{}
	for _, file := range files {
		name, is := strings.CutSuffix(filepath.Base(file), ".html")
		require.True(t, is, file)
		found[name] = read(t, file)
	}
	return found
}

// TestPlaybookNamesTheTexts: each is recommended somewhere, each that is recommended is there, for both platforms, and the
// page beside them lists it.
func TestPlaybookNamesTheTexts(t *testing.T) {
	named := map[string]bool{}
	for _, p := range segment.Plays() {
		if p.Template != "" {
			named[p.Template] = true
		}
	}
	page := read(t, filepath.Join("templates", "README.md"))
	for _, platform := range []string{"listmonk", "klaviyo"} {
		found := texts(t, platform)
		require.Len(t, found, len(named), platform)
		for name := range named {
			require.Contains(t, found, name, platform)
			require.Contains(t, page, "`"+name+".html`")
		}
	}
}

// subscriber has what listmonk hands to a template.
type subscriber struct {
	Name, Email string
	Attribs     map[string]any
}

// FirstName is the first word of the name that has more than two letters, as in listmonk.
func (s subscriber) FirstName() string {
	for _, word := range strings.Fields(s.Name) {
		if len(word) > 2 {
			return word
		}
	}
	return s.Name
}

const leave = "https://lists.example.com/subscription/1/2"

// listmonkTemplate parses a text as listmonk does: its own functions get the message as an argument, and those that it has
// from its library are there.
func listmonkTemplate(t *testing.T, text string) *template.Template {
	t.Helper()
	text = regexp.MustCompile(`{{(\s+)?(TrackView|UnsubscribeURL|ManageURL|OptinURL|MessageURL)(\s+)?}}`).ReplaceAllString(text, "{{ $2 . }}")
	made, err := template.New("content").Funcs(template.FuncMap{
		"UnsubscribeURL": func(any) string { return leave },
		"contains":       func(part, whole string) bool { return strings.Contains(whole, part) },
		"dict":           func() map[string]any { return map[string]any{} },
	}).Parse(text)
	require.NoError(t, err)
	return made
}

func TestListmonkTextsForEverySubscriber(t *testing.T) {
	attributes := map[string]any{}
	for _, key := range activation.Attributes() {
		attributes[key] = "slipping"
	}
	for name, text := range texts(t, "listmonk") {
		made := listmonkTemplate(t, text)
		for _, who := range []subscriber{
			{Name: "Ann Smith", Attribs: map[string]any{"perennial": attributes}},
			{Name: "Ann.smith", Attribs: map[string]any{"perennial": map[string]any{"lifecycle": "lost", "value_tier": "top"}}},
			{Name: "<b>Ann</b> Smith", Attribs: map[string]any{"city": "Bonn"}},
			{Name: "", Attribs: map[string]any{"perennial": nil}}, // taken back
			{Name: "Bo", Attribs: nil},
		} {
			var out bytes.Buffer
			require.NoError(t, made.Execute(&out, map[string]any{"Subscriber": who}), "%s for %q", name, who.Name)
			checkMessage(t, name, out.String())
			require.NotContains(t, out.String(), "<no value>")
			require.NotContains(t, out.String(), "<b>")
			require.Contains(t, out.String(), `<a href="`+leave+`"`, name)
			if strings.Contains(who.Name, "Smith") && !strings.Contains(who.Name, "<") {
				require.Contains(t, out.String(), "Hello Ann,")
			} else if !strings.Contains(who.Name, "<") {
				require.Contains(t, out.String(), "Hello there,")
			}
		}
	}
}

// TestTextsTakeTheirTurns: whoever is lost is told that it is the last message, and who is not worth an offer gets none.
func TestTextsTakeTheirTurns(t *testing.T) {
	made := listmonkTemplate(t, texts(t, "listmonk")["win_back"])
	say := func(tier, stage string) string {
		var out bytes.Buffer
		ours := map[string]any{"value_tier": tier, "lifecycle": stage}
		require.NoError(t, made.Execute(&out, map[string]any{"Subscriber": subscriber{Attribs: map[string]any{"perennial": ours}}}))
		return out.String()
	}
	require.Contains(t, say("top", "lapsed"), "[the offer]")
	require.NotContains(t, say("low", "lapsed"), "[the offer]")
	require.NotContains(t, say("top", "lapsed"), "not write about this again")
	require.Contains(t, say("low", "lost"), "not write about this again")
}

// checkMessage refuses what mail programs do not show, and whatever is fetched from somewhere.
func checkMessage(t *testing.T, name, text string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(text))
	decoder.Entity = xml.HTMLEntity
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err, "%s: it is not well formed", name)
		element, is := token.(xml.StartElement)
		if !is {
			continue
		}
		require.Contains(t, []string{
			"html", "head", "meta", "title", "body", "table", "tr", "td", "p", "a", "ul", "li", "br",
		}, element.Name.Local, name)
		for _, a := range element.Attr {
			require.NotContains(t, []string{"src", "srcset", "background", "onclick", "class"}, a.Name.Local, name)
			require.NotContains(t, a.Value, "url(", name)
			if a.Name.Local == "href" {
				require.Contains(t, []string{"https://shop.example/", leave}, a.Value, name)
			}
		}
	}
	require.Less(t, len(text), 100<<10, "%s: longer messages are cut short", name)
}

var (
	klaviyoTag      = regexp.MustCompile(`{%\s*(.*?)\s*%}`)
	klaviyoVariable = regexp.MustCompile(`{{\s*(.*?)\s*}}`)
	klaviyoTest     = regexp.MustCompile(`^person\|lookup:'perennial_([a-z_]+)' == '([a-z_]+)'$`)
)

func TestKlaviyoTexts(t *testing.T) {
	for name, text := range texts(t, "klaviyo") {
		open, links := 0, 0
		for _, found := range klaviyoTag.FindAllStringSubmatch(text, -1) {
			switch word, rest, _ := strings.Cut(found[1], " "); word {
			case "if":
				open++
				for _, condition := range strings.Split(rest, " or ") {
					require.Regexp(t, klaviyoTest, condition, name)
				}
			case "else":
				require.Equal(t, 1, open, name)
			case "endif":
				open--
			case "unsubscribe":
				links++
				require.Equal(t, "'Unsubscribe'", rest)
			default:
				t.Errorf("%s: %s is no tag that it may use", name, found[0])
			}
			require.True(t, open == 0 || open == 1, name)
		}
		require.Zero(t, open, name)
		require.Equal(t, 1, links, "%s: one unsubscribe link", name)
		for _, found := range klaviyoVariable.FindAllStringSubmatch(text, -1) {
			require.Equal(t, "first_name|default:'there'", found[1], name)
		}
		checkMessage(t, name, klaviyoVariable.ReplaceAllString(klaviyoTag.ReplaceAllString(text, ""), "Ann"))
	}
}

// TestAttributesOfTextsAreThere holds what the texts ask for against what is pushed, key and value.
func TestAttributesOfTextsAreThere(t *testing.T) {
	values := map[string][]string{}
	for _, d := range segment.Stages() {
		values["lifecycle"] = append(values["lifecycle"], d.ID)
	}
	for _, d := range segment.Tiers() {
		values["value_tier"] = append(values["value_tier"], d.ID)
	}
	seen := 0
	check := func(name, key, value string) {
		seen++
		require.Contains(t, activation.Attributes(), key, name)
		require.Contains(t, values[key], value, name)
	}
	for name, text := range texts(t, "klaviyo") {
		for _, found := range regexp.MustCompile(`'perennial_(\w+)' == '(\w+)'`).FindAllStringSubmatch(text, -1) {
			check(name, found[1], found[2])
		}
	}
	for name, text := range texts(t, "listmonk") {
		for _, found := range regexp.MustCompile(`eq \$p\.(\w+)((?: "\w+")+)`).FindAllStringSubmatch(text, -1) {
			for _, value := range strings.Fields(found[2]) {
				check(name, found[1], strings.Trim(value, `"`))
			}
		}
		require.Equal(t, strings.Count(text, "$p."), strings.Count(text, "eq $p."), name)
	}
	require.Greater(t, seen, 20)
}

// TestBothPlatformsSayTheSame compares the words without what each platform fills in.
func TestBothPlatformsSayTheSame(t *testing.T) {
	words := func(text string) []string {
		text = regexp.MustCompile(`{{.*?}}`).ReplaceAllString(regexp.MustCompile(`{%.*?%}`).ReplaceAllString(text, ""), "")
		text = strings.Replace(strings.ReplaceAll(text, "Unsubscribe", ""), "Hello there,", "Hello ,", 1)
		return strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(text, " "))
	}
	other := texts(t, "klaviyo")
	for name, text := range texts(t, "listmonk") {
		require.True(t, slices.Equal(words(text), words(other[name])), "%s:\n%v\n%v", name, words(text), words(other[name]))
	}
}

// TestTextsAreFinishedByTheirOwner: each has places in brackets, and the page says so.
func TestTextsAreFinishedByTheirOwner(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("templates", "README.md"))
	require.NoError(t, err)
	require.Contains(t, string(page), "[square brackets]")
	for name, text := range texts(t, "listmonk") {
		require.GreaterOrEqual(t, len(regexp.MustCompile(`\[[^\]]+\]`).FindAllString(text, -1)), 4, name)
		require.Contains(t, text, "[street, town, country]", name)
	}
}
