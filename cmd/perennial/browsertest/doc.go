// Package browsertest opens the dashboard of a demo in a real browser: every page, light and dark, wide and on a phone. It
// holds tests only.
package browsertest
