package postgres

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
)

// CheckDSN tells what is wrong with a DSN, and with the files for TLS that it names; nil if nothing is.
func CheckDSN(dsn string) error {
	_, err := parseDSN(dsn)
	return err
}

var (
	errScheme = errors.New("its scheme must be postgres or postgresql")
	// errDSN repeats nothing of what was read: wherever the mistake is, a part of the password may stand there.
	errDSN = errors.New("it, or what a file that it names holds, is not as in postgres://user:password@host:5432/database?sslmode=verify-full&sslrootcert=/path/to/ca.pem")
)

// parseDSN reads a DSN.
func parseDSN(dsn string) (*pgxpool.Config, error) {
	scheme, _, isURL := strings.Cut(dsn, "://")
	if isURL && !strings.Contains(scheme, "=") && scheme != "postgres" && scheme != "postgresql" {
		return nil, errScheme // else it would be taken for keywords and values, and lead to the default host
	}
	cfg, err := pgxpool.ParseConfig(dsn)
	if file := (*fs.PathError)(nil); errors.As(err, &file) {
		return nil, fmt.Errorf("it names a file that cannot be read: %w", file)
	}
	if err != nil {
		return nil, errDSN
	}
	for name := range cfg.ConnConfig.RuntimeParams {
		if strings.HasPrefix(name, "ssl") { // left over for the server to set, while the connection has no TLS, or one that verifies nothing
			return nil, fmt.Errorf("it has no parameter %s", name)
		}
	}
	return cfg, nil
}
