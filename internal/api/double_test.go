package api

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"robot.wtf/internal/hostile"
	"robot.wtf/internal/slow"
)

// TestDoublingOnEveryRoute: on each route, with a hostile page and a hostile text
// for each string of the body, twice the text takes less than 2.5 times the
// processor time and has less than 2.5 times the answer.
func TestDoublingOnEveryRoute(t *testing.T) {
	slow.Test(t)
	shapes, size := hostile.Routes(os.Getenv("ROBOT_LONG") != "")
	for shape, text := range shapes {
		w := newWorld(t)
		for _, n := range []int{size, 2 * size} {
			for turn := range hostile.Tries {
				w.want(http.StatusCreated, w.send("ada/editor", "PUT", "ada", fmt.Sprintf("/pages/Text%d-%d", n, turn), object{"content": text(n)}))
			}
		}
		for _, route := range Routes {
			key := route.Method + " " + route.Pattern
			turn, made := hostile.Turns(), 0
			hostile.Double(t, shape+", "+key, size, func(n int) int {
				page := fmt.Sprintf("Text%d-%d", n, turn(n))
				body := textBody(matrix[key].body, text(n))
				if route.Method == "PUT" {
					made++
					page, body = fmt.Sprintf("New%d-%d", n, made), object{"content": text(n)}
				}
				got := w.send("ada/owner", route.Method, "ada", strings.Replace(matrix[key].path, "/Home", "/"+page, 1), body)
				if got.StatusCode >= http.StatusInternalServerError {
					t.Errorf("%s, %s: %s", shape, key, got.Status)
				}
				return len(got.text)
			})
		}
	}
}

// textBody returns a copy of a body with a text for each string but the revision.
func textBody(body any, text string) any {
	given, ok := body.(object)
	if !ok {
		return body
	}
	filled := object{}
	for name, value := range given {
		if _, isText := value.(string); isText && name != "revision" {
			value = text
		}
		filled[name] = value
	}
	return filled
}
