// Package experiment finds out what an audience brings. A share of those who are due in it is held out by lot and gets
// nothing; what the others bring more than they do is what the audience brings.
//
// Every formula with its source is in docs/formulas.md. Whatever the facts look like, no number here is infinite or none.
package experiment

// The limits are this project's own choices.
const (
	// Window is in how many days after they first were due it counts what people bring, and before it what tells them apart.
	Window = 28
	// Earlier is how many days before they were due are looked at, the window's own included.
	Earlier = 364
	// MinDays is how long a trial goes on before anything is said of it: the window, and as long again in which people came
	// in, so that no single campaign decides.
	MinDays = 2 * Window
	// MinPeople is how many people of either side have to be seen for a whole window.
	MinPeople = 100
	// MinBuyers is how many of the smaller side would have to buy, if both sides bought alike.
	MinBuyers = 10
	// Level is the confidence of all that is said: of a hundred trials of audiences that do nothing, five at most come out
	// wrong, however often one looks.
	Level = 0.95
	// Worth is the smallest effect worth knowing of, as a share of what those bring who are held out.
	Worth = 0.1
	// Power is the chance at which an effect of that size is to be found.
	Power = 0.8
)

// Facts are what is known of the trial of one audience as of a day. Days are local ones, counted from 1970-01-01.
type Facts struct {
	Audience string
	Share    float64 // held out now, or last
	Since    int32   // first day of the trial, or of its last part where it paused
	Until    int32   // day from which on nobody was held out; 0 while it goes on
	AsOf     int32   // what happened before this day is known
	Entries  []Entry // everybody who was due
	People   []People
}

// Entry counts the people who first were due on a day and by one share.
type Entry struct {
	Day   int32
	Share float64
	Got   int // those who were not held out
	Held  int
}

// People are people who were seen for a whole window, all of them alike.
type People struct {
	Number  int
	Held    bool
	Share   float64 // by which their lots were dealt
	After   Totals  // in the window from the day on which they first were due
	Before  Totals  // in as many days before that day
	Earlier Totals  // in the days before those, back to Earlier days before they were due
}

// Totals are what one person ordered. Amounts are in ten-thousandths, and negative where more was given back than bought.
type Totals struct {
	Orders  int64
	Revenue int64 // net
	Margin  int64 // of orders whose cost is known
	Costed  int64 // the revenue of these
}

// measure is one of the things that people bring, as a number.
type measure func(Totals) float64

const perUnit = 10_000

func orders(t Totals) float64  { return float64(t.Orders) }
func revenue(t Totals) float64 { return float64(t.Revenue) / perUnit }
func margin(t Totals) float64  { return float64(t.Margin) / perUnit }
