package main

import (
	"fmt"

	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/config"
	"github.com/perennial-cvo/perennial/connectors"
)

// absent says how many people of the shop an e-mail platform does not know, so that an owner with an empty audience knows why;
// the empty text where it knows all of them, or the next push adds them.
func absent(d report.Delivery, destinations []config.Destination) string {
	people := d.Withheld[connectors.ReasonNotThere]
	for _, cfg := range destinations {
		if create, _ := cfg.Settings["create_missing"].(bool); people == 0 || cfg.Name != d.Destination || create {
			continue
		}
		has := count(d.Delivered)
		if d.Delivered == 0 {
			has = "nobody else"
		}
		return fmt.Sprintf("%s does not know %s of the shop who belong there, and has %s", d.Destination, persons(people), has)
	}
	return ""
}

// persons writes a number of people.
func persons(n int) string {
	if n == 1 {
		return "1 person"
	}
	return count(n) + " people"
}

// absentRemedy is what an owner can do about people whom a platform does not know.
const absentRemedy = "nothing, if only its subscribers are to be there: who subscribes comes in within a week; create_missing = true " +
	"under settings of the destination adds the others to the platform, and subscribes nobody"
