package faulttest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/woocommerce/woocommercetest"
)

// process is the binary as it runs beside the test.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	ended chan struct{}

	mu  sync.Mutex
	out bytes.Buffer
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// start runs a command beside the test. What is left of it when the test ends is killed.
func (w *world) start(args ...string) *process {
	w.t.Helper()
	return w.startCommand(w.command(context.Background(), args...))
}

func (w *world) startCommand(cmd *exec.Cmd) *process {
	w.t.Helper()
	p := &process{t: w.t, cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p, p
	require.NoError(w.t, cmd.Start())
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // how it ended is looked at by those who care
	}()
	w.t.Cleanup(func() {
		p.kill()
		w.output.WriteString(p.said())
	})
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be gone
	<-p.ended
}

// waits lets the condition come true, within a time that is long for a slow machine.
func (p *process) waits(what string, condition func() bool) {
	p.t.Helper()
	require.Eventually(p.t, condition, time.Minute, 20*time.Millisecond, "%s did not come:\n%s", what, p)
}

func (p *process) String() string { return p.said() }

// stops sends a signal and returns how long the process took to end.
func (p *process) stops(signal os.Signal, within time.Duration) time.Duration {
	p.t.Helper()
	began := time.Now()
	require.NoError(p.t, p.cmd.Process.Signal(signal))
	select {
	case <-p.ended:
	case <-time.After(within):
		p.t.Fatalf("no end %s after %s:\n%s", within, signal, p.said())
	}
	return time.Since(began)
}

var listening = regexp.MustCompile(`address=(127\.0\.0\.1:\d+)`)

// health waits until the daemon's own server listens and returns its address.
func (p *process) health() string {
	p.t.Helper()
	p.waits("the health server", func() bool { return listening.MatchString(p.said()) })
	return "http://" + listening.FindStringSubmatch(p.said())[1]
}

// ask returns status and body of a page.
func ask(t *testing.T, address string) (int, string) {
	t.Helper()
	response, err := http.Get(address) //nolint:noctx // within the test's own time
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

// nightDone reports whether the shop's night is over.
func (w *world) nightDone() bool {
	return len(w.query(`SELECT done FROM nightlies WHERE done <> ''`)) > 0
}

var metricLine = regexp.MustCompile(`^(# (HELP|TYPE) .+|[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [-+0-9.eEInfNa]+)$`)

func TestDaemon(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 40, 71)
	w.rewrite(`listen = ""`, `listen = "127.0.0.1:0"`)
	d := w.start("run")
	address := d.health()
	d.waits("the night", w.nightDone)

	code, body := ask(t, address+"/healthz")
	require.Equal(t, 200, code, body)
	code, body = ask(t, address+"/readyz")
	require.Equal(t, 200, code, body)
	code, body = ask(t, address+"/metrics")
	require.Equal(t, 200, code)
	for line := range strings.Lines(body) {
		require.Regexp(t, metricLine, strings.TrimSuffix(line, "\n"))
		require.NotContains(t, line, "canary")
		require.NotContains(t, line, "@")
	}
	require.Contains(t, body, `perennial_runs_total{kind="push",state="succeeded",store="alder"} 1`)
	require.Contains(t, body, `perennial_records_total{result="read",store="alder"}`)
	code, _ = ask(t, address+"/nothing")
	require.Equal(t, 404, code)

	d.stops(syscall.SIGTERM, 10*time.Second)
	require.Equal(t, 0, d.cmd.ProcessState.ExitCode(), d.said())
	w.CheckInvariants()
}

// TestDaemonOutlivesItsDatabase takes the database away and gives it back.
func TestDaemonOutlivesItsDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20, 72)
	w.rewrite(`listen = ""`, `listen = "127.0.0.1:0"`)
	wire := newWire(t, w.dbURL)
	w.env = []string{"FAULTTEST_DATABASE_URL=" + wire.url}
	d := w.start("run")
	address := d.health()
	d.waits("the night", w.nightDone)
	status := func() int { code, _ := ask(t, address+"/readyz"); return code }
	require.Equal(t, 200, status())
	wire.cut()
	d.waits("not ready", func() bool { return status() == 503 })
	code, _ := ask(t, address+"/healthz")
	require.Equal(t, 200, code, "the process itself lives")
	wire.mend()
	d.waits("ready again", func() bool { return status() == 200 })
	d.stops(syscall.SIGTERM, 20*time.Second)
	w.CheckInvariants()
}

