package dashboard

import "strings"

// piece is a part of a text: words, or a command.
type piece struct {
	Text string
	Code bool
}

// pieces parts a text at its backticks, between which commands stand.
func pieces(text string) []piece {
	var all []piece
	for i, part := range strings.Split(text, "`") {
		if part != "" {
			all = append(all, piece{part, i%2 == 1})
		}
	}
	return all
}
