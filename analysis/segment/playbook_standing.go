package segment

// lifecyclePlays are the campaigns for the stages.
var lifecyclePlays = []Play{
	{
		Key: "lifecycle_prospect", Name: "The first order",
		Goal: "A first order that counts, from people who gave you their address and nothing more.",
		Timing: "Begin on the day they join; three messages in two weeks, then only the ordinary newsletter. After three months " +
			"without a click, ask once whether they want to go on, and stop if nothing comes back.",
		Message: "What you make and why somebody should trust you with it: how it is made, what buyers say, how returns work. " +
			"Answer the question that keeps most people from ordering, which your support knows.",
		Offer:   "None at first. If you promised something for signing up, send that at once; else free shipping on the first order, in the last message.",
		Exit:    "Whoever orders is `lifecycle_first_time` at the next sync, and the series ends for them.",
		Ordered: true,
	},
	{
		Key: "lifecycle_first_time", Name: "Welcome, and the second order", Template: "welcome",
		Goal: "A second order before the first one is forgotten: whoever has ordered twice has a habit to build on.",
		Timing: "A welcome once the parcel should have arrived, not before; a question how it went a week later; a suggestion at about " +
			"half of your shop's usual interval (`perennial segments --set lifecycle` says what it is).",
		Message: "How to get the most out of what they bought, and who answers if something is wrong. Then one thing that goes with " +
			"it, and the reason why.",
		Offer: "Help, not a discount: they paid the full price a few days ago. Something small with the second order says more.",
		Exit: "A second order on another day makes them `lifecycle_active` at the next sync. Without one they become " +
			"`lifecycle_slipping` by themselves, and the reminder there takes over.",
		Ordered: true,
	},
	{
		Key: "lifecycle_active", Name: "Keep the rhythm",
		Goal:    "The next order in its usual time, at the usual price.",
		Timing:  "The ordinary newsletter and nothing on top, but for one message in the week of `next_order_week`, where it is known.",
		Message: "New things in the categories they buy from, what will be back in stock, dates to know. Ask for a review of the last order.",
		Offer:   "No discount: the order is coming anyway. Early access costs nothing and is noticed.",
		Exit: "An order keeps them here and moves the expected week on. Whoever lets it pass becomes `lifecycle_slipping` on a night " +
			"of their own, by their own rhythm.",
	},
	{
		Key: "lifecycle_won_back", Name: "Welcome back",
		Goal:   "One more order in time, so that the return was not a single one.",
		Timing: "One message a few days after the order that brought them back, one more after two weeks.",
		Message: "That you are glad of it, what has changed for the better since they were last here, and the honest question " +
			"what had kept them away.",
		Offer:   "A courtesy with the next order if they came without a discount; nothing if they came for one, or they learn to wait for it.",
		Exit:    "With the next order in time they are `lifecycle_active` again; without it `lifecycle_slipping`.",
		Ordered: true,
	},
	{
		Key: "lifecycle_slipping", Name: "The timely reminder", Template: "second_order",
		Goal:   "An order now, while the shop is still in mind: a reminder is cheaper here than any offer later.",
		Timing: "On joining, and once more two weeks later. Two are enough.",
		Message: "What they may have run out of or what goes with it, with the shortest way to order it again. People with one order " +
			"need another tone than regulars: make a segment of your own of `lifecycle == \"slipping\" and orders == 1`.",
		Offer:   "Convenience first, such as the same basket in one click. A small incentive in the second message, for tiers `tier_top` and `tier_high` only.",
		Exit:    "Whoever orders is out at the next sync. Who does not becomes `lifecycle_lapsed`, and this campaign falls silent.",
		Ordered: true,
	},
	{
		Key: "lifecycle_lapsed", Name: "The reason to return", Template: "win_back",
		Goal:    "One order, and where none comes, an answer why.",
		Timing:  "Three messages over six weeks, then silence until they are `lifecycle_lost`.",
		Message: "Written by a person and signed by one. First what is new; then the question what went wrong; then the offer with its last day.",
		Offer:   "A real one, once, in the last of the three, and as large as the margin on one order of theirs allows.",
		Exit: "An order makes them `lifecycle_won_back`, where they are thanked instead; that is why a series must look again before " +
			"every message.",
		Ordered: true,
	},
	{
		Key: "lifecycle_lost", Name: "Goodbye, with the door open",
		Goal:   "To find the few who want to stay, and to stop paying for the others.",
		Timing: "A single message. Whoever does not react is left out of campaigns and paid advertising; a year later you may try once more.",
		Message: "That you will stop writing unless they say otherwise, with one button to stay. Short, friendly, without " +
			"reproach.",
		Offer:   "The best you have, or none: a discount to everybody here is given mostly to people who do not read it.",
		Exit:    "An order takes them out by itself. Who pressed the button and has not ordered stays in the audience: note it in the platform, and leave them out there.",
		Ordered: true,
	},
}

