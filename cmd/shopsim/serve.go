package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors/listmonk/listmonktest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
	"github.com/perennial-cvo/perennial/connectors/woocommerce/woocommercetest"
)

// serve runs both servers until the context ends.
func serve(ctx context.Context, s settings, out io.Writer) error {
	k, err := openKeeper(s)
	if err != nil {
		return err
	}
	var listen net.ListenConfig
	shopAt, err := listen.Listen(ctx, "tcp", s.addr)
	if err != nil {
		return fmt.Errorf("address of the shop: %w", err)
	}
	defer func() { _ = shopAt.Close() }() // the server has closed it unless we never got so far
	mailAt, err := listen.Listen(ctx, "tcp", s.mailAddr)
	if err != nil {
		return fmt.Errorf("address of the e-mail platform: %w", err)
	}
	defer func() { _ = mailAt.Close() }() // the same

	scheme := "http"
	shopServer := &http.Server{ReadHeaderTimeout: time.Minute}
	if s.tls {
		scheme = "https"
		if shopServer.TLSConfig, err = selfSigned(s.certFile); err != nil {
			return err
		}
	}
	home := scheme + "://" + shopAt.Addr().String()
	woo := woocommercetest.New(k.shop, woocommercetest.Options{Version: s.version, Legacy: s.legacy, HomeURL: home, Latency: s.latency, Clock: time.Now})
	mail := listmonktest.New(k.shop, listmonktest.Options{})
	shopServer.Handler = k.keeping(handler(k.shop, woo))
	mailServer := &http.Server{Handler: mail, ReadHeaderTimeout: time.Minute}

	failed := make(chan error, 2)
	go func() {
		if s.tls {
			failed <- shopServer.ServeTLS(shopAt, "", "")
			return
		}
		failed <- shopServer.Serve(shopAt)
	}()
	go func() { failed <- mailServer.Serve(mailAt) }()
	err = announce(s, out, []pair{
		{"WOOCOMMERCE_URL", home},
		{"WOOCOMMERCE_KEY", woocommercetest.MainKey.ConsumerKey},
		{"WOOCOMMERCE_SECRET", woocommercetest.MainKey.ConsumerSecret},
		{"LISTMONK_URL", "http://" + mailAt.Addr().String()},
		{"LISTMONK_USER", mail.Username()},
		{"LISTMONK_TOKEN", mail.Token()},
		{"SHOPSIM_CONTROL", home + "/_sim"},
	})
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-failed:
		}
	}
	return errors.Join(err, shopServer.Close(), mailServer.Close())
}

// handler serves the shop, and its control below /_sim/.
func handler(shop *simulator.Shop, woo *woocommercetest.Server) http.Handler {
	mux := http.NewServeMux()
	control(mux, shop)
	mux.Handle("/_sim/", http.StripPrefix("/_sim", woo.Control()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/_sim/") {
			mux.ServeHTTP(w, r)
			return
		}
		woo.ServeHTTP(w, r)
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
