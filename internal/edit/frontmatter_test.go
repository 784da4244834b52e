package edit

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

const metaPage = `---
# about the page
status: draft # was öpen
title: "Ädä: a plan"
tags:
- a # one
- b

# about the owner
owner:
  name: Ada # her name
  # her address
  mail: a@b.c
where: {city: Bern, ö: [x, y], zip: ''} # flow
lit: |
  line
  # no comment

empty:
due: 2026-12-05
---

# Page
`

func TestSetMeta(t *testing.T) {
	for _, test := range []struct{ set, old, new string }{
		{"status: done", "status: draft # was", "status: done # was"},
		{"title: Plan", `title: "Ädä: a plan"`, "title: Plan"},
		{`title: "a: b"`, `"Ädä: a plan"`, `"a: b"`},
		{"tags: [x, y]", "tags:\n- a # one\n- b\n", "tags: [x, y]\n"},
		{"tags:\n- x\n- y", "tags:\n- a # one\n- b\n", "tags:\n- x\n- y\n"},
		{"status:\n- x\n- y", "status: draft # was öpen\n", "status: # was öpen\n- x\n- y\n"},
		{"owner.name: Bob", "name: Ada # her", "name: Bob # her"},
		{"owner.phone: 1", "  mail: a@b.c\n", "  mail: a@b.c\n  phone: 1\n"},
		{"owner.name:", "  name: Ada # her name\n", ""},
		{"owner.tags:\n- x", "  mail: a@b.c\n", "  mail: a@b.c\n  tags:\n  - x\n"},
		{"owner: Bob", "owner:\n  name: Ada # her name\n  # her address\n  mail: a@b.c\n", "owner: Bob\n"},
		{"where.city: Genève", "city: Bern", "city: Genève"},
		{"where.ö:\n- z\n- 'a, b'", "ö: [x, y]", `ö: [z, "a, b"]`},
		{"where.zip: 3000", "zip: ''", "zip: 3000"},
		{"where.country: CH", "zip: ''}", "zip: '', country: CH}"},
		{"where.city:", "{city: Bern, ", "{"},
		{"where.zip:", ", zip: ''}", "}"},
		{"where.a.b: c", "zip: ''}", "zip: '', a: {b: c}}"},
		{"lit: |\n  more\n  # text", "  line\n  # no comment\n", "  more\n  # text\n"},
		{"lit:", "lit: |\n  line\n  # no comment\n", ""},
		{"empty: full", "empty:\n", "empty: full\n"},
		{"empty.a.b: c", "empty:\n", "empty:\n  a:\n    b: c\n"},
		{"new: x", "due: 2026-12-05\n", "due: 2026-12-05\nnew: x\n"},
		{"new.deep.key: x", "due: 2026-12-05\n", "due: 2026-12-05\nnew:\n  deep:\n    key: x\n"},
		{`"new.key": x`, "due: 2026-12-05\n", "due: 2026-12-05\n\"new.key\": x\n"},
		{"due:", "due: 2026-12-05\n", ""},
		{"missing:", "", ""},
		{"due: 2026-12-06\nstatus: done", "", ""},
	} {
		doc := NewDocument(metaPage)
		got, err := Apply(doc, Basis{Base: doc}, Edit{Op: SetMeta, Text: test.set})
		want := strings.Replace(metaPage, test.old, test.new, 1)
		if strings.HasPrefix(test.set, "due: 2026-12-06") {
			want = strings.NewReplacer("12-05", "12-06", "draft", "done").Replace(metaPage)
		}
		if strings.HasPrefix(test.set, `"new`) {
			want = strings.Replace(want, `"new.key"`, "new.key", 1)
		}
		if err != nil {
			t.Errorf("%s: %v", test.set, err)
		} else if diff := cmp.Diff(want, got.Text); diff != "" {
			t.Errorf("%s: %s", test.set, diff)
		}
	}
}

