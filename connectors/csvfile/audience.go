package csvfile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// audienceSettings are the settings of a folder of audience files.
type audienceSettings struct {
	Folder      string `mapstructure:"folder"`
	Format      string `mapstructure:"format"`
	SendUnknown bool   `mapstructure:"send_unknown"`
}

// audienceFields describe them.
func audienceFields() []connectors.Field {
	return []connectors.Field{
		{Name: "folder", Title: "Folder", Help: "an existing folder that nobody else writes to", Required: true},
		{Name: "format", Title: "Format of audience files", Help: "plain, meta or google; the latter two are hashed", Default: formatPlain},
		{Name: "send_unknown", Title: "Write without known consent", Help: "also write people of whom nobody knows whether they agreed", Default: "false"},
	}
}

// batchSize is how many people are written at once: each time, all files are written anew.
const batchSize = 100_000

// audienceFiles is a destination: a folder with a file for each audience, and one for everybody where the format has
// attributes. What it knows stands in a file of its own beside them, so that every instance knows the same; the others follow
// from it and are mended at each writing.
type audienceFiles struct {
	folder  string
	prefix  string
	store   string
	layout  layout
	unknown bool
	log     *slog.Logger
	// step is told before each step that shows in the folder, and may end the writing there; only tests set it.
	step func(what string) error
}

// hashedFiles are files of which only the addressee knows whose hashes stand in them.
type hashedFiles struct{ *audienceFiles }

// OneWay says that nobody can be read back from hashes.
func (hashedFiles) OneWay() {}

// Members are none.
func (hashedFiles) Members(context.Context, connectors.Audience, connectors.Cursor) (connectors.MemberPage, error) {
	return connectors.MemberPage{Done: true}, nil
}

func newAudienceFiles(f connectors.Factory, raw connectors.Settings, deps connectors.Deps) (connectors.Destination, error) {
	s := audienceSettings{Format: formatPlain}
	if err := f.AsDestination().Decode(raw, &s); err != nil {
		return nil, err
	}
	if deps.Prefix == "" {
		deps.Prefix = "perennial"
	}
	chosen, known := layoutOf(s.Format, deps.Prefix)
	if !known {
		return nil, refuseAudience(fmt.Errorf(`setting "format": %q is none of "plain", "meta", "google"`, s.Format))
	}
	folder, err := filepath.Abs(s.Folder)
	if err != nil {
		return nil, refuseAudience(fmt.Errorf(`setting "folder": %w`, err))
	}
	files := &audienceFiles{
		folder: folder, prefix: deps.Prefix, store: deps.Store, layout: chosen, unknown: s.SendUnknown, log: deps.Log,
		step: func(string) error { return nil },
	}
	if files.log == nil {
		files.log = slog.New(slog.DiscardHandler)
	}
	if chosen.hashed {
		return hashedFiles{files}, nil
	}
	return files, nil
}

func refuseAudience(err error) error {
	return &connectors.Error{Kind: connectors.KindPermanent, Op: Kind + " settings", Err: err, Remedy: "correct this setting"}
}

// BatchSize says that many people are wanted at once.
func (d *audienceFiles) BatchSize() int { return batchSize }

// audienceKey is what can be part of a file's name.
var audienceKey = regexp.MustCompile(`^[a-z0-9][a-z0-9_]*$`)

// Ensure makes a file for each audience that has none. Its id is the file's name and a mark of the folder's memory: where that
// was lost, or the format is another, the id is another too, so that everybody is written anew.
func (d *audienceFiles) Ensure(ctx context.Context, audiences []connectors.Audience) ([]connectors.Audience, error) {
	all := append([]connectors.Audience(nil), audiences...)
	names := map[string]string{}
	for _, a := range audiences {
		if !audienceKey.MatchString(a.Key) {
			return nil, &connectors.Error{
				Kind: connectors.KindPermanent, Op: "audience " + a.Key, Err: errors.New("it makes no name of a file"),
				Remedy: "use small letters, digits and _ in the id of the segment",
			}
		}
		names[a.Key] = a.Name
	}
	head, err := d.ensureFiles(ctx, names)
	if err != nil {
		return nil, d.explain(err)
	}
	for i, a := range all {
		all[i].ID = d.idOf(a.Key, head.generation)
		if word := d.layout.suspect(a.Key, a.Name); word != "" {
			d.log.WarnContext(ctx, "the name of an audience may be refused by the platform", "audience", a.Key, "word", word)
		}
	}
	return all, nil
}

