package main

import (
	"context"
	"net/http"

	"github.com/perennial-cvo/perennial/connectors/brevo/brevotest"
	"github.com/perennial-cvo/perennial/connectors/klaviyo/klaviyotest"
	"github.com/perennial-cvo/perennial/connectors/listmonk/listmonktest"
	"github.com/perennial-cvo/perennial/connectors/mailchimp/mailchimptest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// mailOf serves the platforms by which the people of the WooCommerce shop are mailed.
func (w *world) mailOf(ctx context.Context, shop *simulator.Shop) ([]pair, error) {
	mail := listmonktest.New(shop, listmonktest.Options{})
	pairs, err := w.platform(ctx, "LISTMONK", w.mailAddr, mail)
	if err != nil {
		return nil, err
	}
	more, err := w.platform(ctx, "BREVO", w.brevoAddr, brevotest.New(shop, brevotest.Options{APIKey: brevoKey, Buyers: true}))
	return append(append(pairs, pair{"LISTMONK_USER", mail.Username()}, pair{"LISTMONK_TOKEN", mail.Token()}), append(more, pair{"BREVO_KEY", brevoKey})...), err
}

// moreMailOf serves those of the Shopify shop.
func (w *world) moreMailOf(ctx context.Context, shop *simulator.Shop) ([]pair, error) {
	pairs, err := w.platform(ctx, "KLAVIYO", w.klaviyoAddr, klaviyotest.New(shop, klaviyotest.Options{Key: klaviyoKey, Limits: true}))
	if err != nil {
		return nil, err
	}
	more, err := w.platform(ctx, "MAILCHIMP", w.mailchimpAddr, mailchimptest.New(shop, mailchimptest.Options{Key: mailchimpKey, Audience: mailchimpAudience}))
	return append(append(pairs, pair{"KLAVIYO_KEY", klaviyoKey}), append(more, pair{"MAILCHIMP_KEY", mailchimpKey}, pair{"MAILCHIMP_AUDIENCE", mailchimpAudience})...), err
}

// Keys of the platforms, which open nothing but these.
const (
	brevoKey          = "fake-brevo-key"
	klaviyoKey        = "fake-klaviyo-key"
	mailchimpKey      = "fake-mailchimp-key-us21"
	mailchimpAudience = "1a2b3c4d5e"
)

// apiPaths are where the platforms' APIs begin below their addresses, if not there.
var apiPaths = map[string]string{"BREVO": "/v3", "MAILCHIMP": "/3.0"}

// platform serves one and says where its API is.
func (w *world) platform(ctx context.Context, name, addr string, fake http.Handler) ([]pair, error) {
	at, err := w.listen(ctx, "e-mail platform "+name, addr)
	if err != nil {
		return nil, err
	}
	w.serve(at, fake, nil)
	return []pair{{name + "_URL", "http://" + at.Addr().String() + apiPaths[name]}}, nil
}
