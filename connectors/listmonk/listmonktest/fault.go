package listmonktest

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

// Restrict takes a permission from the API user's role.
func (s *Server) Restrict(permission string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.Permissions = slices.DeleteFunc(slices.Clone(s.opts.Permissions), func(p string) bool { return p == permission })
}
