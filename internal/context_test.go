package internal_test

import (
	"go/ast"
	"testing"
)

// A context belongs to one call and is passed as an argument. A struct that keeps
// one hides which call can cancel its work.
func TestStructsKeepNoContext(t *testing.T) {
	structs := 0
	visit := func(where string, n ast.Node) {
		fields, ok := n.(*ast.StructType)
		if !ok {
			return
		}
		structs++
		for _, field := range fields.Fields.List {
			if selector, ok := field.Type.(*ast.SelectorExpr); ok && selector.Sel.Name == "Context" {
				if pkg, ok := selector.X.(*ast.Ident); ok && pkg.Name == "context" {
					t.Errorf("%s: a struct keeps a context", where)
				}
			}
		}
	}
	inspectCode(t, visit)
	for dir, files := range testFiles(t) {
		for name, file := range files {
			ast.Inspect(file, func(n ast.Node) bool { visit(dir+name, n); return true })
		}
	}
	if structs < 200 {
		t.Errorf("found only %d structs", structs)
	}
}
