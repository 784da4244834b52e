package internal_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	relativeLink = regexp.MustCompile(`\]\(([^)#:\s]+)(#[^)]*)?\)`)
	codeMention  = regexp.MustCompile("`((?:internal|cmd|docs|deploy|bench|e2e|testdata)/[A-Za-z0-9_./-]+)`")
)

// TestDocumentationLinks fails for a relative link, or a path in backticks, that
// leads nowhere.
func TestDocumentationLinks(t *testing.T) {
	checked := 0
	for _, file := range documents(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range relativeLink.FindAllStringSubmatch(string(data), -1) {
			checked++
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), match[1])); err != nil {
				t.Errorf("%s links to %s: %v", file, match[1], err)
			}
		}
		for _, match := range codeMention.FindAllStringSubmatch(string(data), -1) {
			checked++
			if _, err := os.Stat(filepath.Join("..", match[1])); err != nil {
				t.Errorf("%s names %s: %v", file, match[1], err)
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d links and paths found", checked)
	}
}

// TestDecisionsAreListed fails for a decision record without a row in
// docs/adr/README.md, and for one without a status.
func TestDecisionsAreListed(t *testing.T) {
	index, err := os.ReadFile("../docs/adr/README.md")
	if err != nil {
		t.Fatal(err)
	}
	records, err := filepath.Glob("../docs/adr/[0-9]*.md")
	if err != nil || len(records) == 0 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	for _, file := range records {
		if !strings.Contains(string(index), "("+filepath.Base(file)+")") {
			t.Errorf("docs/adr/README.md doesn't list %s", filepath.Base(file))
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, rest, _ := strings.Cut(string(text), "\n\n"); !strings.HasPrefix(rest, "Accepted, ") && !strings.HasPrefix(rest, "Superseded by ") {
			t.Errorf("%s has no status below its title", file)
		}
	}
}

// documents returns the Markdown files that engineers read.
func documents(t *testing.T) (files []string) {
	t.Helper()
	for _, pattern := range []string{"../*.md", "../bench/*.md", "../deploy/*.md", "../e2e/*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	err := filepath.WalkDir("../docs", func(file string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(file, ".md") {
			files = append(files, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestSignInDocument fails if docs/signin.md names a test that doesn't exist.
func TestSignInDocument(t *testing.T) {
	text, err := os.ReadFile("../docs/signin.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\b(Test[A-Z]\w+)(?: \((\w+)\))?`).FindAllStringSubmatch(string(text), -1)
	for _, match := range named {
		name, dir := match[1], "atproto"
		if match[2] != "" {
			dir = match[2]
		}
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		found := false
		for _, file := range files {
			source, readErr := os.ReadFile(file)
			err = errors.Join(err, readErr)
			found = found || strings.Contains(string(source), "\nfunc "+name+"(t *testing.T)")
		}
		if err != nil || !found {
			t.Errorf("docs/signin.md names %s, which package %s doesn't have: %v", name, dir, err)
		}
	}
	if len(named) < 30 {
		t.Errorf("only %d tests named", len(named))
	}
}

// docs/design.md stays short enough to be read in one sitting: at most 1,500 words
// besides its tables, drawings and addresses.
func TestDesignIsShort(t *testing.T) {
	data, err := os.ReadFile("../docs/design.md")
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile("(?ms)^```.*?^```$|^\\|.*?$|\\]\\([^)]*\\)").ReplaceAllString(string(data), "")
	if words := len(strings.Fields(text)); words < 500 || words > 1500 {
		t.Errorf("%d words, want at most 1,500: details belong to the doc comments of packages", words)
	}
}
