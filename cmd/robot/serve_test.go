package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// Every flag of the operator's commands is documented, with its variable.
func TestFlagsAreDocumented(t *testing.T) {
	docs := map[string]string{"serve": "serve.md", "backup": "operate.md", "verify": "operate.md", "restore": "operate.md", "admin": "operate.md", "home": "operate.md"}
	parser, err := kong.New(new(commands))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	var look func(command *kong.Node, file, text string)
	look = func(command *kong.Node, file, text string) {
		for _, flag := range command.Flags {
			n++
			if flag.Hidden && file != "serve.md" {
				continue // settings for tests, which docs/serve.md explains
			}
			if !strings.Contains(text, "`--"+flag.Name+"`") {
				t.Errorf("--%s of %s isn't in docs/%s", flag.Name, command.Name, file)
			}
			for _, variable := range flag.Envs {
				if !flag.Hidden && flag.Name != "config" && !strings.Contains(text, "`"+variable+"`") {
					t.Errorf("%s isn't in docs/%s", variable, file)
				}
			}
		}
		for _, below := range command.Children {
			look(below, file, text)
		}
	}
	for _, command := range parser.Model.Children {
		file, ok := docs[command.Name]
		if !ok {
			continue
		}
		text, err := os.ReadFile(filepath.Join("../../docs", file))
		if err != nil {
			t.Fatal(err)
		}
		look(command, file, string(text))
	}
	if n < 20 {
		t.Errorf("%d flags", n)
	}
}

// Every line that an operator can copy is valid: commands with their flags, and names
// of settings.
func TestCopiedCommandsWork(t *testing.T) {
	t.Setenv("ROBOT_DATA", t.TempDir())
	t.Setenv("ROBOT_BACKUP", t.TempDir())
	model, err := kong.New(new(commands))
	if err != nil {
		t.Fatal(err)
	}
	variables := map[string]bool{}
	_ = kong.Visit(model.Model, func(node kong.Visitable, next kong.Next) error {
		switch n := node.(type) {
		case *kong.Flag:
			for _, name := range n.Envs {
				variables[name] = true
			}
		case *kong.Positional:
			for _, name := range n.Tag.Envs {
				variables[name] = true
			}
		}
		return next(nil)
	})
	read := func(file string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join("../..", file))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	n := 0
	for _, m := range regexp.MustCompile(`(?m)^#?(ROBOT_[A-Z_]+)=`).FindAllStringSubmatch(read("deploy/robot.env"), -1) {
		if n++; !variables[m[1]] {
			t.Errorf("deploy/robot.env: there is no setting %s", m[1])
		}
	}
	lines := regexp.MustCompile("(?m)(?:^|`)(?:runuser -u robot -- )?robot ((?:admin|backup|verify|restore|import) [^`#\n…]+)")
	for _, file := range []string{"docs/operate.md", "docs/git.md", "docs/serve.md", "deploy/README.md"} {
		for _, m := range lines.FindAllStringSubmatch(read(file), -1) {
			n++
			parser, err := kong.New(new(commands))
			if err != nil {
				t.Fatal(err)
			}
			text := regexp.MustCompile(`'[^']*'`).ReplaceAllString(m[1], "quoted")
			if _, err := parser.Parse(strings.Fields(text)); err != nil {
				t.Errorf("%s: robot %s: %v", file, strings.TrimSpace(m[1]), err)
			}
		}
	}
	for _, file := range []string{"internal/service/watch.go", "internal/service/alarms.go", "internal/service/aside.go", "internal/backup/status.go"} {
		for _, m := range regexp.MustCompile(`: (?:run )?robot ((?:admin|backup|verify|restore)(?: --?[a-z-]+| [a-z]+| %s)*)[."]`).FindAllStringSubmatch(read(file), -1) {
			n++
			parser, err := kong.New(new(commands))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parser.Parse(strings.Fields(strings.ReplaceAll(m[1], "%s", "ada"))); err != nil {
				t.Errorf("%s: robot %s: %v", file, m[1], err)
			}
		}
	}
	if n < 35 {
		t.Errorf("only %d lines", n)
	}
}
