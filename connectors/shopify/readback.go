package shopify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// memberNode is a customer with what is ours.
type memberNode struct {
	customerNode
	Metafields struct {
		Nodes []struct {
			Key   string `json:"key"`
			Value string `json:"value"`
			Type  string `json:"type"`
		} `json:"nodes"`
	} `json:"metafields"`
}

// Members reads back who carries a tag. It walks all customers: Shopify's search lags behind its tags.
func (d *destination) Members(ctx context.Context, audience connectors.Audience, cursor connectors.Cursor) (connectors.MemberPage, error) {
	page, err := d.Everybody(ctx, cursor)
	page.Members = slices.DeleteFunc(page.Members, func(m connectors.Member) bool { return !slices.Contains(m.Audiences, audience.Key) })
	return page, err
}

// Everybody reads back all customers who carry anything of ours. The cursor is the number of the last customer seen.
func (d *destination) Everybody(ctx context.Context, cursor connectors.Cursor) (connectors.MemberPage, error) {
	last := int64(0)
	if cursor != "" {
		var err error
		if last, err = strconv.ParseInt(string(cursor), 10, 64); err != nil {
			return connectors.MemberPage{}, &connectors.Error{
				Kind: connectors.KindPermanent, Op: "members page", Err: fmt.Errorf("cursor %q is not ours", cursor),
			}
		}
	}
	nodes, more, err := d.membersPage(ctx, last)
	if err != nil {
		return connectors.MemberPage{}, err
	}
	page := connectors.MemberPage{Done: !more}
	before := last
	for _, n := range nodes {
		number, err := strconv.ParseInt(tail(n.ID), 10, 64)
		if err != nil || number <= before {
			continue // the comparator is said to take the last one again
		}
		last = max(last, number)
		if m, found := d.member(n); found {
			page.Members = append(page.Members, m)
		}
	}
	if more && last == before { // whoever took this for the end would take everybody else for gone
		return connectors.MemberPage{}, &connectors.Error{
			Kind: connectors.KindRetry, Op: "members page", Err: errors.New("it holds nobody new, and more are to come"),
		}
	}
	if !page.Done {
		page.Next = connectors.Cursor(strconv.FormatInt(last, 10))
	}
	return page, nil
}

// membersPage reads the customers after a number, fewer at once where they cost too much.
func (d *destination) membersPage(ctx context.Context, after int64) (nodes []memberNode, more bool, err error) {
	variables := map[string]any{"namespace": d.prefix, "query": nil}
	if after > 0 {
		variables["query"] = fmt.Sprintf("id:>%d", after)
	}
	for size := d.set.PageSize; ; size /= 2 {
		var answer struct {
			Customers struct {
				PageInfo struct {
					More bool `json:"hasNextPage"`
				} `json:"pageInfo"`
				Nodes []memberNode `json:"nodes"`
			} `json:"customers"`
		}
		variables["first"] = size
		err := d.ask(ctx, "members_page", variables, &answer)
		if tooMuch(err) && size > 1 {
			continue
		}
		return answer.Customers.Nodes, answer.Customers.PageInfo.More, err
	}
}

func (d *destination) member(n memberNode) (connectors.Member, bool) {
	m := connectors.Member{
		RemoteID: tail(n.ID), CustomerID: tail(n.ID), Email: commerce.Email(n.Email.Address),
		Consent: commerce.Consent{State: consentState(n.Email.State)}, Attributes: map[string]string{},
	}
	if m.Consent.State != commerce.ConsentUnknown {
		v := &values{}
		m.Consent.At = v.moment("marketingUpdatedAt", n.Email.At)
	}
	for _, tag := range n.Tags {
		if d.marked(tag) {
			m.Audiences = append(m.Audiences, strings.ToLower(tag[len(d.prefix)+1:]))
		}
	}
	for _, f := range n.Metafields.Nodes {
		m.Attributes[attributeOf(f.Key)] = plain(f.Value, f.Type)
	}
	return m, len(m.Audiences)+len(m.Attributes) > 0
}
