package listmonk

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// lookUp finds people by their e-mail addresses, which are normalised. Those whom listmonk does not know are missing in
// the answer.
func (d *destination) lookUp(ctx context.Context, emails []string) (map[string]person, error) {
	d.mu.Lock()
	single := d.noSQL
	d.mu.Unlock()
	if single {
		return d.lookUpOneByOne(ctx, emails)
	}
	found := map[string]person{}
	for len(emails) > 0 {
		d.mu.Lock()
		chunk := emails[:min(d.batch, len(emails))]
		d.mu.Unlock()
		people, err := d.lookUpTogether(ctx, chunk)
		switch {
		case saysAny(err, http.StatusForbidden, "subscribers:sql_query"):
			d.mu.Lock()
			d.noSQL = true
			d.mu.Unlock()
			return d.lookUpOneByOne(ctx, emails)
		case isTooLong(err) && len(chunk) > 1:
			d.mu.Lock()
			d.batch = len(chunk) / 2
			d.mu.Unlock()
			continue
		case err != nil:
			return nil, err
		}
		for _, p := range people {
			if slices.Contains(chunk, p.Email) {
				found[p.Email] = p
			}
		}
		emails = emails[len(chunk):]
	}
	return found, nil
}

// isTooLong reports whether the address of the request was too long for listmonk or for a proxy before it.
func isTooLong(err error) bool {
	e := refusal(err)
	return e != nil && (e.Status == http.StatusRequestURITooLong || e.Status == http.StatusRequestHeaderFieldsTooLarge)
}

func (d *destination) lookUpTogether(ctx context.Context, emails []string) ([]person, error) {
	quoted := make([]string, len(emails))
	for i, email := range emails {
		quoted[i] = "'" + strings.ReplaceAll(email, "'", "''") + "'"
	}
	query := url.Values{"query": {"subscribers.email IN (" + strings.Join(quoted, ",") + ")"}, "per_page": {"all"}}
	p, err := d.api.people(ctx, "subscriber look-up", query)
	return p.Results, err
}

// lookUpOneByOne serves keys that may not send SQL.
func (d *destination) lookUpOneByOne(ctx context.Context, emails []string) (map[string]person, error) {
	var mu sync.Mutex
	found := map[string]person{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(connections)
	for _, email := range emails {
		group.Go(func() error {
			p, ok, err := d.searchOne(ctx, email)
			if err != nil || !ok {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			found[email] = p
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return found, nil
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
