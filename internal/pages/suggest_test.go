package pages

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

func TestSuggest(t *testing.T) {
	w := newWorld(t)
	w.put("Garden", "---\ntags: [frost, garden]\nStatus: draft\n---\n# Beds\n## Frost\n")
	w.put("Diary", "---\nstatus: done\n---\n#frost and #defrost\n")
	w.put("Templates/Meeting", "# {{title}}")
	w.upload("Garden", "map.txt", "a map")
	w.upload("Diary", "map_of_frost.txt", "another map")
	w.put("Beds/North", "# North\n## Leeks\n")
	w.put("Beds/South", "")
	for _, test := range []struct{ kind, typed, page, from, want string }{
		{"tags", "", "", "", "frost=2 defrost=1 garden=1"},
		{"tags", "fro", "", "", "frost=2 defrost=1"},
		{"keys", "STA", "", "", "status=Diary"},
		{"headings", "", "garden", "", "Beds=# Frost=##"},
		{"headings", "fro", "Garden", "", "Frost=##"},
		{"headings", "", "Nowhere", "", ""},
		{"headings", "", "", "", ""},
		{"headings", "", "North", "", "North=# Leeks=##"},
		{"headings", "", "../Beds/North", "Beds/South", "North=# Leeks=##"},
		{"emoji", "robo", "", "", "robot=🤖"},
		{"templates", "", "", "", "Meeting=Templates/Meeting"},
		{"files", "map", "Garden", "", "map.txt=./map.txt map_of_frost.txt=/Diary/map_of_frost.txt"},
	} {
		got, err := w.Suggest(w.t.Context(), w.viewer, SuggestQuery{test.kind, test.typed, test.page, test.from})
		if err != nil {
			t.Fatalf("%+v: %v", test, err)
		}
		var list []string
		for _, s := range got {
			list = append(list, s.Text+"="+s.Hint)
		}
		if text := strings.Join(list, " "); text != test.want {
			t.Errorf("%s %q on %q: %s; want %s", test.kind, test.typed, test.page, text, test.want)
		}
	}
	if _, err := w.Suggest(w.t.Context(), w.viewer, SuggestQuery{Kind: "secrets"}); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("an unknown kind: %v", err)
	}
	var many strings.Builder
	for i := range 3 * SuggestLimit {
		fmt.Fprintf(&many, "#tag%d ", i)
	}
	w.put("Many", many.String())
	if got, err := w.Suggest(w.t.Context(), w.viewer, SuggestQuery{Kind: "tags", Typed: "tag"}); err != nil || len(got) != SuggestLimit {
		t.Errorf("%d suggestions, %v; want %d", len(got), err, SuggestLimit)
	}
}
