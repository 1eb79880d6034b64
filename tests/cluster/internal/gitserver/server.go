// Package gitserver serves Git repositories over smart HTTP, for tests: with
// passwords, and with endpoints that misbehave.
package gitserver

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Server serves the bare repositories below a directory over smart HTTP:
//
//	/NAME.git/...        the Git protocol (versions 0 to 2), fetch and push
//	PUT /NAME.git        make the repository; see repositories.go
//	DELETE /NAME.git     remove it
//	/_silent/ and more   endpoints that misbehave; see misbehave.go
type Server struct {
	// Root is the directory of the repositories.
	Root string
	// URL is http://HOST:PORT.
	URL string
	// backend is the path of git-http-backend.
	backend string
	log     *log.Logger
	logFile *os.File
	server  *http.Server
	stop    context.CancelFunc
	running sync.WaitGroup
}

// Start serves until Close. What Git itself has to say goes to logPath.
func Start(root, address, logPath string) (*Server, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, err
	}
	backend, err := findBackend()
	if err != nil {
		return nil, err
	}
	logFile, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		_ = logFile.Close()
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	g := &Server{
		Root:    root,
		URL:     "http://" + listener.Addr().String(),
		backend: backend,
		log:     log.New(logFile, "", log.LstdFlags|log.Lmicroseconds),
		logFile: logFile,
		stop:    stop,
	}
	g.server = &http.Server{
		Handler:           g.routes(),
		ReadHeaderTimeout: 30 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          g.log,
	}
	go func() { _ = g.server.Serve(listener) }()
	return g, nil
}

// Close ends the service and every Git process it started.
func (g *Server) Close() {
	g.stop()
	_ = g.server.Close()
	g.running.Wait()
	_ = g.logFile.Close()
}

func (g *Server) routes() http.Handler {
	mux := http.NewServeMux()
	misbehave(mux)
	mux.HandleFunc("/", g.serveRepository)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.running.Add(1)
		defer g.running.Done()
		mux.ServeHTTP(w, r)
	})
}

// findBackend asks git where its programs are.
func findBackend() (string, error) {
	out, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return "", fmt.Errorf("git --exec-path: %w (is git installed?)", err)
	}
	backend := filepath.Join(strings.TrimSpace(string(out)), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		return "", fmt.Errorf("git-http-backend is not part of this Git installation: %w", err)
	}
	return backend, nil
}
