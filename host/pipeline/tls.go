package pipeline

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/seed-6a2d649b/pharos/host/config"
)

// tlsConfig is the client's side of TLS, which the config has at a place; nil is plain
// text, or the system's roots.
func tlsConfig(at string, c *config.ClientTLS) (*tls.Config, error) {
	if c == nil {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if !c.CA.IsZero() {
		pem, err := os.ReadFile(c.CA.String())
		if err != nil {
			return nil, fmt.Errorf("%s.ca: %w", at, err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s.ca: %s holds no certificate in PEM form", at, c.CA)
		}
	}
	if !c.Cert.IsZero() {
		pair, err := tls.LoadX509KeyPair(c.Cert.String(), c.Key.String())
		if err != nil {
			return nil, fmt.Errorf("%s.cert and key: %w", at, err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}
