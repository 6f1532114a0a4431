package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/perennial-cvo/perennial/config"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/all"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// answers are what init has to know, from the form or from flags.
type answers struct {
	kind        string
	name        string
	settings    map[string]string
	consent     string
	tags        bool
	nightlyAt   string
	destination string
	destSet     map[string]string
	dataDir     string
	health      string
	dashboard   string // where it listens
	password    string // of the dashboard; empty: none yet
}

// initFlags are the flags of init.
type initFlags struct {
	answers
	set          []string
	passwordFile string
	destSet      []string
	yes          bool
	force        bool
	noCheck      bool
}

func newInit(g *globals) *cobra.Command {
	var flags initFlags
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Ask for shop, keys and consent once, check them, and write the configuration",
		Long: "On a terminal it asks; with --yes, or without a terminal, everything comes from flags:\n\n" +
			"  perennial init --yes --kind woocommerce --name myshop --set url=https://shop.example \\\n" +
			"    --set consumer_key_env=WOO_KEY --set consumer_secret_env=WOO_SECRET --consent platform --tags\n\n" +
			"  perennial init --yes --kind shopify --name myshop --set shop=myshop.myshopify.com \\\n" +
			"    --set client_id_env=SHOPIFY_ID --set client_secret_env=SHOPIFY_SECRET --tags\n\n" +
			"Any setting may be given as NAME_env (a variable) or NAME_file (a file) instead of its value. The database is a\n" +
			"private one unless PERENNIAL_DATABASE_URL or database.url in the file names a server.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return g.init(cmd.Context(), flags) },
	}
	f := cmd.Flags()
	f.StringVar(&flags.kind, "kind", "", "kind of shop: "+kinds(isSource))
	f.StringVar(&flags.name, "name", "", "short `name` of the store in configuration and logs")
	f.StringArrayVar(&flags.set, "set", nil, "a setting of the shop, `key=value` (may be repeated)")
	f.StringVar(&flags.consent, "consent", "", "where consent to marketing is known: platform, shop or owner; left out: shop where the shop keeps it, else platform")
	f.BoolVar(&flags.tags, "tags", false, "write segments back into the shop")
	f.StringVar(&flags.nightlyAt, "nightly-at", "03:00", "local `time` of the nightly run")
	f.StringVar(&flags.destination, "destination", "", "kind of e-mail platform: "+kinds(isMailer))
	f.StringArrayVar(&flags.destSet, "destination-set", nil, "a setting of the e-mail platform, `key=value` (may be repeated)")
	f.StringVar(&flags.dataDir, "data-dir", "", "`directory` of the private database")
	f.StringVar(&flags.health, "health", "127.0.0.1:8378", "`address` for health and metrics; empty: none")
	f.StringVar(&flags.dashboard, "dashboard", "127.0.0.1:8377", "`address` of the dashboard; empty: none")
	f.StringVar(&flags.passwordFile, "dashboard-password-file", "", "`file` with the password of the dashboard, which is off without one")
	f.BoolVarP(&flags.yes, "yes", "y", false, "ask nothing, take flags and defaults")
	f.BoolVar(&flags.force, "force", false, "replace an existing configuration")
	f.BoolVar(&flags.noCheck, "no-check", false, "write without asking the shop")
	return cmd
}

// init collects the answers, checks them against the shop and writes the file.
func (g *globals) init(ctx context.Context, flags initFlags) error {
	path := g.config
	if path == "" {
		path = "perennial.toml"
	}
	if _, err := os.Stat(path); err == nil && !flags.force {
		return fail(exitUsage, path+" exists already and is kept", "edit it, or replace it with --force", nil)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(exitUsage, "configuration file", "", err)
	}
	a := flags.answers
	var err error
	if a.settings, err = pairs("--set", flags.set); err != nil {
		return err
	}
	if a.destSet, err = pairs("--destination-set", flags.destSet); err != nil {
		return err
	}
	if flags.passwordFile != "" {
		if a.password, err = passwordFrom(flags.passwordFile); err != nil {
			return err
		}
	}
	settle := g.settle
	if !flags.yes && isTerminal(g.out) && isTerminal(g.in) {
		settle = g.converse
	}
	cfg, err := settle(ctx, a, !flags.noCheck)
	if err != nil {
		return err
	}
	if err := config.Write(path, cfg, settingHelp, flags.force); err != nil {
		return fail(exitUsage, "nothing was written", "", err)
	}
	g.printf("wrote %s (readable by you alone)\nnext: perennial check, then perennial run\n", path)
	return nil
}

// settle makes a configuration of the answers and, if asked to, tries it out.
func (g *globals) settle(ctx context.Context, a answers, try bool) (config.Config, error) {
	cfg, err := draft(a)
	if err == nil && try {
		err = g.tryOut(ctx, cfg)
	}
	return cfg, err
}

