// Command windlass-cluster is a Kubernetes control plane in one program, for
// development and tests: the unmodified kube-apiserver, kube-controller-manager,
// kube-scheduler, etcd and kubectl, each a role picked by the first argument
// (or by the name of the program, so that a link called kubectl is kubectl),
// and `up`, the supervisor that runs them on this machine.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"
	kubectl "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

const usage = `windlass-cluster: a Kubernetes control plane in one program, for development and tests.

Usage:
  windlass-cluster up [flags]        run a cluster and a Git server until SIGTERM or SIGINT
  windlass-cluster git [flags]       run the Git server alone
  windlass-cluster kubectl ARGS      kubectl; so does any link to this program named kubectl
  windlass-cluster kube-apiserver | kube-controller-manager | kube-scheduler | etcd ARGS

'windlass-cluster up -h' and 'windlass-cluster git -h' list the flags.
`

func main() {
	role, args := roleOf(os.Args)
	// The Kubernetes commands read their arguments and their own name from os.Args.
	os.Args = append([]string{role}, args...)
	switch role {
	case "kube-apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "kube-controller-manager":
		os.Exit(cli.Run(controllermanager.NewControllerManagerCommand()))
	case "kube-scheduler":
		os.Exit(cli.Run(scheduler.NewSchedulerCommand()))
	case "kubectl":
		// A bad -v value is reported again, and better, by kubectl's own flag parser.
		_, _ = logs.GlogSetter(kubectl.GetLogVerbosity(os.Args))
		if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
			util.CheckErr(err)
		}
	case "etcd":
		exit(runEtcd(untilSignal(), args))
	case "up":
		exit(runUp(untilSignal(), args))
	case "git":
		exit(runGit(untilSignal(), args))
	case "", "help", "-h", "--help":
		fmt.Print(usage)
	default:
		fmt.Fprintf(os.Stderr, "windlass-cluster: unknown command %q\n\n%s", role, usage)
		os.Exit(2)
	}
}

// roleOf splits a command line into the role and the arguments of the role.
func roleOf(argv []string) (string, []string) {
	if filepath.Base(argv[0]) == "kubectl" {
		return "kubectl", argv[1:]
	}
	if len(argv) < 2 {
		return "", nil
	}
	return argv[1], argv[2:]
}

// untilSignal returns a context that ends at the first SIGTERM, SIGINT or SIGHUP.
func untilSignal() context.Context {
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	return ctx
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "windlass-cluster:", err)
		os.Exit(1)
	}
}
