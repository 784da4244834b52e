package property

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/wiki"
)

// propertiesOf formats a page's properties with their kinds.
func propertiesOf(front map[string]any) []string {
	kinds := map[Kind]string{Number: "number", Boolean: "boolean", Date: "date", Time: "time", Text: "text", Link: "link"}
	var list []string
	for _, p := range FromFrontMatter(front) {
		line := p.Name
		if p.List {
			line += "[]"
		}
		for _, v := range p.Values {
			line += " " + kinds[v.Kind] + ":" + v.String()
		}
		list = append(list, line)
	}
	return list
}

func TestFromFrontMatter(t *testing.T) {
	got := propertiesOf(map[string]any{
		"Status": "Draft", "due": "2026-12-05", "at": "2026-12-05T10:00:00+02:00", "when": "2026-12-05 10:00",
		"n": uint64(5), "neg": int64(-3), "f": 1.5, "done": true, "text": "5", "version": "2026-13-05",
		"tags": []any{"a", "b"}, "one": []any{"a"}, "none": []any{}, "null": nil, "empty": "  ",
		"owner": map[string]any{"name": "Ada\n Lovelace", "page": "[[People/Ada|Ada]]"},
		"link":  []any{[]any{"Page"}}, "links": []any{[]any{[]any{"A#B"}}, "[[C]]"},
		"people": []any{map[string]any{"name": "Ada"}, map[string]any{"name": "Bob"}},
		"deep":   map[string]any{"a": map[string]any{"b": map[string]any{"c": map[string]any{"d": map[string]any{"e": 1}}}}},
	})
	want := []string{
		"at time:2026-12-05T10:00:00+02:00", "done boolean:true", "due date:2026-12-05", "f number:1.5", "link link:[[Page]]", "links[] link:[[A]] link:[[C]]",
		"n number:5", "neg number:-3", "one[] text:a", "owner.name text:Ada Lovelace", "owner.page link:[[People/Ada|Ada]]", "people.name[] text:Ada text:Bob",
		"Status text:Draft", "tags[] text:a text:b", "text text:5", "version text:2026-13-05", "when time:2026-12-05 10:00",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A value is stored by its kind and texts. Those of ASCII values aren't folded.
func TestRestore(t *testing.T) {
	for _, p := range FromFrontMatter(map[string]any{"list": []any{
		"Draft", "2026-12-05", "2026-12-05 10:00", "2026-12-05T10:00:00+02:00", uint64(7), 1.5, -1e100, true, false, "[[People/Ada]]", "[[A b|É]]", "ÉA", "[[É|x]]",
	}}) {
		for _, v := range p.Values {
			folded := v.Folded
			if len(v.Text) == len([]rune(v.Text)) {
				folded = ""
			}
			if diff := cmp.Diff(v, Restore(v.Kind, v.Text, folded)); diff != "" {
				t.Error(diff)
			}
		}
	}
}

func TestBounds(t *testing.T) {
	front := map[string]any{strings.Repeat("k", 200): "x", "long": strings.Repeat("é", 2000)}
	var many []any
	for i := range 300 {
		many = append(many, i)
		front[fmt.Sprint("key", i)] = "x"
	}
	front["a"] = many
	list := FromFrontMatter(front)
	if len(list) != MaxKeys {
		t.Errorf("%d keys", len(list))
	}
	for _, p := range list {
		if len(p.Values) > MaxValues || len(p.Key) > MaxKey || len([]rune(p.Values[0].Text)) > MaxText {
			t.Errorf("%s has %d values of %d bytes", p.Key, len(p.Values), len(p.Values[0].Text))
		}
	}
}

// selects reports whether an expression selects a page with some front matter.
func selects(t *testing.T, text string, front map[string]any) bool {
	t.Helper()
	e, err := Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return e.Match(inOrder(e, FromFrontMatter(front)))
}

func inOrder(e Expression, list []Property) []Property {
	page := make([]Property, len(e.Keys()))
	for _, p := range list {
		if i := slices.Index(e.Keys(), p.Key); i >= 0 {
			page[i] = p
		}
	}
	return page
}

func TestMatch(t *testing.T) {
	page := map[string]any{
		"status": "Draft", "Due Date": "2026-12-05", "at": "2026-12-05T10:00:00Z", "priority": uint64(3), "ratio": 0.5, "done": false,
		"tags": []any{"Garden", "frost damage"}, "owner": map[string]any{"name": "Ada Lovelace", "page": "[[People/Ada|the boss]]"},
		"link": []any{[]any{"Home Page"}}, "code": "5", "and": "x", "name": "É",
	}
	for text, want := range map[string]bool{
		"": true, " ": true,
		"status = draft": true, "STATUS = DRAFT": true, "status=draft": true, "status == 'draft'": true, "status = done": false,
		"status != done": true, "status != draft": false, "status <> done": true, "nothing != done": false, "not nothing = done": true,
		"status exists": true, "status missing": false, "nothing exists": false, "nothing missing": true, "not nothing exists": true,
		`"due date" < 2026-12-06`: true, "due_date <= 2026-12-05": true, "due_date < 2026-12-05": false, "due_date >= 2026-12-05T23:00:00Z": true,
		"due_date = 2026-12-05": true, "due_date > 5": false, "due_date != 5": true, "due_date < zebra": false, "due_date contains 2026-12": true,
		"at = 2026-12-05": true, "at <= 2026-12-05": true, "at > 2026-12-05": false, "at < 2026-12-05T10:00:01Z": true, "at = 2026-12-05T12:00:00+02:00": true,
		"at < '2026-12-05 09:59'": false,
		"priority = 3.0":          true, "priority > 2": true, "priority > 10": false, "priority < high": false, "priority = high": false, "ratio <= .5": true,
		"code = 5": true, "code = 5.0": false, "done = false": true, "done = FALSE": true, "done = no": false, "done < true": false,
		"tags = garden": true, "tags = frost": false, "tags contains frost": false, `tags contains "frost damage"`: true, "tags != frost": true, "tags != garden": false,
		"status contains raf": true, "owner.name contains lovelace": true, "owner.name < b": true, "owner.name > b": false, "owner missing": true,
		"owner.page = [[People/Ada]]": true, "owner.page = people/ada": true, "owner.page = ada": false, "owner.page contains boss": true, "owner.page contains [[people]]": true,
		"link = [[Home Page]]": true, "link = [[Home Page|x]]": true, "link = home_page": true,
		"status = draft and priority = 3": true, "status = draft and priority = 4": false, "status = done or priority = 3": true,
		"status = done or priority = 3 and ratio = 1": false, "(status = done or priority = 3) and ratio = .5": true, "not (status = done or priority = 4)": true,
		"not not status = draft": true, "NOT status = draft OR priority = 3": true, `"and" = x`: true, "status = “draft”": true, `owner.name = "ada \"x\""`: false,
		"name = é": true, "name = e\u0301": true,
	} {
		if got := selects(t, text, page); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

func TestInvalidExpressions(t *testing.T) {
	for text, want := range map[string]string{
		"status":                              "character 7: expected an operator after the key, found the end",
		"status = ":                           "character 10: expected a value, found the end",
		"status = in review":                  `character 13: expected and, or, or the end, found "review"`,
		"status = draft and":                  "character 19: expected a key, found the end",
		"= draft":                             `character 1: expected a key, found "="`,
		"status => draft":                     `character 8: there is no operator "=>"`,
		"status = 'draft":                     "character 10: the quote that starts here isn't closed",
		"(status = draft":                     "character 16: expected and, or, or a closing parenthesis, found the end",
		`(status = draft ")"`:                 `character 17: expected and, or, or a closing parenthesis, found ")"`,
		"status = draft)":                     `character 15: expected and, or, or the end, found ")"`,
		"and = x":                             `character 1: expected a key, found "and"`,
		"a = )":                               `character 5: expected a value, found ")"`,
		"a like b":                            `character 3: expected an operator after the key, found "like"`,
		strings.Repeat("(", 100):              "more than 30 levels",
		strings.Repeat("not ", 100):           "more than 30 levels",
		"a=1" + strings.Repeat(" or a=1", 30): "more than 30 comparisons",
		strings.Repeat("x", 1001):             "longer than 1000 characters",
	} {
		_, err := Parse(text)
		if !errors.Is(err, wiki.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v", text, err)
		}
	}
}

// Any text is an expression or an error with a position inside it, and an
// expression can be evaluated on any page.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"status = draft and due < 2026-12-05", "not (a exists or b missing)", `"a b" contains 'c\'d'`, "a = [[B C|d]] or b != “x”", "((a=1))", "a<>1", "[[", "a = [[b", "\xff = 1"} {
		f.Add(text)
	}
	page := FromFrontMatter(map[string]any{"a": []any{1, "x", "2026-12-05"}, "b": "[[C]]", "status": "draft"})
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		if err != nil {
			if !errors.Is(err, wiki.ErrInvalid) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if e.Terms() > maxTerms || len(e.Keys()) > e.Terms() {
			t.Errorf("%q: %d comparisons of %d keys", text, e.Terms(), len(e.Keys()))
		}
		if found := e.Match(inOrder(e, page)); e.root != nil && found == (Expression{root: negation{e.root}, keys: e.keys}).Match(inOrder(e, page)) {
			t.Errorf("%q and its opposite are both %t", text, found)
		}
	})
}

func TestCompareAndFormat(t *testing.T) {
	list := FromFrontMatter(map[string]any{"a": uint64(2), "b": "x", "c": "2026-01-01", "d": true, "e": uint64(10), "f": "[[B]]", "g": "2025-12-31T00:00:00Z"})
	list = append([]Property{{Key: "none"}}, list...)
	slices.SortStableFunc(list, Compare)
	var keys, texts []string
	for _, p := range list {
		keys, texts = append(keys, p.Key), append(texts, fmt.Sprintf("%v", p.JSON()))
	}
	if got := strings.Join(keys, " "); got != "a e d g c f b none" {
		t.Error(got)
	}
	if got := strings.Join(texts, " "); got != "2 10 true 2025-12-31T00:00:00Z 2026-01-01 [[B]] x []" {
		t.Error(got)
	}
}
