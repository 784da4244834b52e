package internal_test

import (
	"go/ast"
	"path"
	"strings"
	"testing"
)

// cryptic are words that say nothing about what a function does or returns.
var cryptic = strings.Fields("answer any at by clip hostname it look of one said short sound take that this turn what")

// A helper with such a name can't be searched for once several packages have one.
func TestCrypticNamesAreRare(t *testing.T) {
	packages := map[string]map[string]bool{}
	for _, name := range cryptic {
		packages[name] = map[string]bool{}
	}
	functions := 0
	inspectCode(t, func(where string, n ast.Node) {
		switch n := n.(type) {
		case *ast.FuncDecl:
			functions++
			if found := packages[n.Name.Name]; found != nil {
				file, _, _ := strings.Cut(where, ":")
				found[path.Dir(file)] = true
			}
		case *ast.AssignStmt:
			for _, to := range n.Lhs {
				if name, ok := to.(*ast.Ident); ok && name.Name == "any" {
					t.Errorf("%s: a variable hides the type any", where)
				}
			}
		case *ast.ValueSpec:
			for _, name := range n.Names {
				if name.Name == "any" {
					t.Errorf("%s: a variable hides the type any", where)
				}
			}
		}
	})
	if functions < 1000 {
		t.Errorf("found only %d functions", functions)
	}
	for name, in := range packages {
		if len(in) > 2 {
			t.Errorf("%d packages have a function %s: %v", len(in), name, in)
		}
	}
}
