package main

import (
	"context"
	"errors"

	"charm.land/huh/v2"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/all"
)

const noPlatform = ""

// ask fills the answers by a form; what flags gave stands as the preset.
func ask(ctx context.Context, a *answers) error {
	if err := form(ctx, huh.NewSelect[string]().
		Title("What kind of shop is it?").
		Options(choices(isSource)...).
		Value(&a.kind)); err != nil {
		return err
	}
	factory, _ := all.Find(a.kind)
	if a.name == "" {
		a.name = "myshop"
	}
	name := huh.NewInput().Title("A short name for it").Description("It stands in logs and reports.").
		Value(&a.name).Validate(huh.ValidateNotEmpty())
	if err := form(ctx, append([]huh.Field{name}, inputs(factory, a.settings)...)...); err != nil {
		return err
	}
	if err := form(ctx, policyFields(factory, a)...); err != nil {
		return err
	}
	if a.destination == noPlatform {
		return nil
	}
	mailer, _ := all.Find(a.destination)
	return form(ctx, inputs(mailer, a.destSet)...)
}

// policyFields ask for consent, tags, hour and e-mail platform.
func policyFields(factory connectors.Factory, a *answers) []huh.Field {
	fields := []huh.Field{
		huh.NewSelect[string]().
			Title("Who knows whether a customer agreed to marketing by e-mail?").
			Options(
				huh.NewOption("The e-mail platform: only people subscribed there already (safest)", "platform"),
				huh.NewOption("The shop keeps it with each customer", "shop"),
				huh.NewOption("I do: every customer agreed", "owner"),
			).Value(&a.consent),
	}
	if factory.NewDestination != nil {
		fields = append(fields, huh.NewConfirm().
			Title("Write each customer's segment back into the shop?").
			Description("Needs a key that may write. Only fields under our own prefix are touched.").
			Value(&a.tags))
	}
	return append(fields,
		huh.NewInput().Title("When to run each night").Description("Local time of the shop.").Value(&a.nightlyAt),
		huh.NewSelect[string]().
			Title("Which e-mail platform receives the audiences?").
			Options(append([]huh.Option[string]{huh.NewOption("None for now", noPlatform)}, choices(isMailer)...)...).
			Value(&a.destination),
	)
}

// inputs asks for the settings that a connector must have and has no value for yet.
func inputs(factory connectors.Factory, settings map[string]string) []huh.Field {
	var fields []huh.Field
	for _, field := range factory.Fields {
		if !field.Required || settings[field.Name+"_env"] != "" || settings[field.Name+"_file"] != "" {
			continue
		}
		input := huh.NewInput().Title(field.Title).Description(field.Help).
			Accessor(&setting{settings: settings, key: field.Name}).Validate(huh.ValidateNotEmpty())
		if field.Secret {
			input.EchoMode(huh.EchoModePassword)
		}
		fields = append(fields, input)
	}
	return fields
}

// setting lets a form field write into a map.
type setting struct {
	settings map[string]string
	key      string
}

// Get returns the value.
func (s *setting) Get() string { return s.settings[s.key] }

// Set stores the value.
func (s *setting) Set(value string) { s.settings[s.key] = value }

func choices(pass func(connectors.Factory) bool) []huh.Option[string] {
	var options []huh.Option[string]
	for _, factory := range all.Factories() {
		if pass(factory) {
			options = append(options, huh.NewOption(factory.Title, factory.Kind))
		}
	}
	return options
}

// form shows one screen.
func form(ctx context.Context, fields ...huh.Field) error {
	if len(fields) == 0 {
		return nil
	}
	err := huh.NewForm(huh.NewGroup(fields...)).RunWithContext(ctx)
	if errors.Is(err, huh.ErrUserAborted) {
		return fail(exitInterrupted, "init was left; nothing was written", "", nil)
	}
	return err
}
