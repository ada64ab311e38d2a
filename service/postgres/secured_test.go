package postgres

import (
	"fmt"
	"testing"

	"github.com/sentinel-chaos/sentinel/service/internal/servers"
)

// What a DSN says of TLS holds for each connection of the pool.
func TestSecuredPostgres(t *testing.T) {
	dsn, certs := servers.StartSecuredPostgres(t)
	other := servers.MakeCertificates(t)
	tests := []struct {
		name, parameters string
		reached, secured bool
	}{
		{"verified", "?sslmode=verify-full&sslrootcert=" + certs.CA, true, true},
		{"verified, with a certificate", "?sslmode=verify-full&sslrootcert=" + certs.CA + "&sslcert=" + certs.Cert + "&sslkey=" + certs.Key, true, true},
		{"not verified", "?sslmode=require", true, true},
		{"none", "?sslmode=disable", true, false},
		{"another authority", "?sslmode=verify-full&sslrootcert=" + other.CA, false, false},
		{"another authority, by require", "?sslmode=require&sslrootcert=" + other.CA, false, false},
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			name := fmt.Sprint("gateway-", i) // the server may still have connections of the one before
			s := openPatient(t, Options{DSN: dsn + test.parameters + "&application_name=" + name, Conns: 5, Replica: name, Budget: budget})
			err := s.Migrate(t.Context())
			if reached := err == nil; reached != test.reached {
				t.Fatalf("migrate: %v", err)
			}
			if !test.reached {
				return
			}
			if err := s.Fill(t.Context()); err != nil {
				t.Fatal(err)
			}
			var open, secured int32
			sql := `SELECT count(*), count(*) FILTER (WHERE ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = $1`
			if err := s.pool.QueryRow(t.Context(), sql, name).Scan(&open, &secured); err != nil {
				t.Fatal(err)
			}
			if open < s.kept || test.secured && secured != open || !test.secured && secured != 0 {
				t.Errorf("%d of %d connections have TLS", secured, open)
			}
		})
	}
}
