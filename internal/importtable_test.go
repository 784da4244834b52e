package internal_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A room is a package with the table of docs/design.md, section 3: its level,
// and the packages of ours that it may import.
type room struct {
	level int
	may   string
}

var rooms = map[string]room{
	"wiki":      {0, ""},
	"durable":   {0, ""},
	"config":    {1, ""},
	"merge":     {1, ""},
	"minilm":    {1, ""},
	"outbound":  {1, ""},
	"limit":     {1, "wiki"},
	"keyfile":   {1, "durable"},
	"raster":    {1, "wiki"},
	"markdown":  {1, "wiki"},
	"gitrepo":   {1, "wiki durable"},
	"sqlite":    {1, "wiki"},
	"store":     {2, "wiki durable sqlite"},
	"content":   {2, "wiki merge gitrepo durable sqlite"},
	"session":   {3, "wiki store keyfile durable"},
	"atproto":   {3, "wiki store outbound keyfile raster durable"},
	"tenant":    {3, "wiki store content"},
	"edit":      {2, "wiki markdown merge"},
	"export":    {3, "wiki content gitrepo durable"},
	"search":    {3, "wiki content markdown minilm sqlite"},
	"pages":     {4, "wiki content markdown merge edit search export gitrepo raster outbound"},
	"oauth":     {4, "wiki store session tenant outbound"},
	"watch":     {1, ""},
	"backup":    {4, "wiki store content search gitrepo durable sqlite"},
	"web":       {5, "wiki session tenant pages limit atproto oauth"},
	"api":       {5, "wiki session tenant pages limit oauth"},
	"mcpserver": {5, "wiki session tenant edit pages limit"},
	"githttp":   {5, "wiki session tenant pages limit gitrepo"},
	"server":    {6, "*"},
	"service":   {7, "*"},

	"testworld": {5, "wiki gitrepo store content markdown search session tenant export pages oauth"}, // for test files only
}

const (
	module = "robot.wtf/"
	prefix = module + "internal/"
)

type listed struct {
	ImportPath string
	Name       string
	Imports    []string // of the code, not of its tests
	GoFiles    []string
}

func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Imports,GoFiles", "robot.wtf/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
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
	seen := 0
	for _, p := range list(t) {
		name, inside := strings.CutPrefix(p.ImportPath, prefix)
		if !inside || len(p.GoFiles) == 0 || p.Name == "main" {
			continue // commands may import anything
		}
		own, known := rooms[name]
		if !known {
			t.Errorf("internal/%s is not in the table of docs/design.md, section 3", name)
			continue
		}
		seen++
		may := strings.Fields(own.may)
		for _, path := range p.Imports {
			if !strings.HasPrefix(path, module) {
				continue
			}
			other, ok := strings.CutPrefix(path, prefix)
			switch {
			case !ok:
				t.Errorf("%s imports %s", name, path)
			case rooms[other].level >= own.level:
				t.Errorf("%s (level %d) imports %s (level %d)", name, own.level, other, rooms[other].level)
			case own.may != "*" && !slices.Contains(may, other):
				t.Errorf("%s imports %s; it may import: %s", name, other, own.may)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d packages found", seen)
	}
}

func TestOnlyTestsImportTestworld(t *testing.T) {
	for _, p := range list(t) {
		if slices.Contains(p.Imports, prefix+"testworld") {
			t.Errorf("%s imports testworld, which is for test files only", p.ImportPath)
		}
	}
}

// The table itself: what a row names exists in it and is of a lower level.
func TestTableHangsTogether(t *testing.T) {
	for name, r := range rooms {
		for _, other := range strings.Fields(strings.TrimPrefix(r.may, "*")) {
			if o, ok := rooms[other]; !ok || o.level >= r.level {
				t.Errorf("%s may import %s, which is unknown or not below it", name, other)
			}
		}
	}
}

// holders are the functions that may make an Access: holding one proves that
// tenant.Resolve has looked.
var holders = map[string]bool{"internal/tenant/tenant.go:Resolve": true}

func TestOnlyResolveMakesAccess(t *testing.T) {
	found := map[string]bool{}
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && d.Name() != ".."):
			return filepath.SkipDir
		case !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil // the compiler says so better
		}
		short := strings.TrimPrefix(filepath.ToSlash(file), "../")
		for _, decl := range parsed.Decls {
			ast.Inspect(decl, func(n ast.Node) bool {
				if selector, ok := n.(*ast.SelectorExpr); ok && selector.Sel.Name == "NewAccess" {
					where := short + ":(package level)"
					if f, ok := decl.(*ast.FuncDecl); ok {
						where = short + ":" + f.Name.Name
					}
					found[where] = true
				}
				return true
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(found, holders) {
		t.Errorf("wiki.NewAccess is used in %v, want %v", slices.Sorted(maps.Keys(found)), slices.Sorted(maps.Keys(holders)))
	}
}
