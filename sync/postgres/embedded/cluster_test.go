//go:build unix

package embedded

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/lib/pq" // the driver with which Perennial connects
	"github.com/stretchr/testify/require"
)

// joinerDir makes the test binary a process that joins the cluster in that directory until its input ends.
const joinerDir = "EMBEDDED_TEST_JOIN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(joinerDir); dir != "" {
		if err := beJoiner(dir); err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	if template != "" {
		_ = os.RemoveAll(template)
	}
	os.Exit(code)
}

func beJoiner(dir string) error {
	cluster, err := Join(context.Background(), options(dir))
	if err != nil {
		return err
	}
	fmt.Println(cluster.URL())
	_, _ = io.Copy(io.Discard, os.Stdin)
	return cluster.Leave(context.Background())
}

// options name the PostgreSQL that PERENNIAL_TEST_POSTGRES holds, so that the tests can be run on another version than this
// machine's newest.
func options(dir string) Options {
	return Options{DataDir: dir, Binaries: os.Getenv("PERENNIAL_TEST_POSTGRES")}
}

// joiner is another process that has joined.
type joiner struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startJoiner(t *testing.T, dir string) *joiner {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), joinerDir+"="+dir)
	return start(t, cmd)
}

func start(t *testing.T, cmd *exec.Cmd) *joiner {
	t.Helper()
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	j := &joiner{cmd: cmd, in: in, out: bufio.NewReader(out)}
	t.Cleanup(j.kill)
	return j
}

// url waits until the process is in.
func (j *joiner) url(t *testing.T) string {
	t.Helper()
	line, err := j.out.ReadString('\n')
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(line, "postgres://"), line)
	return strings.TrimSpace(line)
}

func (j *joiner) kill() {
	_ = j.cmd.Process.Kill()
	_ = j.cmd.Wait()
}

func (j *joiner) leave(t *testing.T) {
	t.Helper()
	require.NoError(t, j.in.Close())
	require.NoError(t, j.cmd.Wait())
}

// place returns an empty directory that every user may enter. What serves a cluster in it is ended with the test.
func place(t *testing.T) string {
	t.Helper()
	requireBinaries(t)
	dir, err := os.MkdirTemp("/tmp", "pg")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() {
		clusters, _ := filepath.Glob(filepath.Join(dir, "*", "cluster"))
		for _, cluster := range clusters {
			for _, pid := range orphans(cluster) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		require.NoError(t, os.RemoveAll(dir))
	})
	return dir
}

func requireBinaries(t *testing.T) {
	t.Helper()
	if os.Getenv("PERENNIAL_TEST_POSTGRES") == "" && len(Find(t.Context(), "/nonexistent")) == 0 {
		skip(t, "no PostgreSQL server on this machine")
	}
}

// skip leaves a test out where the machine lacks something that CI has to install.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("left out, which CI may not: %s", why)
	}
	t.Skip(why)
}

var (
	template string
	once     sync.Once
)

// made returns a data directory whose cluster exists and is stopped: a copy, so it was moved as well.
func made(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(place(t), "data")
	once.Do(func() {
		var err error
		template, err = os.MkdirTemp("/tmp", "pg-template")
		require.NoError(t, err)
		require.NoError(t, os.Chmod(template, 0o755))
		c := join(t, filepath.Join(template, "data"))
		query(t, c.URL(), "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
		require.NoError(t, c.Leave(t.Context()))
	})
	require.NoError(t, exec.Command("cp", "-a", filepath.Join(template, "data"), dir).Run())
	return dir
}

func join(t *testing.T, dir string) *Cluster {
	t.Helper()
	c, err := Join(t.Context(), options(dir))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Leave(context.Background()) })
	return c
}

// query runs statements and returns the first column of the last one's first row, if it has any.
func query(t *testing.T, url string, statements ...string) string {
	t.Helper()
	db, err := sql.Open("postgres", url)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	var got sql.NullString
	for _, statement := range statements {
		err := db.QueryRowContext(t.Context(), statement).Scan(&got)
		if !errors.Is(err, sql.ErrNoRows) {
			require.NoError(t, err, statement)
		}
	}
	return got.String
}

func pidOf(t *testing.T, dir string) int {
	t.Helper()
	found, err := readPidFile(clusterDir(dir))
	require.NoError(t, err)
	return found.pid
}

func isRunning(t *testing.T, dir string) bool {
	t.Helper()
	found, err := readPidFile(clusterDir(dir))
	require.NoError(t, err)
	return found.runsIn(t.Context(), clusterDir(dir))
}

func requireKept(t *testing.T, url string) {
	t.Helper()
	require.Equal(t, "500500", query(t, url, "SELECT sum(n) FROM kept"))
}

