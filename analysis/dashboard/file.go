package dashboard

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"regexp"
	"strings"

	"github.com/perennial-cvo/perennial/analysis/report"
)

// sections are the parts of the file, in their order: those of the pages that are about all customers. Each is the template
// "section-" and its key, and takes a view without links.
func sections() []tab {
	return []tab{
		{Title: "Today", Address: "today"},
		{Title: "Segments", Address: "segments"},
		{Title: "Movement", Address: "movement"},
		{Title: "Value", Address: "value"},
		{Title: "Retention", Address: "retention"},
		{Title: "Products", Address: "products"},
		{Title: "Audiences", Address: "audiences"},
	}
}

// fileShop is one shop in the file.
type fileShop struct {
	Name     string
	View     *view
	Sections []fileSection
}

type fileSection struct {
	Title string
	Body  template.HTML
}

// WriteFile writes reports as one HTML file that stands by itself: style included, no script, nothing from elsewhere, no
// person in it. The same reports make the same file.
func WriteFile(w io.Writer, reports ...report.Report) error {
	all, err := parse()
	if err != nil {
		return err
	}
	style, err := assetFiles.ReadFile("assets/style.css")
	if err != nil {
		return fmt.Errorf("style: %w", err)
	}
	file := struct {
		Style template.CSS
		Shops []fileShop
	}{Style: template.CSS(style)} //nolint:gosec // our own
	terms := 0 // counted over all shops: ids are the file's
	for i, r := range reports {
		shop, err := sectionsOf(all["file"], r, &terms)
		if err != nil {
			return fmt.Errorf("store %s: %w", r.Overview.Store, err)
		}
		for j := range shop.Sections {
			shop.Sections[j].Body = standing(shop.Sections[j].Body, i)
		}
		file.Shops = append(file.Shops, shop)
	}
	var b bytes.Buffer
	if err := all["file"].ExecuteTemplate(&b, "file", file); err != nil {
		return fmt.Errorf("file: %w", err)
	}
	if _, err := b.WriteTo(w); err != nil {
		return fmt.Errorf("file: %w", err)
	}
	return nil
}

// sectionsOf renders what there is to tell of one shop.
func sectionsOf(t *template.Template, r report.Report, terms *int) (fileShop, error) {
	v := &view{
		Key: "file", Title: r.Overview.Store, Shop: r.Overview.Store, Shops: []string{r.Overview.Store}, Link: links{none: true},
		Report: &r, Status: statusIn(r), ReadAt: r.MadeAt, terms: terms,
	}
	shop := fileShop{Name: v.Shop, View: v}
	for _, part := range sections() {
		section := t.Lookup("section-" + part.Address)
		if section == nil {
			continue
		}
		var b bytes.Buffer
		if err := section.Execute(&b, v); err != nil {
			return fileShop{}, fmt.Errorf("section %s: %w", part.Address, err)
		}
		shop.Sections = append(shop.Sections, fileSection{part.Title, template.HTML(b.String())}) //nolint:gosec // a template wrote it
	}
	return shop, nil
}

// naming are the attributes that give a name to something in a page, or lead to it by its name.
var naming = regexp.MustCompile(` (?:id="|for="|aria-labelledby="|aria-describedby="|href="#)[^"]*"`)

// standing fits what a page shows into the file: nothing is folded up, since paper cannot be unfolded, and the names that the
// second and further shops give to parts are their own.
func standing(body template.HTML, shop int) template.HTML {
	text := strings.ReplaceAll(string(body), "<details>", "<details open>")
	if shop > 0 {
		text = naming.ReplaceAllStringFunc(text, func(attribute string) string {
			name, value, _ := strings.Cut(attribute, `"`)
			ids := strings.Fields(strings.TrimSuffix(value, `"`))
			for i := range ids {
				ids[i] = fmt.Sprintf("%s-%d", ids[i], shop+1)
			}
			return name + `"` + strings.Join(ids, " ") + `"`
		})
	}
	return template.HTML(text) //nolint:gosec // a template wrote it
}

// statusIn is as much of a shop's status as its report tells: no runs.
func statusIn(r report.Report) *report.StoreStatus {
	return &report.StoreStatus{
		Now: r.MadeAt, Incomplete: r.Incomplete, Overview: r.Overview, Deliveries: r.Deliveries, Quarantined: r.Quarantined, Warnings: r.Warnings,
	}
}
