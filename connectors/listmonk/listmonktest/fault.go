package listmonktest

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

// Restrict takes a permission from the API user's role.
func (s *Server) Restrict(permission string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.Permissions = slices.DeleteFunc(slices.Clone(s.opts.Permissions), func(p string) bool { return p == permission })
}
