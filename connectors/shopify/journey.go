package shopify

import (
	"strings"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// journey is how the buyer came, as far as the shop recorded it. It is built some time after the order.
type journey struct {
	Ready *bool  `json:"ready"`
	Last  *visit `json:"lastVisit"`
	First *visit `json:"firstVisit"`
}

type visit struct {
	Source   string `json:"source"`
	Tactic   string `json:"sourceType"`
	Referrer string `json:"referrerUrl"`
	UTM      *utm   `json:"utmParameters"`
}

type utm struct {
	Source   string `json:"source"`
	Medium   string `json:"medium"`
	Campaign string `json:"campaign"`
	Content  string `json:"content"`
	Term     string `json:"term"`
}

// pending reports whether the journey is still to be built, so that the order must be read again.
func (j journey) pending() bool { return j.Ready != nil && !*j.Ready }

// attribution credits the visit with which the buyer came last.
func (j journey) attribution() commerce.Attribution {
	v := j.Last
	if v == nil {
		v = j.First
	}
	if v == nil {
		return commerce.Attribution{}
	}
	a := commerce.Attribution{Source: v.Source, Referrer: v.Referrer, SourceType: v.sourceType()}
	if v.UTM != nil && *v.UTM != (utm{}) {
		a.SourceType, a.Medium = "utm", v.UTM.Medium
		a.Campaign, a.Content, a.Term = v.UTM.Campaign, v.UTM.Content, v.UTM.Term
		if v.UTM.Source != "" {
			a.Source = v.UTM.Source
		}
	}
	return a
}

func (v *visit) sourceType() string {
	source := strings.ToLower(v.Source)
	switch {
	case source == "direct":
		return "typein"
	case v.Tactic == "SEO" || v.Tactic == "SEARCH":
		return "organic"
	case v.Referrer != "":
		return "referral"
	default:
		return ""
	}
}
