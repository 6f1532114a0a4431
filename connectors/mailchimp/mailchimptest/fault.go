package mailchimptest

import "github.com/perennial-cvo/perennial/connectors/simulator"

// Fault is a command to misbehave.
type Fault = simulator.Fault

// FaultKind says how the fake misbehaves.
type FaultKind = simulator.FaultKind

// Request is one request as it was received, downloads left out.
type Request = simulator.Request

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
