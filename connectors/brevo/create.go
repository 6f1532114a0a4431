package brevo

import (
	"context"
	"maps"
	"net/http"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// createPeople creates the few who are missing, one by one, which tells why somebody is not taken. Nothing is said of
// their consent.
func (d *destination) createPeople(ctx context.Context, tasks []*task) error {
	group, sending := errgroup.WithContext(ctx)
	group.SetLimit(d.set.connections())
	for _, t := range tasks {
		group.Go(func() error { return d.createOne(sending, t) })
	}
	return group.Wait()
}

func (d *destination) createOne(ctx context.Context, t *task) error {
	attributes, err := d.birthAttributes(ctx, t)
	if err != nil {
		return err
	}
	body := map[string]any{"email": t.change.Person.Email, "updateEnabled": false}
	if len(attributes) > 0 {
		body["attributes"] = attributes
	}
	if len(t.join) > 0 {
		body["listIds"] = t.join
	}
	born, err := send[made](ctx, d.api.contacts, httpapi.Request{
		Op: "new contact", Path: "/contacts", MayBeEmpty: true, Idempotent: true,
	}, body)
	switch said := refusal(err); {
	case err == nil:
		t.contact.ID, t.final = born.ID, true
		t.outcome.RemoteID = strconv.FormatInt(born.ID, 10)
	case isAbout(err, http.StatusBadRequest) && said.Code == "duplicate_parameter":
		return d.planAgain(ctx, t)
	case isAbout(err, http.StatusBadRequest) && isAboutList(err):
		return d.listGone("new contact")
	case isAbout(err, http.StatusBadRequest):
		t.conclude(connectors.Refused, said.Error())
	default:
		return err
	}
	return nil
}

// birthAttributes are those of somebody who is created: ours, and the name where the account has attributes for it; none
// where nothing is written to contacts.
func (d *destination) birthAttributes(ctx context.Context, t *task) (map[string]any, error) {
	if !d.writesAttributes() {
		return nil, nil
	}
	schema, err := d.knownSchema(ctx)
	if err != nil {
		return nil, err
	}
	attributes := map[string]any{}
	for name, value := range map[string]string{"FIRSTNAME": t.change.Person.FirstName, "LASTNAME": t.change.Person.LastName} {
		if a, there := schema[name]; there && a.Type == typeText && value != "" {
			attributes[name] = value
		}
	}
	maps.Copy(attributes, t.set)
	return attributes, nil
}

// planAgain looks somebody up again who was not there a moment ago and is now.
func (d *destination) planAgain(ctx context.Context, t *task) error {
	c, known, err := d.api.one(ctx, t.change.Person.Email, "email_id")
	if err != nil {
		return err
	}
	if !known {
		t.conclude(connectors.RetryLater, "Brevo says that the address exists and does not find it")
		return nil
	}
	schema, err := d.knownSchema(ctx)
	if err != nil {
		return err
	}
	if d.plan(t, c, known, schema); t.final {
		return nil
	}
	if len(t.set) == 0 {
		return d.move(ctx, []*task{t})
	}
	return d.updateTogether(ctx, []*task{t})
}
