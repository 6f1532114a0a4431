// Package experiment finds out what an audience brings. A share of those who are due in it is held out by lot and gets
// nothing; what the others bring more than they do is what the audience brings.
package experiment
