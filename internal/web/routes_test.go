package web

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"robot.wtf/internal/oauth"
)

var update = flag.Bool("update", false, "write docs/routes.md")

// docs/routes.md is generated from the route tables of all front ends.
// `go test ./internal/web -run RoutesAreDocumented -update` rewrites it.
func TestRoutesAreDocumented(t *testing.T) {
	var b strings.Builder
	b.WriteString("# The site map\n\nGenerated from the route tables by `go test ./internal/web -run RoutesAreDocumented -update`. The API is in [api.md](api.md).\n")
	list := func(title string, patterns []string) {
		fmt.Fprintf(&b, "\n## %s\n", title)
		for _, p := range patterns {
			fmt.Fprintf(&b, "- `%s`\n", p)
		}
	}
	var patterns []string
	for _, r := range wikiRoutes() {
		patterns = append(patterns, r.pattern)
	}
	list("On a wiki's host", patterns)
	wikiPatterns := patterns
	patterns = nil
	for _, a := range pageActions() {
		methods := "GET"
		if a.post != nil {
			methods += ", POST"
		}
		patterns = append(patterns, methods+" /{page}/"+a.suffix)
	}
	list("After a page's name", patterns)
	patterns = nil
	for _, r := range platformRoutes(true, true) {
		patterns = append(patterns, r.pattern)
	}
	list("On the platform's host", patterns)
	patterns = nil
	for _, r := range homeRoutes() {
		if !slices.Contains(wikiPatterns, r.pattern) {
			patterns = append(patterns, r.pattern)
		}
	}
	list("On the only host of robot home, besides those of a wiki's host but for "+strings.Join(notAtHome, ", "), patterns)
	for _, host := range []string{"a wiki's host", "the platform's host"} {
		patterns = nil
		for _, r := range oauth.Routes {
			if host == "a wiki's host" && r.Wiki || host != "a wiki's host" && r.Platform {
				patterns = append(patterns, r.Method+" "+r.Path)
			}
		}
		list("For programs that want to be let in, on "+host, patterns)
	}
	const file = "../../docs/routes.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil || string(have) != b.String() {
		t.Errorf("docs/routes.md is stale (%v): run this test with -update", err)
	}
}
