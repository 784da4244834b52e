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

// matrices says for each door of server.Options which test tries every role on
// every one of its routes, of public, private and missing wikis. Such a test is
// made from the door's own table of routes, so that a route without an
// expectation fails. "" is no door.
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

// TestEveryDoorHasAMatrix fails for a door that nobody tries every role on.
func TestEveryDoorHasAMatrix(t *testing.T) {
	writer := reflect.TypeFor[http.ResponseWriter]()
	for _, field := range reflect.VisibleFields(reflect.TypeFor[server.Options]()) {
		if field.Type.Kind() != reflect.Func || field.Type.NumIn() < 2 || field.Type.In(0) != writer {
			continue
		}
		where, ok := matrices[field.Name]
		if !ok {
			t.Errorf("say in matrices which test tries every role on every route of the door %s", field.Name)
		}
		if where == "" {
			continue
		}
		room, test, _ := strings.Cut(where, " ")
		files, err := filepath.Glob(filepath.Join(room, "*_test.go"))
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
			t.Errorf("package %s has no %s", room, test)
		}
	}
}
