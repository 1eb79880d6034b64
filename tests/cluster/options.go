package main

import (
	"errors"
	"flag"
	"fmt"
	"os/exec"
	"time"
)

// upOptions are the flags of `up`.
type upOptions struct {
	state            string
	nodes            int
	kwok             string
	gitRoot          string
	readyFile        string
	keep             bool
	untilStdinCloses bool
	timeout          time.Duration
}

func parseUp(args []string) (upOptions, error) {
	var o upOptions
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	flags.StringVar(&o.state, "state", "", "directory of the cluster, made and removed by it (default: a new temporary one)")
	flags.IntVar(&o.nodes, "nodes", 0, "number of fake nodes; needs --kwok")
	flags.StringVar(&o.kwok, "kwok", "", "the kwok program; started when given")
	flags.StringVar(&o.gitRoot, "git-root", "", "directory of the Git repositories (default: git in the state directory)")
	flags.StringVar(&o.readyFile, "ready-file", "", "also write the line of JSON to this file, as soon as the cluster is ready")
	flags.BoolVar(&o.keep, "keep", false, "keep the logs and the Git repositories at the end")
	flags.BoolVar(&o.untilStdinCloses, "until-stdin-closes", false, "also stop when standard input reaches its end")
	flags.DurationVar(&o.timeout, "timeout", 2*time.Minute, "give up when the cluster is not ready by then")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.nodes < 0 || o.nodes > 1000 {
		return o, errors.New("--nodes must be from 0 to 1000")
	}
	if o.nodes > 0 && o.kwok == "" {
		return o, errors.New("--nodes needs --kwok PATH; tests/cluster/build.sh kwok builds it and prints the path")
	}
	if o.kwok != "" {
		path, err := exec.LookPath(o.kwok)
		if err != nil {
			return o, fmt.Errorf("--kwok: %w", err)
		}
		o.kwok = path
	}
	return o, nil
}
