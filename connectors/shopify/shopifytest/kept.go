package shopifytest

// kept is what the shop holds that the simulator has no place for.
type kept struct{}

func newKept(*Server) *kept { return &kept{} }
