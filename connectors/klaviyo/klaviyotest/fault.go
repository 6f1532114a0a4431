package klaviyotest

import (
	"slices"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// Fault is a command to misbehave.
type Fault = simulator.Fault

// FaultKind says how the fake misbehaves.
type FaultKind = simulator.FaultKind

// Request is one request as it was received.
type Request = simulator.Request

// Restrict takes a scope from the key.
func (s *Server) Restrict(scope string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.Scopes = slices.DeleteFunc(slices.Clone(s.opts.Scopes), func(p string) bool { return p == scope })
}

// Allow gives a scope to the key.
func (s *Server) Allow(scope string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.Scopes = append(slices.Clone(s.opts.Scopes), scope)
}
