package report

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// Playbook is what to do about the groups of one shop.
type Playbook struct {
	Store   string   `json:"store"`
	Day     string   `json:"day,omitempty"` // of the last analysis; empty before the first
	Plays   []Play   `json:"plays"`
	Manners []string `json:"manners"` // what holds for all of them
}

// Play is the campaign for one group, and who would get it.
type Play struct {
	Audience string `json:"audience"` // its key
	Name     string `json:"name"`     // of the group
	Meaning  string `json:"meaning"`
	// Customers are the people in it; nil where the last analysis did not use the group, or there was none yet.
	Customers *int   `json:"customers,omitempty"`
	Campaign  string `json:"campaign"`
	Goal      string `json:"goal"`
	Timing    string `json:"timing"`
	Message   string `json:"message"`
	Offer     string `json:"offer"`
	Exit      string `json:"exit"`
	Template  string `json:"template,omitempty"` // name of a ready text

	people [2]string // what one and many in it are called
}

// CollectPlaybook gathers the campaigns for the groups that a shop uses: for those of one of SetNames, or of all where the
// name is empty. Keys of audiences choose single ones, in use or not.
func CollectPlaybook(ctx context.Context, facts Facts, set string, keys []string) (Playbook, error) {
	s, err := CollectSegments(ctx, facts, set)
	if err != nil {
		return Playbook{}, err
	}
	book := Playbook{Store: s.Store, Day: s.Day, Plays: []Play{}, Manners: segment.Manners()}
	for _, one := range s.inUse() {
		if len(keys) == 0 || slices.Contains(keys, one.Audience) {
			book.add(one)
		}
	}
	for _, key := range keys {
		known := func(p Play) bool { return p.Audience == key }
		if group, ok := segment.GroupOf(key); ok && !slices.ContainsFunc(book.Plays, known) {
			book.add(Play{Audience: key, Name: group.Name, Meaning: group.Meaning})
		}
	}
	return book, nil
}

// inUse are the groups of the last analysis but for the owner's own, without campaigns; before the first, those that there
// will be.
func (s SegmentSets) inUse() []Play {
	all := plays(analysis.SchemeRFM, s.Rows, !s.AsOf.IsZero())
	for _, set := range s.Sets {
		if set.Name != segment.SchemeOwn {
			all = append(all, plays(set.Name, set.Rows, true)...)
		}
	}
	return all
}

func plays(set string, rows []SegmentRow, counted bool) []Play {
	one, many := Members(set)
	all := make([]Play, len(rows))
	for i, r := range rows {
		all[i] = Play{Audience: r.Audience, Name: r.Name, Meaning: r.Meaning, people: [2]string{one, many}}
		if counted {
			all[i].Customers = &rows[i].Customers
		}
	}
	return all
}

// add puts a group with its campaign into the book; one without a campaign is left out.
func (b *Playbook) add(p Play) {
	play, ok := segment.FindPlay(p.Audience)
	if !ok {
		return
	}
	p.Campaign, p.Goal, p.Timing, p.Message, p.Offer, p.Exit = play.Name, play.Goal, play.Timing, play.Message, play.Offer, play.Exit
	p.Template = play.Template
	b.Plays = append(b.Plays, p)
}

// PlaybookKeys are the keys of all groups that have a campaign.
func PlaybookKeys() []string {
	var keys []string
	for _, p := range segment.Plays() {
		keys = append(keys, p.Key)
	}
	return keys
}

// WritePlaybook writes campaigns for people to read, and what holds for all of them.
func WritePlaybook(w io.Writer, b Playbook, width int, colour bool) error {
	p := newPage(w, width, colour)
	title := b.Store + ": what to do"
	if b.Day != "" {
		title += ", with the people of " + b.Day
	}
	p.say(bold, "", "%s", title)
	for _, play := range b.Plays {
		p.heading("%s (%s): %s", play.Name, play.Audience, play.Campaign)
		meaning := play.Meaning
		if play.Customers != nil {
			meaning += " " + Of(*play.Customers, play.people[0], play.people[1]) + " in it."
		}
		p.say(plain, "  ", "%s", meaning)
		for _, part := range [][2]string{
			{"Goal", play.Goal}, {"Timing", play.Timing}, {"Message", play.Message}, {"Offer", play.Offer}, {"Exit", play.Exit},
		} {
			p.say(plain, "  ", "%s: %s", part[0], strings.ReplaceAll(part[1], "`", ""))
		}
		if play.Template != "" {
			p.say(green, "  > ", "Ready text: %[1]s.html for listmonk and Klaviyo, in deploy/templates.", play.Template)
		}
	}
	p.heading("For every campaign")
	for _, text := range b.Manners {
		p.say(dim, "  - ", "%s", strings.ReplaceAll(text, "`", ""))
	}
	return p.done("playbook")
}
