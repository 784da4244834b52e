package gitrepo

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/background"
)

type panickingReader struct{}

func (panickingReader) Read([]byte) (int, error) { panic("input") }

type panickingPack struct{}

func (panickingPack) WriteTo(io.Writer) (int64, error) { panic("pack") }

// A panic while git runs reaches the caller, and leaves no process behind.
func TestPanicEndsProcess(t *testing.T) {
	git, err := Find()
	if err != nil {
		t.Skip(err)
	}
	repo, err := git.Init(filepath.Join(t.TempDir(), "repo.git"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := git.output(t.Context(), process{dir: repo.dir, in: strings.NewReader("x"), bound: ownBound, args: []string{"hash-object", "-w", "--stdin"}, env: []string{"GIT_DIR=."}})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for name, do := range map[string]func(){
		"input": func() {
			_ = git.run(t.Context(), process{dir: repo.dir, in: panickingReader{}, out: io.Discard, bound: ownBound, args: []string{"cat-file", "--batch"}, env: []string{"GIT_DIR=."}})
		},
		"pack": func() { _ = repo.AddPack(t.Context(), panickingPack{}, false) },
		"visit": func() {
			r := &Received{repo: repo}
			_ = r.Objects(t.Context(), []string{id}, func(string, []byte) error { panic("visit") })
		},
	} {
		p := background.Catch(do)
		if p == nil || p.Value != name {
			t.Errorf("%s: caught %v", name, p)
		}
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("took %v: git wasn't killed", took)
	}
}
