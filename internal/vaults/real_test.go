package vaults_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/vaults"
)

// Real vaults below the directory that ROBOT_VAULTS names, in folders TOOL/NAME,
// are compared with the tools' rules. They aren't part of the repository. The test
// only reports; -v shows the classes of misses with examples.
func TestRealVaults(t *testing.T) {
	dir := os.Getenv("ROBOT_VAULTS")
	if dir == "" {
		t.Skip("set ROBOT_VAULTS to a directory of vaults in folders TOOL/NAME")
	}
	found, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, vault := range found {
		tool := filepath.Base(filepath.Dir(vault))
		t.Run(tool+"/"+filepath.Base(vault), func(t *testing.T) { compareReal(t, tool, readVault(t, vault)) })
	}
}

// readVault reads a vault's files. Of files that aren't pages, only the names matter.
func readVault(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(name)] = "x"
		if strings.EqualFold(filepath.Ext(file), ".md") {
			data, err := os.ReadFile(file)
			files[filepath.ToSlash(name)] = string(data)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// compareReal compares where an imported vault's links lead with its tool's rule.
func compareReal(t *testing.T, tool string, files map[string]string) {
	rule, err := vaults.NewRule(tool, files)
	if err != nil {
		t.Skip(err)
	}
	l := open(t, tool, files)
	classes := map[string]*tally{}
	all := &tally{}
	wrong, dead := 0, 0
	v := &vaults.Vault{Files: files}
	for _, page := range v.Pages() {
		if strings.HasPrefix(page, ".") || strings.Contains(page, "/.") {
			continue
		}
		links, shown := l.marked(tool, rule, page)
		for _, link := range links {
			got := l.judge(link, shown)
			all.links++
			all.misses += got.misses
			switch {
			case got.misses == 0:
				all.right++
				continue
			case got.misses == 2:
				wrong++
			default:
				dead++
			}
			class := fmt.Sprintf("%-28s %s", link.Form, strings.Split(got.why, " leads")[0])
			if got.misses == 2 && link.Want != "" {
				class = fmt.Sprintf("%-28s elsewhere", link.Form)
			}
			c := classes[class]
			if c == nil {
				c = &tally{}
				classes[class] = c
			}
			if c.misses++; c.misses <= 4 {
				c.example += fmt.Sprintf("\n      %s: %.120s want %q: %s", page, strings.ReplaceAll(link.Written, "\n", " "), link.Want, got.why)
			}
		}
	}
	t.Logf("TOTAL %.1f %%: %d links, %d right, %d elsewhere, %d dead that shouldn't be", 100*float64(all.links-all.misses)/float64(max(all.links, 1)), all.links, all.right, wrong, dead)
	names := slices.SortedFunc(maps.Keys(classes), func(a, b string) int { return classes[b].misses - classes[a].misses })
	for _, name := range names {
		t.Logf("  %5d %s%s", classes[name].misses, name, classes[name].example)
	}
}

// marked shows a page with a mark before each link that the rule knows.
func (l *library) marked(tool string, rule *vaults.Rule, page string) ([]vaults.Link, map[string]lead) {
	source := l.sources[page]
	references := vaults.References(tool, source)
	slices.SortStableFunc(references, func(a, b vaults.Reference) int { return a.At - b.At })
	var links []vaults.Link
	var text strings.Builder
	done := 0
	for _, r := range references {
		want, known := rule.Resolve(page, r)
		if !known || r.At < done {
			continue
		}
		link := vaults.Link{Page: page, Mark: fmt.Sprintf("link%d:", len(links)+1), Form: form(r), Written: r.Source, Want: want}
		links = append(links, link)
		text.WriteString(source[done:r.At] + link.Mark)
		done = r.At
	}
	text.WriteString(source[done:])
	name := strings.TrimSuffix(l.nameOf(page), ".md")
	v, err := l.w.Pages.Preview(l.t.Context(), l.owner, name, []byte(text.String()))
	if err != nil {
		l.t.Logf("preview %s: %v", page, err)
		v = &pages.View{}
	}
	return links, shownLeads(parseView(l.t, v))
}

// form is the class of a reference.
func form(r vaults.Reference) string {
	kind := "[text](path)"
	switch {
	case r.HTML:
		kind = "HTML"
	case r.Wiki && r.Second != "":
		kind = "[[a|b]]"
	case r.Wiki:
		kind = "[[a]]"
	case !strings.Contains(r.Source, "("):
		kind = "[text][id]"
	}
	if r.Image {
		kind = "!" + kind
	}
	for _, feature := range []struct{ part, name string }{{"/", "path"}, {"#^", "block"}, {"#", "heading"}} {
		if strings.Contains(r.Target, feature.part) {
			return kind + " " + feature.name
		}
	}
	return kind
}
