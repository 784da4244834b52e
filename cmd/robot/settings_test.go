package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// newParser returns the parser of the command line, as main uses it.
func newParser(t *testing.T) (*kong.Kong, *commands) {
	t.Helper()
	var c commands
	parser, err := kong.New(&c, kong.Name("robot"), kong.Configuration(settingsFile), kong.BindTo(t.Context(), (*context.Context)(nil)))
	if err != nil {
		t.Fatal(err)
	}
	return parser, &c
}

func TestUnknownVariables(t *testing.T) {
	parser, _ := newParser(t)
	for variable, want := range map[string]string{
		"ROBOT_DATA=/srv":              "",
		"ROBOT_BACKUP=/srv":            "", // of an argument
		"ROBOT_MINILM_PATH=avx2":       "",
		"ROBOTICS=1":                   "",
		"HOME=/root":                   "",
		"ROBOT_BACKUP_RECIPENT=age1x":  "environment variable ROBOT_BACKUP_RECIPENT isn't known; did you mean ROBOT_BACKUP_RECIPIENT?",
		"ROBOT_PUBLIC_ULR=https://x.y": "environment variable ROBOT_PUBLIC_ULR isn't known; did you mean ROBOT_PUBLIC_URL?",
		"ROBOT_COLOUR=":                "environment variable ROBOT_COLOUR isn't known",
	} {
		err := checkEnvironment(parser.Model, []string{variable})
		if got := errorText(err); got != want {
			t.Errorf("%s: %q, want %q", variable, got, want)
		}
	}
	if err := checkEnvironment(parser.Model, []string{"ROBOT_A=", "ROBOT_B="}); strings.Count(errorText(err), "\n") != 1 {
		t.Errorf("two unknown variables: %v", err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestUnknownMembersOfTheSettingsFile(t *testing.T) {
	for text, want := range map[string]string{
		`{"public_url": "https://robot.test", "data": "d", "max_pages": 7}`: "",
		`{"max_page": 7}`:     `member "max_page" of the settings file isn't known; did you mean max_pages?`,
		`{"now": true}`:       `member "now" of the settings file isn't known`, // a flag of another command
		`{"max-pages": 7}`:    `member "max-pages" of the settings file isn't known; did you mean max_pages?`,
		`["data"]`:            "the settings file isn't a JSON object",
		`{"data": "d"} {"x"}`: "the settings file isn't a JSON object",
	} {
		file := filepath.Join(t.TempDir(), "settings.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		parser, c := newParser(t)
		_, err := parser.Parse([]string{"serve", "--config", file})
		if got := errorText(err); got != want && (want == "" || !strings.Contains(got, want)) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
		if want == "" && c.Serve.MaxPages != 7 {
			t.Errorf("%d pages", c.Serve.MaxPages)
		}
	}
}

func TestClosest(t *testing.T) {
	names := []string{"data", "listen", "max_pages"}
	for misspelled, want := range map[string]string{"dta": "data", "max_page": "max_pages", "lisetn": "listen", "colour": "", "": ""} {
		if got := closest(misspelled, names); got != want {
			t.Errorf("%q: %q, want %q", misspelled, got, want)
		}
	}
}
