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
}

// definitions are the eleven segments, in the order in which they are shown: from the most to the least engaged.
var definitions = [...]Definition{
	{
		"champions", "Champions",
		"Bought lately, buy often and spend the most.",
		"Thank them, show them new things first, and ask for reviews and referrals; no discounts needed.",
	},
	{
		"loyal", "Loyal",
		"Buy often and spend well, though not always lately.",
		"Offer what goes with their favourites and a loyalty reward; ask what they would like to see.",
	},
	{
		"potential_loyalist", "Potential Loyalist",
		"Bought lately, more than once or for a fair amount; could become loyal.",
		"Recommend related products and invite them to the loyalty programme.",
	},
	{
		"new_customers", "New Customers",
		"Bought lately for the first time, for a small amount.",
		"Welcome them, help them get the most of the purchase, and suggest a second one early.",
	},
	{
		"promising", "Promising",
		"Bought lately, seldom so far, often for a good amount.",
		"Make the brand familiar: guides, reviews of what they bought, a reason to come back soon.",
	},
	{
		"need_attention", "Need Attention",
		"Above average in spending, and still fairly recent, but cooling.",
		"Remind them with a limited offer built on what they bought before.",
	},
	{
		"about_to_sleep", "About To Sleep",
		"Have not bought for a while, and little before that; nearly lost.",
		"Share popular products and something useful; a small incentive may wake them.",
	},
	{
		"at_risk", "At Risk",
		"Bought often or for good money, but long ago.",
		"Write personally, ask what went wrong, and offer a reason to return.",
	},
	{
		"cannot_lose_them", "Cannot Lose Them",
		"Spent a lot, and have not been back for long.",
		"Win them back one by one: a call or a personal message, the best service, a real offer.",
	},
	{
		"hibernating", "Hibernating",
		"Last bought long ago, seldom and for little.",
		"Send a gentle reminder with relevant products now and then; spend little on it.",
	},
	{
		"lost", "Lost",
		"Worst in recency and low in the rest.",
		"One last attempt to win them back, then leave them out of paid campaigns.",
	},
}

// Definitions returns every segment in the order in which they are shown. The caller may change the slice.
func Definitions() []Definition { return slices.Clone(definitions[:]) }

// Find returns the segment with an id.
func Find(id string) (Definition, bool) {
	if i := indexOf(id); i >= 0 {
		return definitions[i], true
	}
	return Definition{}, false
}

func indexOf(id string) int {
	for i := range definitions {
		if definitions[i].ID == id {
			return i
		}
	}
	return -1
}
