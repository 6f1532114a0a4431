package segment

import "slices"

// Play is the campaign that we recommend for one group of people. Numbers of days and messages in it are starting points of
// ours, not measurements.
type Play struct {
	Key     string // of the group's audience, as Key makes it
	Name    string // of the campaign, a few words
	Goal    string // what it is for, as something that can be counted
	Timing  string // when it begins, and how often it may write
	Message string
	Offer   string
	Exit    string // when somebody leaves, in terms of audiences
	// Ordered says that an order takes anybody out of the audience, once it is read and the analysis has run.
	Ordered bool
	// Template is the name of a ready text, as its file is called without its ending; empty where none fits.
	Template string
}

// Plays returns a campaign for every group there is: stages, the groups of every preset and of small shops, tiers, and bands
// of the risk to be gone. Groups of several presets that have one key have one campaign. The caller may change the slice.
func Plays() []Play {
	return slices.Concat(lifecyclePlays, usualPlays, shopifyPlays, klaviyoPlays, omniconvertPlays, smallPlays, tierPlays, churnPlays)
}

// GroupOf returns the group whose audience has a key, in whichever preset; not one of an owner's own.
func GroupOf(key string) (Definition, bool) {
	for scheme, groups := range map[string][]Definition{SchemeLifecycle: stages[:], SchemeTier: tiers[:], SchemeChurn: churns[:]} {
		if i := slices.IndexFunc(groups, func(d Definition) bool { return Key(scheme, d.ID) == key }); i >= 0 {
			return groups[i], true
		}
	}
	if d, ok := Find(key); ok {
		return d, true
	}
	for _, p := range reduced {
		if d, ok := p.Find(key); ok {
			return d, true
		}
	}
	return Definition{}, false
}

// FindPlay returns the campaign for the audience with a key.
func FindPlay(key string) (Play, bool) {
	all := Plays()
	if i := slices.IndexFunc(all, func(p Play) bool { return p.Key == key }); i >= 0 {
		return all[i], true
	}
	return Play{}, false
}

// Manners are what holds for every campaign, a sentence or two each.
func Manners() []string {
	return []string{
		"Write only to people who agreed to it. The lists in e-mail platforms hold nobody else, as far as the platform, the " +
			"shop or you yourself said so. Tags in the shop are on every customer: whatever is started by a tag has to ask for consent first.",
		"Choose one set to write by. Everybody is in a stage, an RFM group, a tier and a band at once, and four campaigns in one " +
			"week are three too many: let the stage or the RFM group start the campaign, and the tier decide how much it may cost.",
		"Put a limit on all campaigns together, such as one marketing message a week for each person. Order and delivery notices " +
			"are no marketing; a thank-you with an offer in it is.",
		"Send to the audience as it stands at that moment, after the night's push, and let a series of messages look before each one " +
			"whether the person is still in it. A list copied by hand writes to people who have ordered or unsubscribed since.",
		"Where a platform sends to a whole list at once, narrow it to those who came lately by the attribute `since`, or the same " +
			"people get the same message every week.",
		"Where a campaign has to look closer than its audience does, make a segment of your own of the rule that is named there, such as " +
			"`days_since > 14`.",
		"Do not tell people in which group they are, what they are worth or what is foretold of them. It is there to choose the " +
			"words, not to be one of them.",
		"Give a discount to those who would not order without one. Name its last day, keep to it, and never invent scarcity.",
		"Keep a share of the audience out of the campaign, always the same people, and compare what both spend. Whoever buys after a " +
			"message might have bought without it.",
	}
}
