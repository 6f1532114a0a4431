package mailchimptest

import "github.com/perennial-cvo/perennial/connectors/simulator"

// What goes wrong on command, and what is kept of what was asked, downloads left out.
type (
	Fault     = simulator.Fault
	FaultKind = simulator.FaultKind
	Request   = simulator.Request
)

// FailBatch makes the next batch go wrong.
func (s *Server) FailBatch(f BatchFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batchFault = f
}

// Restrict makes the user of the key one who may only look.
func (s *Server) Restrict() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restricted = true
}

// Mend ends every fault, and makes the key good for everything again.
func (s *Server) Mend() {
	s.Restore()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batchFault, s.restricted = "", false
}
