package internal_test

import (
	"go/ast"
	"strings"
	"testing"
)

// A panic in a goroutine that doesn't recover ends the process, for everybody. So
// all goroutines are those of package background.
func TestGoroutinesRecover(t *testing.T) {
	bare := map[string]string{
		"sync.WaitGroup":    "background.Group, or Workers",
		"errgroup.Group":    "background.Group",
		"time.AfterFunc":    "background.Workers.AfterFunc",
		"context.AfterFunc": "background.Start",
	}
	found := 0
	inspectCode(t, func(where string, n ast.Node) {
		use := ""
		switch n := n.(type) {
		case *ast.GoStmt:
			use = "go"
			bare[use] = "package background"
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok {
				use = x.Name + "." + n.Sel.Name
			}
			if n.Sel.Name == "DoChan" { // of singleflight: it panics on a goroutine of its own
				use = "DoChan"
				bare[use] = "singleflight's Do"
			}
		}
		switch instead := bare[use]; {
		case instead == "":
		case strings.HasPrefix(where, "internal/background/"):
			found++
		default:
			t.Errorf("%s uses %s: a panic there ends the process. Use %s", where, use, instead)
		}
	})
	if found < 4 {
		t.Errorf("found only %d uses in package background", found)
	}
}
