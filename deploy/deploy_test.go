// Package deploy holds what a machine is set up with; its tests hold that to its
// word.
package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// maxExposure is what systemd-analyze may say of a unit at most, of 10.
const maxExposure = 1.5

var exposure = regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)

func TestUnitsAreHardened(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("needs systemd-analyze (apt-get install systemd)")
	}
	units, err := filepath.Glob("*.service")
	if err != nil || len(units) < 3 {
		t.Fatalf("%v, %v", units, err)
	}
	for _, unit := range units {
		path, err := filepath.Abs(unit)
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("systemd-analyze", "security", "--no-pager", "--offline=true", path).CombinedOutput()
		m := exposure.FindSubmatch(out)
		if err != nil || m == nil {
			t.Errorf("%s: %v\n%s", unit, err, out)
			continue
		}
		if level, _ := strconv.ParseFloat(string(m[1]), 64); level > maxExposure {
			t.Errorf("%s: exposure %.1f, at most %.1f", unit, level, maxExposure)
		} else {
			fmt.Printf("measured: %s has exposure %.1f\n", unit, level)
		}
	}
}

// The steps are few, and name no file that is not here.
func TestSteps(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	steps := regexp.MustCompile(`(?m)^(\d+)\. `).FindAllSubmatch(text, -1)
	if len(steps) == 0 || len(steps) > 11 {
		t.Errorf("%d steps", len(steps))
	}
	for i, s := range steps {
		if string(s[1]) != strconv.Itoa(i+1) {
			t.Errorf("step %d is numbered %s", i+1, s[1])
		}
	}
	for _, link := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllSubmatch(text, -1) {
		if _, err := os.Stat(string(link[1])); err != nil {
			t.Error(err)
		}
	}
}

// Certificates are for the wildcard alone: those on demand would publish slugs.
func TestCertificatesAreWildcards(t *testing.T) {
	files, err := filepath.Glob("certificate/*.caddy")
	if err != nil || len(files) != 3 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range append(files, "Caddyfile") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if code, _, _ := strings.Cut(line, "#"); strings.Contains(code, "on_demand") {
				t.Errorf("%s: %s", file, line)
			}
		}
		if file != "Caddyfile" && !strings.Contains(string(text), "dns ") {
			t.Errorf("%s proves nothing by DNS", file)
		}
	}
}
