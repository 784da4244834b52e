package mathml

import (
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the goldens")

// TestFormulas converts formulas as people write them and compares with a golden that
// was looked at in a browser.
func TestFormulas(t *testing.T) {
	source, err := os.ReadFile("testdata/formulas.txt")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	failed := 0
	for line := range strings.Lines(string(source)) {
		line = strings.TrimSuffix(line, "\n")
		html, err := new(Page).Convert(line, true)
		if err != nil {
			failed++
			html = "error: " + Message(err)
		} else if problem := check(html); problem != "" {
			t.Errorf("%s: %s in %s", line, problem, html)
		}
		fmt.Fprintf(&got, "%s\n%s\n\n", line, html)
	}
	const golden = "testdata/formulas.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || string(want) != got.String() {
		t.Errorf("the results differ from %s (%v): run with -update and read the difference", golden, err)
	}
	if all := strings.Count(string(source), "\n"); all < 150 || failed != 15 {
		t.Errorf("%d formulas, %d of them wrong; want 150 and the 15 at the end", all, failed)
	}
}

var valueForm = regexp.MustCompile("^(?:" + Values + ")$")

// check returns the fault of a result, or "". It must be well-formed, with the right number
// of children, and have only known elements and attributes.
func check(html string) string {
	kids := map[string]int{"mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "msubsup": 3, "munderover": 3}
	d := xml.NewDecoder(strings.NewReader(html))
	type open struct {
		name string
		kids int
	}
	stack := []open{{}}
	for {
		t, err := d.Token()
		if err == io.EOF {
			return ""
		}
		if err != nil {
			return err.Error()
		}
		switch t := t.(type) {
		case xml.StartElement:
			if !slices.Contains(Elements, t.Name.Local) {
				return "element " + t.Name.Local
			}
			for _, a := range t.Attr {
				classes := a.Name.Local == "class" && regexp.MustCompile(`^[a-z]{2}( [a-z]{2})?$`).MatchString(a.Value)
				if !classes && (!slices.Contains(Attributes, a.Name.Local) || !valueForm.MatchString(a.Value)) {
					return "attribute " + a.Name.Local + "=" + a.Value
				}
			}
			stack[len(stack)-1].kids++
			stack = append(stack, open{name: t.Name.Local})
		case xml.EndElement:
			last := stack[len(stack)-1]
			if want, ok := kids[last.name]; ok && last.kids != want {
				return fmt.Sprintf("%s with %d children", last.name, last.kids)
			}
			stack = stack[:len(stack)-1]
		}
	}
}

func TestMacrosHoldInLaterFormulas(t *testing.T) {
	p := new(Page)
	if _, err := p.Convert(`\newcommand{\R}{\mathbb{R}}`, false); err != nil {
		t.Fatal(err)
	}
	if html, err := p.Convert(`\R^2`, false); err != nil || !strings.Contains(html, "ℝ") {
		t.Errorf("%s, %v", html, err)
	}
	if _, err := new(Page).Convert(`\R^{`, false); err == nil {
		t.Error("another page has the macro")
	}
}

// hostileFormulas are slow for converters that nest, backtrack or expand without bound.
func hostileFormulas() map[string]string {
	fill := func(s string) string { return strings.Repeat(s, maxSource/len(s)) }
	return map[string]string{
		"groups": fill("{"), "closed groups": strings.Repeat("{", 9_000) + strings.Repeat("}", 9_000), "fractions": fill(`\frac{`),
		"scripts": fill("x^{"), "long": fill("x+"), "letters": `\mathrm{` + strings.Repeat("x", 19_000) + "}", "primes": "x" + fill("'")[1:],
		"digits": fill("1"), "spaces": fill("~"), "left": fill(`\left(`), "matrices": fill(`\begin{matrix}`), "cells": `\begin{matrix}` + strings.Repeat("&", 19_000) + `\end{matrix}`,
		"rows": `\begin{matrix}` + strings.Repeat(`\\`, 9_000) + `\end{matrix}`, "laughs": laughs(), "loop": `\def\a{\a}\a`, "double loop": `\def\a{\a\a}\a`,
		"growing": `\def\a#1{\a{#1#1}}\a{x}`, "definitions": fill(`\def\a{b}`), "text": `\text{` + fill("a b ")[:19_000] + "}", "colors": fill(`\color{red}`),
		"options": fill(`\sqrt[`), "overs": fill(`{a\over `), "nots": fill(`\not`), "sums": fill(`\sum_`), "accents": fill(`\hat`), "texts": fill(`\text{$`),
		"wide": `\begin{array}{` + strings.Repeat("c", 9_000) + "}" + strings.Repeat("&", 5_000) + `\end{array}`, "delimiters": fill(`\genfrac{(}{)}{1pt}{0}`),
	}
}

func laughs() string {
	s := `\def\a{xxxxxxxxxx}`
	for c := 'b'; c <= 'z'; c++ {
		s += fmt.Sprintf(`\def\%c{%s}`, c, strings.Repeat(fmt.Sprintf(`\%c `, c-1), 10))
	}
	return s + `\z`
}

func TestHostileFormulas(t *testing.T) {
	for name, source := range hostileFormulas() {
		best := time.Hour
		var html string
		var err error
		for range 3 { // a busy machine delays some
			begun := time.Now()
			html, err = new(Page).Convert(source, true)
			best = min(best, time.Since(begun))
		}
		if best > 50*time.Millisecond {
			t.Errorf("%s takes %v", name, best)
		}
		if err == nil {
			if problem := check(html); problem != "" {
				t.Errorf("%s: %s", name, problem)
			}
			if len(html) > 100*maxSource {
				t.Errorf("%s: %d bytes from %d", name, len(html), len(source))
			}
		}
	}
}

func FuzzConvert(f *testing.F) {
	source, err := os.ReadFile("testdata/formulas.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(source)) {
		f.Add(line)
	}
	f.Add(`\text{</mtext><script>alert(1)</script>}`)
	f.Add(`\color{"onload=x}{y}`)
	f.Fuzz(func(t *testing.T, source string) {
		html, err := new(Page).Convert(source, true)
		if err != nil {
			if Message(err) == "" {
				t.Error("an error without a message")
			}
			return
		}
		if problem := check(html); problem != "" {
			t.Errorf("%q: %s in %s", source, problem, html)
		}
	})
}

func BenchmarkConvert(b *testing.B) {
	for b.Loop() {
		if _, err := new(Page).Convert(`x = \frac{-b \pm \sqrt{b^2 - 4ac}}{2a}`, true); err != nil {
			b.Fatal(err)
		}
	}
}
