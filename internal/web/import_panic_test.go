package web

import (
	"bytes"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"

	"robot.wtf/internal/background"
	"robot.wtf/internal/testworld"
)

// An import that panics fails with a plain message, and the next one works.
func TestImportPanics(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	var log bytes.Buffer
	panics := true
	w.web.o.Background = background.New(background.Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Before: func(j background.Job) {
		if j.Work == "import" && panics {
			panics = false
			panic("import")
		}
	}})
	if _, err := w.Tenant.Create(t.Context(), testworld.Person("dan"), "dan"); err != nil {
		t.Fatal(err)
	}
	if err := w.Pages.Seed(t.Context(), w.Access("dan", "dan")); err != nil {
		t.Fatal(err)
	}
	dan := w.as("dan")
	for got := dan.get(on("dan", "/-/settings")); got.status == http.StatusFound; {
		got = dan.follow(got)
	}
	bundle, err := os.ReadFile("../pages/testdata/odd.bundle")
	if err != nil {
		t.Fatal(err)
	}
	send := func() *answer {
		t.Helper()
		dan.sendFiles(on("dan", "/-/import"), part{field: "file", file: "wiki.bundle", data: string(bundle)}).want(http.StatusSeeOther)
		return dan.settledImport("dan")
	}
	send().has("Nothing was imported", "a bug on our side", `name="file"`)
	if !strings.Contains(log.String(), "import_panic_test.go") {
		t.Errorf("the log lacks the stack: %s", &log)
	}
	dan.decideImport("dan", send(), "import").has("commits imported")
}