// tierPlays are the campaigns for tiers of value. Tiers say how much somebody is worth, not when to write.
var tierPlays = []Play{
	{
		Key: "tier_top", Name: "A name to write to", Template: "high_value",
		Goal:    "To lose none of them: count who is still `tier_top` after a year.",
		Timing:  "Twice a year by themselves, and whenever something happens to an order of theirs. They are in another campaign by their stage already.",
		Message: "From a person with a direct address. Ask what they would change, and show what came of the last answers.",
		Offer:   "Access and service: first look, repairs, a faster answer. Discounts lower what they would have paid gladly.",
		Exit:    "Nobody leaves by ordering or by silence: the tier changes only when others are worth more by a margin. Whoever drops to `tier_high` keeps what you promised.",
	},
	{
		Key: "tier_high", Name: "Closer to the shop",
		Goal:    "More of them in `tier_top` next year, by orders and not by discounts.",
		Timing:  "Once a quarter, apart from what their stage sends.",
		Message: "The loyalty programme in plain words: what they have already, what the next step brings. Ask which category you are missing.",
		Offer:   "Something that grows with orders: points, a gift from an amount on, an invitation.",
		Exit:    "Moves up to `tier_top` or down to `tier_middle` as the value goes past the cut by a twentieth; until then the audience is steady.",
	},
	{
		Key: "tier_middle", Name: "A larger basket",
		Goal:    "A higher average order, measured against those who are kept out.",
		Timing:  "With the newsletter, once a month at most.",
		Message: "Sets and refills: what others put in the same basket, and what it saves against buying each by itself.",
		Offer:   "Free shipping from an amount a little above their usual order, which you find with `average_order` in a rule of your own.",
		Exit:    "By value alone, to `tier_high` or `tier_low`. Leave out who is `lifecycle_slipping` or later: they need a reason to come, not a larger basket.",
	},
	{
		Key: "tier_low", Name: "Little and automatic",
		Goal:    "To serve half of the customers at no loss, and to find out who is only small so far.",
		Timing:  "Automatic messages only: welcome, reminder, and a newsletter not oftener than once a month.",
		Message: "Bestsellers and the simplest way to order. Nothing that has to be written anew for them.",
		Offer:   "None that costs margin on small orders; shipping is free from an amount on that pays for it.",
		Exit:    "They grow out of it: whoever buys for more moves to `tier_middle` on the night their value passes the cut.",
	},
}

// churnPlays are the campaigns for bands of the risk to be gone.
var churnPlays = []Play{
	{
		Key: "churn_low", Name: "Leave well alone",
		Goal:    "That nothing disturbs what works: fewer unsubscriptions here than anywhere else.",
		Timing:  "No campaign of its own. Use this audience to leave people out of incentives.",
		Message: "The ordinary newsletter, and the thanks their stage sends.",
		Offer:   "None. Whoever is here will most likely order without it, and an incentive is money given away.",
		Exit:    "When the risk rises past 30 % with its margin, they come into `churn_medium`, and only then a reminder is worth it.",
	},
	{
		Key: "churn_medium", Name: "The moment that counts",
		Goal:    "An order from people who could go either way: here a message changes most.",
		Timing:  "On joining, once; a second one after three weeks if they are still here.",
		Message: "What is new since the last order, in their categories. Make it easy to say what is missing.",
		Offer:   "A small incentive with a last day, tried on half of them first: this is the band in which to test whether it pays at all.",
		Exit:    "An order lowers the risk and takes most of them to `churn_low`, though not everybody at once: leave out who ordered lately with `days_since > 14`.",
	},
	{
		Key: "churn_high", Name: "Only where it pays", Template: "win_back",
		Goal:    "Orders from those who brought much before, and no expense for the rest.",
		Timing:  "Two messages a month apart, for `tier_top` and `tier_high`. For the others the one goodbye of their stage is enough.",
		Message: "Personal and about them: what they liked, what you have changed, whom they can ask.",
		Offer:   "Worth sending only where the expected margin of one order pays for it; say its last day.",
		Exit:    "Whoever orders is seldom still here after the next appraisal, which is weekly; until then exclude them by `days_since > 14`.",
	},
}
