package harness_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// foreign are words of the worlds that harness/ knows nothing of: the systems that are put under test here, what they depend on,
// and what runs them.
var foreign = []string{"gateway", "llm", "tenant", "redis", "postgres", "patroni", "etcd", "haproxy", "sentinel", "docker", "sql"}

// namesThem are the files that must write these words, to say who may import whom and what is foreign. The command cmd/chaos wires
// everything together, and is no part of the general harness.
var namesThem = []string{"imports_test.go", "words_test.go"}

// TestNoForeignWords: no identifier, string or comment of harness/ has such a word, in no file of it. Import paths may.
func TestNoForeignWords(t *testing.T) {
	files := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if path == filepath.Join("cmd", "chaos") {
			return filepath.SkipDir
		}
		if err != nil || d.IsDir() || slices.Contains(namesThem, path) {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for n, line := range strings.Split(withoutImports(t, path, string(text)), "\n") {
			for _, word := range foreign {
				if strings.Contains(strings.ToLower(line), word) {
					t.Errorf("%s:%d has the word %q: %s", path, n+1, word, strings.TrimSpace(line))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Errorf("looked at %d files only", files)
	}
}

// withoutImports blanks the import paths of a Go file.
func withoutImports(t *testing.T, path, text string) string {
	if !strings.HasSuffix(path, ".go") {
		return text
	}
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, path, text, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	out := []byte(text)
	for _, i := range f.Imports {
		blank(out, set, i.Path)
	}
	return string(out)
}

func blank(text []byte, set *token.FileSet, n ast.Node) {
	for i := set.Position(n.Pos()).Offset; i < set.Position(n.End()).Offset; i++ {
		text[i] = ' '
	}
}
