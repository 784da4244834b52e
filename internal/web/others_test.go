package web

import (
	"testing"

	"robot.wtf/internal/wiki"
)

// People see who else has the same page of the same wiki open, each once.
func TestOpenEditors(t *testing.T) {
	t.Parallel()
	person := func(name string) wiki.User { return wiki.User{DID: "did:plc:" + name, Username: name} }
	var open openEditors
	ada := openEditor{"ada", "home", person("ada")}
	visits := make([]visit, 6)
	open.add(&visits[0], ada)
	open.add(&visits[1], ada) // in another window
	remove := open.add(&visits[2], openEditor{"ada", "home", person("bob")})
	open.add(&visits[3], openEditor{"ada", "home", person("bob")})
	open.add(&visits[4], openEditor{"bob", "home", person("cleo")})
	open.add(&visits[5], openEditor{"ada", "other", person("dan")})
	if got := joinNames(open.others(ada)); got != "bob" {
		t.Errorf("beside ada: %q, want bob", got)
	}
	if got := joinNames(open.others(openEditor{"ada", "home", person("erin")})); got != "ada and bob" {
		t.Errorf("beside erin: %q, want ada and bob", got)
	}
	remove()
	delete(open.open, &visits[3])
	if got := open.others(ada); len(got) > 0 {
		t.Errorf("after bob left: %q", got)
	}
}
