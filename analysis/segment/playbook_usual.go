package segment

// usualPlays are the campaigns for the usual eleven. Those that other presets have by the same name are the same.
var usualPlays = []Play{
	{
		Key: "champions", Name: "Thank you", Template: "thank_you",
		Goal:    "Reviews and recommendations by people who know the shop best, and no order less than now.",
		Timing:  "A week after joining, then about once a quarter. They hear from you with every order anyway.",
		Message: "Thanks that ask for nothing in the first lines. Then one request: a review, a photograph, a friend who might like it.",
		Offer:   "To be first: new things a day before everybody else, a say in what comes next. No discount.",
		Exit:    "Orders keep them in. Whoever becomes less recent than others moves on to another group at the next analysis, so take reward levels from the tier, not from this list.",
	},
	{
		Key: "loyal", Name: "More of what they like",
		Goal:    "The next order, and a second category in it.",
		Timing:  "Once a month, in the week in which they usually order where `next_order_week` is known.",
		Message: "What goes with their favourites, chosen and not merely the bestsellers; what other regulars asked for.",
		Offer:   "A loyalty reward that they have already earned, shown as such. Percentages off are for other groups.",
		Exit:    "An order moves many of them up to `champions`, and some stay: this list is no place for a message that only makes sense before an order.",
	},
	{
		Key: "potential_loyalist", Name: "From liking to habit",
		Goal:    "One order more within their usual interval, and membership in the loyalty programme.",
		Timing:  "Two weeks after joining; a second message after a month.",
		Message: "How others use what they bought, what belongs to it, and what the programme gives after the next order.",
		Offer:   "Points or a gift with the next order, not a lower price on it.",
		Exit:    "By scores, upwards to `loyal` or `champions`. Whoever ordered in between may still be here: leave them out for a while with `days_since > 14`.",
	},
	{
		Key: "new_customers", Name: "Welcome", Template: "welcome",
		Goal:    "That the first order turns out well, and is followed by another.",
		Timing:  "When the parcel has arrived; again after ten days; a suggestion after a month. No newsletter before the welcome.",
		Message: "Who you are, how to use what they bought, where to ask. One suggestion at the end, not a catalogue.",
		Offer:   "None in the welcome. With the suggestion free shipping, if anything.",
		Exit: "A second order raises the frequency score and takes most of them to `promising` or `potential_loyalist`; in shops where many " +
			"order twice it may not at once, so send the suggestion to `orders == 1` only.",
	},
	{
		Key: "promising", Name: "Get to know us", Template: "second_order",
		Goal:    "The second or third order, within three months of the last one.",
		Timing:  "Three weeks after the order; once more after six.",
		Message: "Guides and answers around what they bought, reviews of what goes with it, and who stands behind the shop.",
		Offer:   "A reason to come soon that is not a price: a sample, a refill in time, a limited edition that is really limited.",
		Exit:    "Frequency moves them to `potential_loyalist`, time to `about_to_sleep`. An order alone may leave them where they are: ask for `days_since > 14` before the second message.",
	},
	{
		Key: "need_attention", Name: "The small reminder",
		Goal:    "An order from good customers who are cooling, before they are at risk.",
		Timing:  "On joining, once. Again after a month only to those who are still here and have not ordered.",
		Message: "What they bought last and what has come since, by name where you can. Ask whether something was wrong with the last order.",
		Offer:   "A limited one, built on what they bought before: the matching part, the larger size, with a last day.",
		Exit: "They were frequent enough to stay here after another order, so being on the list does not mean that they have not ordered: " +
			"send to those with `days_since > 14`.",
	},
	{
		Key: "about_to_sleep", Name: "Before they fall asleep", Template: "win_back",
		Goal:    "A sign of life: an order, or at least a visit.",
		Timing:  "Two messages, three weeks apart. Then wait for the next season.",
		Message: "The three things that people like best at the moment, and something useful that costs nothing, such as a guide.",
		Offer:   "A small incentive in the second message. They ordered little before: what it costs must come back with one order.",
		Exit:    "Whoever orders is recent again and out at the next sync. Others drift to `hibernating` or `lost` without being written to more.",
		Ordered: true,
	},
	{
		Key: "at_risk", Name: "We miss you, and mean it", Template: "win_back",
		Goal:    "An order from people who used to come often or for good money, and the reasons of those who will not.",
		Timing:  "The day they join, two weeks later, and a month after that. Three, then stop.",
		Message: "From a person, in plain text if you can: what has changed, what they liked, and one question that can be answered by replying.",
		Offer:   "Nothing in the first message; in the third one a real reason to return, with its last day, sized by the tier.",
		Exit:    "An order takes them out of the audience at the next sync, whatever group they come into. Check before each message: the third must not reach who came back after the second.",
		Ordered: true,
	},
	{
		Key: "cannot_lose_them", Name: "One by one", Template: "high_value",
		Goal:    "To speak with each of them, or to know that they are gone.",
		Timing:  "As soon as they appear, by whoever can decide something. A second attempt a month later, and that was it.",
		Message: "A letter or a call rather than a campaign: name the last order, ask what happened, offer to put it right.",
		Offer:   "Whatever puts it right: a repair, an exchange, a credit. A voucher code for everybody is the wrong answer here.",
		Exit:    "With an order they are recent and out. Who answered without ordering is still on the list: note that in the platform before the second attempt.",
		Ordered: true,
	},
	{
		Key: "hibernating", Name: "Now and then",
		Goal:    "A few orders at next to no cost.",
		Timing:  "At most once a quarter, and on the two or three occasions in the year on which your shop sells best.",
		Message: "What is relevant at that moment: the season, the present, the refill. No story about how long it has been.",
		Offer:   "Only what everybody gets at that time anyway.",
		Exit:    "Any order wakes them into another group by the next analysis. Whoever clicks on nothing for a year is better left out of the platform's bill and your sender's reputation.",
		Ordered: true,
	},
	{
		Key: "lost", Name: "The last attempt", Template: "win_back",
		Goal:    "To win back whoever can be, and to write to nobody else here any more.",
		Timing:  "One message when they arrive. If nothing happens within a month, leave the audience out of campaigns and advertising.",
		Message: "Honest and short: that it has been long, what is different now, and that you will not write again without a sign.",
		Offer:   "The strongest that pays for itself with one order; there is no second one to recover it.",
		Exit:    "One order is enough to leave this group for good measure: recency is what put them here. Unsubscribing takes them out of this and every other audience.",
		Ordered: true,
	},
}

// smallPlays is the campaign for the one group that only the smallest shops have.
var smallPlays = []Play{
	{
		Key: "customers", Name: "Talk to each",
		Goal:    "To know why the first of your customers buy, in their words.",
		Timing:  "After every order, by hand, while that is possible.",
		Message: "A real message from whoever runs the shop, with one question.",
		Offer:   "Your attention. There are too few people here for any campaign to be measured.",
		Exit:    "Nobody leaves by ordering: the group gives way to two, four and then all groups as the shop grows, and their campaigns take over.",
	},
}
