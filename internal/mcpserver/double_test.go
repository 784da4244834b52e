package mcpserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"testing"

	"robot.wtf/internal/hostile"
	"robot.wtf/internal/slow"
)

// TestDoublingOnEveryTool: with each tool, a hostile page and a hostile text for
// each string, twice the text takes less than 2.5 times the processor time and has
// less than 2.5 times the answer.
func TestDoublingOnEveryTool(t *testing.T) {
	slow.Test(t)
	shapes, size := hostile.Routes(os.Getenv("ROBOT_LONG") != "")
	for shape, text := range shapes {
		w := newWorld(t)
		revisions := map[string]string{}
		for _, n := range []int{size, 2 * size} {
			for turn := range hostile.Tries {
				page := fmt.Sprintf("Text%d-%d", n, turn)
				revisions[page] = w.save("ada", "ada", page, text(n))
			}
		}
		for i := range tools {
			name := tools[i].name
			if tools[i].client != "" {
				continue
			}
			turn, made := hostile.Turns(), 0
			hostile.Double(t, shape+", "+name, size, func(n int) int {
				page := fmt.Sprintf("Text%d-%d", n, turn(n))
				if name == "create_page" {
					made++
					page = fmt.Sprintf("New%d-%d", n, made)
				}
				a := w.post(posted{token: "ada/owner", slug: "ada", body: callBody(w.ids.Add(1), name, textArguments(t, samples[name], page, revisions[page], text(n)))})
				if a.StatusCode != http.StatusOK {
					t.Errorf("%s, %s: %s %.200s", shape, name, a.Status, a.text)
				}
				return len(a.text)
			})
		}
	}
}

// textArguments returns a tool's sample with another page, and a text for each
// other string.
func textArguments(t *testing.T, sample, page, revision, text string) string {
	t.Helper()
	var given any
	if err := json.Unmarshal([]byte(sample), &given); err != nil {
		t.Fatal(err)
	}
	var fill func(name string, value any) any
	fill = func(name string, value any) any {
		switch v := value.(type) {
		case map[string]any:
			for member := range v {
				v[member] = fill(member, v[member])
			}
		case []any:
			for i := range v {
				v[i] = fill(name, v[i])
			}
		case string:
			switch name {
			case "path", "items":
				return page
			case "revision":
				return revision
			case "op", "name", "kind":
				return v
			}
			return text
		}
		return value
	}
	filled, err := json.Marshal(fill("", given))
	if err != nil {
		t.Fatal(err)
	}
	return string(filled)
}
