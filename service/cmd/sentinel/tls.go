package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
)

var errNoCertificate = errors.New("the file has no certificate")

// checkRedisTLS makes what TLS with Redis needs of the files that are named, and finds those that are of no use.
func (c *Config) checkRedisTLS(p *problems) {
	if !c.RedisTLS {
		return
	}
	c.redisTLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if c.RedisTLSCA != "" {
		roots, err := certificates(c.RedisTLSCA)
		if err != nil {
			p.add("SENTINEL_REDIS_TLS_CA: " + err.Error())
		}
		c.redisTLS.RootCAs = roots
	}
	if c.RedisTLSCert != "" && c.RedisTLSKey != "" {
		own, err := tls.LoadX509KeyPair(c.RedisTLSCert, c.RedisTLSKey)
		if err != nil {
			p.add("SENTINEL_REDIS_TLS_CERT and SENTINEL_REDIS_TLS_KEY: " + err.Error())
		}
		c.redisTLS.Certificates = []tls.Certificate{own}
	}
}

// certificates reads the certificates of a file.
func certificates(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errNoCertificate
	}
	return pool, nil
}
