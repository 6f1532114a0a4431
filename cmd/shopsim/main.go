// Command shopsim serves an invented WooCommerce shop, an e-mail platform and an invented Shopify shop on localhost, for
// demos and trials. Its --help says everything about it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	settings, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2)
	}
	if err := serve(ctx, settings, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "shopsim:", err)
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	addr, mailAddr    string
	shopifyAddr       string
	brevoAddr         string
	klaviyoAddr       string
	mailchimpAddr     string
	seed              uint64
	customers, orders int
	shopifyCustomers  int
	currency, zone    string
	asOf              string
	state             string
	printEnv, json    bool
	readyFile         string
	latency           time.Duration
	version           string
	legacy            bool
	tls               bool
	certFile          string
	bulkDelay         time.Duration
}

const help = `shopsim serves on localhost an invented WooCommerce shop with a listmonk and a Brevo over the same people, and a second
invented shop, with other people, as Shopify, with a Klaviyo and a Mailchimp.

When all listen it prints WOOCOMMERCE_URL, WOOCOMMERCE_KEY, WOOCOMMERCE_SECRET, LISTMONK_URL, LISTMONK_USER, LISTMONK_TOKEN,
BREVO_URL, BREVO_KEY, SHOPSIM_CONTROL, SHOPIFY_URL, SHOPIFY_SHOP, SHOPIFY_CLIENT_ID, SHOPIFY_CLIENT_SECRET, SHOPIFY_CONTROL,
KLAVIYO_URL, KLAVIYO_KEY, MAILCHIMP_URL, MAILCHIMP_KEY and MAILCHIMP_AUDIENCE. Over plain http the
WooCommerce shop takes OAuth 1.0a signatures only, as real shops do; with --tls it takes Basic. The Shopify shop gives tokens for
client ID and secret, lets a leaky bucket drip, and takes its time for bulk operations. Ctrl-C stops everything at once; without
--state everything is forgotten then.

Below SHOPSIM_CONTROL:
  GET  /now                     the shop's time
  GET  /oracle[?full=1]         what a perfect reader would find: counts and sums, or every record too
  POST /advance?days=1          let days pass: the invented people go on buying
  POST /wait?for=90m            let less time pass
  POST /change?do=WHAT          change the shop by hand; answers with an id. WHAT is place (email, customer), refund,
                                refund-amount (amount), edit-line (quantity), trash, untrash, delete, status (status), each
                                with order=ID or for the newest completed order; delete-customer (customer), register
                                (email, link=1), delete-refund (order, refund)
  POST /fault?kind=429&times=3  misbehave: also skip, method, path, writes=1, retry_after, delay, location. Kinds: 429 500 502 503
                                fatal database maintenance 403 captcha202 captcha200 401 redirect empty broken bom notice
                                cut lost dropped hang slow drip stall gzipbomb deep text
  POST /quirk?per_page=10&dates=ignore&repeat=1   lists that ignore what they are asked
  POST /mend                    end every fault
  POST /revoke?key=ck_...       forget a key
  GET  /requests                what the shop was asked; DELETE starts anew
The e-mail platforms have their own control under /_sim of their addresses, such as LISTMONK_URL/_sim: GET people, lists, requests;
POST unsubscribe, delete, fault and more, with JSON.

Below SHOPIFY_CONTROL the same, but for quirk, with faults as Shopify has them:
  POST /fault?kind=throttled    also times, skip, path, operation, writes=1, retry_after, delay, location. Kinds:%s
  POST /revoke                  forget every token: new ones are given
  POST /restrict?scopes=read_all_orders   take scopes away from the app

Flags:
`

// shopifyFaults lists the kinds of faults of the Shopify shop, in the lines of the help text.
func shopifyFaults() string {
	var text strings.Builder
	for kinds := range slices.Chunk(shopifytest.FaultKinds(), 11) {
		text.WriteString("\n                               ")
		for _, kind := range kinds {
			text.WriteString(" " + string(kind))
		}
	}
	return text.String()
}

// parse reads the flags.
func parse(args []string, out io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("shopsim", flag.ContinueOnError)
	f.SetOutput(out)
	f.Usage = func() { _, _ = fmt.Fprintf(out, help, shopifyFaults()); f.PrintDefaults() }
	f.StringVar(&s.addr, "addr", "127.0.0.1:0", "address of the shop")
	f.StringVar(&s.mailAddr, "mail-addr", "127.0.0.1:0", "address of the e-mail platform listmonk")
	f.StringVar(&s.brevoAddr, "brevo-addr", "127.0.0.1:0", "address of Brevo, over the people of the WooCommerce shop")
	f.StringVar(&s.klaviyoAddr, "klaviyo-addr", "127.0.0.1:0", "address of Klaviyo, over the people of the Shopify shop")
	f.StringVar(&s.mailchimpAddr, "mailchimp-addr", "127.0.0.1:0", "address of Mailchimp, over the same")
	f.StringVar(&s.shopifyAddr, "shopify-addr", "127.0.0.1:0", "address of the Shopify shop")
	f.Uint64Var(&s.seed, "seed", 1, "the same seed invents the same shops")
	f.IntVar(&s.customers, "customers", 2000, "people who come within two years")
	f.IntVar(&s.orders, "orders", 0, "purchases of theirs; 0 means three a person")
	f.IntVar(&s.shopifyCustomers, "shopify-customers", 1200, "the same for the Shopify shop; 0 leaves it out")
	f.StringVar(&s.currency, "currency", "USD", "currency of the shops")
	f.StringVar(&s.zone, "time-zone", "America/New_York", "time zone of the shops")
	f.StringVar(&s.asOf, "as-of", "", "the shops' time, as 2026-11-02T14:00:00Z, which then stands still; by default it is now and goes on")
	f.StringVar(&s.state, "state", "", "file that keeps the WooCommerce shop over a restart; beside it, with .shopify at its end, that of the Shopify shop")
	f.BoolVar(&s.printEnv, "print-env", true, "print addresses and keys as KEY=VALUE lines when listening")
	f.BoolVar(&s.json, "json", false, "print them as JSON instead")
	f.StringVar(&s.readyFile, "ready-file", "", "write them to this file too")
	f.DurationVar(&s.latency, "latency", 0, "time that the shops take for every answer")
	f.DurationVar(&s.bulkDelay, "bulk-delay", time.Second, "time that the Shopify shop takes for a bulk operation")
	f.StringVar(&s.version, "version", "11.0.1", "version of WooCommerce, 8.9.3 to 11.0.1")
	f.BoolVar(&s.legacy, "legacy", false, "keep orders as posts, as older WooCommerce shops do")
	f.BoolVar(&s.tls, "tls", false, "serve the shops over https with a certificate of its own")
	f.StringVar(&s.certFile, "cert-file", "", "write that certificate to this file, for SSL_CERT_FILE")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if f.NArg() > 0 {
		_, _ = fmt.Fprintf(out, "shopsim takes no arguments, only flags: %q\n", f.Args())
		return s, errors.New("arguments")
	}
	return s, nil
}
