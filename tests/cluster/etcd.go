package main

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
)

// runEtcd serves a single-member etcd with mutual TLS on loopback until ctx
// ends. It never calls fsync: the data of a test cluster need not survive the
// machine, and syncing each write is most of the time etcd takes.
func runEtcd(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("etcd", flag.ContinueOnError)
	data := flags.String("data-dir", "", "directory of the data")
	port := flags.Int("port", 0, "port for clients, on 127.0.0.1")
	ca := flags.String("ca", "", "certificate authority of the clients")
	cert := flags.String("cert", "", "serving certificate")
	key := flags.String("key", "", "key of the serving certificate")
	if err := flags.Parse(args); err != nil {
		return err
	}

	clients := url.URL{Scheme: "https", Host: fmt.Sprintf("127.0.0.1:%d", *port)}
	// No second member will ever join, so any free port will do and nobody needs to know it.
	peers := url.URL{Scheme: "https", Host: "127.0.0.1:0"}
	tls := transport.TLSInfo{CertFile: *cert, KeyFile: *key, TrustedCAFile: *ca, ClientCertAuth: true}

	config := embed.NewConfig()
	config.Dir = *data
	config.UnsafeNoFsync = true
	config.LogLevel = "warn"
	config.QuotaBackendBytes = 8 << 30
	config.ListenClientUrls = []url.URL{clients}
	config.AdvertiseClientUrls = []url.URL{clients}
	config.ListenPeerUrls = []url.URL{peers}
	config.ClientTLSInfo = tls
	config.PeerTLSInfo = tls

	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	defer server.Close()
	select {
	case <-server.Server.ReadyNotify():
	case <-time.After(time.Minute):
		return fmt.Errorf("etcd was not ready after a minute")
	case err := <-server.Err():
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-server.Err():
		return err
	}
}
