package dashboard

import "net/http"

func none(*http.Request, *view) (any, error)                                { return nil, nil }
func noSheet(*http.Request, *view) ([][]string, error)                      { return nil, nil }
func (s *Server) value(r *http.Request, v *view) (any, error)               { return nil, nil }
func (s *Server) products(r *http.Request, v *view) (any, error)            { return nil, nil }
func (s *Server) people(r *http.Request, v *view) (any, error)              { return nil, nil }
func (s *Server) customer(r *http.Request, v *view) (any, error)            { return nil, nil }
func (s *Server) valueSheet(r *http.Request, v *view) ([][]string, error)   { return nil, nil }
func (s *Server) productSheet(r *http.Request, v *view) ([][]string, error) { return nil, nil }
func (s *Server) peopleSheet(r *http.Request, v *view) ([][]string, error)  { return nil, nil }
