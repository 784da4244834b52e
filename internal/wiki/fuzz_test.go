package wiki

import (
	"errors"
	"strings"
	"testing"
)

// A name that is accepted is the same when it is parsed again, and can be a file's.
func FuzzName(f *testing.F) {
	for _, name := range []string{"Home", "a/b c", "/x/", "..", "a/../b", ".git/x", "x.md.md", "e\u0301", "\u202ex", "_", "edit", "api/x", "a\\b", "GIT~1", "\xff", strings.Repeat("x", 300)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, err := ParsePageName(text)
		file, fileErr := ParseFilePath(text)
		for _, err := range []error{err, fileErr} {
			if err != nil && !errors.As(err, new(*Problem)) {
				t.Errorf("not a Problem: %v", err)
			}
		}
		if err == nil {
			if again, err := ParsePageName(string(name)); err != nil || again != name {
				t.Errorf("%q became %q, %v", name, again, err)
			}
		}
		if fileErr == nil {
			if again, err := ParseFilePath(file); err != nil || again != file {
				t.Errorf("%q became %q, %v", file, again, err)
			}
		}
		for _, accepted := range []string{string(name), file} {
			if len(accepted) > MaxNameBytes || strings.Contains("/"+accepted+"/", "/../") || strings.Contains("/"+accepted, "/.") || strings.ContainsRune(accepted, 0) {
				t.Errorf("accepts %q", accepted)
			}
		}
	})
}
