package connectors

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what the caller of a failed operation should do.
type Kind int

// The kinds of error. An error that is not ours is KindRetry: the next run tries again.
const (
	KindRetry       Kind = iota // the other side is unavailable: try again later, nothing was lost
	KindWait                    // the other side asks for patience: not before Until
	KindCredentials             // the key is wrong or lacks a permission: a person must act
	KindRecord                  // this one record cannot be handled: set it aside and go on
	KindPermanent               // trying again will not help: a setting or the other side must change
)

// String returns a word for the kind.
func (k Kind) String() string {
	switch k {
	case KindWait:
		return "wait"
	case KindCredentials:
		return "credentials"
	case KindRecord:
		return "record"
	case KindPermanent:
		return "permanent"
	default:
		return "unavailable"
	}
}

// Error is a failure at a connector. Its text names the operation and never holds a secret or a person.
type Error struct {
	Kind       Kind
	Op         string    // short noun phrase, such as "orders page"
	Permission string    // for KindCredentials: what is missing, such as "write"
	Remedy     string    // for people: what to do
	Until      time.Time // for KindWait
	Err        error
}

// Error returns the operation and its cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Op
	}
	return fmt.Sprintf("%s: %v", e.Op, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the outermost Error in err's chain, and KindRetry where there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindRetry
}

// Remedy returns what a person can do about err, or nothing.
func Remedy(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Remedy
	}
	return ""
}
