package dashboard

import "html/template"

// explored is a chart that a script may let somebody explore by its data; in the file, which has no script, the chart alone.
func (v *view) explored(drawn template.HTML, data string) template.HTML {
	if v.Link.none || data == "" {
		return drawn
	}
	return `<div class="plot" data-plot="` + template.HTML(template.HTMLEscapeString(data)) + `">` + drawn + `</div>` //nolint:gosec // escaped
}