func TestSetMetaElsewhere(t *testing.T) {
	for _, test := range []struct{ page, set, want string }{
		{"Text.\n", "a: 1\nb.c: 2", "---\na: 1\nb:\n  c: 2\n---\n\nText.\n"},
		{"---\n---\nText.\n", "a: 1", "---\na: 1\n---\nText.\n"},
		{"---\n# only this\n---\nText.\n", "a: 1", "---\n# only this\na: 1\n---\nText.\n"},
		{"---\n{a: 1}\n---\n", "b: 2", "---\n{a: 1, b: 2}\n---\n"},
		{"---\na.b: 1\na:\n  b: 2\n---\n", "a.b: 3", "---\na.b: 3\na:\n  b: 2\n---\n"},
		{"---\na:\n  b: 1\n---\n", "a.b:", "---\na: {}\n---\n"},
		{"---\na:\n    b:\n        c: 1\n---\n", "a.b.d: 2", "---\na:\n    b:\n        c: 1\n        d: 2\n---\n"},
		{"---\na: 1\n---\n", "a:", "---\n---\n"},
		{"---\na: 1", "b: 2", "---\nb: 2\n---\n\n---\na: 1"},
	} {
		doc := NewDocument(test.page)
		got, err := Apply(doc, Basis{Base: doc}, Edit{Op: SetMeta, Text: test.set})
		if err != nil || got.Text != test.want {
			t.Errorf("%q, %s: got %+v, %v, want %q", test.page, test.set, got, err, test.want)
		}
	}
}

func TestSetMetaRefused(t *testing.T) {
	for _, test := range []struct{ page, set, says string }{
		{"---\na: &x 1\nb: *x\n---\n", "c: 1", "anchors"},
		{"---\na: [1\n---\n", "c: 1", "not YAML"},
		{"---\n- a\n---\n", "c: 1", "YAML mapping"},
		{"---\na: 1\n--- b\nc: 2\n---\n", "c: 1", ""},
		{"---\n? a\n: b\n---\n", "c: 1", "simple keys"},
		{"---\na: 1\na: 2\n---\n", "c: 1", "not YAML"},
		{"---\na: 1\n---\n", "a.b: 1", `the value of "a" is not a mapping`},
		{"---\na: 1\n---\n", "b: &x 1", "anchors"},
		{"---\na: 1\n---\n", "b: 1\n---\nc: 2", "key: value"},
		{"---\na: 1\n---\n", "title: a: b", "quotes"},
		{"---\na: 1\n---\n", "- x", "quotes"},
	} {
		doc := NewDocument(test.page)
		got, err := Apply(doc, Basis{Base: doc}, Edit{Op: SetMeta, Text: test.set})
		if err == nil || !errors.Is(err, wiki.ErrInvalid) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q, %s: got %+v, %v, want %q", test.page, test.set, got, err, test.says)
		}
	}
}

// A key that the writer may not have seen needs a revision; others don't.
func TestSetMetaRevisions(t *testing.T) {
	const now = "---\na: 1\nb: 2\n---\nText.\n"
	base := NewDocument("---\na: 1\nb: 3\n---\nText.\n")
	for _, test := range []struct {
		from Basis
		set  string
		kind error
	}{
		{Basis{}, "c: 3", nil},
		{Basis{}, "a: 1", nil},
		{Basis{}, "c:", nil},
		{Basis{}, "a: 2", wiki.ErrPreconditionRequired},
		{Basis{}, "a:", wiki.ErrPreconditionRequired},
		{Basis{Base: base}, "a: 2", nil},
		{Basis{Base: base}, "c: 3", nil},
		{Basis{Base: base}, "b: 2", nil},
		{Basis{Base: base}, "b: 4", wiki.ErrConflict},
		{Basis{Base: base, Seen: &Lines{1, 2}}, "a: 2", nil},
		{Basis{Base: base, Seen: &Lines{5, 5}}, "a: 2", wiki.ErrPreconditionRequired},
		{Basis{Base: base, Seen: &Lines{}}, "a: 2", wiki.ErrPreconditionRequired},
		{Basis{Base: base, Seen: &Lines{}}, "c: 2", nil},
	} {
		_, err := Apply(NewDocument(now), test.from, Edit{Op: SetMeta, Text: test.set})
		if test.kind == nil && err != nil || test.kind != nil && !errors.Is(err, test.kind) {
			t.Errorf("%s of %+v: got %v, want %v", test.set, test.from, err, test.kind)
		}
	}
}

