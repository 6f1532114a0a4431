package listmonk

import (
	"slices"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// gate says why a person must not be put on a list of ours, or nothing. known is false for people whom listmonk has not.
//
// Who left a list of ours stays out of all of them. Who left every list that is not ours stays out too, whatever the shop
// says, for the shop's word may be older. Without the shop's word, a living subscription to somebody else's list is the
// consent. Who was deleted there is not brought back.
func (d *destination) gate(p person, known bool, c connectors.Change) (reason string) {
	said := c.Consent
	switch {
	case said == commerce.ConsentUnsubscribed:
		return connectors.ReasonUnsubscribed
	case !known && d.create && c.MayCreate():
		return ""
	case !known:
		return connectors.ReasonNotThere
	case p.Status != enabled: // blocklisted people are not mailed; disabled ones would be
		return connectors.ReasonSuppressed
	}
	living, left := false, false
	for _, l := range p.Lists {
		switch {
		case l.Status == unsubscribed && d.isOurs(l):
			return connectors.ReasonUnsubscribed
		case l.Status == unsubscribed:
			left = true
		case !d.isOurs(l) && isLiving(l):
			living = true
		}
	}
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

// isLiving reports whether a campaign to the list would reach the person.
func isLiving(l list) bool {
	return l.Status == confirmed || (l.Status != unsubscribed && l.Optin == single)
}

// livingOurs returns the lists of ours on which the person is and has not left. Rows of those who left are never taken
// away: they are the memory of it.
func (d *destination) livingOurs(p person) []int {
	var ids []int
	for _, l := range p.Lists {
		if d.isOurs(l) && l.Status != unsubscribed {
			ids = append(ids, l.ID)
		}
	}
	return ids
}

// row returns the person's row on a list.
func (p person) row(id int) (list, bool) {
	i := slices.IndexFunc(p.Lists, func(l list) bool { return l.ID == id })
	if i < 0 {
		return list{}, false
	}
	return p.Lists[i], true
}
