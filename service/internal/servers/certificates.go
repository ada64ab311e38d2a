package servers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Certificates are files of a test: an authority's certificate, and one of 127.0.0.1 by it, with its key, for servers and clients.
type Certificates struct{ CA, Cert, Key string }

// MakeCertificates makes them.
func MakeCertificates(t testing.TB) Certificates {
	t.Helper()
	return makeCertificates(t, nil)
}

// makeCertificates makes files that belong to who.
func makeCertificates(t testing.TB, who *syscall.Credential) Certificates {
	t.Helper()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	authorityKey, leafKey := newKey(t), newKey(t)
	dir := folder(t, who)
	write := func(name, kind string, der []byte, err error) string {
		path := filepath.Join(dir, name)
		if err == nil {
			err = os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
		}
		if err == nil && who != nil {
			err = os.Chown(path, int(who.Uid), int(who.Gid))
		}
		if err != nil {
			t.Fatalf("make %s: %v", name, err)
		}
		return path
	}
	ca, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	made := Certificates{CA: write("ca.pem", "CERTIFICATE", ca, err)}
	cert, err := x509.CreateCertificate(rand.Reader, leaf, authority, leafKey.Public(), authorityKey)
	made.Cert = write("cert.pem", "CERTIFICATE", cert, err)
	key, err := x509.MarshalPKCS8PrivateKey(leafKey)
	made.Key = write("key.pem", "PRIVATE KEY", key, err)
	return made
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("make a key: %v", err)
	}
	return key
}

// Client is what a client needs that trusts the authority and shows the certificate.
func (c Certificates) Client(t testing.TB) *tls.Config {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		t.Fatalf("load the certificate: %v", err)
	}
	ca, err := os.ReadFile(c.CA)
	if err != nil {
		t.Fatalf("read the authority's certificate: %v", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
}