// FuzzSetMeta: the value reads back, other values are the same, and bytes change only
// in the lines of the key.
func FuzzSetMeta(f *testing.F) {
	front, _ := markdown.CutFrontMatter([]byte(metaPage))
	for _, set := range []string{"status: done", "owner.name: Bob", "tags: [a, b]", "tags:\n- x", "where.zip:", "new: x", "a.b.c: 'x: y'", "lit: |\n  x", "due:"} {
		for _, text := range []string{string(front), "", "{a: 1, b: {c: [1, 2]}}\n", "a:\n  - b: 1\n    c: 2\n  - d\nstatus: >\n  x\n\n  y\n", "'a': \"b\nc\"\ntags: # none\n", "a: [1,\n 2]\nö: {x: 1,\n y: 2}\n"} {
			f.Add(text, set)
		}
	}
	f.Fuzz(func(t *testing.T, front, set string) {
		page := Normalize([]byte("---\n" + front + "---\n\nBody.\n"))
		if len(front)+len(set) > 2000 || !strings.HasSuffix(front, "\n") && front != "" {
			return
		}
		doc := NewDocument(page)
		got, err := Apply(doc, Basis{Base: doc}, Edit{Op: SetMeta, Text: set})
		if err != nil {
			return
		}
		given, values, _ := readMeta(Normalize([]byte(set)))
		if given == nil || len(given.root.keys) != 1 {
			return
		}
		y, before, err := doc.frontMatter()
		if err != nil {
			t.Fatal(err)
		}
		m := newMetaKey(y, given, given.root.keys[0], values[given.root.keys[0].name])
		after, err := markdown.FrontMatter([]byte(got.Text))
		is, ok := valueAt(after, m.path)
		if err != nil || ok != (m.text != "") || m.text != "" && fmt.Sprint(is) != fmt.Sprint(m.value) {
			t.Fatalf("%q in %q: %v, %v", set, page, is, err)
		}
		delete(before, m.path[0])
		delete(after, m.path[0])
		if len(before)+len(after) > 0 && !reflect.DeepEqual(before, after) && fmt.Sprint(before) != fmt.Sprint(after) {
			t.Errorf("%q in %q changed other values: %q", set, page, got.Text)
		}
		from, to := commonPrefix(page, got.Text), len(page)-commonSuffix(page, got.Text)
		key, _, _ := y.find(m.path[:1])
		if key == nil && from < to || key != nil && to > from && (from < 4+key.from || to > 4+key.to) {
			t.Errorf("%q in %q changed bytes %d to %d: %q", set, page, from, to, got.Text)
		}
	})
}

// TOML isn't YAML: setting a key must not damage it.
func TestSetMetaRefusesTOML(t *testing.T) {
	page := "+++\ntitle = \"A\"\n+++\n# A\n"
	doc := NewDocument(page)
	_, err := Apply(doc, Basis{Base: doc}, Edit{Op: SetMeta, Text: "title: B"})
	if wiki.KindOf(err) != wiki.ErrInvalid || !strings.Contains(err.Error(), "TOML") {
		t.Errorf("%v", err)
	}
	if _, _, err := MergePage(NewDocument("# B\n"), "A", page); wiki.KindOf(err) != wiki.ErrInvalid {
		t.Errorf("merged: %v", err)
	}
}
