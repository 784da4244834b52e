package mcpserver

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/pages"
)

// refused marks a form that a kind of parameter doesn't take; absent one that
// means the same as no argument.
type outcome string

const (
	refused outcome = "refused"
	absent  outcome = "absent"
)

// forms are JSON values of all types, and what each kind of parameter makes of
// them: in the order of formKinds, the value, refused or absent.
var formKinds = []string{"text", "string", "lines", "integer", "boolean", "enum", "strings", "edits"}

var forms = []struct {
	raw  string
	want []any
}{
	{`null`, []any{absent, absent, absent, absent, absent, absent, absent, absent}},
	{`""`, []any{"", absent, absent, absent, absent, absent, refused, absent}},
	{`"12"`, []any{"12", "12", "12", 12, refused, refused, []string{"12"}, refused}},
	{`"zz"`, []any{"zz", "zz", "zz", refused, refused, refused, []string{"zz"}, refused}},
	{`"True"`, []any{"True", "True", "True", refused, true, refused, []string{"True"}, refused}},
	{`"a\nb"`, []any{"a\nb", "a\nb", "a\nb", refused, refused, refused, []string{"a\nb"}, refused}},
	{`3`, []any{refused, "3", "3", 3, refused, refused, refused, refused}},
	{`0`, []any{refused, "0", "0", 0, refused, refused, refused, refused}},
	{`-7e0`, []any{refused, "-7e0", "-7e0", -7, refused, refused, refused, refused}},
	{`2.5`, []any{refused, "2.5", "2.5", refused, refused, refused, refused, refused}},
	{`1e999`, []any{refused, "1e999", "1e999", 1 << 31, refused, refused, refused, refused}},
	{`"0x10"`, []any{"0x10", "0x10", "0x10", refused, refused, refused, []string{"0x10"}, refused}},
	{`"NaN"`, []any{"NaN", "NaN", "NaN", refused, refused, refused, []string{"NaN"}, refused}},
	{`true`, []any{refused, refused, refused, refused, true, refused, refused, refused}},
	{`false`, []any{refused, refused, refused, refused, false, refused, refused, refused}},
	{`[]`, []any{refused, refused, refused, refused, refused, refused, []string{}, []arguments{}}},
	{`["a","b"]`, []any{"a\nb", refused, refused, refused, refused, refused, []string{"a", "b"}, refused}},
	{`["a",null]`, []any{refused, refused, refused, refused, refused, refused, refused, refused}},
	{`["a",["b"]]`, []any{refused, refused, refused, refused, refused, refused, refused, refused}},
	{`[1, 3]`, []any{refused, refused, "1-3", refused, refused, refused, refused, refused}},
	{`[1,2,3]`, []any{refused, refused, refused, refused, refused, refused, refused, refused}},
	{`{}`, []any{refused, refused, refused, refused, refused, refused, refused, []arguments{{}}}},
	{`{"from":1,"to":3}`, []any{refused, refused, "1-3", refused, refused, refused, refused, refused}},
	{`{"start":1,"end":3}`, []any{refused, refused, "1-3", refused, refused, refused, refused, refused}},
	{`{"from":1}`, []any{refused, refused, refused, refused, refused, refused, refused, refused}},
	{`{"type":"text","text":{"text":"x"}}`, []any{refused, refused, refused, refused, refused, refused, refused, refused}},
	{`"[\"a\",\"b\"]"`, []any{`["a","b"]`, `["a","b"]`, `["a","b"]`, refused, refused, refused, []string{"a", "b"}, refused}},
}

// Every parameter of every tool, and every member of an edit, gets a value of
// every type: it means what the table says, or the call is refused with the
// parameter's name and changes nothing.
func TestEveryParameterWithEveryType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Kinds", "# Kinds\n\nOld.\n")
	tried := 0
	for i := range tools {
		tool := &tools[i]
		if tool.client != "" {
			continue
		}
		try := func(p *param, args func(raw string) string, find func(arguments) arguments) {
			for _, form := range forms {
				tried++
				w.tryForm(tool, p, form.raw, args(form.raw), form.want, find)
			}
		}
		for _, p := range append(append([]param{}, tool.params...), tool.hidden...) {
			name := strings.TrimSuffix(p.name, "!")
			try(&p, func(raw string) string { return with(samples[tool.name], name, raw) }, func(a arguments) arguments { return a })
			if p.kind != "edits" {
				continue
			}
			for _, m := range editParams {
				member := strings.TrimSuffix(m.name, "!")
				try(&m, func(raw string) string {
					return with(samples[tool.name], name, "["+with(`{"op":"replace","old":"Old","text":"New"}`, member, raw)+"]")
				}, func(a arguments) arguments { return a.objects(name)[0] })
			}
		}
	}
	if tried < 60*len(forms) {
		t.Errorf("only %d were tried", tried)
	}
}

