// Package segment names groups of customers: the map from RFM scores to segments, what each segment means, and what to
// do about it.
package segment

import "slices"

// Definition says what a segment is.
type Definition struct {
	ID      string // stable, such as "champions"
	Name    string // for people, such as "Champions"
	Meaning string // one line
	Action  string // the suggested nurturing action, one line
	Origin  Origin // who says who belongs to it
}

// Origin says where the rule comes from that decides who belongs to a segment; names do not count.
type Origin string

// The origins. Meanings in our words and actions are always ours.
const (
	Published Origin = "published" // the scores themselves are published by whoever coined the segment
	Described Origin = "described" // they publish it in words; the scores are our reading of those words
	Ours      Origin = "ours"      // the rule is this project's own
)

// definitions are the eleven segments, in the order in which they are shown: from the most to the least engaged.
var definitions = [...]Definition{
	{
		"champions", "Champions",
		"Bought lately, buy often and spend the most.",
		"Thank them, show them new things first, and ask for reviews and referrals; no discounts needed.",
		Published,
	},
	{
		"loyal", "Loyal",
		"Buy often and spend well, though not always lately.",
		"Offer what goes with their favourites and a loyalty reward; ask what they would like to see.",
		Published,
	},
	{
		"potential_loyalist", "Potential Loyalist",
		"Bought lately, more than once or for a fair amount; could become loyal.",
		"Recommend related products and invite them to the loyalty programme.",
		Published,
	},
	{
		"new_customers", "New Customers",
		"Bought lately for the first time, for a small amount.",
		"Welcome them, help them get the most of the purchase, and suggest a second one early.",
		Published,
	},
	{
		"promising", "Promising",
		"Bought lately, seldom so far, often for a good amount.",
		"Make the brand familiar: guides, reviews of what they bought, a reason to come back soon.",
		Published,
	},
	{
		"need_attention", "Need Attention",
		"Above average in spending, and still fairly recent, but cooling.",
		"Remind them with a limited offer built on what they bought before.",
		Published,
	},
	{
		"about_to_sleep", "About To Sleep",
		"Have not bought for a while, and little before that; nearly lost.",
		"Share popular products and something useful; a small incentive may wake them.",
		Published,
	},
	{
		"at_risk", "At Risk",
		"Bought often or for good money, but long ago.",
		"Write personally, ask what went wrong, and offer a reason to return.",
		Published,
	},
	{
		"cannot_lose_them", "Cannot Lose Them",
		"Spent a lot, and have not been back for long.",
		"Win them back one by one: a call or a personal message, the best service, a real offer.",
		Published,
	},
	{
		"hibernating", "Hibernating",
		"Last bought long ago, seldom and for little.",
		"Send a gentle reminder with relevant products now and then; spend little on it.",
		Published,
	},
	{
		"lost", "Lost",
		"Worst in recency and low in the rest.",
		"One last attempt to win them back, then leave them out of paid campaigns.",
		Published,
	},
}

// Definitions returns the eleven usual segments in the order in which they are shown. The caller may change the slice.
func Definitions() []Definition { return slices.Clone(definitions[:]) }

// Find returns the segment with an id, looked for among the eleven usual ones first and then in the other presets.
func Find(id string) (Definition, bool) {
	if i := indexIn(definitions[:], id); i >= 0 {
		return definitions[i], true
	}
	for _, p := range presets {
		if i := indexIn(p.Groups, id); i >= 0 {
			return p.Groups[i], true
		}
	}
	return Definition{}, false
}

func indexIn(groups []Definition, id string) int {
	return slices.IndexFunc(groups, func(d Definition) bool { return d.ID == id })
}

func idsOf(groups []Definition) []string {
	all := make([]string, len(groups))
	for i, d := range groups {
		all[i] = d.ID
	}
	return all
}
