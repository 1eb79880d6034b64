package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"os"
	"path/filepath"
)

// Directory is the directory of a cluster's certificates and keys. Two authorities,
// as in a cluster made by kubeadm: a certificate that opens the API server
// must not open etcd.
type Directory struct {
	directory string
	// Cluster is the authority of the API server and of its clients.
	Cluster *Authority
}

// NewDirectory makes the authorities and the certificates of the servers, and
// the key that signs service account tokens. The API server answers at
// loopback, at serviceIP and at the names of the kubernetes Service.
func NewDirectory(directory, serviceIP string) (*Directory, error) {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, err
	}
	cluster, err := NewAuthority("windlass-cluster")
	if err != nil {
		return nil, err
	}
	etcd, err := NewAuthority("windlass-etcd")
	if err != nil {
		return nil, err
	}
	apiserver, err := cluster.Server("kube-apiserver",
		"127.0.0.1", "::1", "localhost", serviceIP,
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
	if err != nil {
		return nil, err
	}
	etcdServer, err := etcd.Server("etcd", "127.0.0.1", "localhost")
	if err != nil {
		return nil, err
	}
	etcdClient, err := etcd.Client("kube-apiserver")
	if err != nil {
		return nil, err
	}
	for name, pair := range map[string]Pair{
		"ca":          cluster.Pair,
		"etcd-ca":     {Cert: etcd.Pair.Cert},
		"apiserver":   apiserver,
		"etcd":        etcdServer,
		"etcd-client": etcdClient,
	} {
		if err := pair.Write(directory, name); err != nil {
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
	return &Directory{directory: directory, Cluster: cluster}, nil
}

// Path of a file of this directory.
func (d *Directory) Path(file string) string {
	return filepath.Join(d.directory, file)
}
