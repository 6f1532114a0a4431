package brevo

import (
	"slices"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// gate says why nothing may be sent about a person, or nothing. known is false for people whom Brevo has not.
//
// Who left a list of ours stays out of all of them; whom Brevo does not mail any more (they pressed "unsubscribe",
// complained, or their address bounces: all are its blacklist) stays out too. Who left every list that is not ours stays
// out, whatever the shop says, for the shop's word may be older. Without the shop's word, being on somebody else's list is
// the consent: a contact alone is none, because Brevo keeps whoever was ever sent an invoice. Who was deleted there is
// not brought back.
func (d *destination) gate(c contact, known bool, change connectors.Change) (reason string) {
	said := change.Consent
	switch {
	case said == commerce.ConsentUnsubscribed:
		return connectors.ReasonUnsubscribed
	case !known && d.set.CreateMissing && change.MayCreate():
		return ""
	case !known:
		return connectors.ReasonNotThere
	}
	ours := d.ourLists()
	left := false
	for _, id := range c.Left {
		if ours[id] {
			return connectors.ReasonUnsubscribed
		}
		left = true
	}
	if c.Blacklisted {
		return connectors.ReasonSuppressed
	}
	living := slices.ContainsFunc(c.Lists, func(id int64) bool { return !ours[id] && !slices.Contains(c.Left, id) })
	switch {
	case living:
		return ""
	case left:
		return connectors.ReasonUnsubscribed
	case said == commerce.ConsentSubscribed:
		return ""
	default:
		return connectors.ReasonNoConsent
	}
}

// livingOurs returns the lists of ours on which the person is and which they have not left. From a list that somebody left
// they are never taken: that would forget that they did.
func (d *destination) livingOurs(c contact) []int64 {
	ours := d.ourLists()
	var ids []int64
	for _, id := range c.Lists {
		if ours[id] && !slices.Contains(c.Left, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// formerOf returns the lists of another mode on which the person still is and which they have not left.
func (d *destination) formerOf(c contact) []int64 {
	ids := d.livingOurs(c)
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(ids, func(id int64) bool { return !d.former[id] })
}

// consentOf says what Brevo knows of a person.
func (d *destination) consentOf(c contact) commerce.Consent {
	consent := commerce.Consent{State: commerce.ConsentUnknown, At: instant(c.Modified)}
	switch no := d.gate(c, true, connectors.Change{}); no {
	case connectors.ReasonUnsubscribed, connectors.ReasonSuppressed:
		consent.State = commerce.ConsentUnsubscribed
	case "":
		consent.State = commerce.ConsentSubscribed
	}
	return consent
}
