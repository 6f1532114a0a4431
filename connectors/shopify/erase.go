package shopify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
)

// Erase removes every tag and metafield of ours from the person's customer record. The record itself, and its consent,
// belong to the shop and stay.
func (d *destination) Erase(ctx context.Context, person connectors.Person) (string, error) {
	if !isNumber(person.CustomerID) {
		return "Shopify: the person has no customer account, nothing of ours was there", nil
	}
	var answer struct {
		Customer *struct {
			ID         string   `json:"id"`
			Tags       []string `json:"tags"`
			Metafields struct {
				Nodes []struct {
					Key string `json:"key"`
				} `json:"nodes"`
			} `json:"metafields"`
		} `json:"customer"`
	}
	w := wish{person: person.ID, customer: person.CustomerID}
	if err := d.ask(ctx, "customer_ours", map[string]any{"id": gid("Customer", w.customer), "namespace": d.prefix}, &answer); err != nil {
		return "", err
	}
	if answer.Customer == nil {
		return "Shopify: the customer is gone already", nil
	}
	for _, tag := range answer.Customer.Tags {
		if key, is := strings.CutPrefix(tag, d.prefix+":"); is {
			w.leave = append(w.leave, key)
		}
	}
	for _, f := range answer.Customer.Metafields.Nodes {
		w.drop = append(w.drop, attributeOf(f.Key))
	}
	if w.empty() {
		return fmt.Sprintf("Shopify: customer %s carries nothing of ours", person.CustomerID), nil
	}
	outcomes, err := d.write(ctx, []wish{w})
	if err != nil {
		return "", err
	}
	if o := outcomes[0]; o.State != connectors.Delivered && o.Reason != connectors.ReasonNotThere {
		return "", &connectors.Error{Kind: connectors.KindRetry, Op: "erasure", Err: errors.New(o.Reason), Remedy: "run forget again"}
	}
	return fmt.Sprintf("Shopify: %d tags and %d metafields of ours removed from customer %s; the record belongs to the shop and stays",
		len(w.leave), len(w.drop), person.CustomerID), nil
}
