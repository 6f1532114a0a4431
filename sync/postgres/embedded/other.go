//go:build !unix

package embedded

import (
	"context"
	"errors"
)

// Cluster is the private cluster; there is none on this system.
type Cluster struct{}

var errSystem = errors.New("private database: not on this system; set database.url to a PostgreSQL server")

// Join returns an error that names the remedy.
func Join(context.Context, Options) (*Cluster, error) { return nil, errSystem }

// URL returns nothing.
func (*Cluster) URL() string { return "" }

// Revive returns an error.
func (*Cluster) Revive(context.Context) error { return errSystem }

// Leave does nothing.
func (*Cluster) Leave(context.Context) error { return nil }
