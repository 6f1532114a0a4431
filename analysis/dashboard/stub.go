package dashboard

import "net/http"

func none(*http.Request, *view) (any, error)                                  { return nil, nil }
func noSheet(*http.Request, *view) ([][]string, error)                        { return nil, nil }
func (s *Server) today(r *http.Request, v *view) (any, error)                 { return nil, nil }
func (s *Server) segments(r *http.Request, v *view) (any, error)              { return nil, nil }
func (s *Server) movement(r *http.Request, v *view) (any, error)              { return nil, nil }
func (s *Server) value(r *http.Request, v *view) (any, error)                 { return nil, nil }
func (s *Server) retention(r *http.Request, v *view) (any, error)             { return nil, nil }
func (s *Server) products(r *http.Request, v *view) (any, error)              { return nil, nil }
func (s *Server) people(r *http.Request, v *view) (any, error)                { return nil, nil }
func (s *Server) customer(r *http.Request, v *view) (any, error)              { return nil, nil }
func (s *Server) audiences(r *http.Request, v *view) (any, error)             { return nil, nil }
func (s *Server) health(r *http.Request, v *view) (any, error)                { return nil, nil }
func (s *Server) segmentSheet(r *http.Request, v *view) ([][]string, error)   { return nil, nil }
func (s *Server) movementSheet(r *http.Request, v *view) ([][]string, error)  { return nil, nil }
func (s *Server) valueSheet(r *http.Request, v *view) ([][]string, error)     { return nil, nil }
func (s *Server) retentionSheet(r *http.Request, v *view) ([][]string, error) { return nil, nil }
func (s *Server) productSheet(r *http.Request, v *view) ([][]string, error)   { return nil, nil }
func (s *Server) peopleSheet(r *http.Request, v *view) ([][]string, error)    { return nil, nil }
func (s *Server) audienceSheet(r *http.Request, v *view) ([][]string, error)  { return nil, nil }
