package faulttest

import (
	"net/http"
	"regexp"
	"strings"
)

// platform is what a world has to know of the kind of an e-mail platform to which its shop pushes. Our audiences go there by
// the platform's own ids, attributes by our keys.
type platform interface {
	http.Handler

	kind() string                   // in the configuration, and its name there
	settings(address string) string // with the address of the fake
	env() []string                  // that the settings name
	secrets() []string              // that must appear nowhere
	sets() []string                 // whose audiences go there
	stands() map[string]standing    // what stands there under our prefix, by address
	foreign() map[string]string     // everything else, by name; what everybody agreed to is part of it
	made() []string                 // the names of all lists and attributes that carry our prefix
	mailed() map[string]bool        // whom a campaign to our audiences would reach
	willing(email string) bool      // whether somebody may be put into our audiences, as the platform knows them
	leave(email string) error       // somebody unsubscribes
	writes() []string               // the requests that wrote, in order of arrival
	news() []tiding                 // what was told, in order of arrival
}

// standing is what stands somewhere under our prefix for one address.
type standing struct {
	audiences  []string // ids
	attributes fields
}

// tiding is the news that somebody entered or left an audience, by its key.
type tiding struct{ id, email, way, audience string }

// plainNumber is a number as all platforms write it: those that know numbers drop zeros that say nothing.
func plainNumber(text string) string {
	if !decimalNumber.MatchString(text) {
		return text
	}
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

var decimalNumber = regexp.MustCompile(`^-?[0-9]+\.[0-9]+$`)

// ourName cuts our prefix off the name of a list.
func ourName(name string) (string, bool) {
	return strings.CutPrefix(strings.ToLower(name), "perennial: ")
}
