package gitserver

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func start(t *testing.T) *Server {
	t.Helper()
	server, err := Start(filepath.Join(t.TempDir(), "root"), "127.0.0.1:0", filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

// request sends one request and returns the status of the answer.
func request(t *testing.T, method, url string) int {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func put(t *testing.T, url string, want int) {
	t.Helper()
	if got := request(t, http.MethodPut, url); got != want {
		t.Fatalf("PUT %s: %d, not %d", url, got, want)
	}
}

// git runs git without any settings of the user and returns what it printed.
func git(t *testing.T, directory string, args ...string) (string, error) {
	t.Helper()
	command := exec.Command("git", args...)
	command.Dir = directory
	command.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.test",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.test",
	}
	out, err := command.CombinedOutput()
	return string(out), err
}

func mustGit(t *testing.T, directory string, args ...string) string {
	t.Helper()
	out, err := git(t, directory, args...)
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return out
}

// workTree makes a clone-like directory with one commit of a file.
func workTree(t *testing.T, content []byte) string {
	t.Helper()
	directory := t.TempDir()
	mustGit(t, directory, "init", "--quiet", "--initial-branch=main")
	if err := os.WriteFile(filepath.Join(directory, "file"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	mustGit(t, directory, "add", "file")
	mustGit(t, directory, "commit", "--quiet", "--message=first")
	return directory
}

func TestPushAndClone(t *testing.T) {
	server := start(t)
	url := server.URL + "/team/app.git"
	put(t, url, http.StatusCreated)
	put(t, url, http.StatusNoContent)

	// Above http.postBuffer (1 MiB) Git sends the request body in chunks.
	content := make([]byte, 3<<20)
	if _, err := rand.Read(content); err != nil {
		t.Fatal(err)
	}
	mustGit(t, workTree(t, content), "push", "--quiet", url, "main")

	for _, version := range []string{"0", "2"} {
		clone := t.TempDir()
		mustGit(t, clone, "-c", "protocol.version="+version, "clone", "--quiet", url, ".")
		got, err := os.ReadFile(filepath.Join(clone, "file"))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(content) {
			t.Errorf("protocol version %s: the clone differs from what was pushed", version)
		}
	}

	if got := request(t, http.MethodDelete, url); got != http.StatusNoContent {
		t.Errorf("DELETE: %d", got)
	}
	if out, err := git(t, t.TempDir(), "ls-remote", url); err == nil || !strings.Contains(out, "not found") {
		t.Errorf("a removed repository was listed: %v %s", err, out)
	}
}

// The answer's first packet line tells which protocol the server speaks.
func TestProtocolVersionIsPassedThrough(t *testing.T) {
	server := start(t)
	put(t, server.URL+"/a.git", http.StatusCreated)
	r, err := http.NewRequest(http.MethodGet, server.URL+"/a.git/info/refs?service=git-upload-pack", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Git-Protocol", "version=2")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(body), "version 2") {
		t.Errorf("not protocol version 2: %q", body)
	}
}

func TestBasicAuth(t *testing.T) {
	server := start(t)
	url := server.URL + "/private.git"
	put(t, url+"?user=robot&password=secret", http.StatusCreated)
	with := func(credentials string) string {
		return strings.Replace(url, "http://", "http://"+credentials+"@", 1)
	}
	work := workTree(t, []byte("x"))
	for _, remote := range []string{url, with("robot:wrong"), with("secret:robot")} {
		if out, err := git(t, work, "push", "--quiet", remote, "main"); err == nil {
			t.Errorf("pushed to %s: %s", remote, out)
		}
		if out, err := git(t, work, "ls-remote", remote); err == nil {
			t.Errorf("listed %s: %s", remote, out)
		}
	}
	mustGit(t, work, "push", "--quiet", with("robot:secret"), "main")
	if got := request(t, http.MethodGet, url+"/info/refs?service=git-upload-pack"); got != http.StatusUnauthorized {
		t.Errorf("without credentials: %d, not 401", got)
	}

	put(t, url, http.StatusNoContent)
	if out := mustGit(t, work, "ls-remote", url); !strings.Contains(out, "refs/heads/main") {
		t.Errorf("PUT without credentials did not open the repository: %s", out)
	}
}

func TestPathsStayInside(t *testing.T) {
	server := start(t)
	for _, path := range []string{
		"/a", "/../b.git", "/a/../../b.git", "/..%2fb.git", "/%2e%2e/b.git", "/.git", "/a.git%00/x.git", "/a%2f..%2f..%2fb.git",
	} {
		request(t, http.MethodPut, server.URL+path)
		request(t, http.MethodDelete, server.URL+path)
	}
	entries, err := os.ReadDir(filepath.Dir(server.Root))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the root is something, or the root is gone: %v %v", entries, err)
	}
}

func TestCredentialsAreNotServed(t *testing.T) {
	server := start(t)
	put(t, server.URL+"/a.git?user=u&password=p", http.StatusCreated)
	r, err := http.NewRequest(http.MethodGet, server.URL+"/a.git/"+credentialsFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("u", "p")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("%d, not 404", response.StatusCode)
	}
}

func TestMisbehaviour(t *testing.T) {
	server := start(t)
	const service = "/x.git/info/refs?service=git-upload-pack"

	t.Run("silent", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/_silent"+service, nil)
		if err != nil {
			t.Fatal(err)
		}
		if response, err := http.DefaultClient.Do(r); err == nil {
			t.Errorf("answered %d", response.StatusCode)
		}
	})
	t.Run("endless", func(t *testing.T) {
		response, err := http.Get(server.URL + "/_endless" + service)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if n, err := io.CopyN(io.Discard, response.Body, 32<<20); err != nil {
			t.Errorf("ended after %d bytes: %v", n, err)
		}
	})
	t.Run("close", func(t *testing.T) {
		response, err := http.Get(server.URL + "/_close" + service)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if n, err := io.Copy(io.Discard, response.Body); err == nil || n == 0 {
			t.Errorf("got %d bytes and %v, not a cut answer", n, err)
		}
	})
	t.Run("status", func(t *testing.T) {
		if got := request(t, http.MethodGet, server.URL+"/_status/503"+service); got != http.StatusServiceUnavailable {
			t.Errorf("%d, not 503", got)
		}
	})
}

// A client that hangs in the middle must not keep the server or Git alive.
func TestCloseEndsEverything(t *testing.T) {
	server := start(t)
	put(t, server.URL+"/a.git", http.StatusCreated)
	body, writer := io.Pipe()
	defer writer.Close()
	go func() {
		response, err := http.Post(server.URL+"/a.git/git-upload-pack", "application/x-git-upload-pack-request", body)
		if err == nil {
			_ = response.Body.Close()
		}
	}()
	if _, err := writer.Write([]byte("0")); err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() {
		server.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Fatal("the server did not close")
	}
}
