package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors/klaviyo/klaviyotest"
	"github.com/perennial-cvo/perennial/connectors/listmonk/listmonktest"
	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
	"github.com/perennial-cvo/perennial/connectors/woocommerce/woocommercetest"
)

// Names of the second shop.
const (
	shopifyName   = "Wren & Thistle"
	shopifyDomain = "wren-thistle.myshopify.com"
)

// controlPath is where each shop is commanded, below its address.
const controlPath = "/_sim"

// serve runs all servers until the context ends.
func serve(ctx context.Context, s settings, out io.Writer) (err error) {
	w := &world{settings: s, scheme: "http", failed: make(chan error, 4)}
	if s.tls {
		w.scheme = "https"
		if w.tls, err = selfSigned(s.certFile); err != nil {
			return err
		}
	}
	defer func() { err = errors.Join(err, w.close()) }()
	pairs, err := w.open(ctx)
	if err != nil {
		return err
	}
	if err := announce(s, out, pairs); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-w.failed:
		return err
	}
}

// world is everything that is served.
type world struct {
	settings
	scheme  string
	tls     *tls.Config // of the shops, nil for plain http
	servers []*http.Server
	failed  chan error
}

// open invents and serves everything, and returns what clients have to know.
func (w *world) open(ctx context.Context) ([]pair, error) {
	k, err := openKeeper(w.settings, simulator.Options{Seed: w.seed, Customers: w.customers, Orders: w.orders}, w.state)
	if err != nil {
		return nil, err
	}
	pairs, err := w.wooCommerce(ctx, k)
	if err != nil {
		return nil, err
	}
	mail := listmonktest.New(k.shop, listmonktest.Options{})
	mailAt, err := w.listen(ctx, "e-mail platform", w.mailAddr)
	if err != nil {
		return nil, err
	}
	w.serve(mailAt, mail, nil)
	pairs = append(
		pairs, pair{"LISTMONK_URL", "http://" + mailAt.Addr().String()}, pair{"LISTMONK_USER", mail.Username()},
		pair{"LISTMONK_TOKEN", mail.Token()},
	)
	more, err := w.klaviyo(ctx, k.shop)
	if err != nil {
		return nil, err
	}
	pairs = append(pairs, more...)
	if w.shopifyCustomers <= 0 {
		return pairs, nil
	}
	more, err = w.shopify(ctx)
	return append(pairs, more...), err
}

// klaviyo serves a Klaviyo over the people of the first shop. Its limits are counted by the real clock.
func (w *world) klaviyo(ctx context.Context, shop *simulator.Shop) ([]pair, error) {
	fake := klaviyotest.New(shop, klaviyotest.Options{Limits: true, Clock: time.Now})
	at, err := w.listen(ctx, "Klaviyo", w.klaviyoAddr)
	if err != nil {
		return nil, err
	}
	w.serve(at, fake, nil)
	return []pair{{"KLAVIYO_URL", "http://" + at.Addr().String()}, {"KLAVIYO_KEY", fake.Key()}}, nil
}

func (w *world) wooCommerce(ctx context.Context, k *keeper) ([]pair, error) {
	at, err := w.listen(ctx, "shop", w.addr)
	if err != nil {
		return nil, err
	}
	home := w.scheme + "://" + at.Addr().String()
	woo := woocommercetest.New(k.shop, woocommercetest.Options{Version: w.version, Legacy: w.legacy, HomeURL: home, Latency: w.latency, Clock: time.Now})
	truth := func() simulator.Oracle { return k.shop.Oracle(simulator.Policy{}) }
	w.serve(at, k.keeping(handler(k.shop, woo, woo.Control(), truth)), w.tls)
	return []pair{
		{"WOOCOMMERCE_URL", home},
		{"WOOCOMMERCE_KEY", woocommercetest.MainKey.ConsumerKey},
		{"WOOCOMMERCE_SECRET", woocommercetest.MainKey.ConsumerSecret},
		{"SHOPSIM_CONTROL", home + controlPath},
	}, nil
}

