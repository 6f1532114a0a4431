package dashboard

import (
	"encoding/csv"
	"net/http"
	"regexp"
	"strings"
)

// sheet answers with the table of a page as CSV.
func (s *Server) sheet(p page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		shop := r.PathValue("shop")
		if s.boards[shop] == nil {
			s.lost(w, r)
			return
		}
		v := s.view(shop, p.key, p.title)
		if !s.fill(w, r, v) {
			return
		}
		rows, err := p.sheet(r, v)
		if err != nil {
			s.failed(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		w.Header().Set("Content-Disposition", `attachment; filename="`+shop+"-"+p.key+`.csv"`)
		if err := writeSheet(w, rows); err != nil {
			s.Log.Debug("dashboard: sheet not sent", "err", err)
		}
	}
}

// plainNumber is what a spreadsheet takes for a number whatever it begins with.
var plainNumber = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

// unruly says that a spreadsheet might take a text for a formula.
func unruly(text string) bool {
	return text != "" && strings.ContainsRune("=+-@\t\r\n|＝＋－＠", []rune(text)[0]) && !plainNumber.MatchString(text)
}

// writeSheet writes rows so that a spreadsheet takes no text for a formula: whatever could be one has an apostrophe before it.
func writeSheet(w interface{ Write([]byte) (int, error) }, rows [][]string) error {
	out := csv.NewWriter(w)
	for _, row := range rows {
		safe := make([]string, len(row))
		for i, cell := range row {
			if unruly(cell) {
				cell = "'" + cell
			}
			safe[i] = cell
		}
		if err := out.Write(safe); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
