package shopify

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/shopify/schematest"
)

// mockFiles are what the mock server of testdata/mock consists of.
func mockFiles() []string { return []string{"package.json", "package-lock.json", "server.mjs"} }

// startMock runs a server that answers by the schema alone, and returns its address. It knows nothing of this connector
// and nothing of shops: whatever the schema allows may come. It is installed once, by its lock file, into the cache of
// this user. Without node and npm the test is skipped, or fails where skips are forbidden.
func startMock(t *testing.T, version string) string {
	t.Helper()
	schema := filepath.Join(t.TempDir(), "admin.graphql")
	require.NoError(t, os.WriteFile(schema, []byte(schematest.SDL(t, version)), 0o600))
	node, err := exec.LookPath("node")
	if err != nil {
		schematest.StopWithout(t, &schematest.Missing{What: "the mock server", Err: err, Package: true})
	}
	dir, err := installMock(t.Context())
	schematest.StopWithout(t, err)

	command := exec.CommandContext(t.Context(), node, filepath.Join(dir, "server.mjs"), schema)
	command.Stderr = os.Stderr
	command.WaitDelay = 10 * time.Second
	input, err := command.StdinPipe() // it ends when this is closed, also when this process is killed
	require.NoError(t, err)
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = input.Close()
		_ = command.Wait()
	})
	port, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err, "the mock server did not say its port")
	return "http://127.0.0.1:" + strings.TrimSpace(port)
}

// installMock returns a folder that holds the server with the packages it needs.
func installMock(ctx context.Context) (string, error) {
	sum := sha256.New()
	for _, name := range mockFiles() {
		content, err := os.ReadFile(filepath.Join("testdata", "mock", name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d\n%s", name, len(content), content)
	}
	root, err := schematest.CacheDir("shopify-mock")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, hex.EncodeToString(sum.Sum(nil))[:16])
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	work, err := os.MkdirTemp(root, "install-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(work) }()
	for _, name := range mockFiles() {
		content, err := os.ReadFile(filepath.Join("testdata", "mock", name))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(work, name), content, 0o600); err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "ci", "--silent", "--no-audit", "--no-fund")
	install.Dir = work
	if said, err := install.CombinedOutput(); err != nil {
		return "", &schematest.Missing{What: "the mock server", Err: fmt.Errorf("npm ci: %w: %s", err, said), Package: true}
	}
	if err := os.Rename(work, dir); err != nil { // unless another process was faster
		if _, there := os.Stat(dir); there != nil {
			return "", errors.Join(err, there)
		}
	}
	return dir, nil
}

// reseed makes the mock server begin anew.
func reseed(t *testing.T, mock, seed string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, mock+"/seed/"+seed, http.NoBody)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	said, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode, "%s", said)
}