// shopify serves the second shop, whose people are others.
func (w *world) shopify(ctx context.Context) ([]pair, error) {
	state := w.state
	if state != "" {
		state += ".shopify"
	}
	k, err := openKeeper(w.settings, simulator.Options{Seed: w.seed + 1, Customers: w.shopifyCustomers, Name: shopifyName}, state)
	if err != nil {
		return nil, err
	}
	at, err := w.listen(ctx, "Shopify shop", w.shopifyAddr)
	if err != nil {
		return nil, err
	}
	home := w.scheme + "://" + at.Addr().String()
	fake := shopifytest.New(k.shop, shopifytest.Options{Domain: shopifyDomain, BulkDelay: w.bulkDelay, Latency: w.latency, Shuffle: true})
	fake.SetHome(home)
	truth := func() simulator.Oracle { return fake.Truth(simulator.Policy{}) }
	w.serve(at, k.keeping(handler(k.shop, fake, fake.Control(), truth)), w.tls)
	return []pair{
		{"SHOPIFY_URL", home},
		{"SHOPIFY_SHOP", shopifyDomain},
		{"SHOPIFY_CLIENT_ID", shopifytest.DefaultClientID},
		{"SHOPIFY_CLIENT_SECRET", shopifytest.DefaultClientSecret},
		{"SHOPIFY_CONTROL", home + controlPath},
	}, nil
}

func (w *world) listen(ctx context.Context, name, addr string) (net.Listener, error) {
	var listen net.ListenConfig
	at, err := listen.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("address of the %s: %w", name, err)
	}
	return at, nil
}

// serve answers at an address until close.
func (w *world) serve(at net.Listener, h http.Handler, secured *tls.Config) {
	server := &http.Server{Handler: h, TLSConfig: secured.Clone(), ReadHeaderTimeout: time.Minute}
	w.servers = append(w.servers, server)
	go func() {
		if secured != nil {
			w.failed <- server.ServeTLS(at, "", "")
			return
		}
		w.failed <- server.Serve(at)
	}()
}

func (w *world) close() error {
	var failures []error
	for _, server := range w.servers {
		failures = append(failures, server.Close())
	}
	return errors.Join(failures...)
}

// handler serves a shop, and its control below it: what concerns the invented shop itself, and then the fake's own.
func handler(shop *simulator.Shop, fake, own http.Handler, truth func() simulator.Oracle) http.Handler {
	mux := http.NewServeMux()
	control(mux, shop, truth)
	mux.Handle(controlPath+"/", http.StripPrefix(controlPath, own))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, controlPath+"/") {
			mux.ServeHTTP(w, r)
			return
		}
		fake.ServeHTTP(w, r)
	})
}

type pair struct{ name, value string }

// announce says where everything is, to the terminal and to the ready file, which appears whole.
func announce(s settings, out io.Writer, pairs []pair) error {
	var text strings.Builder
	if s.json {
		named := map[string]string{}
		for _, p := range pairs {
			named[p.name] = p.value
		}
		if err := json.NewEncoder(&text).Encode(named); err != nil {
			return err
		}
	} else {
		for _, p := range pairs {
			fmt.Fprintf(&text, "%s=%s\n", p.name, p.value)
		}
	}
	if s.printEnv || s.json {
		if _, err := fmt.Fprint(out, text.String()); err != nil {
			return err
		}
	}
	if s.readyFile == "" {
		return nil
	}
	return replaceFile(s.readyFile, func(w io.Writer) error {
		_, err := io.WriteString(w, text.String())
		return err
	})
}

// replaceFile writes a file so that it is there as a whole or not at all.
func replaceFile(path string, write func(io.Writer) error) error {
	fresh, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(write(fresh), fresh.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.Rename(path+".new", path)
}
