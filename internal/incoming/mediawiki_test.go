package incoming

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

// exportOf writes an export of MediaWiki with pages of titles and texts.
func exportOf(pages ...string) string {
	var b strings.Builder
	b.WriteString(`<mediawiki version="0.11"><siteinfo><sitename>Birds</sitename><base>https://birds.example/wiki/Main_Page</base><case>first-letter</case>` +
		`<namespaces><namespace key="0" /><namespace key="2">User</namespace><namespace key="4">Birds</namespace><namespace key="10">Template</namespace></namespaces></siteinfo>`)
	for i := 0; i < len(pages); i += 2 {
		redirect := ""
		if to, ok := strings.CutPrefix(pages[i+1], "#REDIRECT [["); ok {
			to, _, _ = strings.Cut(to, "]]")
			to, _, _ = strings.Cut(to, "#")
			redirect = fmt.Sprintf("<redirect title=%q />", to)
		}
		fmt.Fprintf(&b, "<page><title>%s</title>%s<revision><timestamp>2024-01-01T00:00:00Z</timestamp><text>%s</text></revision></page>\n",
			pages[i], redirect, strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(pages[i+1]))
	}
	return b.String() + "</mediawiki>"
}

// openExport opens an export for a test.
func openExport(t testing.TB, data []byte, o Options) (*Export, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "upload")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	o.Dir = t.TempDir()
	if o.Max == 0 {
		o.Max = 100 << 20
	}
	e, err := OpenExport(f, int64(len(data)), o)
	t.Cleanup(func() {
		if e != nil {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
		f.Close()
		if left, err := os.ReadDir(o.Dir); err != nil || len(left) > 0 {
			t.Errorf("%d files left, %v", len(left), err)
		}
	})
	return e, err
}

func gzipped(t testing.TB, data string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var birdPages = []string{
	"Main Page", "See [[rock dove]]s, [[Pigeon]], [[Taxa]], [[Sub/Page]], [[Birds:About|about]] and [[foo bar]].",
	"Rock dove", "{{Stub}}\n[[Category:Doves]]\nA dove: [[main Page|home]], [[Foo Bar]].",
	"Pigeon", "#REDIRECT [[Common pigeon]]",
	"Common pigeon", "#REDIRECT [[rock dove]]",
	"Taxa", "#REDIRECT [[Rock_dove#Taxa of doves]]",
	"Nowhere", "#REDIRECT [[Not there]]",
	"Round", "#REDIRECT [[Round]]",
	"Sub/Page", "[[../]] and [[/Deeper]]",
	"Birds:About", "About",
	"Foo bar", "one", "Foo Bar", "two",
	"Talk:Rock dove", "chat", "User:Ann", "me", "Template:Stub", "stub", "File:A.png", "file",
	".hack//sign", "dots", "edit", "an action",
}

func TestExport(t *testing.T) {
	for name, data := range map[string][]byte{"xml": []byte(exportOf(birdPages...)), "gz": gzipped(t, exportOf(birdPages...))} {
		t.Run(name, func(t *testing.T) {
			e, err := openExport(t, data, Options{})
			if err != nil {
				t.Fatal(err)
			}
			l, err := e.List(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			texts := map[string]string{}
			var paths []string
			for _, f := range l.Files {
				text, err := e.Read(context.Background(), f)
				if err != nil {
					t.Fatal(err)
				}
				paths, texts[f.Path] = append(paths, f.Path), string(text)
			}
			if got, want := strings.Join(paths, " "), "Birds/About.md Edit.md Foo_Bar.md Foo_bar_(2).md Home.md Rock_dove.md Sub/Page.md _.hack/sign.md"; strings.ReplaceAll(got, " (2)", "_(2)") != want {
				t.Errorf("paths: %s", got)
			}
			if got, want := texts["Home.md"], "---\naliases:\n  - \"Main Page\"\n---\n\nSee [[Rock dove|rock doves]], [[Rock dove|Pigeon]], [[Rock dove#Taxa of doves|Taxa]], [[Sub/Page]], [[Birds/About|about]] and [[Foo bar (2)|foo bar]].\n"; got != want {
				t.Errorf("Home:\n%s", got)
			}
			if got, want := texts["Rock_dove.md"], "---\naliases:\n  - \"Common pigeon\"\n  - Pigeon\ntags:\n  - Doves\n---\n\n`{{Stub}}`\nA dove: [[home]], [[Foo Bar]].\n"; got != want {
				t.Errorf("Rock dove:\n%s", got)
			}
			if got, want := texts["Sub/Page.md"], "[[Sub]] and [[Sub/Page/Deeper|/Deeper]]\n"; got != want {
				t.Errorf("Sub/Page: %s", got)
			}
			var notes []string
			for _, n := range append(l.Left, l.Converted...) {
				notes = append(notes, fmt.Sprintf("%s (%d): %s", n.Path, n.Files, n.Why))
			}
			for _, want := range []string{"Talk (1)", "User (1)", "Template (1)", "File (1)", "Redirects (2): the pages that they lead to", "Pigeon (1): a redirect, becomes another name of Rock dove",
				"Taxa (1): a redirect: links to it", "Main Page (1): becomes Home", "Foo bar (1): becomes Foo_bar (2)"} {
				if !strings.Contains(strings.Join(notes, "\n"), want) {
					t.Errorf("no note %q in\n%s", want, strings.Join(notes, "\n"))
				}
			}
		})
	}
}

// Attack: an export that unpacks to far more than it is, or than the wiki can have.
func TestExportRefuses(t *testing.T) {
	small := exportOf("A", "a")
	list := func(data []byte, o Options) error {
		e, err := openExport(t, data, o)
		if err == nil {
			_, err = e.List(context.Background())
		}
		return err
	}
	var numbers strings.Builder
	for n := range 100_000 {
		fmt.Fprintln(&numbers, n*n)
	}
	cut := gzipped(t, exportOf("A", numbers.String()))
	cut = cut[:len(cut)/2]
	var problem *wiki.Problem
	for name, c := range map[string]struct {
		data []byte
		o    Options
		want string
	}{
		"bomb":      {gzipped(t, exportOf("A", strings.Repeat("a", 3<<20))), Options{Max: 1 << 20}, "Unpacked, this export is too large"},
		"factor":    {gzipped(t, exportOf("A", strings.Repeat("a", 3<<20))), Options{}, "Unpacked, this export is too large"},
		"cut":       {cut, Options{}, "damaged or incomplete"},
		"half":      {[]byte(small[:len(small)-30]), Options{}, "damaged or incomplete"},
		"only talk": {[]byte(exportOf("Talk:A", "a")), Options{}, "nothing to import"},
		"document":  {[]byte(strings.Replace(small, "<siteinfo>", "<!DOCTYPE a><siteinfo>", 1)), Options{}, "no document type"},
	} {
		if err := list(c.data, c.o); !errors.As(err, &problem) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, data := range map[string]string{"text": "hello", "bundle": "# v2 git bundle\n", "html": "<html>", "empty": ""} {
		if err := list([]byte(data), Options{}); !errors.Is(err, ErrNotExport) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := list(gzipped(t, "hello"), Options{}); !errors.Is(err, ErrNotExport) {
		t.Error(err)
	}
}
