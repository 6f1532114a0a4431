package main

import (
	"context"
	"errors"
	"maps"
	"time"

	"charm.land/huh/v2"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/all"
)

const noPlatform = ""

// ask fills the answers by one form of several screens; what flags or an earlier try gave stands as the preset.
func ask(ctx context.Context, a *answers) error {
	given := map[string]map[string]string{} // the settings of each kind, kept apart while somebody changes their mind
	screens := []*huh.Group{huh.NewGroup(huh.NewSelect[string]().
		Title("What kind of shop is it?").
		Options(choices(isSource)...).
		Value(&a.kind))}
	for _, factory := range all.Factories() {
		if !isSource(factory) {
			continue
		}
		given[factory.Kind] = maps.Clone(a.settings)
		fields := append([]huh.Field{nameField(a, factory)}, inputs(factory, given[factory.Kind])...)
		screens = append(screens, huh.NewGroup(fields...).WithHideFunc(func() bool { return a.kind != factory.Kind }))
	}
	screens = append(screens, policyScreens(a)...)
	for _, factory := range all.Factories() {
		if !isMailer(factory) {
			continue
		}
		given[factory.Kind] = maps.Clone(a.destSet)
		screens = append(screens, huh.NewGroup(inputs(factory, given[factory.Kind])...).
			WithHideFunc(func() bool { return a.destination != factory.Kind }))
	}
	if err := form(ctx, screens...); err != nil {
		return err
	}
	a.settings = given[a.kind]
	if a.destination != noPlatform {
		a.destSet = given[a.destination]
	}
	return nil
}

func timeOfDay(text string) error {
	if _, err := time.Parse("15:04", text); err != nil || len(text) != len("15:04") {
		return errors.New("write a time of day such as 03:00")
	}
	return nil
}

func nameField(a *answers, factory connectors.Factory) huh.Field {
	return huh.NewInput().Title("A short name for it").
		Description("It stands in logs and reports: letters, digits, dots, - and _.").
		Placeholder(factory.Kind).Value(&a.name)
}

// policyScreens ask for consent, tags, hour and e-mail platform.
func policyScreens(a *answers) []*huh.Group {
	takesTags := func() bool {
		factory, _ := all.Find(a.kind)
		return factory.NewDestination != nil
	}
	consent := huh.NewSelect[string]().
		Title("Who knows whether a customer agreed to marketing by e-mail?").
		Options(
			huh.NewOption("The e-mail platform: only people subscribed there already (safest)", "platform"),
			huh.NewOption("The shop keeps it with each customer", "shop"),
			huh.NewOption("I do: every customer agreed", "owner"),
		).Value(&a.consent)
	tags := huh.NewConfirm().
		Title("Write each customer's segment back into the shop?").
		Description("Needs a key that may write. Only fields under our own prefix are touched.").
		Value(&a.tags)
	hour := huh.NewInput().Title("When to run each night").Description("Local time of the shop, such as 03:00.").Value(&a.nightlyAt).
		Validate(timeOfDay)
	platform := huh.NewSelect[string]().
		Title("Which e-mail platform receives the audiences?").
		Options(append([]huh.Option[string]{huh.NewOption("None for now", noPlatform)}, choices(isMailer)...)...).
		Value(&a.destination)
	return []*huh.Group{
		huh.NewGroup(consent),
		huh.NewGroup(tags).WithHideFunc(func() bool { return !takesTags() }),
		huh.NewGroup(hour, platform),
	}
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

// askAgain asks whether to go through the answers once more.
func askAgain(ctx context.Context) (bool, error) {
	again := true
	err := form(ctx, huh.NewGroup(huh.NewConfirm().Title("Correct the answers and try again?").Value(&again)))
	return again, err
}

// form shows screens, one after the other, with a way back.
func form(ctx context.Context, screens ...*huh.Group) error {
	err := huh.NewForm(screens...).RunWithContext(ctx)
	if errors.Is(err, huh.ErrUserAborted) || ctx.Err() != nil {
		return fail(exitInterrupted, "init was left; nothing was written", "", nil)
	}
	return err
}
