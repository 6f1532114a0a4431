package csvfile

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

var (
	champions = connectors.Audience{Key: "champions", Name: "Champions"}
	atRisk    = connectors.Audience{Key: "at_risk", Name: "At risk"}
)

// openAudience opens a folder and makes two audiences.
func openAudience(t *testing.T, folder, format string) (connectors.Destination, *audienceFiles) {
	t.Helper()
	d, err := New().NewDestination(connectors.Settings{"folder": folder, "format": format, "send_unknown": true}, connectors.Deps{Store: "garden"})
	require.NoError(t, err)
	_, err = d.Ensure(t.Context(), []connectors.Audience{champions, atRisk})
	require.NoError(t, err)
	if hashed, ok := d.(hashedFiles); ok {
		return d, hashed.audienceFiles
	}
	return d, d.(*audienceFiles)
}

func in(p connectors.Person, audiences ...string) connectors.Change {
	return connectors.Change{Person: p, Audiences: audiences, Attributes: map[string]string{"segment": strings.Join(audiences, "+")}}
}

func write(t *testing.T, d connectors.Destination, changes ...connectors.Change) []connectors.Outcome {
	t.Helper()
	result, err := d.Apply(t.Context(), changes)
	require.NoError(t, err)
	require.Len(t, result.Outcomes, len(changes))
	return result.Outcomes
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(parts...))
	require.NoError(t, err)
	return string(text)
}

// Each platform hashes in its own way; the addresses are those of its documentation.
func TestHashesOfEachPlatform(t *testing.T) {
	sum := func(text string) string { return digest(text) }
	require.Equal(t, "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b", sum("test@example.com"))
	for given, want := range map[string][2]string{ // Meta, Google
		" Test@Example.COM\n":                    {"test@example.com", "test@example.com"},
		"cloudy.sanfrancisco+shopping@gmail.com": {"cloudy.sanfrancisco+shopping@gmail.com", "cloudysanfrancisco@gmail.com"},
		"Jeff.Erson+x.y@GoogleMail.com":          {"jeff.erson+x.y@googlemail.com", "jefferson@googlemail.com"},
		"user.name+NYC@Example.com":              {"user.name+nyc@example.com", "user.name+nyc@example.com"},
		"user. name@example.com":                 {"user. name@example.com", "user.name@example.com"},
		"a.b@gmail.com.example":                  {"a.b@gmail.com.example", "a.b@gmail.com.example"},
	} {
		require.Equal(t, want, [2]string{metaEmail(given), googleEmail(given)})
	}
	for given, want := range map[string]string{
		"Mary":               "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec",
		" Valéry ":           "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c",
		"정":                  "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14",
		"O'Neill-Smith, Jr.": sum("oneillsmith jr"),
		"":                   "",
		" . ":                "",
	} {
		require.Equal(t, want, digest(metaName(given)))
	}
}

func TestPlainFiles(t *testing.T) {
	folder := audienceFolder(t)
	d, _ := openAudience(t, folder, formatPlain)
	require.Equal(t, "email,customer_id,first_name,last_name,audiences\n", read(t, folder, "perennial-at_risk.csv"), "an empty audience is a file too")
	people := readers(3)
	people[2].FirstName, people[2].LastName = `=HYPERLINK("x")`, "Smith, \"Bob\"\nJr."
	people[1].Email = "b@example.com"
	first, second := in(people[0], "champions"), in(people[1], "champions", "at_risk")
	second.Attributes["net"] = "-5.00"
	write(t, d, first, in(people[2], "champions"), second)
	require.Equal(t, `email,customer_id,first_name,last_name,audiences,perennial_net,perennial_segment
b@example.com,1001,Ada,Example,at_risk champions,'-5.00,champions+at_risk
p0@example.com,1000,Ada,Example,champions,,champions
p2@example.com,1002,"'=HYPERLINK(""x"")","Smith, ""Bob"" Jr.",champions,,champions
`, read(t, folder, "perennial-champions.csv"))
	require.Equal(t, read(t, folder, "perennial-champions.csv"), read(t, folder, "perennial.csv"), "everybody is in that audience")
	page, err := d.Members(t.Context(), atRisk, "")
	require.NoError(t, err)
	require.Equal(t, []connectors.Member{{Email: "b@example.com", CustomerID: "1001", Attributes: second.Attributes}}, page.Members)

	write(t, d, connectors.Change{Person: people[1], Leave: []string{"champions", "at_risk"}, Drop: []string{"segment", "net"}})
	header, rows := lines(t, filepath.Join(folder, "perennial.csv"))
	require.NotContains(t, header, "perennial_net", "columns that nobody fills go")
	require.Len(t, rows, 2)
}

func TestGuardIsTakenAwayExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`'{0,3}[=+@\-a]?[a-c]{0,2}`).Draw(t, "text")
		guarded := guard(text)
		require.Equal(t, text, unguard(guarded))
		require.False(t, isFormula(guarded))
	})
}

func TestFilesForAdvertisersTellNobody(t *testing.T) {
	for format, want := range map[string]string{
		formatMeta:   "email,fn,ln\n" + digest("ada.example@gmail.com") + "," + digest("ada") + "," + digest("example") + "\n",
		formatGoogle: "Email\n" + digest("adaexample@gmail.com") + "\n",
	} {
		t.Run(format, func(t *testing.T) {
			folder := audienceFolder(t)
			d, _ := openAudience(t, folder, format)
			p := connectors.Person{ID: 17, CustomerID: "4711", Email: "ada.example@gmail.com", FirstName: "Ada", LastName: "Example"}
			write(t, d, in(p, "champions"))
			require.Equal(t, want, read(t, folder, "perennial-champions.csv"))
			require.NoFileExists(t, filepath.Join(folder, "perennial.csv"))
			for key, line := range folderState(t, folder).Ours {
				for _, secret := range []string{"ada", "Ada", "Example", "4711", "gmail", "segment"} {
					require.NotContains(t, line, secret, key)
				}
			}
		})
	}
}

// Two customers whom Google takes for one: the one stays where the other goes.
func TestAddressesThatGoogleTakesForOne(t *testing.T) {
	folder := audienceFolder(t)
	d, _ := openAudience(t, folder, formatGoogle)
	one, other := connectors.Person{ID: 1, Email: "a.b@gmail.com"}, connectors.Person{ID: 2, Email: "ab+shop@gmail.com"}
	write(t, d, in(one, "champions"), in(other, "champions"))
	_, err := d.(connectors.Eraser).Erase(t.Context(), one)
	require.NoError(t, err)
	require.Equal(t, "Email\n"+digest("ab@gmail.com")+"\n", read(t, folder, "perennial-champions.csv"))
}

func TestAudienceConsent(t *testing.T) {
	for name, c := range map[string]struct {
		consent commerce.ConsentState
		unknown bool
		reason  string
	}{
		"agreed":                  {consent: commerce.ConsentSubscribed},
		"unsubscribed":            {commerce.ConsentUnsubscribed, true, connectors.ReasonUnsubscribed},
		"nobody knows":            {commerce.ConsentUnknown, false, connectors.ReasonNoConsent},
		"nobody knows, is let in": {commerce.ConsentUnknown, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			folder := audienceFolder(t)
			d, files := openAudience(t, folder, formatPlain)
			p := readers(1)[0]
			write(t, d, in(p, "champions"))
			files.unknown = c.unknown
			change := in(p, "at_risk")
			change.Consent = c.consent
			require.Equal(t, c.reason, write(t, d, change)[0].Reason)
			_, everywhere := lines(t, filepath.Join(folder, "perennial.csv"))
			_, rows := lines(t, filepath.Join(folder, "perennial-at_risk.csv"))
			require.Equal(t, c.reason == "", len(everywhere) == 1)
			require.Equal(t, c.reason == "", len(rows) == 1, "whoever is withheld stands nowhere")
		})
	}
	d, _ := openAudience(t, audienceFolder(t), formatPlain)
	require.Equal(t, connectors.ReasonNoEmail, write(t, d, in(connectors.Person{ID: 1, CustomerID: "7"}, "champions"))[0].Reason)
}

