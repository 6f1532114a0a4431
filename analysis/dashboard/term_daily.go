package dashboard

// dailyTerms are the definitions of what is told of a day's work.
func dailyTerms() map[string]term {
	return map[string]term{
		"newcomers": {"New customers", "People whose first order that counts was in this month."},
		"gross":     {"Gross revenue", "Goods less discounts, before refunds. Tax and shipping are left out, unless the configuration includes them."},
		"members":   {"Members", "People whom a destination has confirmed to be in the audience."},
		"unchanged": {"Unchanged", "People who stood there as they should when the last push compared; all others were new or had changed."},
		"retries":   {"To be tried again", "People whom the platform put off; every night's push tries all of them again."},
		"pending":   {"In work there", "People in jobs that the platform has taken on and not finished."},
		"held":      {"Held", "A push that would empty an audience, or shrink a large one by much, stops until somebody confirms it."},
	}
}
