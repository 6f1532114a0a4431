package report

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Receipt says what became of a demand to forget a person: what was erased where and when, what could not be and why, and
// what the owner has to do by hand. It holds nothing about the person but a digest of the address, by which whoever knows the
// address can tell that it is theirs, and the address's domain.
type Receipt struct {
	Digest   string        `json:"digest"` // SHA-256 of the normalised address, in hexadecimal
	Domain   string        `json:"domain"`
	Address  string        `json:"address,omitempty"` // only where it was asked for
	Complete bool          `json:"complete"`          // nothing is left to be tried again
	Shops    []ShopReceipt `json:"shops"`
}

// ShopReceipt is the part of one shop.
type ShopReceipt struct {
	Store    string           `json:"store"`
	At       time.Time        `json:"at"` // of the last attempt
	Places   []PlaceReceipt   `json:"places"`
	Database *DatabaseReceipt `json:"database,omitempty"` // nil: not erased yet
}

// PlaceReceipt is what became of the person at one destination.
type PlaceReceipt struct {
	Destination string    `json:"destination"`
	Kind        string    `json:"kind,omitempty"`
	Outcome     Fate      `json:"outcome"`
	At          time.Time `json:"at"`
	Done        string    `json:"done,omitempty"`    // in words
	Why         string    `json:"why,omitempty"`     // it could not be done
	ByHand      string    `json:"by_hand,omitempty"` // what the owner has to do there
}

// Fate is what became of the person at a destination.
type Fate string

// The fates.
const (
	ErasedThere  Fate = "erased"      // as far as the platform erases
	TakenOut     Fate = "taken out"   // of what is ours; the platform cannot be asked to erase
	NothingThere Fate = "nothing"     // nothing of ours was known there, and the platform cannot be asked to erase
	NotReached   Fate = "not reached" // it failed, and is tried again
	NotAsked     Fate = "not asked"   // it is not in the configuration any more
)

// DatabaseReceipt counts what the database lost.
type DatabaseReceipt struct {
	At          time.Time `json:"at"`
	Accounts    int       `json:"accounts"`    // deleted
	Orders      int       `json:"orders"`      // that lost the name
	Refunds     int       `json:"refunds"`     // that lost the name
	Reviews     int       `json:"reviews"`     // that lost the name and the text
	Quarantined int       `json:"quarantined"` // unreadable records that were emptied
	Hashes      int       `json:"hashes"`      // keyed hashes that keep the person from coming back
}

// NewReceipt makes an empty receipt for a normalised address, which it holds itself only where named.
func NewReceipt(address string, named bool) Receipt {
	sum := sha256.Sum256([]byte(address))
	_, domain, _ := strings.Cut(address, "@")
	r := Receipt{Digest: hex.EncodeToString(sum[:]), Domain: domain, Shops: []ShopReceipt{}}
	if named {
		r.Address = address
	}
	return r
}

// Shop returns the part of a shop, which is made if it is not there.
func (r *Receipt) Shop(store string) *ShopReceipt {
	i := slices.IndexFunc(r.Shops, func(s ShopReceipt) bool { return s.Store == store })
	if i < 0 {
		i = len(r.Shops)
		r.Shops = append(r.Shops, ShopReceipt{Store: store, Places: []PlaceReceipt{}})
	}
	return &r.Shops[i]
}

// Note adds what became of the person at a destination. Demands are repeated until all is done: what was erased by an earlier
// one stays, though nothing is found there any more.
func (s *ShopReceipt) Note(place PlaceReceipt) {
	i := slices.IndexFunc(s.Places, func(p PlaceReceipt) bool { return p.Destination == place.Destination })
	switch {
	case i < 0:
		s.Places = append(s.Places, place)
	case place.Outcome == NotReached || s.Places[i].Outcome == NotReached || s.Places[i].Outcome == NothingThere || s.Places[i].Outcome == NotAsked:
		place.Done = joined(s.Places[i].Done, place.Done)
		s.Places[i] = place
	case s.Places[i].At.Before(s.At): // of an earlier demand, which found what there was
	case place.Outcome == ErasedThere || place.Outcome == TakenOut:
		place.Done = joined(s.Places[i].Done, place.Done)
		place.At = s.Places[i].At
		s.Places[i] = place
	}
}

