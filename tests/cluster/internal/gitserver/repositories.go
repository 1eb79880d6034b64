package gitserver

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// credentialsFile, in a repository's directory, holds one line, user:password.
// Such a repository answers 401 to requests without them.
const credentialsFile = "htpasswd-windlass"

// repositoryPath splits a path into the name of a repository and the rest. A
// segment never starts with a dot, so no path leads out of the root.
var repositoryPath = regexp.MustCompile(`^/((?:[a-zA-Z0-9][a-zA-Z0-9._-]*/){0,4}?[a-zA-Z0-9][a-zA-Z0-9._-]*\.git)(/.*)?$`)

func (g *Server) serveRepository(w http.ResponseWriter, r *http.Request) {
	match := repositoryPath.FindStringSubmatch(r.URL.Path)
	if match == nil {
		http.Error(w, "not a repository: the path must be /NAME.git", http.StatusNotFound)
		return
	}
	directory := filepath.Join(g.Root, filepath.FromSlash(match[1]))
	if match[2] == "" {
		g.administer(w, r, directory)
		return
	}
	if _, err := os.Stat(filepath.Join(directory, "HEAD")); err != nil {
		http.Error(w, "no such repository", http.StatusNotFound)
		return
	}
	if !allowed(r, directory) {
		w.Header().Set("WWW-Authenticate", `Basic realm="windlass test repository"`)
		http.Error(w, "this repository needs a user and a password", http.StatusUnauthorized)
		return
	}
	g.serveBackend(w, r)
}

// allowed compares the request's basic credentials with those of the repository.
func allowed(r *http.Request, directory string) bool {
	line, err := os.ReadFile(filepath.Join(directory, credentialsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	user, password, _ := r.BasicAuth()
	given := user + ":" + password
	return err == nil && subtle.ConstantTimeCompare([]byte(given), []byte(strings.TrimSpace(string(line)))) == 1
}

// administer makes (PUT) or removes (DELETE) a repository, with no credentials:
// this is a test server. PUT is a declaration: repeated, it leaves the content
// alone and sets the credentials to the query's user and password, or to none.
func (g *Server) administer(w http.ResponseWriter, r *http.Request, directory string) {
	var err error
	status := http.StatusNoContent
	switch r.Method {
	case http.MethodPut:
		var made bool
		if made, err = makeRepository(directory); made {
			status = http.StatusCreated
		}
		if err == nil {
			query := r.URL.Query()
			err = setCredentials(directory, query.Get("user"), query.Get("password"))
		}
	case http.MethodDelete:
		err = os.RemoveAll(directory)
	default:
		w.Header().Set("Allow", "PUT, DELETE")
		status = http.StatusMethodNotAllowed
	}
	if err != nil {
		g.log.Printf("%s %s: %v", r.Method, r.URL.Path, err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(status)
}

// makeRepository makes an empty bare repository with the branch main, unless
// it is there already.
func makeRepository(directory string) (bool, error) {
	if _, err := os.Stat(filepath.Join(directory, "HEAD")); err == nil {
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(directory), 0o700); err != nil {
		return false, err
	}
	command := exec.Command("git", "init", "--quiet", "--bare", "--template=", "--initial-branch=main", directory)
	command.Env = gitEnvironment()
	if out, err := command.CombinedOutput(); err != nil {
		return false, fmt.Errorf("git init: %w: %s", err, out)
	}
	return true, nil
}

func setCredentials(directory, user, password string) error {
	path := filepath.Join(directory, credentialsFile)
	if user == "" {
		err := os.Remove(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return os.WriteFile(path, []byte(user+":"+password+"\n"), 0o600)
}
