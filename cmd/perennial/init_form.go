package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"charm.land/huh/v2"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/all"
	"github.com/perennial-cvo/perennial/sync/activation"
)

const noPlatform = ""

// ask fills the answers by one form of several screens; what flags or an earlier try gave stands as the preset.
func ask(ctx context.Context, a *answers) error {
	given := map[string]map[string]string{} // the settings of each kind, kept apart while somebody changes their mind
	sent := map[string]map[string]string{}  // those of each kind of platform
	taken := map[string]*string{}           // the way into each kind
	screens := []*huh.Group{huh.NewGroup(huh.NewSelect[string]().
		Title("What kind of shop is it?").
		Options(choices(isSource)...).
		Value(&a.kind))}
	for _, factory := range all.Factories() {
		if !isSource(factory) {
			continue
		}
		given[factory.Kind] = maps.Clone(a.settings)
		fields := append([]huh.Field{nameField(a, factory)}, inputs(required(factory), given[factory.Kind])...)
		screens = append(screens, huh.NewGroup(fields...).WithHideFunc(func() bool { return a.kind != factory.Kind }))
		taken[factory.Kind] = new(string)
		screens = append(screens, wayScreens(a, factory, given[factory.Kind], taken[factory.Kind])...)
	}
	policy, decide := policyScreens(a)
	screens = append(screens, policy...)
	for _, factory := range all.Factories() {
		if !isMailer(factory) {
			continue
		}
		sent[factory.Kind] = maps.Clone(a.destSet)
		screens = append(screens, huh.NewGroup(inputs(required(factory.AsDestination()), sent[factory.Kind])...).
			WithHideFunc(func() bool { return a.destination != factory.Kind }))
	}
	if err := form(ctx, screens...); err != nil {
		return err
	}
	decide()
	a.settings = given[a.kind]
	if factory, ok := all.Find(a.kind); ok {
		keepWay(factory, a.settings, *taken[a.kind])
	}
	if a.destination != noPlatform {
		a.destSet = sent[a.destination]
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

// policyScreens ask for consent, tags, hour and e-mail platform. What was said of consent is taken over by decide.
func policyScreens(a *answers) (screens []*huh.Group, decide func()) {
	chosen := func() connectors.Factory {
		factory, _ := all.Find(a.kind)
		return factory
	}
	knowing, unknowing := a.consent, a.consent // a question each: what stands first depends on the kind of shop
	asShop, asElse := consentQuestion(true, &knowing), consentQuestion(false, &unknowing)
	decide = func() {
		a.consent = unknowing
		if chosen().KnowsConsent {
			a.consent = knowing
		}
	}
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
		huh.NewGroup(asShop).WithHideFunc(func() bool { return !chosen().KnowsConsent }),
		huh.NewGroup(asElse).WithHideFunc(func() bool { return chosen().KnowsConsent }),
		huh.NewGroup(tags).WithHideFunc(func() bool { return !chosen().WritesBack() }),
		huh.NewGroup(hour, platform, passwordField(a)),
	}, decide
}

// consentQuestion asks who knows of consent; a shop that keeps it is offered first.
func consentQuestion(shopKnows bool, answer *string) huh.Field {
	options := []huh.Option[string]{
		huh.NewOption("The e-mail platform: only people subscribed there already (safest)", string(activation.ConsentPlatform)),
		huh.NewOption("The shop keeps it with each customer", string(activation.ConsentShop)),
	}
	if shopKnows {
		slices.Reverse(options)
	}
	options = append(options, huh.NewOption("I do: every customer agreed", string(activation.ConsentOwner)))
	return huh.NewSelect[string]().Title("Who knows whether a customer agreed to marketing by e-mail?").Options(options...).Value(answer)
}

// required are the settings that a connector cannot do without.
func required(factory connectors.Factory) []connectors.Field {
	return slices.DeleteFunc(slices.Clone(factory.Fields), func(f connectors.Field) bool { return !f.Required })
}

// ways are the ways into a kind of shop, as they are offered to people.
func ways(factory connectors.Factory) []string {
	var list []string
	for _, field := range factory.Fields {
		if field.Way != "" && !slices.Contains(list, field.Way) {
			list = append(list, field.Way)
		}
	}
	return list
}

// wayFields are the settings of one way in.
func wayFields(factory connectors.Factory, way string) []connectors.Field {
	return slices.DeleteFunc(slices.Clone(factory.Fields), func(f connectors.Field) bool { return f.Way != way })
}

// wayScreens ask which way in is taken, and then for its settings. A way of which something is given is the preset.
func wayScreens(a *answers, factory connectors.Factory, settings map[string]string, taken *string) []*huh.Group {
	var options []huh.Option[string]
	var screens []*huh.Group
	for _, way := range ways(factory) {
		options = append(options, huh.NewOption(way, way))
		for _, field := range wayFields(factory, way) {
			if *taken == "" && (settings[field.Name] != "" || settings[field.Name+"_env"] != "" || settings[field.Name+"_file"] != "") {
				*taken = way
			}
		}
		if fields := inputs(wayFields(factory, way), settings); len(fields) > 0 {
			screens = append(screens, huh.NewGroup(fields...).
				WithHideFunc(func() bool { return a.kind != factory.Kind || *taken != way }))
		}
	}
	if len(options) == 0 {
		return nil
	}
	question := huh.NewSelect[string]().Title("How does Perennial get in?").Options(options...).Value(taken)
	return append([]*huh.Group{huh.NewGroup(question).WithHideFunc(func() bool { return a.kind != factory.Kind })}, screens...)
}

// keepWay takes the settings of the other ways in out again.
func keepWay(factory connectors.Factory, settings map[string]string, taken string) {
	for _, field := range factory.Fields {
		if field.Way == "" || field.Way == taken {
			continue
		}
		for _, suffix := range []string{"", "_env", "_file"} {
			delete(settings, field.Name+suffix)
		}
	}
}

// inputs asks for the settings that have no value from elsewhere yet.
func inputs(asked []connectors.Field, settings map[string]string) []huh.Field {
	var fields []huh.Field
	for _, field := range asked {
		if settings[field.Name+"_env"] != "" || settings[field.Name+"_file"] != "" {
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
