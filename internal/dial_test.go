package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// dialers lists the files that may open connections, and why. Requests to
// addresses chosen by others use package outbound.
var dialers = map[string]string{
	"internal/outbound/outbound.go": "the guarded client",
	"internal/watch/mail.go":        "to the operator's own mail server",
	"internal/watch/webhook.go":     "to the operator's own address",
	"cmd/robot/socket.go":           "to the service of the data directory, by its socket",
	"cmd/robot/activation.go":       "to the system manager that started the service",
}

// dials lists the names that open connections, by package.
var dials = map[string][]string{
	"http": {"Client", "Transport", "DefaultClient", "DefaultTransport", "Get", "Head", "Post", "PostForm"},
	"net":  {"Dial", "DialTimeout", "Dialer", "DialTCP", "DialUDP", "DialUnix", "DialIP"},
	"tls":  {"Dial", "DialWithDialer", "Dialer"},
	"smtp": {"Dial", "SendMail"},
}

// TestOneGuardedClient finds each use of a client other than the guarded one:
// values count, types of parameters don't.
func TestOneGuardedClient(t *testing.T) {
	found := map[string]bool{}
	for _, root := range []string{"../internal", "../cmd/robot"} {
		err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return err
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			short := strings.TrimPrefix(filepath.ToSlash(file), "../")
			ast.Inspect(parsed, func(n ast.Node) bool {
				if name := opens(n); name != "" {
					if found[short] = true; dialers[short] == "" {
						t.Errorf("%s uses %s: use the client of package outbound, or add a reason to dialers", short, name)
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for file, why := range dialers {
		if !found[file] {
			t.Errorf("%s (%s) no longer opens a connection", file, why)
		}
	}
}

// opens returns the name that a node opens a connection with, or "": a value of
// one of the types, or a call to one of the functions.
func opens(n ast.Node) string {
	var from ast.Expr
	switch n := n.(type) {
	case *ast.CompositeLit:
		from = n.Type
	case *ast.CallExpr:
		from = n.Fun
	case *ast.SelectorExpr:
		if n.Sel.Name == "DefaultClient" || n.Sel.Name == "DefaultTransport" {
			from = n
		}
	}
	selector, ok := from.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	room, ok := selector.X.(*ast.Ident)
	if !ok || !slices.Contains(dials[room.Name], selector.Sel.Name) {
		return ""
	}
	return room.Name + "." + selector.Sel.Name
}