func TestOneAddressOfTwoPeople(t *testing.T) {
	folder := audienceFolder(t)
	d, _ := openAudience(t, folder, formatPlain)
	stays := in(connectors.Person{ID: 1, Email: "office@example.com"}, "champions")
	goes := connectors.Change{Person: connectors.Person{ID: 2, Email: "office@example.com"}, Leave: []string{"champions"}}
	for _, order := range [][]connectors.Change{{stays, goes}, {goes, stays}} {
		write(t, d, order...)
		_, rows := lines(t, filepath.Join(folder, "perennial-champions.csv"))
		require.Len(t, rows, 1)
	}
}

func TestQuietNightTouchesNoFile(t *testing.T) {
	folder := audienceFolder(t)
	d, _ := openAudience(t, folder, formatPlain)
	write(t, d, in(readers(1)[0], "champions"))
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, e := range entries {
		require.NoError(t, os.Chtimes(filepath.Join(folder, e.Name()), time.Time{}, time.Unix(1, 0)))
	}
	d, _ = openAudience(t, folder, formatPlain)
	require.Equal(t, connectors.Unchanged, write(t, d, in(readers(1)[0], "champions"))[0].State)
	entries, err = os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, 5)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		require.Equal(t, time.Unix(1, 0), info.ModTime(), e.Name())
	}
}

func TestMoreMembersThanAPage(t *testing.T) {
	d, _ := openAudience(t, audienceFolder(t), formatPlain)
	people := readers(2*membersPage + 1)
	var changes []connectors.Change
	for _, p := range people {
		changes = append(changes, in(p, "champions"))
	}
	write(t, d, changes...)
	seen, pages := map[string]bool{}, 0
	for cursor, done := connectors.Cursor(""), false; !done; pages++ {
		page, err := d.Members(t.Context(), champions, cursor)
		require.NoError(t, err)
		for _, m := range page.Members {
			require.False(t, seen[m.Email])
			seen[m.Email] = true
		}
		cursor, done = page.Next, page.Done
	}
	require.Len(t, seen, len(people))
	require.Equal(t, 3, pages)
}

func TestNobodyUnsubscribesFromAFile(t *testing.T) {
	d, _ := openAudience(t, audienceFolder(t), formatPlain)
	write(t, d, in(readers(1)[0], "champions"))
	page, err := d.(connectors.Leavers).Leavers(t.Context(), time.Time{}, "")
	require.NoError(t, err)
	require.True(t, page.Done)
	require.Empty(t, page.Members)
}

func TestWhatOthersChangedIsSeenAndMended(t *testing.T) {
	folder := audienceFolder(t)
	d, _ := openAudience(t, folder, formatPlain)
	people := readers(2)
	write(t, d, in(people[0], "champions"), in(people[1], "champions"))
	path := filepath.Join(folder, "perennial-champions.csv")
	whole := read(t, path)
	for name, spoilt := range map[string]string{
		"a line less":      strings.ReplaceAll(whole, "p1@example.com", "x@example.com"),
		"semicolons":       strings.ReplaceAll(whole, ",", ";"),
		"cut":              whole[:len(whole)-20],
		"an open quote":    whole + `"`,
		"nothing is left":  "",
		"another heading":  "name,address\n",
		"too few of cells": whole + "x\n",
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, []byte(spoilt), 0o600))
			_, err := d.Members(t.Context(), champions, "")
			require.NoError(t, err)
			write(t, d, in(people[1], "champions"))
			require.Equal(t, whole, read(t, path))
		})
	}
	require.NoError(t, os.Remove(path))
	page, err := d.Members(t.Context(), champions, "")
	require.NoError(t, err)
	require.True(t, page.Done)
	require.Empty(t, page.Members)
	_, _ = openAudience(t, folder, formatPlain)
	require.Equal(t, whole, read(t, path), "a file that is gone is made from memory")
}

