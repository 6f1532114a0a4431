// Package secret holds the one type for keys, tokens and passwords. A Text prints, marshals and logs as *** whatever
// the verb; only Reveal gives the value, so a search for Reveal lists every place where a secret leaves the type.
package secret

import "log/slog"

const mask = "***"

// Text is a secret string. The value sits behind a pointer, so that no formatting verb, not even %#v on an enclosing
// struct, reaches it by reflection. The zero value is an empty secret.
type Text struct{ value *string }

// New wraps value.
func New(value string) Text {
	if value == "" {
		return Text{}
	}
	return Text{value: &value}
}

// Reveal returns the secret itself. Call it only where the value is handed to the one who needs it.
func (t Text) Reveal() string {
	if t.value == nil {
		return ""
	}
	return *t.value
}

// IsZero reports whether no secret was given.
func (t Text) IsZero() bool { return t.value == nil }

// Equal reports whether both hold the same value; it lets go-cmp compare structs that hold secrets.
func (t Text) Equal(other Text) bool { return t.Reveal() == other.Reveal() }

// String returns the mask, or nothing for an empty secret.
func (t Text) String() string {
	if t.IsZero() {
		return ""
	}
	return mask
}

// GoString returns the mask.
func (t Text) GoString() string { return t.String() }

// MarshalText returns the mask; encoding/json and TOML use it.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText takes text as the secret.
func (t *Text) UnmarshalText(text []byte) error {
	*t = New(string(text))
	return nil
}

// LogValue returns the mask to slog.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }
