package main

import (
	"k8s.io/client-go/tools/clientcmd"
	clientapi "k8s.io/client-go/tools/clientcmd/api"
	"windlass.dev/cluster/internal/pki"
)

// writeKubeconfig writes a kubeconfig that needs no other file: the authority,
// the client certificate and its key are inside.
func writeKubeconfig(path, server string, p *pki.Directory, user string, groups ...string) error {
	pair, err := p.Cluster.Client(user, groups...)
	if err != nil {
		return err
	}
	const name = "windlass"
	config := clientapi.NewConfig()
	config.Clusters[name] = &clientapi.Cluster{Server: server, CertificateAuthorityData: p.Cluster.Pair.Cert}
	config.AuthInfos[user] = &clientapi.AuthInfo{ClientCertificateData: pair.Cert, ClientKeyData: pair.Key}
	config.Contexts[name] = &clientapi.Context{Cluster: name, AuthInfo: user}
	config.CurrentContext = name
	return clientcmd.WriteToFile(*config, path)
}
