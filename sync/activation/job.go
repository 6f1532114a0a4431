package activation

import (
	"context"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
)

// askEvery is the shortest time between two questions about one job.
const askEvery = time.Second

// settle asks what became of pending jobs, those of earlier pushes too. With wait it goes on asking until all are finished
// or the patience of the push ends; what is pending then is asked for by the next push.
func (p *pusher) settle(ctx context.Context, wait bool) error {
	if p.patient.IsZero() {
		p.patient = p.Now().Add(p.JobWait)
	}
	for {
		jobs, err := p.Ledger.Jobs(ctx, p.Target.Destination)
		if err != nil {
			return err
		}
		p.sum.Pending = 0
		var next time.Time
		for _, job := range jobs {
			notBefore, err := p.ask(ctx, job)
			if err != nil {
				return err
			}
			if !notBefore.IsZero() && (next.IsZero() || notBefore.Before(next)) {
				next = notBefore
			}
		}
		if next.IsZero() || !wait || next.After(p.patient) {
			return nil
		}
		p.Waiting()
		if err := sleep(ctx, next.Sub(p.Now())); err != nil {
			return err
		}
	}
}

// ask resumes one job and returns when to ask again, zero where the job is over. People of a job that went no step
// further for too long, or that the platform does not know, are tried anew.
func (p *pusher) ask(ctx context.Context, job Pending) (time.Time, error) {
	result, err := p.Destination.Resume(ctx, job.Job)
	now := p.Now()
	tooOld := now.Sub(job.StartedAt) > p.JobLimit
	if err != nil {
		if !lost(err) && (!tooOld || connectors.KindOf(err) != connectors.KindRetry || ctx.Err() != nil) {
			return time.Time{}, err
		}
		p.Log.WarnContext(ctx, "push job lost", "destination", p.Target.Destination, "people", len(job.People), "err", err)
		return time.Time{}, p.giveUp(ctx, job.People)
	}
	rest := remaining(job.People, result.Outcomes)
	if result.Job == "" {
		for _, person := range rest {
			result.Outcomes = append(result.Outcomes, connectors.Outcome{
				PersonID: person, State: connectors.RetryLater, Reason: "the job ended without an answer",
			})
		}
		return time.Time{}, p.record(ctx, result.Outcomes)
	}
	if err := p.record(ctx, result.Outcomes); err != nil {
		return time.Time{}, err
	}
	if len(rest) == 0 {
		return time.Time{}, nil
	}
	switch {
	case result.Job != job.Job: // it went a step further, and a new time begins
		if err := p.Ledger.SaveJob(ctx, p.Target.Destination, result.Job, rest, now); err != nil {
			return time.Time{}, err
		}
	case tooOld:
		p.Log.WarnContext(ctx, "push job stuck", "destination", p.Target.Destination, "people", len(rest))
		return time.Time{}, p.giveUp(ctx, rest)
	}
	p.sum.Pending += len(rest)
	if earliest := now.Add(askEvery); result.NotBefore.Before(earliest) {
		return earliest, nil
	}
	return result.NotBefore, nil
}

// lost reports whether asking for a job again is of no use.
func lost(err error) bool {
	kind := connectors.KindOf(err)
	return kind == connectors.KindPermanent || kind == connectors.KindRecord
}

func (p *pusher) giveUp(ctx context.Context, people []int64) error {
	p.sum.Stuck += len(people)
	return p.Ledger.SaveJob(ctx, p.Target.Destination, "", people, p.Now())
}

// remaining returns the people without an outcome.
func remaining(people []int64, outcomes []connectors.Outcome) []int64 {
	answered := make(map[int64]bool, len(outcomes))
	for _, o := range outcomes {
		answered[o.PersonID] = true
	}
	var rest []int64
	for _, person := range people {
		if !answered[person] {
			rest = append(rest, person)
		}
	}
	return rest
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
