package segment

// relations is the map of Omniconvert's relationship names. Don Juan, Ex-Lovers but for 123, and the range of Potential
// Lovers (R 3-5, F 3-5, M 2-5, of which the better groups take their share) are published; the rest reads their words.
const relations = `
R5   M1 M2 M3 M4 M5
  F5 PF PO LO SO SO
  F4 PF PO LO SO SO
  F3 PF PO PO PO PO
  F2 PF PF NP NP NP
  F1 AP AP NP NP NP
R4   M1 M2 M3 M4 M5
  F5 PF PO LO LO LO
  F4 PF PO LO LO LO
  F3 PF PO PO PO PO
  F2 PF PF NP NP NP
  F1 AP AP NP NP NP
R3   M1 M2 M3 M4 M5
  F5 PF PO PO PO PO
  F4 PF PO PO PO PO
  F3 PF PO PO PO PO
  F2 PF PF PF FL FL
  F1 PF PF PF FL FL
R2   M1 M2 M3 M4 M5
  F5 AD AD AD AD AD
  F4 AD AD AD AD AD
  F3 AD AD AD AD AD
  F2 AD AD AD AD AD
  F1 AD AD AD AD AD
R1   M1 M2 M3 M4 M5
  F5 BU BU EX EX EX
  F4 BU BU EX EX EX
  F3 BU BU EX EX EX
  F2 BU BU EX EX EX
  F1 BU BU BU DJ DJ
`

var omniconvert = Preset{
	ID: "omniconvert", Name: "Omniconvert's relationships", Bins: Fives,
	Meaning: "Eleven groups named like relationships, from Soulmates to Break-Up, as Omniconvert's guide names them.",
	of: draw(relationships, relations, map[string]string{
		"SO": "soulmates", "LO": "lovers", "NP": "new_passion", "FL": "flirting", "PO": "potential_lovers", "PF": "platonic_friend",
		"AD": "about_to_dump_you", "DJ": "don_juan", "EX": "ex_lovers", "AP": "apprentice", "BU": "break_up",
	}).at,
	Groups: relationships,
}

var relationships = []Definition{
	{
		"soulmates", "Soulmates", "Buy most often, spend the most, and bought lately.",
		"Thank them, show them new things first, and ask for reviews and referrals; no discounts needed.", Described,
	},
	{
		"lovers", "Lovers", "Active, with several orders, the last one lately.",
		"Invite them to the loyalty programme and offer what goes with their favourites.", Described,
	},
	{
		"new_passion", "New Passion", "Bought lately, once or twice, for a fair amount.",
		"Welcome them, ask how it went, and suggest what goes with it.", Described,
	},
	{
		"flirting", "Flirting", "On and off: few orders of high value, not quite lately.",
		"Give them a rhythm: reminders at the right time, a reward for the next order.", Described,
	},
	{
		"potential_lovers", "Potential Lovers", "Active, with several orders of good value; could become Lovers.",
		"Recommend related products and invite them to the loyalty programme.", Published,
	},
	{
		"platonic_friend", "Platonic Friend", "Active, with orders of small or medium value.",
		"Bundles, guides and free shipping from an amount on may raise the value of the next order.", Described,
	},
	{
		"about_to_dump_you", "About to Dump You", "Bought nothing for long; one more step and they are gone.",
		"Write personally, ask what went wrong, and offer a reason to return.", Described,
	},
	{
		"don_juan", "Don Juan", "One order of high value, long ago, and none since.",
		"Ask what the purchase was for, and propose what goes with it.", Published,
	},
	{
		"ex_lovers", "Ex-Lovers", "Bought several times and spent well, and stopped long ago.",
		"Win them back one by one: a call or a personal message, the best service, a real offer.", Published,
	},
	{
		"apprentice", "Apprentice", "Has only just placed a first order, a small one.",
		"Help them get the most of the purchase, and suggest a second one early.", Described,
	},
	{
		"break_up", "Break-Up", "Bought for little, and stopped long ago.",
		"One last attempt, then leave them out of paid campaigns.", Described,
	},
}
