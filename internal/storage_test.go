package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// nondurable are the functions outside package durable that may call os.Rename
// or Sync themselves, with the reason.
var nondurable = map[string]string{
	"internal/content/pool.go:Recreate":                "Create syncs the directory afterwards",
	"internal/content/pool.go:swapDirectory":           "two renames, undone together, and one sync",
	"internal/content/pool.go:discardDirectory":        "syncs the directory that loses the name",
	"internal/backup/object.go:commit":                 "one syncfs for thousands of objects",
	"internal/backup/syncfs_other.go:syncFileSystemOf": "the same where there is no syncfs",
	"cmd/robot/socket.go:listenSocket":                 "a socket doesn't outlive its process",
}

// A file that is written and renamed without an fsync can be empty after a power
// failure, so all code uses package durable.
func TestRenamesAreDurable(t *testing.T) {
	used := map[string]bool{}
	inspectCode(t, func(where string, n ast.Node) {
		call, ok := n.(*ast.CallExpr)
		if !ok || strings.HasPrefix(where, "internal/durable/") {
			return
		}
		f, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return
		}
		pkg, _ := f.X.(*ast.Ident)
		osRename := pkg != nil && pkg.Name == "os" && f.Sel.Name == "Rename"
		fileSync := f.Sel.Name == "Sync" && len(call.Args) == 0
		switch {
		case !osRename && !fileSync:
		case nondurable[where] == "":
			t.Errorf("%s calls %s: use package durable", where, f.Sel.Name)
		default:
			used[where] = true
		}
	})
	for where := range nondurable {
		if !used[where] {
			t.Errorf("%s is an exception without a use", where)
		}
	}
}

// What a second database engine has to provide is found in one place: package
// sqlite is the only one that knows the driver, and the transactions of store and
// content begin in one function each (a snapshot of content only reads).
func TestTransactionsBeginInOnePlace(t *testing.T) {
	want := []string{"internal/content/export.go:inSnapshot", "internal/content/write.go:run", "internal/store/store.go:tx"}
	begin := map[string]bool{}
	inspectCode(t, func(where string, n ast.Node) {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if n.Sel.Name == "BeginTx" && (strings.HasPrefix(where, "internal/store/") || strings.HasPrefix(where, "internal/content/")) {
				begin[where] = true
			}
		case *ast.BasicLit:
			if n.Kind == token.STRING && strings.HasPrefix(strings.ToUpper(strings.Trim(n.Value, "\"` \n\t")), "BEGIN IMMEDIATE") {
				begin[where] = true
			}
		case *ast.ImportSpec:
			if strings.HasPrefix(n.Path.Value, `"modernc.org/sqlite`) && !strings.HasPrefix(where, "internal/sqlite/") {
				t.Errorf("%s imports the SQLite driver: use package sqlite", where)
			}
		}
	})
	if got := slices.Sorted(maps.Keys(begin)); !slices.Equal(got, want) {
		t.Errorf("transactions begin in %q, want %q", got, want)
	}
}

// inspectCode calls visit for each node of our code, except tests and benchmarks.
// where is the file and the function.
func inspectCode(t *testing.T, visit func(where string, n ast.Node)) {
	t.Helper()
	files, err := parsedCode()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		for _, decl := range files[file].Decls {
			where := strings.TrimPrefix(filepath.ToSlash(file), "../")
			if f, ok := decl.(*ast.FuncDecl); ok {
				where += ":" + f.Name.Name
			}
			ast.Inspect(decl, func(n ast.Node) bool {
				visit(where, n)
				return true
			})
		}
	}
}

// parsedCode parses the files that inspectCode visits, once for all tests.
var parsedCode = sync.OnceValues(func() (map[string]*ast.File, error) {
	files := map[string]*ast.File{}
	return files, filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "bench" || strings.HasPrefix(d.Name(), ".") && d.Name() != ".."):
			return filepath.SkipDir
		case !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		files[file], err = parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		return err
	})
})
