package listmonk

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// found are the people of a look-up.
type found struct {
	byEmail  map[string]person
	byRemote map[string]person // those only whose address was changed in listmonk
}

// of returns what listmonk has of somebody.
func (f found) of(who connectors.Person) (person, bool) {
	if p, ok := f.byEmail[who.Email]; ok {
		return p, true
	}
	p, ok := f.byRemote[who.RemoteID]
	return p, ok
}

// remoteID names a subscriber. The number finds them; the random part shows that it is the same listmonk in which the number
// was given.
func (p person) remoteID() string { return fmt.Sprintf("%d/%s", p.ID, p.UUID) }

// numberIn returns the number of a remote id, and 0 of one that cannot be held against a subscriber.
func numberIn(remoteID string) int {
	number, random, _ := strings.Cut(remoteID, "/")
	id, err := strconv.Atoi(number)
	if err != nil || id < 1 || random == "" {
		return 0
	}
	return id
}

// lookUp finds people by their e-mail addresses, which are normalised, and those who have another address in listmonk by the
// number that they had before, unless that address is somebody else's among those asked for.
func (d *destination) lookUp(ctx context.Context, who []connectors.Person) (found, error) {
	f := found{byEmail: map[string]person{}, byRemote: map[string]person{}}
	emails := make([]string, len(who))
	for i, w := range who {
		emails[i] = w.Email
	}
	if err := d.ask(ctx, emails, byEmail, func(p person) { f.byEmail[p.Email] = p }); err != nil {
		return f, err
	}
	var numbers []string
	for _, w := range who {
		if _, there := f.byEmail[w.Email]; !there && numberIn(w.RemoteID) > 0 {
			numbers = append(numbers, strconv.Itoa(numberIn(w.RemoteID)))
		}
	}
	return f, d.ask(ctx, numbers, byNumber, func(p person) {
		if _, taken := f.byEmail[p.Email]; !taken {
			f.byRemote[p.remoteID()] = p
		}
	})
}

// key is what people are looked up by.
type key struct {
	column string
	of     func(person) string
	one    func(*destination, context.Context, string) (person, bool, error) // for keys that may not send SQL
}

var (
	byEmail  = key{"subscribers.email", func(p person) string { return p.Email }, (*destination).searchOne}
	byNumber = key{"subscribers.id", func(p person) string { return strconv.Itoa(p.ID) }, (*destination).getOne}
)

// ask hands over everybody who has one of the values.
func (d *destination) ask(ctx context.Context, values []string, by key, take func(person)) error {
	for len(values) > 0 && !d.isBlind() {
		d.mu.Lock()
		chunk := values[:min(d.batch, len(values))]
		d.mu.Unlock()
		people, err := d.askTogether(ctx, chunk, by)
		switch {
		case saysAny(err, http.StatusForbidden, "subscribers:sql_query"):
			d.blind()
			continue
		case isTooLong(err) && len(chunk) > 1:
			d.mu.Lock()
			d.batch = len(chunk) / 2
			d.mu.Unlock()
			continue
		case err != nil:
			return err
		}
		asked := make(map[string]bool, len(chunk))
		for _, value := range chunk {
			asked[value] = true
		}
		for _, p := range people {
			if asked[by.of(p)] {
				take(p)
			}
		}
		values = values[len(chunk):]
	}
	return d.askOneByOne(ctx, values, by, take)
}

// isBlind reports whether the key may not send SQL conditions.
func (d *destination) isBlind() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.noSQL
}

func (d *destination) blind() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.noSQL = true
}

// isTooLong reports whether the address of the request was too long for listmonk or for a proxy before it.
func isTooLong(err error) bool {
	e := refusal(err)
	return e != nil && (e.Status == http.StatusRequestURITooLong || e.Status == http.StatusRequestHeaderFieldsTooLarge)
}

func (d *destination) askTogether(ctx context.Context, values []string, by key) ([]person, error) {
	query := url.Values{"query": {by.column + " IN (" + strings.Join(quoteAll(values), ",") + ")"}, "per_page": {"all"}}
	p, err := d.api.people(ctx, "subscriber look-up", query)
	return p.Results, err
}

// quoteAll writes texts as literals of SQL, which it takes for numbers where numbers are due.
func quoteAll(values []string) []string {
	quoted := make([]string, len(values))
	for i, value := range values {
		quoted[i] = "'" + strings.ReplaceAll(value, "'", "''") + "'"
	}
	return quoted
}

// askOneByOne serves keys that may not send SQL.
func (d *destination) askOneByOne(ctx context.Context, values []string, by key, take func(person)) error {
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(connections)
	for _, value := range values {
		group.Go(func() error {
			p, ok, err := by.one(d, ctx, value)
			if err != nil || !ok {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			take(p)
			return nil
		})
	}
	return group.Wait()
}

// getOne reads the person with a number.
func (d *destination) getOne(ctx context.Context, number string) (person, bool, error) {
	p, err := ask[person](ctx, d.api, httpapi.Request{Op: "subscriber", Path: "/api/subscribers/" + number})
	if saysAny(err, http.StatusBadRequest, "not found") {
		return person{}, false, nil
	}
	return p, err == nil, err
}

// searchPage is how many hits of one search are read at once: it matches parts of names and addresses of others too.
const searchPage = 100

func (d *destination) searchOne(ctx context.Context, email string) (person, bool, error) {
	for at := 1; ; at++ {
		query := url.Values{"search": {pattern(email)}, "per_page": {strconv.Itoa(searchPage)}, "page": {strconv.Itoa(at)}}
		p, err := d.api.people(ctx, "subscriber look-up", query)
		if err != nil {
			return person{}, false, err
		}
		for _, hit := range p.Results {
			if hit.Email == email {
				return hit, true, nil
			}
		}
		if len(p.Results) < searchPage {
			return person{}, false, nil
		}
	}
}

// pattern writes an address for listmonk's search, which takes it for a regular expression. Dots may stay: they match
// themselves, and what else they match is sorted out here.
func pattern(email string) string {
	var b strings.Builder
	for _, r := range email {
		if strings.ContainsRune(`\+*?()|[]{}^$`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
