package githttp

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/wiki"
)

// Someone cloned a wiki, then its owner erased a key. The next fetch says so, and
// its advice works: the key is gone from the clone. Other people see no note.
func TestFetchAfterErasure(t *testing.T) {
	t.Parallel()
	const key = "sk-ant-0123456789abcdef"
	versions := []string{"2"}
	if slow.Enabled() {
		versions = append(versions, "0")
	}
	for _, version := range versions {
		w := newWorld(t, nil)
		for i := range 40 { // more commits than a client names in its first request
			w.save("ada", "Setup", fmt.Sprintf("The key is %s, %d.\n", key, i))
		}
		dir := t.TempDir()
		git := func(args ...string) string {
			t.Helper()
			cmd := exec.Command("git", append([]string{"-c", "protocol.version=" + version}, args...)...)
			cmd.Dir, cmd.Env = dir, append(cmd.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("git %v: %v\n%s", args, err, out)
			}
			return string(out)
		}
		git("clone", "-q", w.url("ada", ""), "clone")
		w.save("ada", "Setup", "No key.\n")
		if said := git("-C", "clone", "fetch", "--progress"); strings.Contains(said, "erased") {
			t.Errorf("version %s: a fetch before any erasure says\n%s", version, said)
		}
		a, err := w.Tenant.Resolve(t.Context(), "ada", wiki.Caller{User: wiki.User{DID: "did:plc:ada", Username: "ada"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Pages.Erase(t.Context(), a, pages.Erasure{Text: key}); err != nil {
			t.Fatal(err)
		}
		if said := git("-C", "clone", "fetch"); !strings.Contains(said, "remote: Something was erased") || !strings.Contains(said, "forced update") {
			t.Errorf("version %s: the fetch says\n%s", version, said)
		}
		git("-C", "clone", "reset", "-q", "--hard", "origin/main")
		if log := git("-C", "clone", "log", "-p", "HEAD"); strings.Contains(log, key) {
			t.Errorf("version %s: the clone still has the key", version)
		}
		if said := git("clone", "--progress", w.url("ada", ""), "fresh"); strings.Contains(said, "erased") {
			t.Errorf("version %s: a new clone says\n%.500s", version, said)
		}
		git("-C", "clone", "fsck", "--strict", "--no-dangling")
	}
}

// The note goes before the first packet of the sideband, wherever the answer is cut.
func TestNoteWriter(t *testing.T) {
	line := func(s string) string { return fmt.Sprintf("%04x%s", len(s)+4, s) }
	v2 := line("acknowledgments\n") + line("NAK\n") + line("ready\n") + "0001" + line("packfile\n")
	rest := line("\x02counting") + line("\x01PACK....") + "0000"
	for _, tt := range []struct{ in, want string }{
		{v2 + rest, v2 + line("\x02note\n") + rest},
		{line("NAK\n") + rest, line("NAK\n") + line("\x02note\n") + rest},
		{line("NAK\n"), line("NAK\n")},
		{"0008NAK\nPACK1234", "0008NAK\nPACK1234"}, // without a sideband
		{"0008NAK\nPACK" + rest, "0008NAK\nPACK" + rest},
		{"", ""}, {"00", "00"}, {"zzzz", "zzzz"}, {"fff", "fff"},
	} {
		for size := 1; size <= len(tt.in)+1; size++ {
			var out bytes.Buffer
			w := &noteWriter{Writer: &out, note: "note\n", told: func() {}}
			for rest := []byte(tt.in); len(rest) > 0; rest = rest[min(size, len(rest)):] {
				if n, err := w.Write(rest[:min(size, len(rest))]); err != nil || n != min(size, len(rest)) {
					t.Fatal(n, err)
				}
			}
			if err := w.flush(); err != nil || out.String() != tt.want {
				t.Errorf("%q in pieces of %d: %q, want %q", tt.in, size, out.String(), tt.want)
			}
		}
	}
}

// A client's later requests of the same fetch name no more commits. It is recognized by
// its address, in that wiki only.
func TestErasedClientsAreKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	from := func(slug, address string) *call {
		r := httptest.NewRequest("POST", Prefix+"/git-upload-pack", nil)
		r.RemoteAddr = address
		return &call{Request: r, access: w.Access(slug, slug)}
	}
	w.door.erased.Set(from("ada", "192.0.2.1:1").erasedClient(), true)
	for _, tt := range []struct {
		c    *call
		want bool
	}{{from("ada", "192.0.2.1:2"), true}, {from("ada", "192.0.2.2:1"), false}, {from("bob", "192.0.2.1:1"), false}} {
		if got := w.door.hasErased(tt.c, []byte("0009done\n")); got != tt.want {
			t.Errorf("%s of %s: %v", tt.c.RemoteAddr, tt.c.access.Site().Slug, got)
		}
	}
}
