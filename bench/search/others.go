package main

import (
	"cmp"
	"compress/gzip"
	"errors"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Sets other than gloss2def, with texts like those of wikis: both texts of a pair
// describe the purpose of a thing, in the words of the same authors.

// manpages pairs the NAME line of a manual page with its DESCRIPTION, from Debian's
// packages manpages and manpages-dev below root: all English pages of sections 2 to
// 7 that aren't links. The names in the NAME line are replaced by "it" in both.
func manpages(root string) ([]pair, error) {
	files, err := filepath.Glob(filepath.Join(root, "man/man[2-7]/*.gz"))
	if err != nil {
		return nil, err
	}
	pairs := map[string]pair{}
	for _, file := range files {
		if info, err := os.Lstat(file); err != nil || !info.Mode().IsRegular() {
			continue
		}
		page, err := unzip(file)
		if err != nil {
			return nil, err
		}
		names, query, found := strings.Cut(plainRoff(manSection(page, "NAME")), " - ")
		entry := plainRoff(manSection(page, "DESCRIPTION"))
		// Only the pages of the Linux man-pages project are worded
		// consistently.
		if !found || !strings.Contains(page, "Linux man-pages") || len(strings.Fields(query)) < 3 || len(entry) < 60 {
			continue
		}
		p := pair{strings.TrimSuffix(filepath.Base(file), ".gz"), query, cut(entry)}
		for name := range strings.FieldsFuncSeq(names, func(r rune) bool { return r == ',' || r == ' ' }) {
			hidden := regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(name) + `\b(\(\))?`)
			p.query, p.entry = hidden.ReplaceAllString(p.query, "it"), hidden.ReplaceAllString(p.entry, "it")
		}
		pairs[p.query] = p // keeps one of several pages with the same text
	}
	return sorted(pairs), nil
}

func unzip(file string) (string, error) {
	packed, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(unpacked)
	return string(text), err
}

// manSection returns the text below a heading of a manual page.
func manSection(page, heading string) string {
	_, text, _ := strings.Cut(page, "\n.SH "+heading+"\n")
	text, _, _ = strings.Cut(text, "\n.SH ")
	return text
}

var (
	roffFont  = regexp.MustCompile(`\\f(\[[^\]]*\]|\(..|.)|\\[&/|,:%]|\\s[-+]?\d`)
	roffSpoke = strings.NewReplacer(`\-`, "-", `\(aq`, "'", `\(dq`, `"`, `\(em`, " - ", `\(en`, "-", `\ `, " ", `\e`, `\`, `\[aq]`, "'", `\(ti`, "~", `\(ha`, "^")
)

// plainRoff returns the text of a part of a manual page on one line. It keeps only
// requests that set words in bold or italics.
func plainRoff(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		if macro, words, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasPrefix(macro, ".") || strings.HasPrefix(macro, "'") {
			switch macro {
			case ".B", ".I", ".SM":
				line = strings.ReplaceAll(words, `"`, "")
			case ".BR", ".IR", ".BI", ".IB", ".RB", ".RI": // without blanks between
				line = strings.ReplaceAll(strings.ReplaceAll(words, " ", ""), `"`, "")
			default:
				continue
			}
		}
		out = append(out, roffSpoke.Replace(roffFont.ReplaceAllString(line, "")))
	}
	return strings.Join(strings.Fields(strings.Join(out, " ")), " ")
}

// godoc pairs the first sentence of the doc comment of a function, method or type
// in Go's standard library, below root, with the rest of the comment. The name is
// replaced by "it" in both.
func godoc(root string) ([]pair, error) {
	pairs := map[string]pair{}
	note := func(where, name, comment string) {
		text := strings.Join(strings.Fields(comment), " ")
		query := new(doc.Package).Synopsis(text)
		rest := cut(strings.TrimSpace(strings.TrimPrefix(text, query)))
		if len(strings.Fields(query)) < 4 || len(rest) < 60 {
			return
		}
		hidden := regexp.MustCompile(`(?i)\b` + name + `\w*`)
		p := pair{where + "." + name, hidden.ReplaceAllString(query, "it"), hidden.ReplaceAllString(rest, "it")}
		pairs[p.query] = p // keeps one of several with the same text
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (name == "testdata" || name == "vendor" || name == "internal" || name == "cmd") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				where := dir
				if d.Recv != nil {
					where += "." + types.ExprString(d.Recv.List[0].Type)
				}
				if d.Name.IsExported() {
					note(where, d.Name.Name, d.Doc.Text())
				}
			case *ast.GenDecl:
				if t, ok := d.Specs[0].(*ast.TypeSpec); ok && t.Name.IsExported() {
					note(dir, t.Name.Name, d.Doc.Text())
				}
			}
		}
		return nil
	})
	if err == nil && len(pairs) == 0 {
		err = errors.New("no Go source files in " + root)
	}
	return sorted(pairs), err
}

// cut shortens a text to at most 600 characters.
func cut(text string) string {
	runes := []rune(text)
	return string(runes[:min(len(runes), 600)])
}

// sorted returns the pairs sorted by word, and the first of those with equal words.
func sorted(pairs map[string]pair) []pair {
	list := slices.SortedFunc(maps.Values(pairs), func(a, b pair) int {
		return cmp.Or(strings.Compare(a.word, b.word), strings.Compare(a.query, b.query))
	})
	return slices.CompactFunc(list, func(a, b pair) bool { return a.word == b.word })
}
