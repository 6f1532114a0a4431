package browsertest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// demo is `make demo` under way, and how its dashboard is reached.
type demo struct {
	url, password string
}

// startDemo runs the demo until its daemon serves the dashboard, and ends it with the test.
func startDemo(t *testing.T) demo {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	require.NoError(t, err)
	dir, err := os.MkdirTemp("/tmp", "perennial browser ") // the account of the database has to get there
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755)) //nolint:gosec // see above
	for _, program := range []string{"perennial", "shopsim"} {
		build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "bin", program), "../../"+program)
		said, err := build.CombinedOutput()
		require.NoError(t, err, string(said))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "deploy"), 0o755)) //nolint:gosec // see above
	script, err := os.ReadFile(filepath.Join(root, "deploy", "demo.sh"))
	require.NoError(t, err)
	name := filepath.Join(dir, "deploy", "demo.sh")
	require.NoError(t, os.WriteFile(name, script, 0o755)) //nolint:gosec // it is run
	var said strings.Builder
	address := freeAddress(t)
	cmd := exec.CommandContext(t.Context(), "bash", name)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "DEMO_DASHBOARD="+address, "PERENNIAL_DEMO_DIR="+filepath.Join(dir, "work"))
	if os.Getenv("PERENNIAL_SCREENSHOTS") == "" { // pictures show the demo as it is, tests a smaller one
		cmd.Env = append(cmd.Env, "DEMO_CUSTOMERS=400", "DEMO_SHOPIFY_CUSTOMERS=200")
	}
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		<-ended
		if t.Failed() {
			t.Log(said.String())
		}
	})
	serves := func() bool {
		select {
		case <-ended:
			return true // and has written no password
		default:
		}
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}
	require.Eventually(t, serves, 4*time.Minute, 300*time.Millisecond, "the dashboard of the demo")
	files, err := filepath.Glob(filepath.Join(dir, "work", "*", "password"))
	require.NoError(t, err)
	require.Len(t, files, 1, "the demo has ended")
	password, err := os.ReadFile(files[0])
	require.NoError(t, err)
	return demo{url: "http://" + address, password: strings.TrimSpace(string(password))}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return fmt.Sprint(l.Addr())
}