// Where the memory is lost, ids are others, so that everybody is written anew; until then the files stay as they are.
func TestMemoryThatIsLost(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, path string){
		"gone":         func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) },
		"not a memory": func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, []byte("hello\n"), 0o600)) },
		"empty":        func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, nil, 0o600)) },
		"another shape": func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(path, []byte(memoryKind+",a,b,c\nx\n"), 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			folder := audienceFolder(t)
			d, files := openAudience(t, folder, formatPlain)
			before, err := d.Ensure(t.Context(), []connectors.Audience{champions})
			require.NoError(t, err)
			write(t, d, in(readers(2)[0], "champions"), in(readers(2)[1], "champions"))
			whole := read(t, folder, "perennial-champions.csv")
			lose(t, files.path(files.memoryFile()))
			d, _ = openAudience(t, folder, formatPlain)
			after, err := d.Ensure(t.Context(), before)
			require.NoError(t, err)
			require.NotEqual(t, before[0].ID, after[0].ID)
			require.Equal(t, whole, read(t, folder, "perennial-champions.csv"))
			write(t, d, in(readers(2)[0], "champions"))
			_, rows := lines(t, filepath.Join(folder, "perennial-champions.csv"))
			require.Len(t, rows, 1, "who is not desired any more does not linger")
		})
	}
}

func TestMemoryThatIsCutBeginsAnew(t *testing.T) {
	folder := audienceFolder(t)
	d, files := openAudience(t, folder, formatPlain)
	write(t, d, in(readers(2)[0], "champions"), in(readers(2)[1], "champions"))
	path := files.path(files.memoryFile())
	text := read(t, path)
	for _, spoilt := range []string{text[:len(text)-4], text[:len(text)-30], strings.Replace(text, "p1@", "a1@", 1), text + "z\n"} {
		require.NoError(t, os.WriteFile(path, []byte(spoilt), 0o600))
		before, err := d.Ensure(t.Context(), []connectors.Audience{champions})
		require.NoError(t, err)
		_, err = d.Apply(t.Context(), []connectors.Change{in(readers(1)[0], "at_risk")})
		if err == nil { // what stands behind the end does not matter
			require.Equal(t, text+"z\n", spoilt)
			continue
		}
		require.Equal(t, connectors.KindRetry, connectors.KindOf(err))
		after, err := d.Ensure(t.Context(), before)
		require.NoError(t, err)
		require.NotEqual(t, before[0].ID, after[0].ID, "everybody is written anew")
		write(t, d, in(readers(2)[0], "champions"), in(readers(2)[1], "champions"))
	}
}

func TestAnotherFormatLeavesNothingOfTheOld(t *testing.T) {
	folder := audienceFolder(t)
	d, _ := openAudience(t, folder, formatPlain)
	old, err := d.Ensure(t.Context(), []connectors.Audience{champions})
	require.NoError(t, err)
	write(t, d, in(readers(1)[0], "champions"))
	d, _ = openAudience(t, folder, formatMeta)
	fresh, err := d.Ensure(t.Context(), old)
	require.NoError(t, err)
	require.NotEqual(t, old[0].ID, fresh[0].ID)
	for key, line := range folderState(t, folder).Ours {
		require.NotContains(t, line, "p0@example.com", key)
	}
	require.NoFileExists(t, filepath.Join(folder, "perennial.csv"))
}

func TestAnotherStoreIsRefused(t *testing.T) {
	folder := audienceFolder(t)
	openAudience(t, folder, formatPlain)
	d, err := New().NewDestination(connectors.Settings{"folder": folder}, connectors.Deps{Store: "orchard"})
	require.NoError(t, err)
	_, err = d.Ensure(t.Context(), []connectors.Audience{champions})
	require.ErrorContains(t, err, "store garden")
	require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
	report, err := d.Check(t.Context())
	require.NoError(t, err)
	require.False(t, report.OK())
}

func TestRemovingTheLastAudienceLeavesNothing(t *testing.T) {
	folder := audienceFolder(t)
	d, _ := openAudience(t, folder, formatPlain)
	both, err := d.Ensure(t.Context(), []connectors.Audience{champions, atRisk})
	require.NoError(t, err)
	write(t, d, connectors.Change{Person: readers(1)[0], Audiences: []string{"champions", "at_risk"}})
	require.NoError(t, d.(connectors.Remover).Remove(t.Context(), both[:1]))
	require.NoFileExists(t, filepath.Join(folder, "perennial-champions.csv"))
	_, rows := lines(t, filepath.Join(folder, "perennial.csv"))
	require.Equal(t, "at_risk", rows[0][4])
	require.NoError(t, d.(connectors.Remover).Remove(t.Context(), both[1:]))
	require.Empty(t, folderState(t, folder).Ours)
	require.NotEmpty(t, folderState(t, folder).Foreign)
}

