// Package segment names groups of customers: the map from RFM scores to segments, what each segment means, and what to
// do about it.
package segment

// Definition says what a segment is.
type Definition struct {
	ID      string // stable, such as "champions"
	Name    string // for people, such as "Champions"
	Meaning string // one line
	Action  string // the suggested nurturing action, one line
}
