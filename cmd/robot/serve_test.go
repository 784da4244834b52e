package main

import (
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// Every flag of serve is explained in docs/serve.md, with its variable.
func TestFlagsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/serve.md")
	if err != nil {
		t.Fatal(err)
	}
	parser, err := kong.New(new(commands))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, command := range parser.Model.Children {
		if command.Name != "serve" {
			continue
		}
		for _, flag := range command.Flags {
			n++
			if !strings.Contains(string(text), "`--"+flag.Name+"`") {
				t.Errorf("--%s is not in docs/serve.md", flag.Name)
			}
			for _, variable := range flag.Envs {
				if !flag.Hidden && flag.Name != "config" && !strings.Contains(string(text), "`"+variable+"`") {
					t.Errorf("%s is not in docs/serve.md", variable)
				}
			}
		}
	}
	if n < 10 {
		t.Errorf("%d flags", n)
	}
}
