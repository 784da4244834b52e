package gitrepo

import (
	"strings"
	"testing"
)

// Attack: a bundle without a branch panicked, which ended the process.
func TestReceiveWithoutMainBranch(t *testing.T) {
	git, err := Find()
	if err != nil {
		t.Skip(err)
	}
	id := strings.Repeat("1", 40)
	for name, tc := range map[string]struct{ refs, want string }{
		"no refs":        {"", "There is no branch to import"},
		"only tags":      {id + " refs/tags/v1\n", "There is no branch to import"},
		"only notes":     {id + " refs/notes/commits\n", "There is no branch to import"},
		"two branches":   {id + " refs/heads/a\n" + id + " refs/heads/b\n", "Can't tell which branch"},
		"one branch":     {id + " refs/heads/a\n", "has no pack"},
		"HEAD":           {id + " HEAD\n", "has no pack"},
		"main and other": {id + " refs/heads/a\n" + id + " refs/heads/main\n", "has no pack"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := git.Receive(t.Context(), t.TempDir(), strings.NewReader(bundleMark+tc.refs+"\n"), 1000)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}
