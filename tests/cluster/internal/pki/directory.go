package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"os"
	"path/filepath"
)

// pki is the directory of a cluster's certificates and keys. Two authorities,
// as in a cluster made by kubeadm: a certificate that opens the API server
// must not open etcd.
type pki struct {
	directory string
	cluster   *authority
}

// newPKI makes the authorities and the certificates of the servers, and the
// key that signs service account tokens.
func newPKI(directory string) (*pki, error) {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, err
	}
	cluster, err := newAuthority("windlass-cluster")
	if err != nil {
		return nil, err
	}
	etcd, err := newAuthority("windlass-etcd")
	if err != nil {
		return nil, err
	}
	apiserver, err := cluster.server("kube-apiserver",
		"127.0.0.1", "::1", "localhost", firstServiceIP,
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
	if err != nil {
		return nil, err
	}
	etcdServer, err := etcd.server("etcd", "127.0.0.1", "localhost")
	if err != nil {
		return nil, err
	}
	etcdClient, err := etcd.client("kube-apiserver")
	if err != nil {
		return nil, err
	}
	for name, pair := range map[string]keyPair{
		"ca":          cluster.pair,
		"etcd-ca":     {cert: etcd.pair.cert},
		"apiserver":   apiserver,
		"etcd":        etcdServer,
		"etcd-client": etcdClient,
	} {
		if err := pair.write(directory, name); err != nil {
			return nil, err
		}
	}

	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	private, err := encodeKey(signer)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(directory, "service-accounts.key"), private, 0o600); err != nil {
		return nil, err
	}
	return &pki{directory: directory, cluster: cluster}, nil
}

// path of a file of this directory.
func (p *pki) path(file string) string {
	return filepath.Join(p.directory, file)
}
