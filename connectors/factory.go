package connectors

import (
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"

	"github.com/perennial-cvo/perennial/config/secret"
)

// Settings are a connector's own settings as they stand in the configuration, with keys in lower case. Values given by
// environment or file arrive as secret.Text.
type Settings map[string]any

// Deps are what a connector may use of the outside, so that tests can put something else there.
type Deps struct {
	Log *slog.Logger
	Now func() time.Time
	// Store is the name of the shop in the configuration; empty where there is none yet. Destinations that are told of
	// several shops may tell them apart by it.
	Store string
	// Prefix marks what is ours in shops and platforms; "perennial" by default.
	Prefix string
}

// Factory makes the connectors of one kind. A kind has a source, a destination, or both.
type Factory struct {
	Kind  string // as written in the configuration
	Title string // for people

	// Fields describe the settings: the form of init, the masking of config show and the documentation use them.
	Fields []Field
	// DestinationFields describe the settings of the destination of a kind whose source and destination have nothing to do
	// with each other: each is configured by itself. Nil where the destination is the shop itself, or there is no source.
	DestinationFields []Field

	NewSource      func(Settings, Deps) (Source, error)
	NewDestination func(Settings, Deps) (Destination, error)

	// Reviews is true where the source is a review platform: it reads the reviews of a shop that another kind reads, and
	// is no shop by itself.
	Reviews bool

	// NeedsConsent is true where being in an audience means being mailed.
	NeedsConsent bool

	// KnowsConsent is true for a kind of shop that keeps with each customer whether they agreed to marketing.
	KnowsConsent bool

	// Statuses are the order statuses that this kind of shop has by default, and whether each counts as a purchase.
	Statuses map[string]bool
}

// Field describes one setting.
type Field struct {
	Name     string // as written in the configuration
	Title    string // for people
	Help     string // one line
	Secret   bool
	Required bool
	Default  string
	// Way, where set, names for people one of several ways in, of which an owner takes one: its fields are asked for
	// together and those of the other ways are not. The connector refuses what lacks or mixes them.
	Way string
}

// AsDestination is the factory as whoever configures a destination sees it: with the settings of the destination.
func (f Factory) AsDestination() Factory {
	if f.DestinationFields != nil {
		f.Fields, f.DestinationFields, f.NewSource = f.DestinationFields, nil, nil
	}
	return f
}

// WritesBack reports whether the destination is the shop itself, which takes tags.
func (f Factory) WritesBack() bool {
	return f.NewSource != nil && f.NewDestination != nil && f.DestinationFields == nil
}

// Decode fills target, a pointer to a struct with `mapstructure` tags, from settings. Unknown keys, wrong types and
// missing required fields are refused by name.
func (f Factory) Decode(settings Settings, target any) error {
	var meta mapstructure.Metadata
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result:     target,
		Metadata:   &meta,
		DecodeHook: mapstructure.ComposeDecodeHookFunc(secretHook, mapstructure.StringToTimeDurationHookFunc()),
	})
	if err != nil {
		return fmt.Errorf("%s settings: %w", f.Kind, err)
	}
	if err := decoder.Decode(map[string]any(settings)); err != nil {
		return f.refuse(err)
	}
	if len(meta.Unused) > 0 {
		return f.refuse(fmt.Errorf("unknown setting %q", strings.Join(meta.Unused, `", "`)))
	}
	for _, field := range f.Fields {
		if field.Required && isEmpty(settings[field.Name]) {
			return f.refuse(fmt.Errorf("setting %q is missing", field.Name))
		}
	}
	return nil
}

func (f Factory) refuse(err error) error {
	return &Error{Kind: KindPermanent, Op: f.Kind + " settings", Err: err, Remedy: "correct this setting"}
}

func isEmpty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return strings.TrimSpace(v) == ""
	case secret.Text:
		return v.IsZero()
	default:
		return false
	}
}

// secretHook lets plain text in the configuration fill secret fields, and a value that came by environment or file fill
// plain ones.
func secretHook(from, to reflect.Type, value any) (any, error) {
	text := reflect.TypeFor[secret.Text]()
	switch {
	case to == text && from.Kind() == reflect.String:
		return secret.New(value.(string)), nil
	case from == text && to.Kind() == reflect.String:
		return value.(secret.Text).Reveal(), nil
	default:
		return value, nil
	}
}
