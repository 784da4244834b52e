package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// nondurable are the functions outside package durable that may call os.Rename
// or Sync themselves, with the reason.
var nondurable = map[string]string{
	"internal/content/pool.go:Revive":   "Create syncs the directory afterwards",
	"internal/content/pool.go:exchange": "two renames, undone together, and one sync",
	"internal/content/pool.go:discard":  "syncs the directory that loses the name",
	"internal/backup/object.go:finish":  "one syncfs for thousands of objects",
	"cmd/robot/socket.go:listenSocket":  "a socket doesn't outlive its process",
}

// A file that is written and renamed without an fsync can be empty after a power
// failure, so all code uses package durable.
func TestRenamesAreDurable(t *testing.T) {
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "bench" || strings.HasPrefix(d.Name(), ".") && d.Name() != ".."):
			return filepath.SkipDir
		case !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") || filepath.Dir(file) == filepath.Join("..", "internal", "durable"):
			return nil
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range parsed.Decls {
			where := strings.TrimPrefix(filepath.ToSlash(file), "../")
			if f, ok := decl.(*ast.FuncDecl); ok {
				where += ":" + f.Name.Name
			}
			ast.Inspect(decl, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				f, ok := call.Fun.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				pkg, _ := f.X.(*ast.Ident)
				osRename := pkg != nil && pkg.Name == "os" && f.Sel.Name == "Rename"
				fileSync := f.Sel.Name == "Sync" && len(call.Args) == 0
				if (osRename || fileSync) && nondurable[where] == "" {
					t.Errorf("%s: %s calls %s: use package durable", set.Position(call.Pos()), where, f.Sel.Name)
				}
				return true
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
