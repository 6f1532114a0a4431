package faulttest

import (
	"encoding/json"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/report"
)

// said is what status says of one destination, and of the last run.
type said struct {
	report.Delivery
	run  report.Run
	text string // for people, on one line
}

// retries are how many people are to be tried again, and why.
func (s said) retries() (people int, reasons string) {
	for _, r := range s.Retries {
		people += r.People
		reasons += r.Reason + " "
	}
	return people, reasons
}

func (s said) refusals() (people int, words string) {
	for reason, n := range s.Refused {
		people += n
		words += reason + " "
	}
	return people, words
}

// status asks what is said of a platform, and holds it against what is so: nobody counts as delivered who does not stand there
// as they shall, and nobody who shall is forgotten.
func (m *mailroom) status(p platform) said {
	m.t.Helper()
	var shops []report.StoreStatus
	require.NoError(m.t, json.Unmarshal([]byte(m.must("status", "--json")), &shops))
	require.Len(m.t, shops, 1)
	s := said{text: flat(m.must("status"))}
	for _, run := range shops[0].Runs {
		if run.Kind == "push" {
			s.run = run
			break
		}
	}
	for _, d := range shops[0].Deliveries {
		if d.Destination == p.kind() {
			s.Delivery = d
		}
	}
	whole, due := m.whole(p)
	refused, _ := s.refusals()
	both := m.query(`SELECT count(*) FROM deliveries d JOIN outbox o USING (store_id, destination, person_id)
		WHERE destination = $1 AND d.hash IS NOT NULL`, p.kind())[0] // for whom something stands that is to become something else
	if s.Behind { // the push ended before it could compare, and says so
		require.Contains(m.t, s.text, p.kind()+": these are the figures of ")
		return s
	}
	require.LessOrEqual(m.t, s.Delivered-int(number(both)), whole, "%s: more people are called delivered than stand there", p.kind())
	if s.Waiting+s.Delivered > 0 {
		require.GreaterOrEqual(m.t, s.Delivered+s.Waiting+refused, due, "%s: somebody is forgotten", p.kind())
	}
	return s
}

// whole counts who stands at a platform as they shall, and who shall.
func (m *mailroom) whole(p platform) (whole, due int) {
	m.t.Helper()
	_, wanted := m.desires()
	stands, keyed, suppressed := p.stands(), m.standing(p), m.suppressed()
	for email, d := range wanted {
		lists, is := d.at(p)
		if !is || !p.willing(email) || suppressed[email] {
			continue
		}
		due++
		is = strings.Join(keyed[email], ",") == keyList(lists)
		for _, key := range pushedKeys {
			is = is && plainNumber(stands[email].attributes[key]) == plainNumber(d.attributes[key])
		}
		if is {
			whole++
		}
	}
	return whole, due
}

// requireWhole holds that status says that everybody stands as they shall, and nothing is left to do.
func (m *mailroom) requireWhole(p platform) {
	m.t.Helper()
	s := m.status(p)
	_, due := m.whole(p)
	require.False(m.t, s.Behind, s.text)
	require.Equal(m.t, due, s.Delivered, s.text)
	require.Zero(m.t, s.Waiting+s.Pending+len(s.Retries)+len(s.Refused), s.text)
	require.Equal(m.t, "succeeded", s.run.State)
}
