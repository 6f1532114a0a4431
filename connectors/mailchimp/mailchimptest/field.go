package mailchimptest

import (
	"net/http"
	"regexp"
	"strings"
)

// field is a merge field.
type field struct {
	ID       int
	Tag      string `json:"tag"`
	Name     string `json:"name"`
	Type     string `json:"type"`
	Help     string `json:"help_text"`
	Public   bool   `json:"public"`
	Required bool   `json:"required"`
}

func (s *Server) addField(f field) *field {
	f.ID = s.id()
	s.fields = append(s.fields, &f)
	return &f
}

func (s *Server) field(tag string) *field {
	for _, f := range s.fields {
		if strings.EqualFold(f.Tag, tag) {
			return f
		}
	}
	return nil
}

func (s *Server) showField(f *field) map[string]any {
	return map[string]any{
		"merge_id": f.ID, "tag": f.Tag, "name": f.Name, "type": f.Type, "help_text": f.Help, "public": f.Public, "required": f.Required,
		"default_value": "", "list_id": s.opts.Audience,
	}
}

func (s *Server) getFields(c call) answer {
	some, refused := pageOf(c, s.fields)
	if refused != nil {
		return *refused
	}
	rows := make([]any, len(some))
	for i, f := range some {
		rows[i] = s.showField(f)
	}
	return s.filtered(c, map[string]any{"merge_fields": rows, "total_items": len(s.fields), "list_id": s.opts.Audience})
}

var tagShape = regexp.MustCompile(`^[A-Z0-9_]+$`)

func (s *Server) createField(c call) answer {
	var f field
	if !c.decode(&f) || f.Name == "" || f.Type == "" {
		return invalid("The resource submitted could not be validated.", complaint{"name", "This value should not be blank."})
	}
	switch {
	case len(f.Tag) > LongestTag || !tagShape.MatchString(f.Tag):
		return invalid("The resource submitted could not be validated.", complaint{"tag", "A merge tag has at most 10 characters."})
	case s.field(f.Tag) != nil:
		return invalid(`A Merge Field with the tag "` + f.Tag + `" already exists for this list.`)
	case len(s.fields) >= MostFields:
		return problem(http.StatusBadRequest, "Bad Request", "You have reached the limit of 30 merge fields.")
	}
	return done(s.showField(s.addField(f)))
}
