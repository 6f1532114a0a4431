package postgres

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

var errNumber = errors.New("unreadable number")

// numbers reads a text of numbers with a space between them. After an error there are none left.
type numbers struct {
	text string
	err  error
}

func (n *numbers) next() string {
	number, rest, _ := strings.Cut(n.text, " ")
	n.text = rest
	return number
}

func (n *numbers) fail() int64 {
	n.text, n.err = "", errNumber
	return 0
}

func (n *numbers) whole() int64 {
	number, err := strconv.ParseInt(n.next(), 10, 64)
	if err != nil {
		return n.fail()
	}
	return number
}

// missing reads the mark of no number, where it comes next.
func (n *numbers) missing() bool {
	if n.text != "-" && !strings.HasPrefix(n.text, "- ") {
		return false
	}
	n.next()
	return true
}

// amount reads a decimal in ten-thousandths, half of one away from zero.
func (n *numbers) amount() int64 {
	text := n.next()
	digits, negative := strings.CutPrefix(text, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	value, err := strconv.ParseUint(whole, 10, 63)
	if err != nil || value > math.MaxInt64/10_000-1 {
		return n.fail()
	}
	for i := range 4 {
		value *= 10
		if i < len(fraction) {
			value += uint64(fraction[i] - '0') // the server writes nothing but digits
		}
	}
	if len(fraction) > 4 && fraction[4] >= '5' {
		value++
	}
	if negative {
		return -int64(value)
	}
	return int64(value)
}

func (n *numbers) float() float64 {
	value, err := strconv.ParseFloat(n.next(), 64)
	if err != nil {
		return float64(n.fail())
	}
	return value
}
