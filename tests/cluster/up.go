package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"windlass.dev/cluster/internal/state"
)

// report is the line of JSON that says how to reach a cluster.
type report struct {
	Kubeconfig string `json:"kubeconfig"`
	Server     string `json:"server"`
	Audit      string `json:"audit"`
	Git        string `json:"git"`
	GitRoot    string `json:"gitRoot"`
	State      string `json:"state"`
	Logs       string `json:"logs"`
	Kubectl    string `json:"kubectl"`
	// ReadySeconds is the time from the start of the program to this report.
	ReadySeconds float64 `json:"readySeconds"`
}

// runUp starts a cluster, reports it on standard output and supervises it
// until a signal comes, standard input closes (when asked to) or a component dies.
func runUp(signals context.Context, args []string) (err error) {
	began := time.Now()
	options, err := parseUp(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(signals)
	defer stop(nil)
	if options.untilStdinCloses {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop(errStdinClosed)
		}()
	}

	directory, err := state.Acquire(options.state)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, directory.Release(options.keep)) }()
	cluster, err := newCluster(stop, directory)
	if err != nil {
		return err
	}
	defer cluster.close()

	starting, cancel := context.WithTimeoutCause(ctx, options.timeout,
		fmt.Errorf("not ready after %v (--timeout)", options.timeout))
	defer cancel()
	report, err := cluster.start(starting, options)
	// Asked to stop, as opposed to a failure.
	asked := func() bool { return signals.Err() != nil || errors.Is(context.Cause(ctx), errStdinClosed) }
	if asked() {
		return nil
	}
	if err != nil {
		return err
	}
	report.ReadySeconds = time.Since(began).Seconds()
	if err := publish(report, options.readyFile); err != nil {
		return err
	}

	<-ctx.Done()
	if asked() {
		return nil
	}
	return context.Cause(ctx)
}

var errStdinClosed = errors.New("standard input closed")

// publish prints the report and writes the file, whole or not at all.
func publish(r report, readyFile string) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if readyFile != "" {
		temporary := filepath.Join(filepath.Dir(readyFile), "."+filepath.Base(readyFile)+".new")
		if err := os.WriteFile(temporary, line, 0o600); err != nil {
			return err
		}
		if err := os.Rename(temporary, readyFile); err != nil {
			return err
		}
	}
	_, err = os.Stdout.Write(line)
	return err
}
