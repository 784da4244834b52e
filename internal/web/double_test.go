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
		t.Run(shape, func(t *testing.T) { doubleRoutes(t, text, min(size, maxDoubled)) })
	}
}

const (
	// maxDoubled bounds the texts: all shapes on all routes take minutes.
	maxDoubled = 16 << 10
	// formPart divides the texts of a form's other fields than the content, so that
	// the form stays below the limits of a request.
	formPart = 8
)

// doubleRoutes doubles one shape on each route, in a subtest for each.
func doubleRoutes(t *testing.T, text func(n int) string, size int) {
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
		prepare := func(n int) func() int {
			page := fmt.Sprintf("Text%d-%d", n, turn(n))
			if key == "POST save" {
				made++
				page = fmt.Sprintf("New%d-%d", n, made)
			}
			query := url.QueryEscape(text(n))
			path := strings.NewReplacer("/Home", "/"+page, "{commit}", commits[page], "{css}", w.web.assets.byName["app.css"], "q=home", "q="+query, "q=ho", "q="+query).Replace(routeMatrix[key].path)
			r := ada.request(methodOf(key), on("ada", path), doubleForm(key, text(n), text(n/formPart)))
			return func() int {
				got := ada.do(r)
				if got.status >= http.StatusInternalServerError {
					t.Errorf("%s: %d", key, got.status)
				}
				return len(got.body)
			}
		}
		t.Run(strings.ReplaceAll(key, "/", "."), func(t *testing.T) {
			hostile.DoublePrepared(t, key, size, prepare)
		})
	}
}

// doubleForm is a form with a page's content and a text in each other field, nil for
// routes without a form.
func doubleForm(key, content, text string) url.Values {
	if methodOf(key) != http.MethodPost {
		return nil
	}
	form := url.Values{}
	for _, field := range textFields {
		form.Set(field, text)
	}
	form.Set("content", content)
	return form
}
