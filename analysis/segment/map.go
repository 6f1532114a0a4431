package segment

import (
	"fmt"
	"slices"
	"strings"
)

// Fives is the grid on which the map is drawn: scores from 1 to 5 in each dimension.
const Fives = 5

// Map sends every combination of scores to one segment: no gap, no overlap. The zero Map is not usable; begin with Default or
// with a preset's.
type Map struct {
	groups []Definition // never changed
	cells  [Fives * Fives * Fives]uint8
}

// grid is the field's usual map from scores to eleven segments, drawn as a page for each recency score, a line for each
// frequency score and a column for each monetary score. codes says what the letters mean.
const grid = `
R5   M1 M2 M3 M4 M5
  F5 PL PL PL CH CH
  F4 PL PL LO CH CH
  F3 PL PL PL NA NA
  F2 PR PR PR PR PR
  F1 NE NE PR PR PR
R4   M1 M2 M3 M4 M5
  F5 PL PL PL CH CH
  F4 PL PL NA LO CH
  F3 PL PL PL NA LO
  F2 NE NE PL PR PR
  F1 NE NE PR PR PR
R3   M1 M2 M3 M4 M5
  F5 PL PL PL LO LO
  F4 PL PL NA LO LO
  F3 AS HI PL NA LO
  F2 AS HI PL NA NA
  F1 NE AS PR PR PR
R2   M1 M2 M3 M4 M5
  F5 HI AR AR AR AR
  F4 HI AR AR AR AR
  F3 HI HI HI AR AR
  F2 AS HI HI AR AR
  F1 HI HI AS CL CL
R1   M1 M2 M3 M4 M5
  F5 LT AR AR CL CL
  F4 LT AR AR CL AR
  F3 LT HI AR AR AR
  F2 LT HI HI AR AR
  F1 LT LT CL CL CL
`

var codes = map[string]string{
	"CH": "champions", "LO": "loyal", "PL": "potential_loyalist", "NE": "new_customers", "PR": "promising", "NA": "need_attention",
	"AS": "about_to_sleep", "AR": "at_risk", "CL": "cannot_lose_them", "HI": "hibernating", "LT": "lost",
}

// Default returns the built-in map, that of the eleven usual segments.
func Default() Map { return draw(definitions[:], grid, codes) }

// draw reads a drawn grid.
func draw(groups []Definition, grid string, codes map[string]string) Map {
	m := Map{groups: groups}
	recency := 0
	for line := range strings.Lines(grid) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
		case fields[0][0] == 'R':
			recency = int(fields[0][1] - '0')
		default:
			frequency := int(fields[0][1] - '0')
			for i, code := range fields[1:] {
				m.cells[cell(recency, frequency, i+1)] = uint8(indexIn(groups, codes[code]))
			}
		}
	}
	return m
}

// fill asks for the segment of every cell.
func fill(groups []Definition, of func(r, f, m int) string) Map {
	m := Map{groups: groups}
	for at := range m.cells {
		id := of(at/(Fives*Fives)+1, at/Fives%Fives+1, at%Fives+1)
		m.cells[at] = uint8(indexIn(groups, id))
	}
	return m
}

// Definitions returns the segments of the map in the order in which they are shown, those without a cell included. The
// caller may change the slice.
func (m Map) Definitions() []Definition { return slices.Clone(m.groups) }

// cell is the place of scores from 1 to 5 in the map.
func cell(r, f, m int) int { return (r-1)*Fives*Fives + (f-1)*Fives + m - 1 }

// With returns the map with cells replaced. A key names cells by their scores for recency, frequency and monetary value,
// such as "545", with "*" for any; a value is the id of a segment. Where keys overlap, the one with fewer stars wins; two
// equally specific keys that disagree about a cell are refused, so that the order of the entries never matters.
func (m Map) With(overrides map[string]string) (Map, error) {
	var entries []override
	for pattern, id := range overrides {
		o, err := m.newOverride(pattern, id)
		if err != nil {
			return Map{}, err
		}
		entries = append(entries, o)
	}
	slices.SortFunc(entries, func(a, b override) int {
		if a.stars != b.stars {
			return a.stars - b.stars
		}
		return strings.Compare(a.pattern, b.pattern)
	})
	for at := range m.cells {
		winner, err := m.decide(entries, at)
		if err != nil {
			return Map{}, err
		}
		if winner != nil {
			m.cells[at] = winner.segment
		}
	}
	return m, nil
}

