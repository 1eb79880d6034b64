// Command traffic simulates a gateway and the requests that pass it, for clusters whose pods are fake.
//
// It accepts every HTTPRoute as a gateway would, sends a constant number of requests a second along each of them as its
// weights say, and answers Prometheus with the counters that the pods would have. No request is ever sent: everything
// here is simulated, and its metrics say so.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// tick is the time between two looks at routes, Services and pods.
const tick = 250 * time.Millisecond

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "traffic:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("traffic", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", os.Getenv("KUBECONFIG"), "how to reach the API server")
	listen := flags.String("listen", "127.0.0.1:0", "address of /metrics; it is printed")
	rate := flags.Float64("rate", 200, "requests a second along each route")
	if err := flags.Parse(args); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 200, 400
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	routes, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	counters := newCounters()
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: counters, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	fmt.Printf("http://%s/metrics\n", listener.Addr())

	gateway := &gateway{routes: routes, clients: clients, counters: counters}
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			if err := gateway.serve(ctx, *rate*now.Sub(last).Seconds()); err != nil && ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, "traffic:", err)
			}
			last = now
		}
	}
}