// wire leads to the database and can be cut.
type wire struct {
	t      *testing.T
	url    string
	target string

	mu    sync.Mutex
	whole bool
	open  []net.Conn
}

func newWire(t *testing.T, address string) *wire {
	t.Helper()
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	w := &wire{t: t, target: parsed.Host, whole: true}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	parsed.Host = listener.Addr().String()
	w.url = parsed.String()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go w.lead(conn)
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); w.cut() })
	return w
}

func (w *wire) lead(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	far, err := net.Dial("tcp", w.target)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	w.mu.Lock()
	if !w.whole {
		w.mu.Unlock()
		return
	}
	w.open = append(w.open, conn, far)
	w.mu.Unlock()
	go func() { _, _ = io.Copy(far, conn); _ = far.Close() }()
	_, _ = io.Copy(conn, far)
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.whole = false
	for _, conn := range w.open {
		_ = conn.Close()
	}
	w.open = nil
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.whole = true
}

// hang makes the shop fall silent in the middle of a sync, and tells when it has.
func (w *world) hang(p func() *process) *process {
	w.t.Helper()
	w.woo.Fault(woocommercetest.Fault{Kind: woocommercetest.Hang, Path: "/orders?", Skip: 2, Times: woocommercetest.Forever})
	d := p()
	d.waits("the silence", func() bool { return w.woo.Count("GET", "/orders?") > 2 })
	return d
}

// TestStopDuringASync stops a command and the daemon while the shop hangs: both end soon, and the next start goes on.
func TestStopDuringASync(t *testing.T) {
	t.Parallel()
	t.Run("command", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 60, 73)
		c := w.hang(func() *process { return w.start("run", "--once") })
		took := c.stops(syscall.SIGTERM, 10*time.Second)
		require.Less(t, took, 5*time.Second)
		require.Equal(t, 130, c.cmd.ProcessState.ExitCode(), c.said())
		require.Contains(t, c.said(), "interrupted")
		require.Contains(t, w.query(`SELECT error FROM runs`)[0], "called off")
		w.checkAlways()
		require.Empty(t, w.query(`SELECT holder FROM leases WHERE holder <> ''`), "the lease is given back")
		w.woo.Mend()
		w.night()
		w.CheckInvariants()
	})
	t.Run("daemon", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 60, 74)
		d := w.hang(func() *process { return w.start("run") })
		d.stops(syscall.SIGTERM, 25*time.Second)
		w.checkAlways()
		require.Empty(t, w.query(`SELECT holder FROM leases WHERE holder <> ''`), "the lease is given back")
		w.woo.Mend()
		w.night()
		w.CheckInvariants()
	})
	t.Run("daemon, impatiently", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 60, 75)
		d := w.hang(func() *process { return w.start("run") })
		require.NoError(t, d.cmd.Process.Signal(syscall.SIGTERM))
		d.waits("the first signal", func() bool { return strings.Contains(d.said(), "daemon stops") })
		require.Less(t, d.stops(syscall.SIGTERM, 5*time.Second), 2*time.Second, "the second signal ends it at once")
		w.checkAlways()
		w.woo.Mend()
		w.leaseRunsOut()
		w.night()
		w.CheckInvariants()
	})
}

// TestStopDuringAPush stops the daemon while people are being written: what was answered is recorded.
func TestStopDuringAPush(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60, 76)
	w.must("sync", "--quiet")
	w.must("analyze", "--quiet")
	c := make(chan *process, 1)
	w.gate.arm(30, answered, func() { _ = (<-c).cmd.Process.Signal(syscall.SIGTERM) })
	p := w.start("push")
	c <- p
	p.waits("its end", func() bool {
		select {
		case <-p.ended:
			return true
		default:
			return false
		}
	})
	w.gate.disarm()
	w.checkAlways()
	w.night()
	w.CheckInvariants()
}

