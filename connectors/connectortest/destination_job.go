package connectortest

import (
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
)

func destinationJobTests() []test[*destinationRun] {
	var all []test[*destinationRun]
	for _, fault := range []JobFault{JobStalls, JobPartly, JobDoesNone} {
		all = append(all, test[*destinationRun]{
			name:  string(fault),
			needs: need("Job", func(r *destinationRun) bool { return r.Job != nil }),
			run:   func(r *destinationRun) { r.seesJobFault(fault) },
		})
	}
	return all
}

// seesJobFault demands that a job which did less than it was given is told as it is, and made good by later pushes.
func (r *destinationRun) seesJobFault(fault JobFault) {
	d, people := r.open(), r.Reachable(r.Batch)
	changes := joinAll(people, champions.Key)
	if r.JobPeople != nil {
		people, changes = nil, nil
		for _, c := range r.JobPeople(r.Batch) {
			joining := join(c.Person, champions.Key)
			joining.Consent = c.Consent
			people, changes = append(people, c.Person), append(changes, joining)
		}
	}
	audience := r.ensure(d, champions)[0]
	r.Job(fault)
	outcomes, err := r.try(d, changes)
	r.honest(outcomes, people, audience)
	all := err == nil && len(outcomes) == len(people)
	for _, o := range outcomes {
		all = all && (o.State == connectors.Delivered)
	}
	require.False(r, all && len(r.Members(audience)) < len(people), "%s went unseen", fault)
	r.converge(d, changes, audience)
}
