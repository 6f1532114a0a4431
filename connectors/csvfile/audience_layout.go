package csvfile

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// The formats of audience files.
const (
	formatPlain  = "plain"
	formatMeta   = "meta"
	formatGoogle = "google"
)

// member is one person in the files. In hashed formats nothing in it tells who it is.
type member struct {
	customer    string
	first, last string // names, or their hashes
	match       string // the hash of the address as the platform makes it, in hashed formats
	audiences   []string
	attributes  map[string]string
}

func (r *member) isEmpty() bool { return len(r.audiences)+len(r.attributes) == 0 }

// layout is how people are written for one addressee.
type layout struct {
	format    string
	hashed    bool
	everybody bool // there is a file of everybody, and attributes
	// key tells people apart in our own memory; it is not shown to the addressee.
	key func(email string) string
	// member is what is kept of a person.
	member func(connectors.Change) *member
	// header and cells are the lines of a file. keys are those of all attributes in use.
	header func(keys []string) []string
	cells  func(key string, r *member, keys []string) []string
	// suspect returns the word in the name of an audience for which the platform may refuse it.
	suspect func(key, name string) string
}

// layoutOf returns the layout of a format.
func layoutOf(format, prefix string) (layout, bool) {
	switch format {
	case formatPlain:
		return plainLayout(prefix), true
	case formatMeta:
		return metaLayout(), true
	case formatGoogle:
		return googleLayout(), true
	}
	return layout{}, false
}

func unsuspected(string, string) string { return "" }

// plainColumns stand before the attributes.
var plainColumns = []string{"email", "customer_id", "first_name", "last_name", "audiences"}

func plainLayout(prefix string) layout {
	return layout{
		format: formatPlain, everybody: true, suspect: unsuspected,
		key: func(email string) string { return email },
		member: func(c connectors.Change) *member {
			r := &member{
				customer: tidy(c.Person.CustomerID), first: tidy(c.Person.FirstName), last: tidy(c.Person.LastName),
				audiences: keysOf(c), attributes: map[string]string{},
			}
			for key, value := range c.Attributes {
				if value != "" {
					r.attributes[key] = tidy(value)
				}
			}
			return r
		},
		header: func(keys []string) []string {
			all := slices.Clone(plainColumns)
			for _, key := range keys {
				all = append(all, prefix+"_"+key)
			}
			return all
		},
		cells: func(key string, r *member, keys []string) []string {
			all := []string{guard(key), guard(r.customer), guard(r.first), guard(r.last), strings.Join(r.audiences, " ")}
			for _, key := range keys {
				all = append(all, guard(r.attributes[key]))
			}
			return all
		},
	}
}

// metaLayout is that of a customer list of Meta: hashed address, first and last name. There are no telephone numbers, for
// they are not stored, and empty columns are advised against.
func metaLayout() layout {
	return layout{
		format: formatMeta, hashed: true, key: secretly, suspect: sensitive,
		member: func(c connectors.Change) *member {
			return &member{
				match: digest(metaEmail(c.Person.Email)), first: digest(metaName(c.Person.FirstName)), last: digest(metaName(c.Person.LastName)),
				audiences: keysOf(c),
			}
		},
		header: func([]string) []string { return []string{"email", "fn", "ln"} },
		cells:  func(_ string, r *member, _ []string) []string { return []string{r.match, r.first, r.last} },
	}
}

// googleLayout is that of a Customer Match list of Google: hashed addresses alone. Google takes names only together with
// country and postcode, and refuses files with names that lack those.
func googleLayout() layout {
	return layout{
		format: formatGoogle, hashed: true, key: secretly, suspect: unsuspected,
		member: func(c connectors.Change) *member {
			return &member{match: digest(googleEmail(c.Person.Email)), audiences: keysOf(c)}
		},
		header: func([]string) []string { return []string{"Email"} },
		cells:  func(_ string, r *member, _ []string) []string { return []string{r.match} },
	}
}

func keysOf(c connectors.Change) []string {
	keys := slices.Clone(c.Audiences)
	slices.Sort(keys)
	return slices.Compact(keys)
}

// secretly makes a key of an address from which nobody reads it. Addresses that a platform takes for one have different
// keys, so that the one stays where the other goes.
func secretly(email string) string { return digest(commerce.Email(email)) }

// digest is the SHA-256 of a text in hexadecimal, as platforms want it; nothing stays nothing.
func digest(text string) string {
	if text == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// metaEmail is an address as Meta hashes it: trimmed and in lower case, with its dots and whatever follows a plus.
func metaEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// metaName is a name as Meta hashes it: in lower case, without punctuation, accents kept.
func metaName(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsPunct(r) || unicode.IsSymbol(r) || unicode.IsControl(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
	return strings.Join(strings.Fields(name), " ")
}

// googleEmail is an address as Google hashes it: in lower case and without any space; at its own domains also without dots and
// without what follows a plus.
func googleEmail(email string) string {
	email = strings.ToLower(strings.Join(strings.Fields(email), ""))
	local, domain, ok := strings.Cut(email, "@")
	if !ok || domain != "gmail.com" && domain != "googlemail.com" {
		return email
	}
	local, _, _ = strings.Cut(local, "+")
	return strings.ReplaceAll(local, ".", "") + "@" + domain
}

// tidy makes a text fit for one line.
func tidy(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text))
}

// guard puts an apostrophe before what a spreadsheet would take for a formula: customers choose their names themselves.
// unguard takes exactly that away.
func guard(text string) string {
	if isFormula(strings.TrimLeft(text, "'")) {
		return "'" + text
	}
	return text
}

func unguard(text string) string {
	if rest, ok := strings.CutPrefix(text, "'"); ok && isFormula(strings.TrimLeft(rest, "'")) {
		return rest
	}
	return text
}

func isFormula(text string) bool {
	return text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0]))
}

// sensitiveWords begin words that Meta takes for a hint at health or money. Audiences whose name hints at them cannot be used.
var sensitiveWords = []string{
	"addict", "allerg", "anxiety", "arthriti", "asthma", "autis", "cancer", "chronic", "depress", "diabet", "diagnos", "disab", "disease",
	"disorder", "fertil", "health", "hiv", "illness", "insulin", "medic", "menopaus", "obes", "patient", "pregnan", "therap", "weight",
	"bankrupt", "credit", "debt", "financ", "income", "insolv", "loan", "millionaire", "mortgage", "poverty", "salar", "wealth",
}

// sensitive returns the first word of an audience's key or name that hints at health or money.
func sensitive(key, name string) string {
	for _, word := range strings.FieldsFunc(strings.ToLower(key+" "+name), func(r rune) bool { return !unicode.IsLetter(r) }) {
		if slices.ContainsFunc(sensitiveWords, func(begin string) bool { return strings.HasPrefix(word, begin) }) {
			return word
		}
	}
	return ""
}
