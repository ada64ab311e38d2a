package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// secretsOf are values that the settings may have.
func secretsOf(t *testing.T) map[string]string {
	t.Helper()
	secrets := map[string]string{
		"SENTINEL_ADMIN_TOKEN":             "hunter2",
		"SENTINEL_POSTGRES_DSN":            "postgres://user:hunter2@host/db",
		"SENTINEL_LLM_API_KEY":             "hunter2",
		"SENTINEL_REDIS_PASSWORD":          "hunter2 §",
		"SENTINEL_REDIS_SENTINEL_PASSWORD": "hunter2",
	}
	if names := secretNames(); len(names) != len(secrets) {
		t.Fatalf("the secrets are %v", names)
	}
	return secrets
}

// valueOf is what a setting of that name was set to.
func valueOf(t *testing.T, c Config, name string) string {
	t.Helper()
	for field, value := range reflect.ValueOf(c).Fields() {
		if key, _, _ := strings.Cut(field.Tag.Get("env"), ","); key == name {
			return value.String()
		}
	}
	t.Fatalf("there is no setting %s", name)
	return ""
}

// written makes a file of a test.
func written(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A secret that is in a file need not be in the process's environment.
func TestSecretsFromFiles(t *testing.T) {
	for name, secret := range secretsOf(t) {
		for kind, text := range map[string]string{"a line": secret + "\n", "a line of Windows": secret + "\r\n", "no newline": secret} {
			t.Run(name+" "+kind, func(t *testing.T) {
				required(t)
				t.Setenv(name, "")
				t.Setenv(name+"_FILE", written(t, text))
				c, err := loadConfig()
				if err != nil {
					t.Fatal(err)
				}
				if got := valueOf(t, c, name); got != secret {
					t.Errorf("it is %q", got)
				}
				if value, there := os.LookupEnv(name); there {
					t.Errorf("the environment has %q", value)
				}
				if len(c.Remarks) > 0 {
					t.Errorf("remarks: %q", c.Remarks)
				}
			})
		}
	}
}

func TestUnusableSecretFilesAreRefused(t *testing.T) {
	for name, secret := range secretsOf(t) {
		for kind, path := range map[string]string{
			"empty": written(t, ""), "a newline": written(t, "\n"), "not there": filepath.Join(t.TempDir(), "nothing"), "a folder": t.TempDir(),
			"too long": written(t, strings.Repeat("x", 1<<20)),
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				required(t)
				t.Setenv(name, "")
				t.Setenv(name+"_FILE", path)
				_, err := loadConfig()
				if err == nil {
					t.Fatal("accepted")
				}
				if text := err.Error(); !strings.Contains(text, name+"_FILE") || strings.Count(text, name) != 1 || strings.Contains(text, "xxx") {
					t.Errorf("got %v", err)
				}
			})
		}
		t.Run(name+" twice", func(t *testing.T) {
			required(t)
			t.Setenv(name, secret)
			t.Setenv(name+"_FILE", written(t, secret))
			if _, err := loadConfig(); err == nil || !strings.Contains(err.Error(), name+"_FILE") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v", err)
			}
		})
		if strings.HasSuffix(name, "_PASSWORD") { // may have anything in it
			continue
		}
		t.Run(name+" of many lines", func(t *testing.T) {
			required(t)
			t.Setenv(name, "")
			t.Setenv(name+"_FILE", written(t, "postgres://user:hunter2\n\n@host:x/db"))
			if _, err := loadConfig(); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v", err)
			}
		})
	}
}
