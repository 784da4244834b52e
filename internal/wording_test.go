package internal_test

import (
	"flag"
	"fmt"
	"go/parser"
	"go/scanner"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var updateWording = flag.Bool("update-wording", false, "record the present count of stilted phrases")

// stilted are phrasings that a native speaker would not use. They miss some and
// catch a few correct sentences; rewrite those too. They may not be loosened.
var stilted = []*regexp.Regexp{
	regexp.MustCompile(`(^|[ ,;(])[Ww]ho(ever)? (is|was|has|had|does|did|may|can|wants|reads|writes|comes|asks|signs|saves|only|first|helps|looks|needs|knows|waits|sends)\b`),
	regexp.MustCompile(`(^|[ ,;(])[Ww]hat (is|was|comes|came|stands|it|they|has|had|can|nobody|somebody|others|one|follows|waits|lies)\b`),
	regexp.MustCompile(`\bstands? (in|beside|here|there|for itself|at|on|before|behind|alone)\b`),
	regexp.MustCompile(`\b(anew|whereof|of which|for ever|in the place of|small letters)\b`),
	regexp.MustCompile(`\b(a|by|as|the) mail\b`),
	regexp.MustCompile(`\bc[ao]mes? to (nothing|something|that|more|less|[0-9])`),
	regexp.MustCompile(`\b(may|can) have [0-9]`),
	regexp.MustCompile(`\bso that (who|what)\b`),
	regexp.MustCompile(`\bis told\b|\bare told\b`),
	regexp.MustCompile(`\bnobody else's\b|\bsomebody else's\b`),
}

// referents are the nouns after which "who" is correct: "the person who wrote
// it". The list may not grow without a reason.
var referents = []string{"anyone", "everyone", "member", "members", "nobody", "one", "owner", "people", "person", "someone", "somebody", "user", "users", "visitor", "writer"}

var (
	afterReferent = regexp.MustCompile(`(?i)\b(` + strings.Join(referents, "|") + `),?$`)
	relativeWho   = regexp.MustCompile(`^[ ,;(]?who\b`)
)

// A passage is text that people read, and the line it begins at.
type passage struct {
	file string
	line int
	text string
}

const wordingRecord = "testdata/wording.count"

// The number of stilted phrases in comments, Markdown and templates is recorded
// and may only fall.
func TestWording(t *testing.T) {
	var found []string
	lines := 0
	for _, p := range readable(t) {
		lines += strings.Count(p.text, "\n")
		found = append(found, p.findStilted()...)
	}
	slices.Sort(found)
	t.Logf("%d stilted phrases in %d lines of comments, Markdown and templates", len(found), lines)
	if *updateWording {
		if err := os.WriteFile(wordingRecord, []byte(strconv.Itoa(len(found))+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	data, err := os.ReadFile(wordingRecord)
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatalf("%s: %v", wordingRecord, err)
	}
	if len(found) > recorded {
		t.Errorf("%d stilted phrases, %d recorded; rewrite the new ones:\n%s", len(found), recorded, strings.Join(found, "\n"))
	}
	t.Log(strings.Join(found, "\n"))
	if len(found) < recorded {
		t.Errorf("%d stilted phrases, %d recorded; run go test ./internal -run TestWording -update-wording", len(found), recorded)
	}
}

// The patterns find what they are meant to, and leave relative clauses alone.
func TestWordingPatterns(t *testing.T) {
	for text, want := range map[string]int{
		"the handle of who has none\n":                     1,
		"Who is absent costs no words.\n":                  1,
		"the person who has signed in\n":                   0,
		"a user\nwho has no username\n":                    0,
		"what stands in the row is read anew\n":            3,
		"It may have 10,000 bytes, sent as a mail.\n":      2,
		"nobody else's page; the caller is told\n":         2,
		"what it\nreturns comes to nothing, so that who\n": 3,
	} {
		if got := (passage{text: text}).findStilted(); len(got) != want {
			t.Errorf("%q: %d findings, want %d: %q", text, len(got), want, got)
		}
	}
}

// findStilted returns one line for each phrase: file, line number and excerpt.
func (p passage) findStilted() (found []string) {
	flat := strings.ReplaceAll(p.text, "\n", " ")
	for i, pattern := range stilted {
		for _, at := range pattern.FindAllStringIndex(flat, -1) {
			if i == 0 && relativeWho.MatchString(flat[at[0]:]) && afterReferent.MatchString(flat[:at[0]]) {
				continue
			}
			line := p.line + strings.Count(p.text[:min(at[0]+1, len(p.text))], "\n")
			start, end := max(0, at[0]-30), min(len(flat), at[1]+30)
			found = append(found, fmt.Sprintf("%s:%d: …%s…", p.file, line, strings.ToValidUTF8(flat[start:end], "")))
		}
	}
	return found
}

// readable returns the comments of all Go files, all Markdown and all
// templates, but not what tests and seeds feed to the program.
func readable(t *testing.T) (all []passage) {
	t.Helper()
	out, err := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "..").Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	for _, file := range strings.Fields(string(out)) {
		slashed := filepath.ToSlash(file)
		if strings.Contains(slashed, "testdata/") || strings.HasSuffix(slashed, "internal/wording_test.go") || strings.HasPrefix(slashed, "wording_test.go") {
			continue
		}
		data, err := os.ReadFile(file)
		if os.IsNotExist(err) {
			continue // deleted, not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		switch filepath.Ext(file) {
		case ".go":
			all = append(all, comments(t, file, data)...)
		case ".md":
			all = append(all, passage{file, 1, string(data)})
		case ".html":
			if strings.Contains(slashed, "templates/") {
				all = append(all, passage{file, 1, string(data)})
			}
		}
	}
	return all
}

// comments returns a passage for each comment group of a Go file.
func comments(t *testing.T, file string, source []byte) (all []passage) {
	t.Helper()
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, file, source, parser.ParseComments|parser.SkipObjectResolution)
	if _, bad := err.(scanner.ErrorList); bad || err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, group := range parsed.Comments {
		var text strings.Builder
		for _, c := range group.List {
			text.WriteString(strings.Trim(strings.TrimPrefix(c.Text, "//"), " ") + "\n")
		}
		all = append(all, passage{file, fset.Position(group.Pos()).Line, text.String()})
	}
	return all
}
