package web

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"robot.wtf/internal/hostile"
	"robot.wtf/internal/slow"
)

// textFields are the fields of all forms that hold what people write. The test
// sends a hostile text in each of them, so that a new form can't be forgotten, only
// a new name.
var textFields = []string{
	"content", "commit", "message", "query", "pagename", "new_pagename", "new_filename", "filename", "title", "description",
	"reason", "text", "email", "name", "id", "confirm", "action", "to", "from", "rev_a", "rev_b", "theirs-0", "yours-0", "member", "handle",
}

// TestDoublingOnEveryRoute: on each route of a wiki's host, with a hostile page and
// a hostile text in each field, twice the text takes less than 2.5 times the
// processor time and has less than 2.5 times the answer.
func TestDoublingOnEveryRoute(t *testing.T) {
	slow.Test(t)
	shapes, size := hostile.Routes(os.Getenv("ROBOT_LONG") != "")
	for shape, text := range shapes {
		w := newTestWiki(t)
		w.web.stream.life = 1
		ada := w.as("ada")
		commits := map[string]string{}
		for _, n := range []int{size, 2 * size} {
			for turn := range hostile.Tries {
				page := fmt.Sprintf("Text%d-%d", n, turn)
				w.put("ada", page, "First.\n")
				commits[page] = w.put("ada", page, text(n)).Commit
			}
		}
		for _, key := range wikiKeys() {
			if key == "POST /-/logout" {
				continue // would end the session of this test
			}
			turn, made := hostile.Turns(), 0
			run := func(n int) int {
				page := fmt.Sprintf("Text%d-%d", n, turn(n))
				if key == "POST save" {
					made++
					page = fmt.Sprintf("New%d-%d", n, made)
				}
				path := strings.NewReplacer("/Home", "/"+page, "{commit}", commits[page], "{css}", w.web.assets.byName["app.css"], "q=home", "q="+url.QueryEscape(text(n)), "q=ho", "q="+url.QueryEscape(text(n))).Replace(routeMatrix[key].path)
				got := ada.send(methodOf(key), on("ada", path), doubleForm(key, text(n)))
				if got.status >= http.StatusInternalServerError {
					t.Errorf("%s, %s: %d", shape, key, got.status)
				}
				return len(got.body)
			}
			hostile.Double(t, shape+", "+key, size, run)
		}
	}
}

// doubleForm is a form with a text in each field, nil for routes without a form.
func doubleForm(key, text string) url.Values {
	if methodOf(key) != http.MethodPost {
		return nil
	}
	form := url.Values{}
	for _, field := range textFields {
		form.Set(field, text)
	}
	return form
}
