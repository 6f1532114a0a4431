package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"charm.land/huh/v2"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/perennial-cvo/perennial/analysis/dashboard"
	"github.com/perennial-cvo/perennial/config"
	"github.com/perennial-cvo/perennial/config/secret"
)

func newPassword(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "password",
		Short: "Make the hash of a password for the dashboard",
		Long: "Asks for a password and prints the line that the configuration keeps in place of it, under [dashboard]. In a pipe it\n" +
			"reads the password from its standard input. Whoever is logged in by an older password has to log in again.",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			password, err := g.typed()
			if err != nil {
				return err
			}
			hash, err := dashboard.HashPassword(password)
			if err != nil {
				return fail(exitUsage, "password", "take a longer one: several words are easy to keep in mind", err)
			}
			g.printf("password = %q\n", hash)
			if isTerminal(g.out) {
				g.printf("Put this line under [dashboard] in the configuration, and start the daemon anew.\n")
			}
			return nil
		},
	}
}

// typed is a password typed twice, without showing it, or the first line of what is piped in.
func (g *globals) typed() (string, error) {
	in, isFile := g.in.(*os.File)
	if !isFile || !isTerminal(g.in) {
		return firstLine(g.in)
	}
	var twice [2]string
	for i, prompt := range []string{"Password: ", "The same again: "} {
		_, _ = fmt.Fprint(g.err, prompt)
		text, err := term.ReadPassword(int(in.Fd()))
		_, _ = fmt.Fprintln(g.err)
		if err != nil {
			return "", fail(exitUsage, "password", "", err)
		}
		twice[i] = string(text)
	}
	if twice[0] != twice[1] {
		return "", fail(exitUsage, "the two are not the same; nothing was made", "perennial password asks again", nil)
	}
	return twice[0], nil
}

func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fail(exitUsage, "password", "", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// passwordFrom reads a password from a file.
func passwordFrom(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fail(exitUsage, "flag --dashboard-password-file", "name a file that is there, with the password in its first line", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	return firstLine(file)
}

// passwordField asks for the password of the dashboard; none leaves it off.
func passwordField(a *answers) huh.Field {
	return huh.NewInput().Title("A password for the dashboard").
		Description("Pages in the browser at " + a.dashboard + ". Leave it empty for none; `perennial password` makes one later.").
		EchoMode(huh.EchoModePassword).Value(&a.password).
		Validate(func(text string) error {
			if text != "" && len([]rune(text)) < dashboard.MinPassword {
				return fmt.Errorf("%d characters at least, or none", dashboard.MinPassword)
			}
			return nil
		})
}

// pages is what the answers say of the dashboard.
func (a answers) pages() (config.Dashboard, error) {
	d := config.Dashboard{Listen: a.dashboard}
	if a.password == "" {
		return d, nil
	}
	hash, err := dashboard.HashPassword(a.password)
	if err != nil {
		return d, fail(exitUsage, "the password of the dashboard", "take a longer one: several words are easy to keep in mind", err)
	}
	d.Password = secret.New(hash)
	return d, nil
}
