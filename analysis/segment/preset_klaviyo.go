package segment

// klaviyo has the six groups of Klaviyo's report on scores of 1 to 3. Of Loyal the scores are published; the other five
// groups are published in words.
var klaviyo = Preset{
	ID: "klaviyo", Name: "Klaviyo's groups", Bins: 3,
	Meaning: "Six groups on scores from 1 to 3, with the names of Klaviyo's report.",
	of: func(r, f, m int) string {
		label := string([]byte{'0' + third(r), '0' + third(f), '0' + third(m)})
		switch label {
		case "333", "332", "323":
			return "champions"
		case "321", "322", "331", "232", "233":
			return "loyal"
		case "311", "312", "313":
			return "recent"
		case "211", "212", "213", "221", "222", "223", "231":
			return "needs_attention"
		case "113", "123", "131", "132", "133":
			return "at_risk"
		default:
			return "inactive"
		}
	},
	Groups: []Definition{
		{
			"champions", "Champions", "Bought lately, buy often and spend the most.",
			"Ask for referrals and pictures of what they bought, and reward them with early access.", Described,
		},
		{
			"loyal", "Loyal", "Bought fairly lately or buy often, and spend less than Champions.",
			"Offer what goes with their favourites, and a reason for a larger order.", Published,
		},
		{
			"recent", "Recent", "Bought lately, but do not buy often.",
			"Welcome them, and suggest a second purchase early.", Described,
		},
		{
			"needs_attention", "Needs Attention", "Bought neither lately nor long ago, and not often; cooling.",
			"Remind them with a limited offer built on what they bought before.", Described,
		},
		{
			"at_risk", "At Risk", "Bought often or for good money, but long ago.",
			"Write personally, ask what went wrong, and offer a reason to return.", Described,
		},
		{
			"inactive", "Inactive", "Bought long ago, seldom and for little.",
			"One last attempt to win them back, then write to them seldom.", Described,
		},
	},
}

// third places a score of the grid of fives on three, where the middle of its fifth lies; it undoes Place.
func third(score int) byte { return byte((6*score - 3 + 9) / 10) }
