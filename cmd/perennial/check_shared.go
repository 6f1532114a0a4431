package main

import (
	"fmt"
	"strings"

	"github.com/perennial-cvo/perennial/config"
	"github.com/perennial-cvo/perennial/connectors"
)

// sharedPlatforms finds e-mail platforms to which several stores push. Lists and attributes carry the prefix and no store,
// so the stores would undo each other's work.
func sharedPlatforms(cfg config.Config) []connectors.Finding {
	first := map[string]string{} // store by platform
	var findings []connectors.Finding
	for _, store := range cfg.Stores {
		for _, destination := range store.Destinations {
			url, _ := destination.Settings["url"].(string)
			platform := destination.Kind + " " + strings.TrimRight(strings.ToLower(url), "/")
			other, taken := first[platform]
			if url == "" || !taken {
				first[platform] = store.Name
				continue
			}
			findings = append(findings, connectors.Finding{
				Level: connectors.Problem, Subject: "destination " + destination.Name,
				Text:   fmt.Sprintf("stores %s and %s push to the same %s, into the same lists and attributes", other, store.Name, destination.Kind),
				Remedy: "give each store an e-mail platform of its own, or push only one of them there",
			})
		}
	}
	return findings
}
