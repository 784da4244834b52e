package internal_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"io"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A tableRow is a package's row in the table of docs/design.md.
type tableRow struct {
	level   int
	imports []string // packages of ours that it may import; "*" for any of a lower level
}

var tableRowPattern = regexp.MustCompile("^\\| ([0-9]) \\| `([a-z]+)` \\| [^|]+ \\| ([^|]+) \\|$")

// readTable reads the package table of docs/design.md.
func readTable(t *testing.T) map[string]tableRow {
	t.Helper()
	text, err := os.ReadFile("../docs/design.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]tableRow{}
	for line := range strings.Lines(string(text)) {
		m := tableRowPattern.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			continue
		}
		row := tableRow{level: int(m[1][0] - '0')}
		if m[3] != "-" {
			row.imports = strings.Split(m[3], ", ")
		}
		rows[m[2]] = row
	}
	if len(rows) < 20 {
		t.Fatalf("docs/design.md: found only %d rows of the package table", len(rows))
	}
	return rows
}

const (
	module = "robot.wtf/"
	prefix = module + "internal/"
)

type listedPackage struct {
	ImportPath string
	Name       string
	Imports    []string // without those of test files
	GoFiles    []string
}

func listPackages(t *testing.T) []listedPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Imports,GoFiles", "robot.wtf/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []listedPackage
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listedPackage
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			return packages
		case err != nil:
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func TestImportsFollowTheTable(t *testing.T) {
	rows := readTable(t)
	found := map[string]bool{}
	for _, p := range listPackages(t) {
		name, internal := strings.CutPrefix(p.ImportPath, prefix)
		if !internal || len(p.GoFiles) == 0 || p.Name == "main" {
			continue // commands may import anything
		}
		row, ok := rows[name]
		if !ok {
			t.Errorf("internal/%s isn't in the table of docs/design.md", name)
			continue
		}
		found[name] = true
		for _, path := range p.Imports {
			other, internal := strings.CutPrefix(path, prefix)
			switch {
			case !strings.HasPrefix(path, module):
			case !internal:
				t.Errorf("%s imports %s", name, path)
			case rows[other].level >= row.level:
				t.Errorf("%s (level %d) imports %s (level %d)", name, row.level, other, rows[other].level)
			case other == "testworld" || other == "testdisk" || other == "slow" || other == "vaults" || other == "replica":
				t.Errorf("%s imports %s, which is for test files", name, other)
			case !slices.Contains(row.imports, "*") && !slices.Contains(row.imports, other):
				t.Errorf("%s imports %s; the table allows %v", name, other, row.imports)
			}
		}
	}
	for name := range rows {
		if !found[name] {
			t.Errorf("the table of docs/design.md has a row for %s, which doesn't exist", name)
		}
	}
}

// Each import named in a row is a package of a lower level.
func TestTableIsConsistent(t *testing.T) {
	rows := readTable(t)
	for name, row := range rows {
		for _, other := range row.imports {
			if o, ok := rows[other]; other != "*" && (!ok || o.level >= row.level) {
				t.Errorf("the row of %s names %s, which is unknown or not of a lower level", name, other)
			}
		}
	}
}

// accessMakers are the functions that may create an Access, because they have
// checked the caller's standing.
var accessMakers = map[string]bool{"internal/tenant/tenant.go:Resolve": true}

func TestOnlyResolveMakesAccess(t *testing.T) {
	found := map[string]bool{}
	inspectCode(t, func(where string, n ast.Node) {
		if selector, ok := n.(*ast.SelectorExpr); ok && selector.Sel.Name == "NewAccess" {
			found[where] = true
		}
	})
	if !maps.Equal(found, accessMakers) {
		t.Errorf("wiki.NewAccess is used in %v, want %v", slices.Sorted(maps.Keys(found)), slices.Sorted(maps.Keys(accessMakers)))
	}
}
