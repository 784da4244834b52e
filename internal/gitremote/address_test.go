package gitremote

import (
	"errors"
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

func TestParseAddress(t *testing.T) {
	for text, want := range map[string][2]string{
		"https://github.com/ada/notes":                            {"https://github.com/ada/notes.git"},
		" https://github.com/ada/notes/ ":                         {"https://github.com/ada/notes.git"},
		"github.com/ada/notes":                                    {"https://github.com/ada/notes.git"},
		"HTTPS://GitHub.com/Ada/Notes":                            {"https://github.com/Ada/Notes.git"},
		"https://github.com/ada/notes.git":                        {"https://github.com/ada/notes.git"},
		"https://github.com/ada/notes?tab=readme-ov-file#a":       {"https://github.com/ada/notes.git"},
		"https://github.com/ada/notes/wiki":                       {"https://github.com/ada/notes.wiki.git"},
		"https://github.com/ada/notes/wiki/Some-Page":             {"https://github.com/ada/notes.wiki.git"},
		"https://github.com/ada/notes.wiki.git":                   {"https://github.com/ada/notes.wiki.git"},
		"https://github.com/ada/notes/tree/next":                  {"https://github.com/ada/notes.git", "next"},
		"https://github.com/ada/notes/tree/fix/a%20b":             {"https://github.com/ada/notes.git", "fix/a b"},
		"https://github.com/ada/notes/blob/main/Home.md":          {"https://github.com/ada/notes.git", "main/Home.md"},
		"https://github.com/ada/notes/issues/7":                   {"https://github.com/ada/notes.git"},
		"https://codeberg.org/ada/notes":                          {"https://codeberg.org/ada/notes.git"},
		"https://codeberg.org/ada/notes/wiki/?action=_pages":      {"https://codeberg.org/ada/notes.wiki.git"},
		"https://codeberg.org/ada/notes/src/branch/next":          {"https://codeberg.org/ada/notes.git", "next"},
		"https://codeberg.org/ada/notes/src/tag/v1":               {"https://codeberg.org/ada/notes.git", "v1"},
		"https://git.example.org/ada/notes/wiki/Home":             {"https://git.example.org/ada/notes.wiki.git"},
		"https://gitlab.com/ada/notes":                            {"https://gitlab.com/ada/notes.git"},
		"https://gitlab.com/team/sub/notes":                       {"https://gitlab.com/team/sub/notes"},
		"https://gitlab.com/team/sub/notes/-/tree/next":           {"https://gitlab.com/team/sub/notes.git", "next"},
		"https://gitlab.example.org/team/sub/notes/-/wikis/home":  {"https://gitlab.example.org/team/sub/notes.wiki.git"},
		"https://bitbucket.org/ada/notes/src/next/":               {"https://bitbucket.org/ada/notes", "next"},
		"https://bitbucket.org/ada/notes/wiki/Home":               {"https://bitbucket.org/ada/notes/wiki"},
		"https://git.sr.ht/~ada/notes/tree/next":                  {"https://git.sr.ht/~ada/notes", "next"},
		"https://git.kernel.org/pub/scm/docs/man-pages.git/tree/": {"https://git.kernel.org/pub/scm/docs/man-pages.git"},
		"https://example.org/a/b/c/d":                             {"https://example.org/a/b/c/d"},
		"https://example.org/repo.git":                            {"https://example.org/repo.git"},
		"https://example.org:443/repo.git":                        {"https://example.org/repo.git"},
	} {
		a, err := ParseAddress(text)
		if err != nil || a.URL() != want[0] || a.Ref != want[1] {
			t.Errorf("%s: %s %q, %v; want %s %q", text, a.URL(), a.Ref, err, want[0], want[1])
		}
	}
}

func TestInvalidAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "Enter the address",
		"https://github.com/":           "the address of a repository",
		"https://github.com/ada":        "the address of a repository",
		"https://codeberg.org/ada":      "the address of a repository",
		"https://example.org":           "the address of a repository",
		"git@github.com:ada/a.git":      "Only https",
		"ssh://git@github.com/a/b":      "Only https",
		"http://github.com/ada/a":       "Only https",
		"https:github.com/ada/a":        "Only https",
		"https://a@github.com/a/b":      "before the @",
		"https://github.com:22/a/b":     "without a port",
		"https:///a/b":                  "no valid host",
		"https://localhost/a/b":         "public internet",
		"https://10.0.0.1/a/b":          "public internet",
		"https://[::1]/a/b":             "public internet",
		"https://github.com/a/../b":     "characters",
		"https://github.com/a/%2e%2e/b": "characters",
		"https://github.com/a/b%2fc":    "characters",
		"https://github.com/a/b%0a":     "characters",
		"https://github.com/a\\b":       "characters",
		"https://github.com/a/b%00":     "characters",
		"https://github.com/a/" + strings.Repeat("b", maxAddress): "too long",
	} {
		_, err := ParseAddress(text)
		var problem *wiki.Problem
		if !errors.As(err, &problem) || problem.Field != "address" || !strings.Contains(problem.Message, want) {
			t.Errorf("%.60q: %v; want %q", text, err, want)
		}
	}
}
