// Package deploy holds the files for setting up a machine. Its tests check that the
// units are valid and hardened, and that the instructions match the files.
package deploy

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// needs skips a test that lacks a program. In CI it fails instead.
func needs(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal("needs " + what)
	}
	t.Skip("needs " + what)
}

// maxExposure is the highest exposure level, of 10, that systemd-analyze may report.
const maxExposure = 1.5

var exposure = regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)

func TestUnitsAreHardened(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		needs(t, "systemd-analyze (apt-get install systemd)")
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
			t.Errorf("%s: exposure %.1f, want at most %.1f", unit, level, maxExposure)
		} else {
			fmt.Printf("measured: %s has exposure %.1f\n", unit, level)
		}
	}
}

// systemd accepts every line of the units.
func TestUnitsAreValid(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		needs(t, "systemd-analyze (apt-get install systemd)")
	}
	dir := t.TempDir()
	var units []string
	for _, kind := range []string{"service", "socket", "timer"} {
		files, err := filepath.Glob("*." + kind)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", kind, files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			// The programs aren't installed here.
			installed := strings.ReplaceAll(strings.ReplaceAll(string(text), "/usr/local/bin/robot", "/bin/true"), "/usr/local/bin/caddy", "/bin/true")
			if err := os.WriteFile(filepath.Join(dir, file), []byte(installed), 0o600); err != nil {
				t.Fatal(err)
			}
			units = append(units, filepath.Join(dir, file))
		}
	}
	out, err := exec.Command("systemd-analyze", append([]string{"verify", "--man=no"}, units...)...).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "robot") || strings.Contains(line, "caddy") {
			t.Error(strings.TrimSpace(line))
		}
	}
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// Nothing leaves the service down for good, and the operator is notified of a service
// that can't start.
func TestServiceIsAlwaysRestarted(t *testing.T) {
	text, err := os.ReadFile("robot.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"StartLimitIntervalSec=0", "Restart=always", "RestartSec=2", "OnFailure=robot-failed.service", "ExecStopPost=-+/bin/sh"} {
		if !strings.Contains(string(text), "\n"+line) {
			t.Errorf("robot.service lacks %s", line)
		}
	}
	text, err = os.ReadFile("robot-failed.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"StartLimitIntervalSec=1h", "StartLimitBurst=1", "ExecStart=/usr/local/bin/robot serve --notify "} {
		if !strings.Contains(string(text), "\n"+line) {
			t.Errorf("robot-failed.service lacks %s", line)
		}
	}
}

// The README has few steps, and all files that it links to exist.
func TestSteps(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	steps := regexp.MustCompile(`(?m)^(\d+)\. `).FindAllSubmatch(text, -1)
	if len(steps) == 0 || len(steps) > 11 {
		t.Errorf("%d steps, want 1 to 11", len(steps))
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

// The service's hosts have a wildcard certificate only: on-demand certificates would
// publish slugs.
func TestCertificatesAreWildcards(t *testing.T) {
	files, err := filepath.Glob("certificate/*.caddy")
	if err != nil || len(files) != 3 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if code, _, _ := strings.Cut(line, "#"); strings.Contains(code, "on_demand") {
				t.Errorf("%s: %s", file, line)
			}
		}
		if !strings.Contains(string(text), "dns ") {
			t.Errorf("%s doesn't use DNS validation", file)
		}
	}
}

// Caddy gets on-demand certificates for other hosts only, after asking the service.
func TestCaddyAsksForOwnDomains(t *testing.T) {
	caddy, err := exec.LookPath("caddy")
	if err != nil {
		needs(t, "caddy (apt-get install caddy)")
	}
	dir := t.TempDir()
	text, err := os.ReadFile("Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"Caddyfile": string(text), "certificate.caddy": "(certificate) {\n\ttls internal\n}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(caddy, "adapt", "--config", "Caddyfile")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "ROBOT_HOST=robot.wtf", "ACME_EMAIL=nobody@robot.wtf", "ROBOT_LISTEN=127.0.0.1:8081")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var config struct {
		Apps struct {
			TLS struct {
				Automation struct {
					Policies []struct {
						Subjects []string `json:"subjects"`
						OnDemand bool     `json:"on_demand"`
					} `json:"policies"`
					OnDemand json.RawMessage `json:"on_demand"`
				} `json:"automation"`
			} `json:"tls"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(out, &config); err != nil {
		t.Fatal(err)
	}
	automation, wildcard, others := config.Apps.TLS.Automation, false, false
	for _, p := range automation.Policies {
		wildcard = wildcard || slices.Contains(p.Subjects, "*.robot.wtf") && !p.OnDemand
		others = others || len(p.Subjects) == 0 && p.OnDemand
		if len(p.Subjects) > 0 && p.OnDemand {
			t.Errorf("certificates on demand for %v", p.Subjects)
		}
	}
	if !wildcard || !others || !strings.Contains(string(automation.OnDemand), `"http://127.0.0.1:8081/domains/ask"`) {
		t.Errorf("wildcard %t, other hosts %t, asks %s", wildcard, others, automation.OnDemand)
	}
}
