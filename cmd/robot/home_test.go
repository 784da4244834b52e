package main

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/wiki"
)

// The name of a new wiki comes from what the person names it or brings.
func TestHomeSlug(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, from, want string }{
		{"notes", "", "notes"},
		{"Ada's Notes", "", "ada-s-notes"},
		{"Zürich 2026", "", "z-rich-2026"},
		{"x", "", "home"},
		{"日記", "", "home"},
		{"admin", "", "home"},
		{strings.Repeat("long name ", 9), "", "long-name-long-name-long-name"},
		{"", "https://ada.robot.wtf/repo.git", "ada"},
		{"", "https://github.com/ada/garden-notes.git", "garden-notes"},
		{"", "/home/ada/clones/weather/", "weather"},
		{"", "weather.bundle", "weather"},
		{"", "Downloads/ada.zip", "ada"},
		{"", "../..", "home"},
		{"garden", "https://ada.robot.wtf/repo.git", "garden"},
	} {
		got := homeSlug(c.name, c.from)
		if got != c.want || wiki.CheckSlug(got) != nil {
			t.Errorf("--name %q --from %q: %q, want %q", c.name, c.from, got, c.want)
		}
	}
}

var hostileArgs = []string{"/usr/bin/robot", "home", "--data", `/home/ada/my "wiki" %h $HOME \ <&>`, "--listen", "127.0.0.1:8080"}

// A unit starts exactly the given command, whatever characters the paths have.
func TestSystemdUnit(t *testing.T) {
	t.Parallel()
	unit := string(systemdUnit(hostileArgs))
	want := `ExecStart="/usr/bin/robot" "home" "--data" "/home/ada/my \"wiki\" %%h $$HOME \\ <&>" "--listen" "127.0.0.1:8080"` + "\n"
	if !strings.Contains(unit, want) {
		t.Errorf("the unit is\n%s", unit)
	}
	verify, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze")
	}
	file := filepath.Join(t.TempDir(), "robot.service")
	if err := os.WriteFile(file, systemdUnit([]string{"/bin/true", "home"}), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(verify, "verify", "--user", file).CombinedOutput(); err != nil && strings.Contains(string(out), file) {
		t.Errorf("%v: %s", err, out)
	}
}

func TestLaunchdAgent(t *testing.T) {
	t.Parallel()
	agent, err := launchdAgent(hostileArgs)
	if err != nil {
		t.Fatal(err)
	}
	var args []string
	text, inText := "", false
	for d := xml.NewDecoder(strings.NewReader(string(agent))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			text, inText = "", token.Name.Local == "string"
		case xml.CharData:
			text += string(token)
		case xml.EndElement:
			if inText && text != launchdLabel {
				args = append(args, text)
			}
			inText = false
		}
	}
	if strings.Join(args, "\n") != strings.Join(hostileArgs, "\n") {
		t.Errorf("arguments %q", args)
	}
}

// An account export names the wiki that its person owns, and has its history.
func TestAccountExport(t *testing.T) {
	t.Parallel()
	pack := func(files map[string]string) string {
		file := filepath.Join(t.TempDir(), "export.zip")
		out, err := os.Create(file)
		if err != nil {
			t.Fatal(err)
		}
		z := zip.NewWriter(out)
		for name, text := range files {
			w, err := z.Create(name)
			if err == nil {
				_, err = io.WriteString(w, text)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(z.Close(), out.Close()); err != nil {
			t.Fatal(err)
		}
		return file
	}
	account := `{"wikis":[{"slug":"bob","role":"editor"},{"slug":"ada","role":"owner","title":"Ada","description":"d","home":"Start","wikilinks":"text-first","lang":"de","accent":"#6a2a9c","footer":"By Ada","members":[{"did":"did:plc:ben","handle":"ben.bsky.social","role":"viewer"}]},{"slug":"garden","role":"owner"}]}`
	file := pack(map[string]string{"account.json": account})
	exported, err := readAccountExport(file, "")
	want := exportedWiki{Slug: "ada", Role: "owner", Title: "Ada", Description: "d", Home: "Start", Wikilinks: "text-first", Lang: "de", Accent: "#6a2a9c", Footer: "By Ada", Members: []exportedMember{{"", "ben.bsky.social", "viewer"}}}
	if diff := cmp.Diff(want, exported); err != nil || diff != "" {
		t.Fatalf("%s, %v", diff, err)
	}
	if other, err := readAccountExport(file, "garden"); err != nil || other.Slug != "garden" {
		t.Errorf("another of their wikis: %+v, %v", other, err)
	}
	for name, files := range map[string]map[string]string{
		"a folder of Markdown": {"Home.md": "# Home"},
		"no wiki":              {"account.json": `{"wikis":[{"slug":"bob","role":"editor"}]}`},
		"a hostile slug":       {"account.json": `{"wikis":[{"slug":"../../etc","role":"owner"}]}`},
	} {
		if got, err := readAccountExport(pack(files), ""); got.Slug != "" || err != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := readAccountExport(pack(map[string]string{"account.json": "no JSON"}), ""); err == nil {
		t.Error("account.json that can't be read")
	}
}