func TestKeysThatMakeNoFileAreRefused(t *testing.T) {
	d, _ := openAudience(t, audienceFolder(t), formatPlain)
	for _, key := range []string{"../champions", "a/b", "", "A", "a.b"} {
		_, err := d.Ensure(t.Context(), []connectors.Audience{{Key: key, Name: "x"}})
		require.Equal(t, connectors.KindPermanent, connectors.KindOf(err), key)
		require.Error(t, err)
	}
}

func TestNamesThatMetaFlagsAreTold(t *testing.T) {
	folder := audienceFolder(t)
	d, _ := openAudience(t, folder, formatMeta)
	_, err := d.Ensure(t.Context(), []connectors.Audience{{Key: "own", Name: "High income"}, {Key: "diabetics", Name: "Sugar-free"}, {Key: "tea", Name: "Debtford, wealthy not"}})
	require.NoError(t, err)
	report, err := d.Check(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK(), "a warning, for the owner may name the audience otherwise")
	text := fmt.Sprint(report.Findings)
	for _, word := range []string{`"income"`, `"diabetics"`, `"debtford"`} {
		require.Contains(t, text, word)
	}
	require.NotContains(t, text, "champions")
	d, _ = openAudience(t, audienceFolder(t), formatPlain)
	_, err = d.Ensure(t.Context(), []connectors.Audience{{Key: "own", Name: "High income"}})
	require.NoError(t, err)
	report, err = d.Check(t.Context())
	require.NoError(t, err)
	require.NotContains(t, fmt.Sprint(report.Findings), "income")
}

func TestFolderThatCannotBeWrittenTo(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "nowhere")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, folder := range []string{missing, file} {
		d, err := New().NewDestination(connectors.Settings{"folder": folder}, connectors.Deps{})
		require.NoError(t, err)
		_, err = d.Check(t.Context())
		require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
		require.Contains(t, connectors.Remedy(err), folder)
		_, err = d.Ensure(t.Context(), []connectors.Audience{champions})
		require.Error(t, err)
		require.NotEmpty(t, connectors.Remedy(err))
	}
}

func TestAudienceSettings(t *testing.T) {
	_, err := New().NewDestination(connectors.Settings{"folder": "x", "format": "tiktok"}, connectors.Deps{})
	require.ErrorContains(t, err, `"format"`)
	_, err = New().NewDestination(connectors.Settings{"folder": "x", "currency": "EUR"}, connectors.Deps{})
	require.ErrorContains(t, err, "currency", "that is a setting of the source")
	require.False(t, New().WritesBack(), "a shop of files takes no tags")
}

// TestCutAnywhere ends a writing before each step that shows, and looks at what is there.
func TestCutAnywhere(t *testing.T) {
	people := readers(4)
	older := []connectors.Change{in(people[0], "champions"), in(people[1], "champions"), in(people[2], "at_risk")}
	newer := []connectors.Change{
		in(people[0], "at_risk"), in(people[3], "champions", "at_risk"),
		{Person: people[2], Leave: []string{"at_risk"}, Drop: []string{"segment"}},
	}
	states := func(t *testing.T, folder string, changes ...[]connectors.Change) map[string]string {
		d, _ := openAudience(t, folder, formatPlain)
		for _, c := range changes {
			write(t, d, c...)
		}
		all := map[string]string{}
		for _, name := range []string{"perennial.csv", "perennial-champions.csv", "perennial-at_risk.csv"} {
			all[name] = read(t, folder, name)
		}
		return all
	}
	before, after := states(t, t.TempDir(), older), states(t, t.TempDir(), older, newer)
	errCut := errors.New("cut")
	for cut := 1; ; cut++ {
		folder := t.TempDir()
		d, files := openAudience(t, folder, formatPlain)
		write(t, d, older...)
		steps := 0
		files.step = func(string) error {
			if steps++; steps == cut {
				return errCut
			}
			return nil
		}
		_, err := d.Apply(t.Context(), newer)
		if err == nil {
			require.Equal(t, 5, cut, "three files and the memory")
			return
		}
		require.ErrorIs(t, err, errCut)
		require.Equal(t, connectors.KindRetry, connectors.KindOf(err))
		for name := range before {
			require.Contains(t, []string{before[name], after[name]}, read(t, folder, name), "%s after %d steps", name, cut)
		}
		require.Equal(t, after, states(t, folder, newer), "the same again does what is left")
	}
}

