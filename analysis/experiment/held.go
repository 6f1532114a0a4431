package experiment

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
)

// Draw deals a person's lot for one audience: a number from 0 up to, but not including, 1, evenly spread over people. It
// depends on nothing but its arguments, so that it is the same for ever, and lots for two audiences, or with two seeds, know
// nothing of each other.
//
// It is the first 52 bits of the SHA-256 of "seed/audience/person" as a binary fraction, which a float64 holds exactly: any
// database works out the same. The person's number holds no slash and keys of audiences hold none, so no two lots share a text.
func Draw(seed, audience string, person int64) float64 {
	text := make([]byte, 0, len(seed)+len(audience)+22)
	text = append(append(text, seed...), '/')
	text = append(append(text, audience...), '/')
	sum := sha256.Sum256(strconv.AppendInt(text, person, 10))
	const bits = 52
	return float64(binary.BigEndian.Uint64(sum[:])>>(64-bits)) / (1 << bits)
}

// Held says whether a person is held out of an audience of which a share is: their lot is below it. A larger share holds out
// the same people and more; nobody is held out by a share of 0 or less, or one that is no number, and everybody by 1.
func Held(seed, audience string, person int64, share float64) bool {
	return Draw(seed, audience, person) < share
}
