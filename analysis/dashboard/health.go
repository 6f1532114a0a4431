package dashboard

import (
	"net/http"

	"github.com/perennial-cvo/perennial/analysis/report"
)

// health is how the shops are doing. While something is under way the page reads itself anew.
func (s *Server) health(_ *http.Request, v *view) (any, error) {
	if len(v.UnderWay()) > 0 {
		v.Refresh = int(unfolding.Seconds())
	}
	d := health{Version: s.Version}
	for _, shop := range s.Shops {
		d.Shops = append(d.Shops, s.condition(shop.Name, v))
	}
	for _, r := range v.Status.Overview.Resources {
		d.Resources = append(d.Resources, loading(r))
	}
	return d, nil
}

type health struct {
	Version   string
	Shops     []condition
	Resources []resource
}

// condition is how one of the shops is doing, as far as that has been read already.
type condition struct {
	Name, Words, Class string
	Here               bool
}

func (s *Server) condition(shop string, v *view) condition {
	c := condition{Name: shop, Here: shop == v.Shop}
	other := *v
	if !c.Here {
		last := s.boards[shop].shown()
		if last == nil {
			c.Words = "not looked at yet"
			return c
		}
		other.Report, other.Status = &last.Report, &last.Status
	}
	switch {
	case len(other.failures()) > 0:
		c.Words, c.Class = "something failed", "bad"
	case !other.Status.Overview.Loaded:
		c.Words, c.Class = "first load", "warn"
	case len(other.holds()) > 0:
		c.Words, c.Class = "a push is held", "warn"
	default:
		c.Words, c.Class = "well", "good"
	}
	return c
}

// resource is how far one resource is.
type resource struct {
	report.Resource
	Share float64 // read of the pull under way; below 0 where the shop has not said how much there is
	Words string  // about the pull under way; empty where there is none
}

func loading(r report.Resource) resource {
	out := resource{Resource: r, Share: -1}
	if r.Done {
		return out
	}
	if r.Total > 0 {
		out.Share = min(1, float64(r.Read)/float64(r.Total))
	}
	out.Words = r.Progress()
	return out
}
