package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// keeper holds the shop and, where a state file is named, writes it down after every request that changed it.
type keeper struct {
	shop *simulator.Shop
	path string

	mu    sync.Mutex
	saved uint64
}

// openKeeper opens the shop of a state file, or invents one. Where no file is named, the shop is kept nowhere.
func openKeeper(s settings, opts simulator.Options, path string) (*keeper, error) {
	opts.Currency, opts.TimeZone, opts.Clock = s.currency, s.zone, time.Now
	if s.asOf != "" {
		t, err := time.Parse(time.RFC3339, s.asOf)
		if err != nil {
			return nil, fmt.Errorf("--as-of: %w", err)
		}
		opts.AsOf, opts.Clock = t, nil
	}
	if _, err := commerce.Location(s.zone); err != nil {
		return nil, fmt.Errorf("--time-zone: %w", err)
	}
	k := &keeper{path: path}
	if err := k.load(opts.Clock); err != nil {
		return nil, err
	}
	if k.shop == nil {
		k.shop = simulator.New(opts)
		return k, k.save()
	}
	return k, nil
}

// load reads the state file, if there is one.
func (k *keeper) load(clock func() time.Time) error {
	if k.path == "" {
		return nil
	}
	file, err := os.Open(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	defer func() { _ = file.Close() }() // only read
	if k.shop, err = simulator.Load(bufio.NewReader(file), clock); err != nil {
		return fmt.Errorf("state: %w; remove %s to start with a new shop", err, k.path)
	}
	k.saved = k.shop.Generation()
	return nil
}

func (k *keeper) save() error {
	if k.path == "" {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	generation := k.shop.Generation()
	if k.saved == generation && generation != 0 {
		return nil
	}
	err := replaceFile(k.path, func(w io.Writer) error {
		buffered := bufio.NewWriter(w)
		return errors.Join(k.shop.Save(buffered), buffered.Flush())
	})
	if err == nil {
		k.saved = generation
	}
	return err
}

// keeping saves after each request.
func (k *keeper) keeping(next http.Handler) http.Handler {
	if k.path == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if err := k.save(); err != nil {
				fmt.Fprintln(os.Stderr, "shopsim:", err)
			}
		}()
		next.ServeHTTP(w, r)
	})
}
