package mediawiki

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/hostile"
)

var update = flag.Bool("update", false, "rewrite the goldens")

// testOptions are those of a small wiki.
func testOptions(title string) Options {
	site := &Site{Name: "Birds", Main: "Main Page"}
	site.addNamespace(NamespaceCategory, "Category")
	site.addNamespace(NamespaceHelp, "Help")
	path := func(t Title) string {
		if name := site.NamespaceName(t.Namespace); name != "" {
			return name + "/" + strings.ReplaceAll(t.Text, " ", "_")
		}
		return strings.ReplaceAll(t.Text, " ", "_")
	}
	redirects := map[string][2]string{"Columba": {"Columba_(genus)", ""}, "Columbidae": {"Pigeon", "Family"}, "Main Page": {"Home", ""}}
	return Options{
		Site: site, Title: site.ParseTitle(title), Path: path, Aliases: []string{"Pigeon: common", "Dove"},
		Link: func(t Title) (string, string, bool) {
			if r, ok := redirects[site.String(t)]; ok {
				return r[0], r[1], true
			}
			return path(t), "", t.Text != "Missing page" && t.Namespace != NamespaceUser && !strings.Contains(t.Text, ":") && !strings.HasPrefix(t.Text, "/")
		},
	}
}

func TestConvertGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.wiki")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		golden := strings.TrimSuffix(file, ".wiki") + ".md"
		got := Convert(string(source), testOptions("Birds/Rock dove"))
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

// hostileShapes are texts that are slow to convert by a naive parser.
var hostileShapes = map[string]string{
	"open templates": "{{", "templates": "{{a|", "open links": "[[", "links": "[[a|", "arguments": "{{{",
	"open tables": "{|\n|", "rows": "|-\n", "cells": "||", "open notes": "<ref>", "notes": "<ref>a</ref>", "named notes": "<ref name=a>",
	"comments": "<!--", "tags": "<a ", "attributes": "<td a=", "closing": "]]}}|}", "apostrophes": "'''''a", "bold": "'''a''b",
	"addresses": "[http://a ", "bare": "http://a ", "lists": "*#:;", "deep lists": "\n*#*#*#*#*#*#a", "quotes": "\n:::::::::::a", "headings": "\n==",
	"comments after headings": "==a== <!--b-->", "pictures": "[[File:a.png|thumb|", "raw": "<nowiki>", "quoted": "<blockquote>", "poems": "<poem>\n", "spans": "<code>", "switches": "__TOC__", "terms": "\n;a:b", "anchors": "[[#.C3", "emoji": ":a",
}

func TestConvertTakesLinearTime(t *testing.T) {
	for name, unit := range hostileShapes {
		t.Run(name, func(t *testing.T) {
			hostile.DoublePrepared(t, name, 20_000, func(n int) func() int {
				text := strings.Repeat(unit, n/len(unit)+1) + strings.Repeat("]]}}\n|}", n/40)
				return func() int { return len(Convert(text, testOptions("A"))) }
			})
		})
	}
}

// TestEndsFarAway converts texts in which many parts share one end, or one beginning.
func TestEndsFarAway(t *testing.T) {
	for name, part := range map[string]struct{ before, unit, after string }{
		"notes": {"", "<ref>", "</ref>"}, "other end": {"", "<ref>", "</references>"}, "raw": {"", "<math>", "</mathx>"},
		"open end": {"", "<pre>", "</pre"}, "definitions": {";a", "\n:b", ""}, "addresses": {"", "http://''", ""}, "rows": {"{|", "\n|-\nb", "\n|}"},
	} {
		t.Run(name, func(t *testing.T) {
			hostile.DoublePrepared(t, name, 150_000, func(n int) func() int {
				text := part.before + strings.Repeat(part.unit, n/len(part.unit)) + part.after
				return func() int { return len(Convert(text, testOptions("A"))) }
			})
		})
	}
}

// TestTextBeforeCells keeps the text of a table that isn't in a cell.
func TestTextBeforeCells(t *testing.T) {
	for _, text := range []string{
		"{| class=x\nA dove\n\nB dove\n== C dove ==\nD dove", // never closed
		"{|\n{{A dove}}\n|-\n| B dove\n|}",
		"{|\n| A dove\n|-\nB dove\n| C dove\n|}",
		"{|\n{|\n| A dove\n|}\n|}",
	} {
		got := Convert(text, testOptions("A"))
		if strings.Count(got, "dove") < strings.Count(text, "dove") {
			t.Errorf("%q lost text: %q", text, got)
		}
	}
}

func FuzzConvert(f *testing.F) {
	for _, unit := range hostileShapes {
		f.Add(unit + unit)
	}
	files, _ := filepath.Glob("testdata/*.wiki")
	for _, file := range files {
		if source, err := os.ReadFile(file); err == nil {
			f.Add(string(source))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 100_000 || !utf8.ValidString(text) {
			return
		}
		got := Convert(text, testOptions("Birds/Rock dove"))
		if !utf8.ValidString(got) {
			t.Errorf("%q became invalid UTF-8: %q", text, got)
		}
		if len(got) > 64*len(text)+1000 {
			t.Errorf("%d bytes became %d", len(text), len(got))
		}
	})
}
