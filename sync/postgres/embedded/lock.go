//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// lock is a file lock that the kernel gives back when the process ends, however it ends. Two opened in one process are
// two holders.
type lock struct{ file *os.File }

func openLock(path string, who account) (lock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return lock{}, fmt.Errorf("lock: %w", err)
	}
	if err := who.own(path); err != nil {
		return lock{}, errors.Join(err, file.Close())
	}
	return lock{file}, nil
}

// take waits until no other holder is in.
func (l lock) take(ctx context.Context) error {
	for {
		free, err := l.try(syscall.LOCK_EX)
		if err != nil || free {
			return err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("lock %s, held by another process: %w", l.file.Name(), err)
		}
	}
}

// alone takes the lock if nobody else has any part of it.
func (l lock) alone() (bool, error) { return l.try(syscall.LOCK_EX) }

// share takes the lock together with others. It succeeds at once while the caller holds the gate.
func (l lock) share() error {
	ok, err := l.try(syscall.LOCK_SH)
	if err == nil && !ok {
		err = fmt.Errorf("lock %s: held by a process outside the gate", l.file.Name())
	}
	return err
}

func (l lock) try(how int) (bool, error) {
	for {
		err := syscall.Flock(int(l.file.Fd()), how|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		default:
			return false, fmt.Errorf("lock %s: %w", l.file.Name(), err)
		}
	}
}

// drop gives the lock back.
func (l lock) drop() {
	if l.file != nil {
		_ = l.file.Close() // closing is what unlocks; nothing was written
	}
}

// pause waits, or returns why ctx ended.
func pause(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