// TestFilesFollowAnyHistory holds the files against what was desired last, after any changes, cuts and new instances.
func TestFilesFollowAnyHistory(t *testing.T) {
	for seed := range uint64(12) { // rapid would have a hundred histories written to the disk
		random := rand.New(rand.NewPCG(seed, 7))
		folder := t.TempDir()
		d, files := openAudience(t, folder, formatPlain)
		desired := map[string][]string{}
		for range 8 {
			var changes []connectors.Change
			for _, p := range readers(5) {
				if random.IntN(2) == 0 {
					continue
				}
				c := connectors.Change{Person: p, Audiences: [][]string{nil, {"champions"}, {"at_risk"}, {"at_risk", "champions"}}[random.IntN(4)]}
				changes = append(changes, c)
				desired[p.Email] = c.Audiences
			}
			if random.IntN(3) == 0 {
				left := random.IntN(4)
				files.step = func(string) error {
					if left--; left < 0 {
						return errors.New("cut")
					}
					return nil
				}
				_, _ = d.Apply(t.Context(), changes)
				d, files = openAudience(t, folder, formatPlain)
			}
			_, err := d.Apply(t.Context(), changes)
			require.NoError(t, err)
			for _, key := range []string{"champions", "at_risk"} {
				var want, got []string
				for _, email := range slices.Sorted(maps.Keys(desired)) {
					if slices.Contains(desired[email], key) {
						want = append(want, email)
					}
				}
				_, rows := lines(t, filepath.Join(folder, files.audienceFile(key)))
				for _, row := range rows {
					got = append(got, row[0])
				}
				require.Equal(t, want, got, "history %d", seed)
			}
		}
	}
}

const killedFolder = "CSVFILE_KILLED_FOLDER"

// TestWriter is the part of the process that is killed: it fills and empties an audience for ever.
func TestWriter(t *testing.T) {
	folder, ok := os.LookupEnv(killedFolder)
	if !ok {
		t.Skip("runs only in the child processes of TestKilledAnywhere")
	}
	d, _ := openAudience(t, folder, formatPlain)
	var full, empty []connectors.Change
	for _, p := range readers(3000) {
		full = append(full, in(p, "champions"))
		empty = append(empty, connectors.Change{Person: p, Leave: []string{"champions"}})
	}
	for {
		write(t, d, full...)
		write(t, d, empty...)
	}
}

func TestKilledAnywhere(t *testing.T) {
	folder := t.TempDir()
	seen := map[int]int{}
	for kill := range 12 {
		command := exec.Command(os.Args[0], "-test.run=^TestWriter$")
		command.Env = append(os.Environ(), killedFolder+"="+folder)
		require.NoError(t, command.Start())
		for started := time.Now(); ; time.Sleep(time.Millisecond) { // from the first file on, a little longer each time
			if _, err := os.Stat(filepath.Join(folder, "perennial-champions.csv")); err == nil || time.Since(started) > 30*time.Second {
				break
			}
		}
		time.Sleep(time.Duration(20+kill*17) * time.Millisecond)
		require.NoError(t, command.Process.Kill())
		_ = command.Wait()
		for _, name := range []string{"perennial-champions.csv", "perennial.csv"} {
			header, rows := lines(t, filepath.Join(folder, name))
			require.Equal(t, plainColumns, header[:len(plainColumns)])
			require.Contains(t, []int{0, 3000}, len(rows), "%s is neither the old one nor the new", name)
			seen[len(rows)]++
		}
	}
	d, _ := openAudience(t, folder, formatPlain)
	write(t, d, in(readers(1)[0], "champions"), connectors.Change{Person: readers(2)[1], Leave: []string{"champions"}})
	left, err := filepath.Glob(filepath.Join(folder, ".perennial~*"))
	require.NoError(t, err)
	require.Empty(t, left, "what killed writings left is swept")
	t.Log(seen)
}
