package mcpserver

import (
	"fmt"
	"strings"
	"testing"
)

// A resource is read by its name with or without escapes, and the answer repeats the
// client's URI.
func TestResourceNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Orte/Größe Übersicht", "Alles.\n")
	for _, uri := range []string{"Orte/Größe Übersicht", "Orte/Größe_Übersicht", "Orte/Gr%C3%B6%C3%9Fe_%C3%9Cbersicht", "orte/größe_übersicht"} {
		a := w.post(posted{token: "ada/editor", slug: "ada", body: `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"wiki://page/` + uri + `"}}`})
		if !strings.Contains(a.text, "Alles.") || !strings.Contains(a.text, `"uri":"wiki://page/`+uri+`"`) {
			t.Errorf("%s: %s %s", uri, a.Status, a.text)
		}
	}
}

// The list has Home, AGENTS and the 20 latest other pages.
func TestResourceList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 22 {
		w.save("ada", "ada", fmt.Sprintf("Page/%d", i), "x\n")
	}
	a := w.post(posted{token: "ada/viewer", slug: "ada", body: `{"jsonrpc":"2.0","id":1,"method":"resources/list"}`})
	if n := strings.Count(a.text, `"uri":`); n != 22 {
		t.Errorf("%d: %s", n, a.text)
	}
	for _, name := range []string{"Home", "AGENTS", "Page/21", "Page/2"} {
		if !strings.Contains(a.text, `"name":"`+name+`"`) {
			t.Errorf("%s is missing", name)
		}
	}
	if strings.Contains(a.text, `"Page/1"`) {
		t.Error("it has an older page")
	}
}
