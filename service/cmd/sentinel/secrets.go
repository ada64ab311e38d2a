package main

import (
	"errors"
	"io"
	"os"
	"strings"

	"github.com/caarlos0/env/v11"
)

// fileSuffix ends the name of a variable that has the path of a file with a secret, in place of the secret.
const fileSuffix = "_FILE"

// readSecrets puts the secrets that are in files in their places among the variables. A file is read once, and a newline at its end,
// which editors add, is no part of the secret.
func readSecrets(vars map[string]string, p *problems) {
	for _, name := range secretNames() {
		path := vars[name+fileSuffix]
		if path == "" {
			continue
		}
		if vars[name] != "" {
			p.add(name + " and " + name + fileSuffix + " are both set")
			continue
		}
		secret, err := readSecret(path)
		if err != nil {
			p.add(name + fileSuffix + ": " + err.Error())
			p.bad = append(p.bad, name)
		}
		vars[name] = secret
	}
}

// secretNames are the settings that are secrets: those that are taken out of the environment when they have been read.
func secretNames() (names []string) {
	params, _ := env.GetFieldParams(&Config{}) // fails for tags that are no tags only
	for _, p := range params {
		if p.Unset {
			names = append(names, p.Key)
		}
	}
	return names
}

// longestSecret bounds what is read of a file that may be another than was meant, in bytes.
const longestSecret = 64 << 10

var (
	errSecretEmpty   = errors.New("the file is empty")
	errSecretTooLong = errors.New("the file is longer than 64 KiB")
)

func readSecret(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, longestSecret+1))
	if err != nil {
		return "", err
	}
	if len(text) > longestSecret {
		return "", errSecretTooLong
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if secret == "" {
		return "", errSecretEmpty
	}
	return secret, nil
}
