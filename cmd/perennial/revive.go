package main

import (
	"context"
	"time"
)

// reviveEvery is how often the daemon looks after its private database.
const reviveEvery = 10 * time.Second

// revive starts the private database again where it died under the daemon, until ctx ends. A configured server is somebody
// else's to mend; the daemon waits for it.
func (a *app) revive(ctx context.Context) {
	if a.cluster == nil {
		return
	}
	ticker := time.NewTicker(reviveEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		call, cancel := context.WithTimeout(ctx, reviveEvery/2)
		err := a.db.Ping(call)
		cancel()
		if err == nil || ctx.Err() != nil {
			continue
		}
		a.log.Warn("private database does not answer, starting it again; everything committed is kept", "err", err)
		if err := a.cluster.Revive(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("private database not started, trying again", "err", err)
		}
	}
}