// private makes the world use a private database in a directory that everybody may enter.
func (w *world) private(t *testing.T) (dataDir string) {
	t.Helper()
	home, err := os.MkdirTemp("", "perennial-faulttest-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(home, 0o777)) //nolint:gosec // as /tmp
	dataDir = filepath.Join(home, "data")
	w.rewrite(`url_env = "FAULTTEST_DATABASE_URL"`, fmt.Sprintf("data_dir = %q", dataDir))
	t.Cleanup(func() {
		w.run("postgres", "stop", "--data-dir", dataDir)
		require.NoError(t, os.RemoveAll(home))
	})
	return dataDir
}

// pid is the process of the private server, 0 where none runs.
func pid(t *testing.T, dataDir string) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dataDir, "*", "postmaster.pid"))
	require.NoError(t, err)
	if len(found) == 0 {
		return 0
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		return 0 // just gone
	}
	line, _, _ := strings.Cut(string(text), "\n")
	n, _ := strconv.Atoi(line)
	return n
}

// TestPrivateDatabase kills the daemon, whose server the next commands adopt together; the last one out stops it.
func TestPrivateDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60, 77)
	dataDir := w.private(t)
	d := w.hang(func() *process { return w.start("run") })
	server := pid(t, dataDir)
	require.NotZero(t, server)
	d.kill()
	require.NoError(t, syscall.Kill(server, 0), "the server outlives a killed daemon")
	w.woo.Mend()

	first, second := w.start("status"), w.start("report")
	for _, p := range []*process{first, second} {
		p.waits("its end", func() bool {
			select {
			case <-p.ended:
				return true
			default:
				return false
			}
		})
	}
	require.Equal(t, 0, first.cmd.ProcessState.ExitCode(), first.said())
	require.Contains(t, first.said(), "alder")
	require.Contains(t, flat(first.said()), "first load is under way")
	require.Zero(t, pid(t, dataDir), "the last one out stops the server")
	require.Contains(t, []int{0, 8}, second.cmd.ProcessState.ExitCode(), second.said())

	passwords := 0
	require.NoError(t, filepath.WalkDir(dataDir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.Contains(entry.Name(), "password") {
			return err
		}
		text, err := os.ReadFile(path)
		require.NotContains(t, first.said()+second.said()+d.said(), strings.TrimSpace(string(text)), "I9: the private password was printed")
		passwords++
		return err
	}))
	require.NotZero(t, passwords)
}

// TestPrivateServerKilled kills daemon and server together; the next command recovers.
func TestPrivateServerKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60, 78)
	dataDir := w.private(t)
	d := w.hang(func() *process { return w.start("run") })
	server := pid(t, dataDir)
	d.kill()
	require.NoError(t, syscall.Kill(server, syscall.SIGKILL))
	require.Contains(t, flat(w.must("status")), "first load is under way")
	require.Zero(t, pid(t, dataDir))
}

// TestOrdinaryUser runs as somebody without rights, as most people do.
func TestOrdinaryUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("every other test runs as an ordinary user already")
	}
	nobody, err := user.Lookup("nobody")
	require.NoError(t, err)
	uid, gid := number(nobody.Uid), number(nobody.Gid)
	w := newWorld(t, 20, 79)
	dataDir := w.private(t)
	home := filepath.Dir(dataDir)
	text, err := os.ReadFile(w.config())
	require.NoError(t, err)
	config := filepath.Join(home, "perennial.toml")
	require.NoError(t, os.WriteFile(config, text, 0o600))
	require.NoError(t, os.Chown(config, int(uid), int(gid)))
	require.NoError(t, os.Chmod(filepath.Dir(w.bin), 0o755)) //nolint:gosec // so that others may run what is in it
	for _, args := range [][]string{{"run", "--once", "--quiet"}, {"status"}, {"report"}} {
		cmd := w.command(t.Context(), args...)
		cmd.Args[2] = config
		cmd.Dir = home
		cmd.Env = append(cmd.Env, "HOME="+home)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}} //nolint:gosec // ids are small
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%v: %s", args, out)
		w.output.Write(out)
	}
	require.Zero(t, pid(t, dataDir))
}
