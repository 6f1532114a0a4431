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

// tenth is what can be multiplied by ten and grow by one digit more.
const tenth = math.MaxInt64/10 - 1

// whole reads digits one by one: of millions of numbers, finding where each ends takes as long as reading it.
func (n *numbers) whole() int64 {
	text, negative := strings.CutPrefix(n.text, "-")
	value, i := int64(0), 0
	for ; i < len(text) && text[i] != ' '; i++ {
		digit := text[i] - '0'
		if digit > 9 || value > tenth {
			return n.fail()
		}
		value = 10*value + int64(digit)
	}
	if i == 0 {
		return n.fail()
	}
	n.text = text[min(i+1, len(text)):]
	if negative {
		return -value
	}
	return value
}

// missing reads the mark of no number, where it comes next.
func (n *numbers) missing() bool {
	rest, ok := strings.CutPrefix(n.text, "NaN")
	if !ok || rest != "" && rest[0] != ' ' {
		return false
	}
	n.next()
	return true
}

// amount reads a decimal in ten-thousandths, half of one away from zero.
func (n *numbers) amount() int64 {
	text, negative := strings.CutPrefix(n.text, "-")
	value, point, i := int64(0), -1, 0
	for ; i < len(text) && text[i] != ' '; i++ {
		digit := text[i] - '0'
		switch {
		case text[i] == '.' && point < 0 && i > 0:
			point = i
		case digit > 9:
			return n.fail()
		case point >= 0 && i-point > 5:
		case point >= 0 && i-point == 5:
			value += int64(digit / 5)
		case value > tenth:
			return n.fail()
		default:
			value = 10*value + int64(digit)
		}
	}
	decimals := 0
	if point >= 0 {
		decimals = min(i-point-1, 4)
	}
	for ; decimals < 4 && value <= tenth; decimals++ {
		value *= 10
	}
	if i == 0 || decimals < 4 {
		return n.fail()
	}
	n.text = text[min(i+1, len(text)):]
	if negative {
		return -value
	}
	return value
}

func (n *numbers) float() float64 {
	value, err := strconv.ParseFloat(n.next(), 64)
	if err != nil {
		return float64(n.fail())
	}
	return value
}