// joined puts two texts together, the same one once.
func joined(a, b string) string {
	parts := strings.Split(a, "; ")
	for _, part := range strings.Split(b, "; ") {
		if !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	return strings.Join(slices.DeleteFunc(parts, func(text string) bool { return text == "" }), "; ")
}

// Count adds what the database lost.
func (s *ShopReceipt) Count(d DatabaseReceipt) {
	if old := s.Database; old != nil {
		d.At = old.At
		d.Accounts, d.Orders, d.Refunds = d.Accounts+old.Accounts, d.Orders+old.Orders, d.Refunds+old.Refunds
		d.Reviews, d.Quarantined, d.Hashes = d.Reviews+old.Reviews, d.Quarantined+old.Quarantined, d.Hashes+old.Hashes
	}
	s.Database = &d
}

// Settle says whether anything is left to be tried again.
func (r *Receipt) Settle() {
	r.Complete = len(r.Shops) > 0 && !slices.ContainsFunc(r.Shops, func(s ShopReceipt) bool {
		return s.Database == nil || slices.ContainsFunc(s.Places, func(p PlaceReceipt) bool { return p.Outcome == NotReached })
	})
}

// WriteReceipt writes a receipt for people to read.
func WriteReceipt(w io.Writer, r Receipt) error {
	p := newPage(w, 100, false)
	p.say(plain, "", "Receipt for the erasure of a person's data")
	p.line("")
	if r.Address != "" {
		p.say(plain, "", "Address: %s", r.Address)
	}
	p.say(plain, "", "Address at %s, SHA-256 %s", r.Domain, r.Digest)
	if r.Complete {
		p.say(plain, "", "Complete: everything that could be erased is erased.")
	} else {
		p.say(plain, "", "Not complete: run perennial forget again with the same address and the same receipt.")
	}
	for _, s := range r.Shops {
		p.heading("%s, %s", s.Store, moment(s.At))
		for _, place := range s.Places {
			p.place(place)
		}
		p.database(s.Database)
	}
	p.heading("By hand")
	for _, text := range byHand(r) {
		p.say(plain, "  - ", "%s", text)
	}
	return p.done("receipt")
}

func moment(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 MST") }

func (p *page) place(place PlaceReceipt) {
	words := map[Fate]string{
		ErasedThere: "erased", TakenOut: "taken out; this platform cannot be asked to erase", NothingThere: "nothing of ours was known there",
		NotReached: "NOT DONE", NotAsked: "NOT DONE, it is not in the configuration any more",
	}
	name := place.Destination
	if place.Kind != "" {
		name += " (" + place.Kind + ")"
	}
	p.say(plain, "  ", "%s: %s, %s", name, words[place.Outcome], moment(place.At))
	for _, text := range []string{place.Done, place.Why} {
		if text != "" {
			p.say(plain, "    ", "%s", text)
		}
	}
}

func (p *page) database(d *DatabaseReceipt) {
	if d == nil {
		p.say(plain, "  ", "database: NOT DONE, it is erased when every destination is done")
		return
	}
	p.say(plain, "  ", "database: erased, %s", moment(d.At))
	p.say(plain, "    ", "%s deleted; name taken from %s, %s and %s; %s emptied; %s kept against coming back", Of(d.Accounts, "account", "accounts"),
		Of(d.Orders, "order", "orders"), Of(d.Refunds, "refund", "refunds"), Of(d.Reviews, "review", "reviews"),
		Of(d.Quarantined, "unreadable record", "unreadable records"), Of(d.Hashes, "keyed hash", "keyed hashes"))
}

// byHand lists what the owner has to do.
func byHand(r Receipt) []string {
	var all []string
	for _, s := range r.Shops {
		for _, place := range s.Places {
			if place.ByHand != "" {
				all = append(all, fmt.Sprintf("%s: %s", place.Destination, place.ByHand))
			}
		}
	}
	return append(all, "The shop's own records of the person: erase them in the shop, where the law does not make you keep them.",
		"Backups of the database, exports and reports made before, and lists copied by hand.")
}