// override is one entry of the owner's.
type override struct {
	pattern string
	stars   int
	segment uint8
}

func (m Map) newOverride(pattern, id string) (override, error) {
	o := override{pattern: pattern, stars: strings.Count(pattern, "*")}
	if len(pattern) != 3 || strings.Trim(pattern, "12345*") != "" {
		return o, fmt.Errorf(`segment map %q: must be three characters, each 1 to 5 or "*", for recency, frequency and monetary value`, pattern)
	}
	index := indexIn(m.groups, strings.TrimSpace(id))
	if index < 0 {
		return o, fmt.Errorf("segment map %q: %q is not a segment; the segments are %s", pattern, id, strings.Join(idsOf(m.groups), ", "))
	}
	o.segment = uint8(index)
	return o, nil
}

func (o override) matches(label string) bool {
	for i := range len(label) {
		if o.pattern[i] != '*' && o.pattern[i] != label[i] {
			return false
		}
	}
	return true
}

// decide finds the most specific of the entries, which are sorted by their stars, that matches a cell.
func (m Map) decide(entries []override, at int) (*override, error) {
	label := labelOf(at)
	var winner *override
	for i := range entries {
		o := &entries[i]
		switch {
		case !o.matches(label):
		case winner == nil:
			winner = o
		case o.stars > winner.stars:
			return winner, nil
		case o.segment != winner.segment:
			return nil, fmt.Errorf("segment map: %q says %s and %q says %s, and both match %s; add an entry for %q to decide",
				winner.pattern, m.groups[winner.segment].ID, o.pattern, m.groups[o.segment].ID, label, overlap(winner.pattern, o.pattern))
		}
	}
	return winner, nil
}

// overlap is the pattern of the cells that both patterns match.
func overlap(a, b string) string {
	both := []byte(a)
	for i := range both {
		if both[i] == '*' {
			both[i] = b[i]
		}
	}
	return string(both)
}

func labelOf(at int) string {
	return string([]byte{'1' + byte(at/(Fives*Fives)), '1' + byte(at/Fives%Fives), '1' + byte(at%Fives)})
}

// Of returns the segment of scores that run from 1 to bins. Scores of fewer than five bins are placed on the grid of
// fives first; see Place. Scores that are out of range belong to no segment, the empty id.
func (m Map) Of(r, f, money uint8, bins int) string {
	R, F, M := Place(r, bins), Place(f, bins), Place(money, bins)
	if R == 0 || F == 0 || M == 0 {
		return ""
	}
	return m.at(R, F, M)
}

// at is the segment of scores on the grid.
func (m Map) at(r, f, money int) string { return m.groups[m.cells[cell(r, f, money)]].ID }

// Place puts a score of 1 to bins on the grid of fives: it stands for an equal part of the customers, and goes where the
// middle of that part lies, ceil(5 * (score - 1/2) / bins). So three bins become 1, 3, 5, two become 2 and 4, and a single
// bin is 3. A score out of range gives 0.
func Place(score uint8, bins int) int {
	s := int(score)
	if bins < 1 || bins > Fives || s < 1 || s > bins {
		return 0
	}
	return (Fives*(2*s-1) + 2*bins - 1) / (2 * bins)
}

// Cells returns the labels of the cells that belong to a segment, such as "545", best first.
func (m Map) Cells(id string) []string {
	var labels []string
	for at := len(m.cells) - 1; at >= 0; at-- {
		if m.groups[m.cells[at]].ID == id {
			labels = append(labels, labelOf(at))
		}
	}
	return labels
}

// String writes the whole map in one line, so that two maps can be compared and hashed: the segment of every cell from
// 111 to 555.
func (m Map) String() string {
	var b strings.Builder
	for at, index := range m.cells {
		if at > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(m.groups[index].ID)
	}
	return b.String()
}
