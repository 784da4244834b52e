package internal_test

import (
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"robot.wtf/internal/server"
)

// matrices names, for each front end in server.Options, the test that tries every
// role on every route, for public, private and missing wikis. These tests are
// driven by the front end's route table, so a route without an expectation fails.
// "" means that the handler isn't a front end.
var matrices = map[string]string{
	"Platform": "web TestPlatformRoutesAndRoles",
	"Wiki":     "web TestRoutesAndRoles",
	"API":      "api TestEveryRoleOnEveryRoute",
	"Manage":   "api TestManageRoles",
	"MCP":      "mcpserver TestEveryRoleOnEveryTool",
	"Git":      "githttp TestRoutesAndRoles",
	"OAuth":    "oauth TestEveryoneOnEveryEndpoint",
	"Renew":    "",
}

// TestEveryFrontEndHasAMatrix fails for a front end without a role matrix.
func TestEveryFrontEndHasAMatrix(t *testing.T) {
	writer := reflect.TypeFor[http.ResponseWriter]()
	for _, field := range reflect.VisibleFields(reflect.TypeFor[server.Options]()) {
		if field.Type.Kind() != reflect.Func || field.Type.NumIn() < 2 || field.Type.In(0) != writer {
			continue
		}
		where, ok := matrices[field.Name]
		if !ok {
			t.Errorf("add the test that tries every role on every route of %s to matrices", field.Name)
		}
		if where == "" {
			continue
		}
		pkg, test, _ := strings.Cut(where, " ")
		files, err := filepath.Glob(filepath.Join(pkg, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found = found || strings.Contains(string(text), "func "+test+"(t *testing.T)")
		}
		if !found {
			t.Errorf("package %s has no %s", pkg, test)
		}
	}
}
