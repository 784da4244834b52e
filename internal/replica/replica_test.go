package replica

import (
	"os"
	"path/filepath"
	"testing"

	"robot.wtf/internal/testdisk"
)

func TestMain(m *testing.M) { os.Exit(testdisk.Run(m)) }

// Each generation can be built, with what a move can stumble over.
func TestBuild(t *testing.T) {
	t.Parallel()
	for name, schema := range map[string]Schema{"early": Early, "middle": Middle, "late": Late} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := Build(t.TempDir(), Options{Schema: schema, Wikis: 2, Commits: 6, Odd: true})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			for _, slug := range []string{"plain-0", "plain-1", Shared, Crowded} {
				if err := runGit(d.Repository(slug), nil, "fsck", "--strict", "--no-dangling"); err != nil {
					t.Error(err)
				}
				if err := d.Extend(slug, "ada", 2); err != nil {
					t.Error(err)
				}
			}
			if _, err := os.Stat(filepath.Join(d.Dir, "robot.db-wal")); err != nil {
				t.Errorf("the newest rows aren't in a log, as under the running original: %v", err)
			}
			if d.Tokens[Shared] == "" || d.Owners[Second] != DID("ada") || d.Handles["eve.example"] == DID("eve") {
				t.Errorf("facts: %+v", d)
			}
		})
	}
}
