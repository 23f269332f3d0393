package pipeline

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/seed-6a2d649b/pharos/host/config"
)

// tlsConfig is the client's side of TLS to the brokers; nil is plain text.
func tlsConfig(c *config.KafkaTLS) (*tls.Config, error) {
	if c == nil {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if !c.CA.IsZero() {
		pem, err := os.ReadFile(c.CA.String())
		if err != nil {
			return nil, fmt.Errorf("kafka.tls.ca: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("kafka.tls.ca: %s holds no certificate in PEM form", c.CA)
		}
	}
	if !c.Cert.IsZero() {
		pair, err := tls.LoadX509KeyPair(c.Cert.String(), c.Key.String())
		if err != nil {
			return nil, fmt.Errorf("kafka.tls.cert and key: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}
