package connectortest_test

import (
	"context"
	"maps"
	"testing"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/connectortest"
)

var oneWayBites = []bite{
	{"tells of members", "join"},
	{"joins nobody", "join"},
	{"joins nobody", "more people than a batch holds"},
	{"attributes kept", "attributes"},
	{"no way to see attributes", "attributes"},
	{"never leaves", "leave"},
	{"bad answer taken for an empty one", "HTML page claims nothing"},
}

// oneWay is the invented platform behind a wall: it takes everything and tells nothing.
type oneWay struct{ *destination }

func (oneWay) OneWay() {}

func (o oneWay) Members(ctx context.Context, a connectors.Audience, c connectors.Cursor) (connectors.MemberPage, error) {
	if o.defect == "tells of members" {
		return o.destination.Members(ctx, a, c)
	}
	return connectors.MemberPage{Done: true}, nil
}

func oneWayHarness(defect string) connectortest.DestinationHarness {
	h := destinationHarness(defect)
	h.Skips = map[string]string{}
	for _, name := range connectortest.ReadBackTests() {
		h.Skips[name] = "nothing comes back from behind the wall"
	}
	open, start := h.Factory.NewDestination, h.Start
	h.Factory.NewDestination = func(settings connectors.Settings, deps connectors.Deps) (connectors.Destination, error) {
		made, err := open(settings, deps)
		if err != nil {
			return nil, err
		}
		return oneWay{made.(*destination)}, nil
	}
	h.Start = func(t *testing.T) connectortest.DestinationRig {
		rig := start(t)
		if defect == "no way to see attributes" {
			return rig
		}
		found, _ := current.Load(rig.Settings["platform"])
		p := found.(*platform)
		rig.Attributes = func(who connectors.Person) map[string]string {
			p.mu.Lock()
			defer p.mu.Unlock()
			return maps.Clone(p.contacts[who.Email].Attrs)
		}
		return rig
	}
	return h
}
