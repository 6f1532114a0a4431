package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/perennial-cvo/perennial/config"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/webhook"
)

// sharedPlatforms finds e-mail platforms to which several stores push. Lists and attributes carry the prefix and no store,
// so the stores would undo each other's work.
func sharedPlatforms(cfg config.Config) []connectors.Finding {
	first := map[string]string{} // store by platform
	var findings []connectors.Finding
	for _, store := range cfg.Stores {
		for _, destination := range store.Destinations {
			place := placeOf(destination)
			if source, _ := store.Settings["folder"].(string); source != "" && filepath.Clean(source) == place {
				findings = append(findings, connectors.Finding{
					Level: connectors.Problem, Subject: "destination " + destination.Name,
					Text:   fmt.Sprintf("it writes into the folder %s, from which store %s is read", place, store.Name),
					Remedy: "give it a folder of its own, or its files may be taken for exports of the shop",
				})
			}
			platform := destination.Kind + " " + place
			other, taken := first[platform]
			if place == "" || !taken {
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

// placeOf says where a destination is, as far as its settings tell in the open. A webhook is told which store speaks.
func placeOf(destination config.Destination) string {
	if folder, _ := destination.Settings["folder"].(string); folder != "" {
		return filepath.Clean(folder)
	}
	url, _ := destination.Settings["url"].(string)
	if destination.Kind == webhook.Kind {
		return ""
	}
	return strings.TrimRight(strings.ToLower(url), "/")
}