func (d *audienceFiles) idOf(key, generation string) string {
	return d.audienceFile(key) + "@" + generation
}

// Apply writes people into all files that concern them and takes them out of all others, everybody at once: after it, all
// files are the new ones, or where it fails, each is as it was or new, and the next call mends the rest.
func (d *audienceFiles) Apply(ctx context.Context, changes []connectors.Change) (connectors.Result, error) {
	var result connectors.Result
	if len(changes) == 0 {
		return result, nil
	}
	wanted := map[string]*member{}
	keys := make([]string, len(changes))
	for i, c := range changes {
		state, reason := d.gate(c)
		result.Outcomes = append(result.Outcomes, connectors.Outcome{PersonID: c.Person.ID, State: state, Reason: reason})
		if state == connectors.Refused || c.Person.Email == "" {
			continue
		}
		keys[i] = d.layout.key(c.Person.Email)
		fresh := d.layout.member(c)
		if state == connectors.Withheld || fresh.isEmpty() {
			fresh = nil // out of every file
		}
		if before := wanted[keys[i]]; before == nil { // whoever stays outweighs somebody of the same address who goes
			wanted[keys[i]] = fresh
		}
	}
	same, err := d.rewrite(ctx, edits{rows: wanted})
	if err != nil {
		return connectors.Result{}, d.explain(err)
	}
	for i := range result.Outcomes {
		if o := &result.Outcomes[i]; o.State == connectors.Delivered && same[keys[i]] {
			o.State = connectors.Unchanged
		}
	}
	return result, nil
}

// gate says what becomes of a change. Audience files are made for mails and advertisements, so only those are written who
// agreed.
func (d *audienceFiles) gate(c connectors.Change) (connectors.OutcomeState, string) {
	wanted := len(c.Audiences)+len(c.Attributes) > 0
	switch {
	case c.Person.Email == "":
		return connectors.Withheld, connectors.ReasonNoEmail
	case strings.ContainsFunc(c.Person.Email, unicode.IsControl):
		return connectors.Refused, "the e-mail address holds a control character"
	case wanted && c.Consent == commerce.ConsentUnsubscribed:
		return connectors.Withheld, connectors.ReasonUnsubscribed
	case wanted && c.Consent != commerce.ConsentSubscribed && !d.unknown:
		return connectors.Withheld, connectors.ReasonNoConsent
	default:
		return connectors.Delivered, ""
	}
}

// Resume has nothing to do: files are written at once.
func (d *audienceFiles) Resume(context.Context, connectors.Job) (connectors.Result, error) {
	return connectors.Result{}, &connectors.Error{Kind: connectors.KindPermanent, Op: "job", Err: errors.New("files have no jobs")}
}

// Erase takes a person out of all files.
func (d *audienceFiles) Erase(ctx context.Context, person connectors.Person) (string, error) {
	const nothing = "nothing of ours stood in the files"
	if person.Email == "" {
		return nothing, nil
	}
	key := d.layout.key(person.Email)
	same, err := d.rewrite(ctx, edits{rows: map[string]*member{key: nil}})
	switch {
	case err != nil:
		return "", d.explain(err)
	case same[key]:
		return nothing, nil
	}
	return "taken out of all files in " + d.folder + "; what was copied or uploaded elsewhere has to go there", nil
}

// Remove deletes the files of audiences, and with the last one everything that is ours.
func (d *audienceFiles) Remove(ctx context.Context, audiences []connectors.Audience) error {
	gone := map[string]bool{}
	var spared []error
	for _, a := range audiences {
		if name, _, _ := strings.Cut(a.ID, "@"); !audienceKey.MatchString(a.Key) || name != d.audienceFile(a.Key) {
			spared = append(spared, &connectors.Error{
				Kind: connectors.KindPermanent, Op: "audience " + a.Key, Err: errors.New("its file is not ours and was left alone"),
				Remedy: "delete it by hand if it is to go",
			})
			continue
		}
		gone[a.Key] = true
	}
	if len(gone) > 0 {
		if _, err := d.rewrite(ctx, edits{gone: gone}); err != nil {
			return d.explain(err)
		}
	}
	return errors.Join(spared...)
}
