package main

import (
	"embed"
	"fmt"
	"os"

	"windlass.dev/cluster/internal/pki"
	"windlass.dev/cluster/internal/state"
)

const (
	serviceCIDR    = "10.96.0.0/16"
	firstServiceIP = "10.96.0.1"
)

// configFiles are given to the components as they are.
//
//go:embed config/*.yaml
var configFiles embed.FS

// writeConfig copies an embedded file to the state directory.
func writeConfig(s *state.Directory, name string) (string, error) {
	data, err := configFiles.ReadFile("config/" + name)
	if err != nil {
		return "", err
	}
	path := s.Join(name)
	return path, os.WriteFile(path, data, 0o600)
}

func etcdArgs(s *state.Directory, p *pki.Directory, port claimedPort) []string {
	return []string{
		"--data-dir=" + s.Join("etcd"),
		fmt.Sprintf("--port=%d", port.number),
		"--ca=" + p.Path("etcd-ca.crt"),
		"--cert=" + p.Path("etcd.crt"),
		"--key=" + p.Path("etcd.key"),
	}
}

func apiserverArgs(s *state.Directory, p *pki.Directory, port, etcd claimedPort) ([]string, error) {
	audit, err := writeConfig(s, "audit-policy.yaml")
	if err != nil {
		return nil, err
	}
	authentication, err := writeConfig(s, "authentication.yaml")
	if err != nil {
		return nil, err
	}
	return []string{
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", port.number),
		"--tls-cert-file=" + p.Path("apiserver.crt"),
		"--tls-private-key-file=" + p.Path("apiserver.key"),
		"--client-ca-file=" + p.Path("ca.crt"),
		"--authentication-config=" + authentication,
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",

		"--etcd-servers=https://" + etcd.String(),
		"--etcd-cafile=" + p.Path("etcd-ca.crt"),
		"--etcd-certfile=" + p.Path("etcd-client.crt"),
		"--etcd-keyfile=" + p.Path("etcd-client.key"),

		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + p.Path("service-accounts.key"),
		"--service-account-signing-key-file=" + p.Path("service-accounts.key"),
		"--service-cluster-ip-range=" + serviceCIDR,
		// The address of the API server is of this machine's loopback: no
		// endpoint of the kubernetes Service could reach it.
		"--endpoint-reconciler-type=none",
		"--allow-privileged=true",

		"--audit-policy-file=" + audit,
		"--audit-log-path=" + s.Join("audit.log"),
		// Never rotated: a test reads the log of the whole run.
		"--audit-log-maxsize=1000000",

		// Tests measure what their subject does, not how it is throttled.
		"--max-requests-inflight=2000",
		"--max-mutating-requests-inflight=1000",
	}, nil
}

func controllerManagerArgs(p *pki.Directory, kubeconfig string) []string {
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--secure-port=0",
		"--leader-elect=false",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + p.Path("service-accounts.key"),
		"--root-ca-file=" + p.Path("ca.crt"),
		"--cluster-signing-cert-file=" + p.Path("ca.crt"),
		"--cluster-signing-key-file=" + p.Path("ca.key"),
		"--service-cluster-ip-range=" + serviceCIDR,
		"--kube-api-qps=200",
		"--kube-api-burst=400",
	}
}

func schedulerArgs(kubeconfig string) []string {
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--secure-port=0",
		"--leader-elect=false",
		"--kube-api-qps=200",
		"--kube-api-burst=400",
	}
}
