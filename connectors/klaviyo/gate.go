package klaviyo

import (
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// The words of Klaviyo.
const (
	subscribed   = "SUBSCRIBED"
	unsubscribed = "UNSUBSCRIBED"
	unsubscribe  = "UNSUBSCRIBE" // as the reason of a suppression
)

// gate says why a person must not be put into an audience, or nothing. p is nil for people whom Klaviyo does not know.
//
// Klaviyo mails whoever is on a list and not suppressed, be it that they never subscribed: for it "can receive" is no
// consent. So a person passes who subscribed there, or of whom the shop says so and Klaviyo knows nothing else. Who was
// deleted there is not brought back.
func (d *destination) gate(p *profile, c connectors.Change) (reason string) {
	said := c.Consent
	switch {
	case said == commerce.ConsentUnsubscribed:
		return connectors.ReasonUnsubscribed
	case p == nil && d.create && c.MayCreate():
		return ""
	case p == nil:
		return connectors.ReasonNotThere
	}
	m := p.Attributes.Subscriptions.Email.Marketing
	switch {
	case m == nil:
		return connectors.ReasonNoConsent
	case d.hasLeft(m):
		return connectors.ReasonUnsubscribed
	case len(m.Suppressions) > 0 || !m.CanReceive:
		return connectors.ReasonSuppressed
	case m.Consent == subscribed || said == commerce.ConsentSubscribed:
		return ""
	default:
		return connectors.ReasonNoConsent
	}
}

// hasLeft reports whether a person unsubscribed altogether or from any list of ours.
func (d *destination) hasLeft(m *marketing) bool {
	if m.Consent == unsubscribed {
		return true
	}
	for _, s := range m.Suppressions {
		if s.Reason == unsubscribe {
			return true
		}
	}
	for _, s := range m.ListSuppressions {
		if d.isOurs(s.ListID) {
			return true
		}
	}
	return false
}

// consentOf says what Klaviyo knows of a member's consent. Whom the gate would not let in again for a no of theirs, or of
// Klaviyo, is out.
func (d *destination) consentOf(p profile) commerce.Consent {
	var consent commerce.Consent
	if m := p.Attributes.Subscriptions.Email.Marketing; m != nil {
		if m.ConsentAt != nil {
			consent.At = m.ConsentAt.UTC()
		}
		if m.Consent == subscribed {
			consent.State = commerce.ConsentSubscribed
		}
	}
	if no := d.gate(&p, connectors.Change{}); no == connectors.ReasonUnsubscribed || no == connectors.ReasonSuppressed {
		consent.State = commerce.ConsentUnsubscribed
	}
	return consent
}
