package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// demo is a copy of what `make demo` runs, in a directory with a space in its name.
type demo struct {
	dir, base string
}

func newDemo(t *testing.T) demo {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds two programs and runs a whole night")
	}
	for _, program := range []string{"bash", "awk"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("there is no %s", program)
		}
	}
	dir, err := os.MkdirTemp("/tmp", "perennial demo ") // the account of the database has to get there
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755)) //nolint:gosec // see above
	for _, program := range []string{"perennial", "shopsim"} {
		build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "bin", program), "../"+program)
		said, err := build.CombinedOutput()
		require.NoError(t, err, string(said))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "deploy"), 0o755)) //nolint:gosec // see above
	script := filepath.Join(dir, "deploy", "demo.sh")
	require.NoError(t, os.WriteFile(script, []byte(read(t, "deploy", "demo.sh")), 0o755)) //nolint:gosec // it is run
	return demo{dir: dir, base: filepath.Join(dir, "work")}
}

// command prepares a run from another directory; out collects what it says.
func (d demo) command(ctx context.Context, out *strings.Builder, env ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", filepath.Join(d.dir, "deploy", "demo.sh"))
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), append(env, "DEMO_CUSTOMERS=150", "DEMO_SHOPIFY_CUSTOMERS=200", "DEMO_PAST=8", "PERENNIAL_DEMO_DIR="+d.base)...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a signal reaches all of it, as Ctrl-C does
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// left lists what demos left behind.
func (d demo) left(t *testing.T) []string {
	t.Helper()
	entries, err := filepath.Glob(filepath.Join(d.base, "*"))
	require.NoError(t, err)
	return entries
}

func TestDemo(t *testing.T) {
	d := newDemo(t)
	var said strings.Builder
	require.NoError(t, d.command(t.Context(), &said, "DEMO_EXIT=1").Run(), &said)
	for _, part := range []string{
		"everything is in order", "perennial.toml (readable by you alone)", "people delivered", "Champions",
		"The shop's own revenue, before refunds", "Net revenue", "listmonk: pushed", "Withheld: ", "Shop tags: pushed",
		"alder: Alder & Finch (WooCommerce", "\n\nwren: Wren & Thistle (Shopify", "store wren (Shopify)", "all orders: allowed",
	} {
		require.Contains(t, said.String(), part)
	}
	require.Equal(t, 2, strings.Count(said.String(), "From the shop's revenue to ours"), "a report of each shop")
	require.Equal(t, 2, strings.Count(said.String(), "Shop tags: pushed"))
	for _, noise := range []string{"level=WARN", "level=ERROR", "panic", "PROBLEM", "ck_", "cs_", "shpss_", "shpat_", "No such file", "next:"} {
		require.NotContains(t, said.String(), noise)
	}
	require.Empty(t, d.left(t))
}

// TestDemoEndsAndRecovers ends one demo as Ctrl-C does, kills another, and has a third clear up after it.
func TestDemoEndsAndRecovers(t *testing.T) {
	d := newDemo(t)
	var said strings.Builder
	cmd := d.command(t.Context(), &said)
	interrupt(t, d, cmd, syscall.SIGINT)
	require.NoError(t, cmd.Wait(), &said)
	require.Empty(t, d.left(t))

	cmd = d.command(t.Context(), &said)
	interrupt(t, d, cmd, syscall.SIGKILL)
	require.Error(t, cmd.Wait())
	require.Len(t, d.left(t), 1)

	said.Reset()
	require.NoError(t, d.command(t.Context(), &said, "DEMO_EXIT=1").Run(), &said)
	require.Empty(t, d.left(t))
}

// interrupt starts a demo and sends it a signal once its daemon runs.
func interrupt(t *testing.T, d demo, cmd *exec.Cmd, signal syscall.Signal) {
	t.Helper()
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	runs := func() bool {
		for _, dir := range d.left(t) {
			pid, err := os.ReadFile(filepath.Join(dir, "daemon.pid"))
			if err != nil {
				continue
			}
			line, err := exec.CommandContext(t.Context(), "ps", "-o", "args=", "-p", strings.TrimSpace(string(pid))).Output()
			if text := strings.TrimSpace(string(line)); err == nil && strings.HasSuffix(text, " run") {
				return true
			}
		}
		return false
	}
	require.Eventually(t, runs, 2*time.Minute, 200*time.Millisecond)
	require.NoError(t, syscall.Kill(-cmd.Process.Pid, signal))
}