// converse asks by a form until the answers hold, or the person gives up. What was typed stays for the next try.
func (g *globals) converse(ctx context.Context, a answers, try bool) (config.Config, error) {
	for {
		if err := ask(ctx, &a); err != nil {
			return config.Config{}, err
		}
		cfg, err := g.settle(ctx, a, try)
		if err == nil || ctx.Err() != nil {
			return cfg, err
		}
		code := explainFailure(g.err, err)
		again, err := askAgain(ctx)
		if err != nil {
			return config.Config{}, err
		}
		if !again {
			return config.Config{}, fail(code, "init was left; nothing was written", "", nil)
		}
	}
}

// pairs reads key=value flags.
func pairs(flag string, list []string) (map[string]string, error) {
	settings := map[string]string{}
	for _, item := range list {
		key, value, ok := strings.Cut(item, "=")
		if !ok || key == "" {
			return nil, fail(exitUsage, "flag "+flag+": it holds no key and value", "write it as "+flag+" key=value", nil)
		}
		settings[strings.ToLower(key)] = value
	}
	return settings, nil
}

// draft makes the configuration from the answers, after refusing what is unknown. What is wrong with the settings
// themselves the connector says when they are tried out.
func draft(a answers) (config.Config, error) {
	factory, ok := all.Find(a.kind)
	if !ok || !isSource(factory) {
		return config.Config{}, fail(exitUsage, unknownKind("--kind", a.kind), "known kinds of shop: "+kinds(isSource)+"; on a terminal perennial init asks for all of this", nil)
	}
	if a.name == "" {
		a.name = a.kind
	}
	if a.consent == "" {
		a.consent = usualConsent(factory)
	}
	store := config.Store{
		Name: a.name, Kind: a.kind, Settings: asSettings(factory, a.settings), NightlyAt: a.nightlyAt, Revenue: "net",
		Consent: a.consent, Tags: a.tags, Guard: config.Guard{Shrink: 0.3, MinSize: 50},
		RFM: config.RFM{Convention: "rank_min"},
	}
	if a.destination != "" {
		mailer, ok := all.Find(a.destination)
		if !ok || !isMailer(mailer) {
			return config.Config{}, fail(exitUsage, unknownKind("--destination", a.destination), "known kinds of e-mail platform: "+kinds(isMailer), nil)
		}
		store.Destinations = []config.Destination{{Name: a.destination, Kind: a.destination, Settings: asSettings(mailer.AsDestination(), a.destSet)}}
	}
	pages, err := a.pages()
	if err != nil {
		return config.Config{}, err
	}
	return config.Config{
		Prefix:    "perennial",
		Database:  config.Database{DataDir: a.dataDir},
		Health:    config.Health{Listen: a.health},
		Dashboard: pages,
		Log:       config.Log{Level: "info", Format: "text"},
		Stores:    []config.Store{store},
	}, nil
}

// usualConsent is who is asked for consent unless the owner says otherwise.
func usualConsent(factory connectors.Factory) string {
	if factory.KnowsConsent {
		return string(activation.ConsentShop)
	}
	return string(activation.ConsentPlatform)
}

// settingHelp is what the file says of a connector's setting. Of one that source and destination both have it says the title.
func settingHelp(kind, setting string) string {
	factory, _ := all.Find(kind)
	var found []connectors.Field
	for _, field := range slices.Concat(factory.Fields, factory.DestinationFields) {
		if field.Name == setting {
			found = append(found, field)
		}
	}
	switch len(found) {
	case 0:
		return ""
	case 1:
		return strings.TrimRight(found[0].Title+": "+found[0].Help, ": ")
	default:
		return found[0].Title
	}
}

// unknownKind says what is wrong with the kind that a flag gives.
func unknownKind(flag, kind string) string {
	if kind == "" {
		return "flag " + flag + " is missing"
	}
	return fmt.Sprintf("flag %s: nothing is called %q", flag, kind)
}

// asSettings types what was given as text, so that a number or a yes is one in the file too.
func asSettings(factory connectors.Factory, given map[string]string) map[string]any {
	settings := map[string]any{}
	for key, value := range given {
		settings[key] = value
		if value == "true" || value == "false" {
			settings[key] = value == "true"
		}
		if number, err := strconv.ParseInt(value, 10, 64); err == nil && isNumber(factory, key) {
			settings[key] = number
		}
	}
	return settings
}

// isNumber reports whether a setting is a number: one whose default is, or one that only the file describes.
func isNumber(factory connectors.Factory, key string) bool {
	i := slices.IndexFunc(factory.Fields, func(f connectors.Field) bool {
		return key == f.Name || key == f.Name+"_env" || key == f.Name+"_file"
	})
	if i < 0 {
		return true
	}
	_, err := strconv.Atoi(factory.Fields[i].Default)
	return err == nil && key == factory.Fields[i].Name
}
