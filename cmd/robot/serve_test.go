package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// Every flag of the commands that an operator runs is explained, with its
// variable.
func TestFlagsAreDocumented(t *testing.T) {
	docs := map[string]string{"serve": "serve.md", "backup": "operate.md", "verify": "operate.md", "restore": "operate.md", "admin": "operate.md"}
	parser, err := kong.New(new(commands))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	var look func(command *kong.Node, file, text string)
	look = func(command *kong.Node, file, text string) {
		for _, flag := range command.Flags {
			n++
			if !strings.Contains(text, "`--"+flag.Name+"`") {
				t.Errorf("--%s of %s is not in docs/%s", flag.Name, command.Name, file)
			}
			for _, variable := range flag.Envs {
				if !flag.Hidden && flag.Name != "config" && !strings.Contains(text, "`"+variable+"`") {
					t.Errorf("%s is not in docs/%s", variable, file)
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
