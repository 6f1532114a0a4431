package segment

// shopify has the groups that Shopify shows and offers in its API as CustomerRfmGroup; the ids here are those in lower
// case. Shopify publishes that a group follows from R and from the mean of F and M, scores of fifths of the customers, and
// describes the groups in words; at which scores they meet it does not say.
var shopify = Preset{
	ID: "shopify", Name: "Shopify's groups", Bins: Fives, Prospects: "prospects",
	Meaning: "Recency against the mean of frequency and monetary value, with the names of Shopify's own report.",
	of: func(r, f, m int) string {
		switch fm := float64(f+m) / 2; {
		case fm <= 2:
			return byMean[r-1][0]
		case fm < 4:
			return byMean[r-1][1]
		case fm == 4:
			return byMean[r-1][2]
		default:
			return byMean[r-1][3]
		}
	},
	Groups: []Definition{
		{
			"champions", "Champions", "Bought very lately, order most and spend most.",
			"Thank them, show them new things first, and ask for reviews and referrals; no discounts needed.", Described,
		},
		{
			"loyal", "Loyal", "Bought lately, order a lot and spend a lot.",
			"Invite them to the loyalty programme and offer what goes with their favourites.", Described,
		},
		{
			"active", "Active", "Bought lately, with some orders and middling spend.",
			"Recommend related products, and make the next order easy.", Described,
		},
		{
			"new", "New", "Bought very lately, with few orders and little spend.",
			"Welcome them, help them get the most of the purchase, and suggest a second one early.", Described,
		},
		{
			"promising", "Promising", "Bought lately, with few orders and little spend.",
			"Make the brand familiar: guides, reviews of what they bought, a reason to come back soon.", Described,
		},
		{
			"needs_attention", "Needs Attention", "Bought fairly lately, with some orders and middling spend, but cooling.",
			"Remind them with a limited offer built on what they bought before.", Described,
		},
		{
			"at_risk", "At Risk", "Have not bought for a while, after a good history of orders and spend.",
			"Write personally, ask what went wrong, and offer a reason to return.", Described,
		},
		{
			"previously_loyal", "Previously Loyal", "Have not bought for a while, after the best history of orders and spend.",
			"Win them back one by one: a call or a personal message, the best service, a real offer.", Described,
		},
		{
			"almost_lost", "Almost Lost", "Have not bought for a while, and had fewer orders and less spend.",
			"Share popular products and something useful; a small incentive may wake them.", Described,
		},
		{
			"dormant", "Dormant", "Bought longest ago, seldom and for little.",
			"One last attempt to win them back, then leave them out of paid campaigns.", Described,
		},
		{
			"prospects", "Prospects", "Known, and without an order that counts.",
			"Introduce the shop, answer what holds them back, and suggest a first purchase.", Published,
		},
	},
}

// byMean is the map by recency score, worst first, and by the mean of F and M: up to 2, above it, 4, above 4.
var byMean = [Fives][4]string{
	{"dormant", "at_risk", "at_risk", "previously_loyal"},
	{"almost_lost", "at_risk", "at_risk", "previously_loyal"},
	{"promising", "needs_attention", "loyal", "loyal"},
	{"promising", "active", "loyal", "loyal"},
	{"new", "active", "champions", "champions"},
}
