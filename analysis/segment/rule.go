package segment

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Own is a segment that the owner defined.
type Own struct {
	ID     string // letters a-z, digits and underscores; also the key of its audience
	Name   string // for people; made of the id where empty
	Rule   string
	Action string // may be empty
}

// Rule is a compiled segment of the owner's. It may be used by many goroutines at once.
type Rule struct {
	Definition        // Meaning is the rule as it was written
	Version    string // short hash of what decides membership; layout and comments do not count

	test   test
	fields []Field // that it asks about, in the order of Fields
}

// Matches says whether a person belongs to the segment: whether the rule is true of them. Where it is neither true nor
// false, because something it needs is not known, they do not. The same person always gives the same answer.
func (r *Rule) Matches(p *Person) bool { return r.test(p) == yes }

// Uses names the fields that the rule asks about, so that nothing else has to be read.
func (r *Rule) Uses() []string {
	names := make([]string, len(r.fields))
	for i, f := range r.fields {
		names[i] = f.Name
	}
	return names
}

// Input is one thing that a rule asks about and what it found.
type Input struct {
	Field string `json:"field"`
	Value string `json:"value"` // as one would write it in a rule; empty: not known
}

// Inputs says what the rule asked about a person and what it found, to explain its answer.
func (r *Rule) Inputs(p *Person) []Input {
	inputs := make([]Input, len(r.fields))
	for i, f := range r.fields {
		inputs[i] = Input{Field: f.Name, Value: f.show(p)}
	}
	return inputs
}

func (f Field) show(p *Person) string {
	switch f.Kind {
	case Text:
		if text := f.text(p); text != "" {
			return strconv.Quote(text)
		}
		return ""
	case List:
		var quoted []string
		for _, text := range f.list(p) {
			quoted = append(quoted, strconv.Quote(text))
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	default:
		switch n := f.number(p); {
		case math.IsNaN(n):
			return ""
		case f.Kind == Day:
			return strconv.Quote(time.Unix(int64(n)*24*60*60, 0).UTC().Format(time.DateOnly))
		default:
			return strconv.FormatFloat(n, 'f', -1, 64)
		}
	}
}

// Names of schemes beside RFM, and what the keys of their audiences begin with.
const (
	SchemeLifecycle = "lifecycle"
	SchemeTier      = "tier"
	SchemeChurn     = "churn"
	SchemeOwn       = "own" // the scheme of an owner's segment is SchemeOwn + ":" + its id
)

// Key returns the audience key of a segment of a scheme. Those of RFM and of the owner are their ids; those of the other
// schemes begin with the scheme, since "lost" is a stage and an RFM segment too.
func Key(scheme, id string) string {
	switch scheme {
	case SchemeLifecycle, SchemeTier, SchemeChurn:
		return scheme + "_" + id
	default:
		return id
	}
}

// properID is what shops and platforms take as the end of a tag. It has longestID characters at most.
var properID = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

const longestID = 40

// CompileAll compiles the owner's segments. presetIDs are the ids of the RFM segments in use, which rfm_segment may be
// compared with; nil allows those of every preset. A rule cannot refer to a segment of the owner's, so there are no cycles.
// The error names every segment that is wrong, and what is possible instead.
func CompileAll(own []Own, presetIDs []string) ([]Rule, error) {
	var rules []Rule
	var errs []error
	seen := map[string]bool{}
	for _, o := range own {
		if err := checkID(o.ID, seen); err != nil {
			errs = append(errs, err)
			continue
		}
		seen[o.ID] = true
		rule, err := Compile(o, presetIDs)
		if err != nil {
			errs = append(errs, fmt.Errorf("segment %q: rule: %w", o.ID, err))
			continue
		}
		rules = append(rules, rule)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return rules, nil
}

func checkID(id string, seen map[string]bool) error {
	if !properID.MatchString(id) || len(id) > longestID {
		return fmt.Errorf("segment id %q: must begin with a letter and have only a-z and 0-9, with single _ between them, at most %d", id, longestID)
	}
	if seen[id] {
		return fmt.Errorf("segment id %q: given twice", id)
	}
	if taken(id) {
		return fmt.Errorf("segment id %q: already the id of a built-in segment; choose another", id)
	}
	return nil
}

// taken says whether an id is, or may become, the key of a built-in audience.
func taken(id string) bool {
	if _, found := Find(id); found {
		return true
	}
	for _, scheme := range []string{SchemeLifecycle, SchemeTier, SchemeChurn} {
		if id == scheme || strings.HasPrefix(id, scheme+"_") {
			return true
		}
	}
	return slices.ContainsFunc(reduced, func(p Preset) bool { return indexIn(p.Groups, id) >= 0 })
}

// Compile compiles one segment of the owner's; see CompileAll. Its id is not checked. The error is a *RuleError.
func Compile(o Own, presetIDs []string) (Rule, error) {
	c := newCompiler(presetIDs)
	compiled, canonical, err := c.compile(o.Rule)
	if err != nil {
		return Rule{}, err
	}
	sum := sha256.Sum256([]byte("1 " + canonical)) // 1: the meaning of the grammar and of the fields
	rule := Rule{
		Definition: Definition{ID: o.ID, Name: o.Name, Meaning: strings.TrimSpace(o.Rule), Action: o.Action, Origin: Ours},
		Version:    hex.EncodeToString(sum[:6]), test: compiled,
	}
	if rule.Name == "" && o.ID != "" {
		words := strings.ReplaceAll(o.ID, "_", " ")
		rule.Name = strings.ToUpper(words[:1]) + words[1:]
	}
	for _, f := range c.all {
		if c.used[f.Name] {
			rule.fields = append(rule.fields, f)
		}
	}
	return rule, nil
}

// RuleError says what is wrong with a rule and where.
type RuleError struct {
	Line    int // counted from 1
	Column  int // in characters, counted from 1
	Message string
}

func (e *RuleError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}
