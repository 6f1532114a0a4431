package klaviyotest

import (
	"slices"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// What goes wrong on command, and what is kept of what was asked.
type (
	Fault     = simulator.Fault
	FaultKind = simulator.FaultKind
	Request   = simulator.Request
)

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