func TestJoinMakesAClusterAndLeaveStopsIt(t *testing.T) {
	dir := filepath.Join(place(t), "it's here", "data")
	first := join(t, dir)
	query(t, first.URL(), "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
	require.Equal(t, "perennial UTF8 C off on UTC", query(t, first.URL(),
		`SELECT concat_ws(' ', current_database(), current_setting('server_encoding'), datcollate, current_setting('jit'),
			current_setting('data_checksums'), current_setting('TimeZone')) FROM pg_database WHERE datname = current_database()`))
	require.Empty(t, query(t, first.URL(), "SHOW listen_addresses"), "nothing listens on a network")

	db, err := sql.Open("postgres", strings.Replace(first.URL(), first.password, "guess", 1))
	require.NoError(t, err)
	require.ErrorContains(t, db.Ping(), "password authentication failed")
	require.NoError(t, db.Close())

	for path, mode := range map[string]os.FileMode{"password": 0o600, "cluster": 0o700, "socket": 0o700, "postgres.log": 0o600} {
		info, err := os.Stat(filepath.Join(dir, path))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), path)
		if os.Getuid() == 0 {
			require.NotZero(t, info.Sys().(*syscall.Stat_t).Uid, "%s belongs to the unprivileged user", path)
		}
	}
	require.NoError(t, first.Leave(t.Context()))
	require.NoError(t, first.Leave(t.Context()), "twice is harmless")
	require.False(t, isRunning(t, dir))
	require.Error(t, first.Revive(t.Context()))

	second := join(t, dir)
	require.Equal(t, first.URL(), second.URL())
	requireKept(t, second.URL())
}

func TestTheServerHasASessionOfItsOwn(t *testing.T) {
	dir := made(t)
	join(t, dir)
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pidOf(t, dir)), "stat"))
	if err != nil {
		t.Skip("sessions are read from /proc: ", err)
	}
	mine, err := os.ReadFile("/proc/self/stat")
	require.NoError(t, err)
	require.NotEqual(t, session(mine), session(stat), "Ctrl-C in our terminal would reach the server")
}

func session(stat []byte) string {
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.Fields(rest)[3]
}

func TestTheLastOneOutStopsTheServer(t *testing.T) {
	dir := made(t)
	first, second := join(t, dir), join(t, dir)
	other := startJoiner(t, dir)
	url := other.url(t)
	require.NoError(t, first.Leave(t.Context()))
	require.NoError(t, second.Leave(t.Context()))
	requireKept(t, url)
	other.leave(t)
	require.False(t, isRunning(t, dir))
}

func TestProcessesAtOnceShareOneServer(t *testing.T) {
	dir := filepath.Join(place(t), "data")
	var all []*joiner
	for range 4 {
		all = append(all, startJoiner(t, dir))
	}
	for _, j := range all {
		require.Equal(t, "1", query(t, j.url(t), "SELECT 1"))
	}
	pid := pidOf(t, dir)
	all[0].kill()
	all[1].leave(t)
	all[2].kill()
	require.Equal(t, pid, pidOf(t, dir))
	all[3].leave(t)
	require.False(t, isRunning(t, dir), "the killed ones do not count")
}

func TestAKilledProcessLeavesAServerThatTheNextAdopts(t *testing.T) {
	dir := made(t)
	var pid int
	for range 2 {
		j := startJoiner(t, dir)
		requireKept(t, j.url(t))
		if pid != 0 {
			require.Equal(t, pid, pidOf(t, dir), "adopted, not started again")
		}
		pid = pidOf(t, dir)
		j.kill()
		require.True(t, isRunning(t, dir))
	}
	c := join(t, dir)
	require.Equal(t, pid, pidOf(t, dir))
	requireKept(t, c.URL())
	require.NoError(t, c.Leave(t.Context()))
	require.False(t, isRunning(t, dir))
}

func TestAKilledServerRecovers(t *testing.T) {
	dir := made(t)
	c := join(t, dir)
	for round := range 2 {
		busy, err := sql.Open("postgres", c.URL())
		require.NoError(t, err)
		query(t, c.URL(), fmt.Sprintf("INSERT INTO kept VALUES (%d)", -round))
		go func() { _, _ = busy.Exec("SELECT pg_sleep(600)") }() // a child that outlives the server
		require.Eventually(t, func() bool {
			return query(t, c.URL(), "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND pid <> pg_backend_pid()") == "1"
		}, 10*time.Second, 10*time.Millisecond)
		require.NoError(t, syscall.Kill(pidOf(t, dir), syscall.SIGKILL))
		if round == 0 {
			require.NoError(t, c.Revive(t.Context()))
			require.NoError(t, c.Revive(t.Context()), "nothing to do")
		} else {
			j := startJoiner(t, dir)
			require.Equal(t, c.URL(), j.url(t))
			j.kill()
		}
		require.NoError(t, busy.Close())
	}
	require.Equal(t, "500499", query(t, c.URL(), "SELECT sum(n) FROM kept"))
}

