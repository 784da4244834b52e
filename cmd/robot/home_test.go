package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

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
