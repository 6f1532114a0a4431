package activation

import "github.com/perennial-cvo/perennial/connectors"

// RemedyFor says what an owner can do about people who are withheld for a reason; empty for one that is the platform's own.
func RemedyFor(reason string) string {
	switch reason {
	case connectors.ReasonNoConsent:
		return "They have not agreed to mail, so they are not written to. They come in by themselves once they agree; who knows of it is consent in the configuration."
	case connectors.ReasonUnsubscribed:
		return "They do not want mail, and that is respected everywhere. They come back only if they subscribe again themselves."
	case connectors.ReasonSuppressed:
		return "The platform does not write to them, mostly because mail came back or somebody complained. It shows why; mend the address there or in the shop."
	case connectors.ReasonNotThere:
		return "The platform does not know them, and nobody is subscribed by Perennial. Invite them to subscribe; where they have agreed, create_missing brings them in."
	case connectors.ReasonNoAccount:
		return "Tags stand on accounts in the shop, and guests have none. Nothing is wrong: by mail they are reached all the same."
	case connectors.ReasonNoEmail:
		return "The shop knows no e-mail address of theirs. Add it in the shop where you have it."
	case connectors.ReasonExcluded:
		return "You left them out yourself, by exclude in the configuration."
	case connectors.ReasonHeldOut:
		return "They were drawn by lot to measure what an audience brings. They come in when the trial ends, or by taking the audience out of holdout in the configuration."
	case connectors.ReasonForgotten:
		return "They are being erased, and not every destination has answered yet. The next push goes on with it."
	default:
		return ""
	}
}
