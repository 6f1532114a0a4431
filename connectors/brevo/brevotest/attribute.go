package brevotest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// attribute is one that the account has. What has another name or another type is ignored.
type attribute struct {
	Name     string
	Category string
	Type     string
	Value    string
}

func (s *Server) attribute(name string) *attribute {
	i := slices.IndexFunc(s.attributes, func(a attribute) bool { return a.Name == name && a.Category == "normal" })
	if i < 0 {
		return nil
	}
	return &s.attributes[i]
}

// setAttributes writes those values that the account has a place for, and says nothing of the rest.
func (s *Server) setAttributes(c *contact, values map[string]any, empty bool) {
	for name, value := range values {
		a := s.attribute(name)
		switch {
		case a == nil:
		case value == "" && empty:
			delete(c.Attributes, name)
		case value != "" && a.takes(value):
			c.Attributes[name] = value
		}
	}
}

// takes reports whether a value has the attribute's type.
func (a attribute) takes(value any) bool {
	switch a.Type {
	case "text":
		_, is := value.(string)
		return is
	case "float":
		_, is := value.(float64)
		return is
	case "boolean":
		_, is := value.(bool)
		return is
	case "date":
		text, is := value.(string)
		_, err := time.Parse(time.DateOnly, text)
		return is && err == nil
	default:
		return false
	}
}

func (s *Server) getAttributes(call) answer {
	all := []map[string]any{}
	for _, a := range s.attributes {
		wire := map[string]any{"name": a.Name, "category": a.Category}
		if a.Type != "" {
			wire["type"] = a.Type
		}
		if a.Value != "" {
			wire["calculatedValue"] = a.Value
		}
		all = append(all, wire)
	}
	return done(http.StatusOK, map[string]any{"attributes": all})
}

func (s *Server) createAttribute(c call) answer {
	category, name := c.args[0], strings.ToUpper(c.args[1])
	var in struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(c.body, &in) != nil || category != "normal" || in.Type == "" {
		return fail(http.StatusBadRequest, "missing_parameter", "type is missing")
	}
	if slices.ContainsFunc(s.attributes, func(a attribute) bool { return a.Name == name }) {
		return fail(http.StatusBadRequest, "duplicate_parameter", "Attribute name must be unique")
	}
	s.attributes = append(s.attributes, attribute{Name: name, Category: category, Type: in.Type})
	return done(http.StatusCreated, nil)
}
