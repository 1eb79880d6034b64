package main

import (
	"context"
	"errors"
	"flag"
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

// gitService serves the bare repositories below root over smart HTTP:
//
//	/NAME.git/...        the Git protocol (versions 0 to 2), fetch and push
//	PUT /NAME.git        make the repository; see repositories.go
//	DELETE /NAME.git     remove it
//	/_silent/ and more   endpoints that misbehave; see misbehave.go
type gitService struct {
	root string
	url  string
	// backend is the path of git-http-backend.
	backend string
	log     *log.Logger
	logFile *os.File
	server  *http.Server
	stop    context.CancelFunc
	running sync.WaitGroup
}

// runGit serves Git alone and prints its URL.
func runGit(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("git", flag.ContinueOnError)
	root := flags.String("root", "", "directory of the repositories (required)")
	listen := flags.String("listen", "127.0.0.1:0", "address to listen on")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if *root == "" {
		return errors.New("git needs --root DIR")
	}
	service, err := startGit(*root, *listen, os.DevNull)
	if err != nil {
		return err
	}
	defer service.close()
	fmt.Println(service.url)
	<-ctx.Done()
	return nil
}

// startGit serves until close. What Git itself has to say goes to logPath.
func startGit(root, address, logPath string) (*gitService, error) {
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
	g := &gitService{
		root:    root,
		url:     "http://" + listener.Addr().String(),
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

// close ends the service and every Git process it started.
func (g *gitService) close() {
	g.stop()
	_ = g.server.Close()
	g.running.Wait()
	_ = g.logFile.Close()
}

func (g *gitService) routes() http.Handler {
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