func TestBothKilledTwiceInARow(t *testing.T) {
	dir := made(t)
	for range 2 {
		j := startJoiner(t, dir)
		requireKept(t, j.url(t))
		j.kill()
		require.NoError(t, syscall.Kill(pidOf(t, dir), syscall.SIGKILL))
	}
	requireKept(t, join(t, dir).URL())
}

// A killed server's number may be given to another process of the same user; the server alone would refuse to start.
func TestAStalePidFileWithAStrangersNumber(t *testing.T) {
	dir := made(t)
	who, err := chooseAccount(dir)
	require.NoError(t, err)
	stranger := who.command(t.Context(), "/", "/bin/sleep", "600")
	require.NoError(t, stranger.Start())
	t.Cleanup(func() { _ = stranger.Process.Kill(); _ = stranger.Wait() })
	if !canInspect() {
		t.Skip("this system does not tell strangers apart")
	}
	text := fmt.Sprintf("%d\n%s\n1700000000\n5432\n%s\n\n  1234567    65536\nready   \n", stranger.Process.Pid, clusterDir(dir), filepath.Join(dir, "socket"))
	for _, path := range []string{"cluster/postmaster.pid", "socket/.s.PGSQL.5432.lock", "socket/.s.PGSQL.5432"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600))
		require.NoError(t, who.own(filepath.Join(dir, path)))
	}
	requireKept(t, join(t, dir).URL())
	require.NoError(t, stranger.Process.Signal(syscall.Signal(0)), "the stranger is left alone")
}

func TestAPidFileCutShort(t *testing.T) {
	for _, text := range []string{"", "\n", "12", "-5\n", "99999999\n/x", "abc\n"} {
		cluster := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(cluster, "postmaster.pid"), []byte(text), 0o600))
		found, err := readPidFile(cluster)
		require.NoError(t, err)
		require.False(t, found.runsIn(t.Context(), cluster), text)
	}
}

func TestADirectoryMovedUnderARunningServer(t *testing.T) {
	dir := made(t)
	j := startJoiner(t, dir)
	j.url(t)
	j.kill()
	pid := pidOf(t, dir)
	moved := dir + "-moved"
	require.NoError(t, os.Rename(dir, moved))
	requireKept(t, join(t, moved).URL())
	require.NotEqual(t, pid, pidOf(t, moved), "nobody could have reached the old one")
}

func TestALongPathHasAShortSocket(t *testing.T) {
	dir := made(t)
	long := filepath.Join(filepath.Dir(dir), strings.Repeat("long", 25))
	require.NoError(t, os.Rename(dir, long))
	c := join(t, long)
	require.True(t, strings.HasPrefix(c.socketDir, "/tmp/perennial-"), c.socketDir)
	t.Cleanup(func() { _ = os.RemoveAll(c.socketDir) })
	requireKept(t, c.URL())
	require.NoError(t, c.Leave(t.Context()))

	before := c.socketDir
	require.NoError(t, os.RemoveAll(before))
	require.NoError(t, os.Mkdir(before, 0o777), "somebody else sits on the name")
	again := join(t, long)
	t.Cleanup(func() { _ = os.RemoveAll(again.socketDir) })
	require.NotEqual(t, before, again.socketDir)
	requireKept(t, again.URL())
}

func TestAKilledCreationLeavesNothingHalfMade(t *testing.T) {
	dir := filepath.Join(place(t), "data")
	for _, seen := range []string{"new-*", "new-*/base"} {
		j := startJoiner(t, dir)
		require.Eventually(t, func() bool {
			found, err := filepath.Glob(filepath.Join(dir, seen))
			return err == nil && len(found) > 0
		}, 20*time.Second, time.Millisecond)
		j.kill()
	}
	require.Equal(t, "1", query(t, join(t, dir).URL(), "SELECT 1"))
	left, err := filepath.Glob(filepath.Join(dir, "new-*", "PG_VERSION"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestAnOrdinaryUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("every other test runs as an ordinary user already")
	}
	who, err := chooseAccount("/nonexistent")
	require.NoError(t, err)
	parent := place(t)
	home := filepath.Join(parent, "home")
	require.NoError(t, os.Mkdir(home, 0o700))
	require.NoError(t, who.own(home))
	self, err := os.Executable()
	require.NoError(t, err)
	program := filepath.Join(parent, "program")
	require.NoError(t, exec.Command("cp", self, program).Run())
	require.NoError(t, os.Chmod(program, 0o755))
	cmd := who.command(t.Context(), home, program)
	cmd.Env = append(cmd.Env, joinerDir+"="+filepath.Join(home, "state"), "PERENNIAL_TEST_POSTGRES="+os.Getenv("PERENNIAL_TEST_POSTGRES"))
	user := start(t, cmd)
	require.Equal(t, "1", query(t, user.url(t), "SELECT 1"))

	root := join(t, filepath.Join(home, "state"))
	require.Equal(t, "1", query(t, root.URL(), "SELECT 1"), "root joins what a user made")
	require.NoError(t, root.Leave(t.Context()))
	user.leave(t)
	require.False(t, isRunning(t, filepath.Join(home, "state")))
}

// A service manager may keep the directory where only it and root pass; root joins what runs there.
func TestRootJoinsBehindAClosedDoor(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("root only")
	}
	dir := made(t)
	service := join(t, dir)
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o700))
	command := join(t, dir)
	requireKept(t, command.URL())
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	require.NoError(t, command.Leave(t.Context()))
	requireKept(t, service.URL())
}

