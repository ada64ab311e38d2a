package main

import (
	"strings"
	"testing"

	"github.com/sentinel-chaos/sentinel/service/internal/servers"
)

func TestFilesOfTLS(t *testing.T) {
	certs := servers.MakeCertificates(t)
	other := servers.MakeCertificates(t)
	tests := []struct {
		name, ca, cert, key, want string // want is the setting that is to blame, "" for none
	}{
		{"none", "", "", "", ""},
		{"all", certs.CA, certs.Cert, certs.Key, ""},
		{"no certificate of its own", certs.CA, "", "", ""},
		{"CA that is not there", "/nowhere/ca.pem", "", "", "SENTINEL_REDIS_TLS_CA"},
		{"CA without a certificate", certs.Key, "", "", "SENTINEL_REDIS_TLS_CA"},
		{"certificate that is not there", "", "/nowhere/cert.pem", certs.Key, "SENTINEL_REDIS_TLS_CERT"},
		{"certificate without its key", "", certs.Cert, "", "SENTINEL_REDIS_TLS_KEY"},
		{"key without its certificate", "", "", certs.Key, "SENTINEL_REDIS_TLS_CERT"},
		{"key of another certificate", "", certs.Cert, other.Key, "SENTINEL_REDIS_TLS_KEY"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			required(t)
			t.Setenv("SENTINEL_REDIS_TLS", "true")
			t.Setenv("SENTINEL_REDIS_TLS_CA", test.ca)
			t.Setenv("SENTINEL_REDIS_TLS_CERT", test.cert)
			t.Setenv("SENTINEL_REDIS_TLS_KEY", test.key)
			c, err := loadConfig()
			switch {
			case test.want == "" && (err != nil || c.redisTLS == nil || (c.redisTLS.RootCAs == nil) != (test.ca == "") || len(c.redisTLS.Certificates) > 0 != (test.cert != "")):
				t.Errorf("got %+v, %v", c.redisTLS, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v", err)
			}
		})
	}
}
