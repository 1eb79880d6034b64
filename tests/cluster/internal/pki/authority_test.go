package pki

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// A server and a client with certificates of one authority accept each other,
// and the server reads user and groups from the client's certificate.
func TestMutualTLS(t *testing.T) {
	authority := newAuthority(t)
	var user string
	var groups []string
	url := serve(t, authority, func(_ http.ResponseWriter, r *http.Request) {
		subject := r.TLS.PeerCertificates[0].Subject
		user, groups = subject.CommonName, subject.Organization
	})
	if err := get(t, url, authority, authority); err != nil {
		t.Fatal(err)
	}
	if user != "alice" || !slices.Equal(groups, []string{"team-a"}) {
		t.Errorf("the server saw user %q in groups %q", user, groups)
	}
}

// Two clusters on one machine don't open to each other's certificates.
func TestForeignAuthorityIsRefused(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	url := serve(t, ours, func(http.ResponseWriter, *http.Request) { t.Error("the request got through") })
	if err := get(t, url, ours, theirs); err == nil {
		t.Error("the server took a client certificate of another authority")
	}
	if err := get(t, url, theirs, ours); err == nil {
		t.Error("the client took a serving certificate of another authority")
	}
}

func newAuthority(t *testing.T) *Authority {
	t.Helper()
	authority, err := NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	return authority
}

func serve(t *testing.T, authority *Authority, handler http.HandlerFunc) string {
	t.Helper()
	pair, err := authority.Server("server", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{
		Certificates: []tls.Certificate{load(t, pair)},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    pool(authority),
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

func get(t *testing.T, url string, trusted, issuer *Authority) error {
	t.Helper()
	pair, err := issuer.Client("alice", "team-a")
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs:      pool(trusted),
		Certificates: []tls.Certificate{load(t, pair)},
	}}}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func pool(authority *Authority) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority.Pair.Cert)
	return pool
}

func load(t *testing.T, pair Pair) tls.Certificate {
	t.Helper()
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}
