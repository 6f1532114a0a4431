package postgres

import (
	"database/sql"
	"encoding/base64"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/segment"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// crowdQuery asks who is in a crowd.
type crowdQuery struct {
	args  []any  // the shop's id first
	from  string // people s with their scores, t with their standings, or both
	where []string
	key   string // by which they are sorted, the greatest first; those without one come last
	id    string // of the person
}

// scoreKey sorts by monetary value, then frequency, then recency.
const scoreKey = `(s.m * 10000 + s.f * 100 + s.r)`

// newCrowdQuery begins with whom there are the fewest of.
func newCrowdQuery(store int64, c report.Crowd) (*crowdQuery, error) {
	q := &crowdQuery{args: []any{store}}
	standing := c.Audience != "" && inStanding(c.Audience)
	scored := c.R != 0 || c.F != 0 || c.M != 0
	switch {
	case c.Search != "":
		q.found(q.known(c.Search))
	case c.Move != nil:
		q.found(q.moved(*c.Move))
	case standing && !scored:
		q.from, q.key, q.id = `standings t`, `t.value`, `t.person_id`
		q.where = append(q.where, `t.store_id = $1`)
	case standing:
		q.found(`SELECT person_id FROM rfm_scores WHERE store_id = $1`)
	default:
		q.from, q.key, q.id = `rfm_scores s`, scoreKey, `s.person_id`
		q.where = append(q.where, `s.store_id = $1`)
	}
	if standing {
		q.key = `t.value`
	}
	if c.Search != "" && c.Move != nil {
		q.where = append(q.where, q.id+` IN (`+q.moved(*c.Move)+`)`)
	}
	q.audience(c.Audience)
	for column, score := range map[string]int{"r": c.R, "f": c.F, "m": c.M} {
		if score != 0 {
			q.where = append(q.where, `s.`+column+` = `+q.arg(score))
		}
	}
	return q, q.begin(c.Cursor)
}

func (q *crowdQuery) arg(value any) string {
	q.args = append(q.args, value)
	return "$" + strconv.Itoa(len(q.args))
}

// found begins with people that a query lists.
func (q *crowdQuery) found(people string) {
	q.from = `(` + people + `) w LEFT JOIN rfm_scores s ON s.store_id = $1 AND s.person_id = w.person_id
		LEFT JOIN standings t ON t.store_id = $1 AND t.person_id = w.person_id`
	q.key, q.id = scoreKey, `w.person_id`
}

// known lists whoever has an e-mail address, as Person finds them, or an account.
func (q *crowdQuery) known(search string) string {
	return `SELECT person_id FROM (` + byAddress(q.arg(commerce.Email(search))) + `) AS addressed
		UNION SELECT person_id FROM persons WHERE store_id = $1 AND customer_id = ` + q.arg(strings.TrimSpace(search))
}

// byAddress is the person with a normalised e-mail address: the account that has it, else whoever ordered under it.
func byAddress(email string) string {
	return `SELECT person_id FROM (
		SELECT person_id, CASE WHEN customer_id IS NULL THEN 1 ELSE 0 END AS place FROM persons
		WHERE store_id = $1 AND email = ` + email + `
		UNION ALL SELECT person_id, 2 FROM orders WHERE store_id = $1 AND email = ` + email + ` AND email <> '' AND person_id IS NOT NULL
	) AS known WHERE ` + email + ` <> '' ORDER BY place, person_id LIMIT 1`
}

// inStanding says whether a standing decides who is in the audience with a key, and no score.
func inStanding(key string) bool {
	return schemeOf(key) != analysis.SchemeRFM || prospects(key)
}

// prospects says whether an audience is a preset's group of people without an order that counts.
func prospects(key string) bool {
	return slices.ContainsFunc(segment.Presets(), func(p segment.Preset) bool { return p.Prospects == key })
}

// audience takes only those who are in one.
func (q *crowdQuery) audience(key string) {
	is := func(column, scheme string) {
		id := q.arg(strings.TrimPrefix(key, segment.Key(scheme, "")))
		q.where = append(q.where, column+` = `+id+` AND `+id+` <> ''`) // what is not known is no audience
	}
	switch scheme := schemeOf(key); {
	case key == "":
	case scheme == segment.SchemeLifecycle:
		is(`t.stage`, scheme)
	case scheme == segment.SchemeTier:
		is(`t.tier`, scheme)
	case scheme == segment.SchemeChurn:
		is(`t.churn`, scheme)
	case scheme == "": // the owner's
		q.where = append(q.where, q.arg(key)+` = ANY (t.own)`)
	case prospects(key):
		q.where = append(q.where, `t.stage = `+q.arg(segment.Prospect))
	default:
		is(`s.segment`, scheme)
	}
}

// moved lists who went from one segment to another between two days. Few people move: whoever came to the second segment
// between the days is looked up on the first one, and whoever is nowhere on the second day on that.
func (q *crowdQuery) moved(m report.Move) string {
	scheme, before, after := q.arg(m.Scheme), q.arg(m.Before.Format(time.DateOnly))+`::date`, q.arg(m.After.Format(time.DateOnly))+`::date`
	on := func(day string) string {
		return ` WHERE store_id = $1 AND scheme = ` + scheme + ` AND first_day <= ` + day + ` AND (last_day IS NULL OR last_day >= ` + day + `)`
	}
	in := func(segment, day, other, is string) string {
		return `SELECT m.person_id FROM (SELECT person_id, first_day FROM memberships` + on(day) + ` AND segment = ` + q.arg(segment) + `) m
			LEFT JOIN LATERAL (SELECT segment FROM memberships` + on(other) + ` AND person_id = m.person_id LIMIT 1) b ON true WHERE b.segment ` + is
	}
	came := ""
	if m.Before.Before(m.After) && m.From != m.To {
		came = ` AND m.first_day > ` + before
	}
	switch {
	case m.From == "" && m.To == "":
		return `SELECT NULL::bigint AS person_id WHERE false`
	case m.To == "":
		return in(m.From, before, after, `IS NULL`)
	case m.From == "":
		return in(m.To, after, before, `IS NULL`+came)
	default:
		return in(m.To, after, before, `= `+q.arg(m.From)+came)
	}
}

// sorting is what a page's people are found by, and how their key follows from that. Scores are sorted by as they are: to sum
// them up for everybody costs as much as to read them.
func (q *crowdQuery) sorting() (columns, order, key string) {
	const descending = ` DESC NULLS LAST, `
	if q.key == scoreKey {
		return `s.m AS sm, s.f AS sf, s.r AS sr`, `s.m` + descending + `s.f` + descending + `s.r` + descending, `(k.sm * 10000 + k.sf * 100 + k.sr)`
	}
	return q.key + ` AS key`, `key` + descending, `k.key`
}

// text is the query for so many people.
func (q *crowdQuery) text(limit int) string {
	columns, order, key := q.sorting()
	return `SELECT k.person_id, ` + key + `::text AS key, coalesce(p.email, '') AS email, coalesce(p.customer_id, '') AS customer_id,
		` + personName + ` AS name, coalesce(f.segment, '') AS segment, coalesce(f.r, 0) AS r, coalesce(f.f, 0) AS f, coalesce(f.m, 0) AS m,
		coalesce(t.stage, '') AS stage, coalesce(t.tier, '') AS tier, coalesce(t.churn, '') AS churn, t.value,
		coalesce(a.orders, 0) AS orders, coalesce(a.net, 0) AS net, a.first_day, a.last_day
		FROM (SELECT ` + q.id + ` AS person_id, ` + columns + ` FROM ` + q.from + ` WHERE ` + strings.Join(append(q.where, `true`), ` AND `) + `
			ORDER BY ` + order + q.id + ` LIMIT ` + strconv.Itoa(limit) + `) k` + crowdDetails + `
		ORDER BY ` + key + ` DESC NULLS LAST, k.person_id`
}

// place is where somebody stands in the order of a crowd.
type place struct {
	key    sql.NullString
	person int64
}

// writeCursor writes the place behind which the next page begins.
func writeCursor(p place) string {
	return base64.RawURLEncoding.EncodeToString([]byte(p.key.String + " " + strconv.FormatInt(p.person, 10)))
}

// properKey is what a person may be sorted by; none is empty.
var properKey = regexp.MustCompile(`^(-?[0-9]{1,24}(\.[0-9]{1,12})?)?$`)

func readCursor(text string) (place, error) {
	plain, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return place{}, report.ErrCursor
	}
	key, person, ok := strings.Cut(string(plain), " ")
	id, err := strconv.ParseInt(person, 10, 64)
	if !ok || err != nil || id < 0 || !properKey.MatchString(key) {
		return place{}, report.ErrCursor
	}
	return place{key: sql.NullString{String: key, Valid: key != ""}, person: id}, nil
}

// begin leaves out whoever stands before the cursor.
func (q *crowdQuery) begin(cursor string) error {
	if cursor == "" {
		return nil
	}
	at, err := readCursor(cursor)
	if err != nil {
		return err
	}
	person := q.id + ` > ` + q.arg(at.person)
	if !at.key.Valid {
		q.where = append(q.where, q.key+` IS NULL AND `+person)
		return nil
	}
	key := q.arg(at.key.String) + `::numeric`
	q.where = append(q.where, `(`+q.key+` < `+key+` OR `+q.key+` IS NULL OR `+q.key+` = `+key+` AND `+person+`)`)
	return nil
}
