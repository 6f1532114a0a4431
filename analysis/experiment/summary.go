package experiment

// Summary is what all audiences bring of which a share is held out, or was, as of a day. Its JSON is what is stored.
type Summary struct {
	Day     string   `json:"day"` // as of the start of this local day
	Results []Result `json:"results"`
}
