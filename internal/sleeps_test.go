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

// realSleeps are the functions of tests that sleep in real time, with the reason. Other
// tests use the clock of package synctest, or wait for a condition with package await.
var realSleeps = map[string]string{
	"cmd/robot/hostile_test.go:readersRound":                              "lets a flood build up before its effect is measured",
	"cmd/robot/restart_test.go:TestRestartUnderLoadFailsNothing":          "writers that pause, so that the wiki isn't full before the test ends",
	"cmd/robot/shipping_test.go:TestLosingTheMachineAtRandom":             "a writer that pauses, so that a round has a number of saves that a backup can follow",
	"internal/service/shipcost_test.go:TestShippingCost":                  "saves at the pace of a busy wiki",
	"internal/backup/backup_test.go:TestKilledBackup":                     "kills a process after a part of its time",
	"internal/budget/slots_test.go:waitInOrder":                           callersUseSynctest,
	"internal/content/crash_test.go:addLine":                              "a person who types while others save",
	"internal/export/crash_test.go:killExporter":                          "kills a process after a part of its time",
	"internal/export/mirror_test.go:TestExportOfAnotherProcessIsRepacked": "gives a second repack, which mustn't begin, time to begin",
	"internal/githttp/attack_test.go:Read":                                "a client that sends slowly",
	"internal/githttp/pace_test.go:Write":                                 callersUseSynctest,
	"internal/githttp/pace_test.go:end":                                   callersUseSynctest,
	"internal/githttp/pace_test.go:leaveAfter":                            callersUseSynctest,
	"internal/githttp/pace_test.go:visit":                                 callersUseSynctest,
	"internal/githttp/spool_test.go:TestSlowClientFreesTheProcess":        "a client that pauses while a pipe of the kernel is read, which synctest doesn't know",
	"internal/markdown/hostile_test.go:Resolve":                           callersUseSynctest,
	"internal/mcpserver/fixtures_test.go:fixtureTools":                    "the conformance suite wants messages with pauses between them",
	"internal/pages/receipt_test.go:upload":                               callersUseSynctest,
	"internal/search/reset_test.go:TestResetWhileInUse":                   "lets goroutines reach a lock, which can't be observed",
}

const callersUseSynctest = "a helper of tests that use synctest"

// A test that sleeps costs everybody that time, and fails on a busy machine if something
// else takes longer than it sleeps.
func TestSleepsHaveAReason(t *testing.T) {
	found := map[string]bool{}
	for dir, files := range testFiles(t) {
		bubbles := bubblesOf(files)
		for name, file := range files {
			for _, decl := range file.Decls {
				f, ok := decl.(*ast.FuncDecl)
				if !ok || !sleepsOutside(f, bubbles) {
					continue
				}
				where := strings.TrimPrefix(filepath.ToSlash(filepath.Join(dir, name)), "../") + ":" + f.Name.Name
				if found[where] = true; realSleeps[where] == "" {
					t.Errorf("%s sleeps in real time: use synctest or await.Until, or say in realSleeps why not", where)
				}
			}
		}
	}
	for where := range realSleeps {
		if !found[where] {
			t.Errorf("%s doesn't sleep any more", where)
		}
	}
}

// testFiles parses all files of tests, by directory and name.
func testFiles(t *testing.T) map[string]map[string]*ast.File {
	t.Helper()
	dirs := map[string]map[string]*ast.File{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && d.Name() != ".."):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		dir, name := filepath.Split(path)
		if dirs[dir] == nil {
			dirs[dir] = map[string]*ast.File{}
		}
		dirs[dir][name], err = parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		return err
	})
	if err != nil || len(dirs) < 20 {
		t.Fatalf("%d directories with tests: %v", len(dirs), err)
	}
	return dirs
}

// bubblesOf returns the functions of a package that run a function with the clock of
// package synctest, by name: synctest.Test itself, and those that call it.
func bubblesOf(files map[string]*ast.File) map[string]bool {
	bubbles := map[string]bool{"synctest.Test": true}
	for _, file := range files {
		for _, decl := range file.Decls {
			ast.Inspect(decl, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok && calledName(call) == "synctest.Test" {
					if f, ok := decl.(*ast.FuncDecl); ok && !strings.HasPrefix(f.Name.Name, "Test") {
						bubbles[f.Name.Name] = true
					}
				}
				return true
			})
		}
	}
	return bubbles
}

// sleepsOutside reports whether a function sleeps outside of bubbles.
func sleepsOutside(f *ast.FuncDecl, bubbles map[string]bool) (sleeps bool) {
	if bubbles[f.Name.Name] {
		return false
	}
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if ok && calledName(call) == "time.Sleep" {
			sleeps = true
		}
		return !ok || !bubbles[calledName(call)]
	})
	return sleeps
}

// calledName returns the name of a function that is called, with its package.
func calledName(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if p, ok := f.X.(*ast.Ident); ok {
			return p.Name + "." + f.Sel.Name
		}
	}
	return ""
}