// with returns an object of JSON with another member.
func with(object, name, raw string) string {
	given := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(object), &given); err != nil {
		panic(err)
	}
	given[name] = json.RawMessage(raw)
	return jsonOf(given)
}

// tryForm compares a form with the table: first what the parameter becomes,
// then what a call answers.
func (w *world) tryForm(tool *tool, p *param, raw, args string, outcomes []any, find func(arguments) arguments) {
	w.T.Helper()
	name, required := strings.CutSuffix(p.name, "!")
	kind, words, _ := strings.Cut(p.kind, " ")
	var want any
	for i, k := range formKinds {
		if k == kind {
			want = outcomes[i]
		}
	}
	if raw == `""` && required && (kind == "string" || kind == "lines") {
		want = "" // refused by the tool, in its own words
	}
	if s, err := jsonText(json.RawMessage(raw)); err && kind == "enum" && strings.Contains(" "+words+" ", " "+s+" ") {
		want = s
	}
	var got any = absent
	a, err := tool.parse(json.RawMessage(args))
	switch {
	case err != nil && (strings.Contains(err.Error(), "must be") || strings.Contains(err.Error(), "has no member")):
		got = refused
	case err == nil && find(a)[name] != nil:
		got = find(a)[name].value
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(argument{})); diff != "" {
		w.T.Errorf("%s, %q as %s: %v\n%s", tool.name, name, raw, err, diff)
	}
	before := w.state("ada")
	text, failed := w.call("ada/editor", tool.name, args)
	if want == refused && (!failed || !strings.Contains(text, fmt.Sprintf("%q must be", name)) && !strings.HasPrefix(text, "Edit 1")) {
		w.T.Errorf("%s, %q as %s: %s", tool.name, name, raw, text)
	}
	if after := w.state("ada"); failed && after != before {
		w.T.Errorf("%s, %q as %s: refused, but changed the wiki: %s", tool.name, name, raw, text)
	}
}

// state names the last commit of a wiki.
func (w *world) state(slug string) string {
	w.T.Helper()
	log, err := w.Pages.Changelog(w.T.Context(), w.Access(slug, slug), pages.LogFilter{Limit: 1})
	w.must(err)
	return log[0].ID
}