func TestJoinRefuses(t *testing.T) {
	dir := made(t)
	who, err := chooseAccount(dir)
	require.NoError(t, err)
	tests := []struct {
		name string
		dir  func(t *testing.T) string
		want []string
	}{
		{"relative", func(*testing.T) string { return "data" }, []string{"not an absolute path"}},
		{"shell characters", func(*testing.T) string { return "/tmp/$HOME" }, []string{"choose another"}},
		{"checkout", func(t *testing.T) string {
			here, err := os.Getwd()
			require.NoError(t, err)
			return filepath.Join(here, "data")
		}, []string{"inside the source checkout", "outside"}},
		{"made by another version", func(t *testing.T) string {
			other := filepath.Join(place(t), "data")
			require.NoError(t, os.MkdirAll(clusterDir(other), 0o700))
			require.NoError(t, who.own(clusterDir(other)))
			require.NoError(t, os.WriteFile(filepath.Join(clusterDir(other), "PG_VERSION"), []byte("9.6\n"), 0o644))
			return other
		}, []string{"version 9", "untouched", "install PostgreSQL 9"}},
		{"password lost", func(t *testing.T) string {
			lost := made(t)
			require.NoError(t, os.Remove(filepath.Join(lost, "password")))
			return lost
		}, []string{"password", "restore"}},
		{"spoilt files", func(t *testing.T) string {
			spoilt := made(t)
			require.NoError(t, os.Truncate(filepath.Join(spoilt, "cluster", "global", "pg_control"), 100))
			return spoilt
		}, []string{"server start", "untouched", "postgres.log"}},
		{"closed to the cluster's user", func(t *testing.T) string {
			if os.Getuid() != 0 {
				t.Skip("root only")
			}
			closed := filepath.Join(place(t), "closed")
			require.NoError(t, os.Mkdir(closed, 0o700))
			return filepath.Join(closed, "data")
		}, []string{"cannot enter", "/var/lib/perennial"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Join(t.Context(), options(tt.dir(t)))
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
	t.Run("binaries that are none", func(t *testing.T) {
		_, err := Join(t.Context(), Options{DataDir: dir, Binaries: "/usr/bin"})
		require.ErrorContains(t, err, "binaries")
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := Join(ctx, options(dir))
		require.ErrorIs(t, err, context.Canceled)
		require.False(t, isRunning(t, dir))
	})
	t.Run("waiting for the gate is cancelled promptly", func(t *testing.T) {
		gate, err := openLock(filepath.Join(dir, "gate.lock"), who)
		require.NoError(t, err)
		defer gate.drop()
		require.NoError(t, gate.take(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err = Join(ctx, options(dir))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(began), 3*time.Second)
	})
}

func TestDefaultDataDir(t *testing.T) {
	tests := []struct {
		env  map[string]string
		root bool
		want string
	}{
		{map[string]string{"HOME": "/home/ann"}, false, "/home/ann/.local/state/perennial"},
		{map[string]string{"HOME": "/home/ann", "XDG_STATE_HOME": "/srv/state"}, false, "/srv/state/perennial"},
		{map[string]string{"HOME": "/home/ann", "XDG_STATE_HOME": "relative"}, false, "/home/ann/.local/state/perennial"},
		{map[string]string{"HOME": "/root", "XDG_STATE_HOME": "/srv/state"}, true, "/var/lib/perennial"},
		{map[string]string{"STATE_DIRECTORY": "/var/lib/shop"}, false, "/var/lib/shop"},
		{nil, true, "/var/lib/perennial"},
	}
	for _, tt := range tests {
		got, err := DefaultDataDir(func(name string) string { return tt.env[name] }, tt.root)
		require.NoError(t, err)
		require.Equal(t, tt.want, got)
	}
	_, err := DefaultDataDir(func(string) string { return "" }, false)
	require.ErrorContains(t, err, "database.url")
}