// Attack: a model sends a page's text as an object, or leaves out the text that
// replaces another. That created an empty page, and deleted the old text.
func TestWrongTypesOverwriteNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rev := w.save("ada", "ada", "Plan", "# Plan\n\nKeep this.\n")
	for _, content := range []string{`{"type":"text","text":"x"}`, `[{"text":"x"}]`, `7`, `true`, `[]`} {
		w.fails(`"content" must be a text, or an array of its lines`, "ada/editor", "create_page", `{"path":"New","content":`+content+`}`)
		w.fails(`"content" must be`, "ada/editor", "replace_page", `{"path":"Plan","revision":"`+rev+`","content":`+content+`}`)
		w.fails(`Edit 1: "text" must be`, "ada/editor", "edit_page", `{"path":"Plan","edits":[{"op":"replace","old":"Keep","text":`+content+`}]}`)
	}
	w.fails(`create_page requires "content"`, "ada/editor", "create_page", `{"path":"New","content":null}`)
	for _, edits := range []string{`[{"op":"replace","old":"Keep this."}]`, `[{"op":"replace","old":"Keep this.","text":null}]`, `{"old":"Keep this."}`} {
		w.fails(`To delete the old text, send "text": ""`, "ada/editor", "edit_page", `{"path":"Plan","edits":`+edits+`}`)
	}
	w.fails(`needs "text"`, "ada/editor", "edit_page", `{"path":"Plan","op":"replace_section","section":"Plan","revision":"`+rev+`"}`)
	w.fails(`"dry_run" must be true or false`, "ada/editor", "edit_page", `{"path":"Plan","old":"Keep","text":"x","dry_run":"yes"}`)
	w.fails(`"op" must be one of: replace, `, "ada/editor", "edit_page", `{"path":"Plan","edits":[{"op":"erase","text":"x"}]}`)
	w.fails(`"limit" must be a number from 1 to 50`, "ada/editor", "search", `{"query":"x","limit":-1}`)
	w.fails(`"lines" must be a range`, "ada/editor", "read_page", `{"path":"Plan","lines":[1,2,3]}`)
	if text := w.source("ada", "Plan"); text != "# Plan\n\nKeep this.\n" {
		t.Errorf("the page became %q", text)
	}
	w.ok("ada/editor", "create_page", `{"path":"Lines","content":["# Lines","","one"],"message":""}`)
	if text := w.source("ada", "Lines"); text != "# Lines\n\none\n" {
		t.Errorf("an array of lines became %q", text)
	}
	for _, edits := range []string{
		`"[{\"op\":\"append\",\"text\":\"two\"}]"`, `{"op":"append","text":["three","four"]}`, `["{\"op\":\"APPEND\",\"text\":\"five\",\"all\":\"false\",\"old\":null,\"section\":\"\"}"]`,
	} {
		w.ok("ada/editor", "edit_page", `{"path":"Lines","edits":`+edits+`,"dry_run":"False"}`)
	}
	for _, line := range []string{"two", "three\nfour", "five"} {
		if text := w.source("ada", "Lines"); !strings.Contains(text, line) {
			t.Errorf("%q is missing in %q", line, text)
		}
	}
	w.ok("ada/editor", "edit_page", `{"path":"Lines","edits":[{"op":"replace","old":"five","text":""}]}`)
	if got := w.ok("ada/editor", "read_page", `{"path":"Lines","lines":[1,3],"max_chars":0}`); !strings.Contains(got, "lines 1-3 of") {
		t.Error(got)
	}
}

// JSON in a string follows the rules for bodies: nothing that two parsers could
// understand differently.
func TestNestedJSONIsStrict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Plan", "one two\n")
	for _, edits := range []string{
		`[{"op":"replace","old":"one","old":"two","text":""}]`, `[{"op":"replace","old":"one","Old":"two","text":""}]`,
		`[{"op":"replace","old":"one","text":"\u0000"}]`, `[{"op":"replace","old":"one","text":""}] []`, `[{"op":"replace"`, strings.Repeat("[", 100_000),
	} {
		w.fails(`"edits" must be an array of objects`, "ada/editor", "edit_page", "path", "Plan", "edits", edits)
	}
	if text := w.source("ada", "Plan"); text != "one two\n" {
		t.Errorf("the page became %q", text)
	}
}

// FuzzRefusedCallsChangeNothing: whatever a call sends, it changes something only
// if its answer says so, and nothing if it asks for a dry run.
func FuzzRefusedCallsChangeNothing(f *testing.F) {
	for i := range tools {
		f.Add(uint8(i), samples[tools[i].name])
		for _, p := range append(append([]param{}, tools[i].params...), tools[i].hidden...) {
			for _, form := range forms {
				if sample := samples[tools[i].name]; sample != "" {
					f.Add(uint8(i), with(sample, strings.TrimSuffix(p.name, "!"), form.raw))
				}
			}
		}
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, n uint8, args string) {
		w.T = t
		tool := &tools[int(n)%len(tools)]
		if !json.Valid([]byte(args)) || tool.client != "" {
			return
		}
		before := w.state("ada")
		a := w.post(posted{token: "ada/editor", slug: "ada", body: callBody(w.ids.Add(1), tool.name, args)})
		refused := a.StatusCode != 200 || len(a.result.Result.Content) == 0 || a.result.Result.IsError
		parsed, err := tool.parse(json.RawMessage(args))
		dry := err == nil && parsed["dry_run"] != nil && parsed.boolean("dry_run")
		if after := w.state("ada"); after != before && (refused || err != nil || dry || tool.action == 0) {
			t.Errorf("%s %s changed the wiki: %s", tool.name, args, a.text)
		}
	})
}
