package incoming

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/testdisk"
	"robot.wtf/internal/wiki"
)

func TestMain(m *testing.M) { os.Exit(testdisk.Run(m)) }

// A zipFile is one entry of a zip in a test.
type zipFile struct {
	name, text string
	change     func(*zip.FileHeader)
}

func makeZip(t testing.TB, files ...zipFile) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate}
		if f.change != nil {
			f.change(h)
		}
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = io.WriteString(w, f.text)
		}
		if err != nil && !strings.HasSuffix(f.name, "/") {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// open opens a zip for a test, which removes its parts at the end.
func open(t testing.TB, data []byte) (*Zip, error) {
	t.Helper()
	dir := t.TempDir()
	archive, err := ReadDirectory(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	z, err := OpenZip(archive, Options{Dir: dir, Max: 10 << 20})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		if err := z.Close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%d files left, %v", len(left), err)
		}
	})
	return z, nil
}

func list(t testing.TB, files ...zipFile) (*Zip, *Listing) {
	t.Helper()
	z, err := open(t, makeZip(t, files...))
	if err != nil {
		t.Fatal(err)
	}
	l, err := z.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return z, l
}

// plain makes entries without content.
func plain(names ...string) []zipFile {
	files := make([]zipFile, len(names))
	for i, name := range names {
		files[i] = zipFile{name: name, text: "text of " + name}
	}
	return files
}

// arrows describes a listing's files as "from -> to", or "path" if both are equal.
func arrows(l *Listing) []string {
	var list []string
	for _, f := range l.Files {
		line := f.From
		if f.From != f.Path {
			line += " -> " + f.Path
		}
		list = append(list, line)
	}
	return list
}

func leftNames(l *Listing) []string {
	var list []string
	for _, n := range l.Left {
		list = append(list, fmt.Sprintf("%s (%d)", n.Path, n.Files))
	}
	return list
}

const id1, id2, id3 = "0123456789abcdef0123456789abcdef", "11111111111111111111111111111111", "22222222222222222222222222222222"

func TestKinds(t *testing.T) {
	for name, tc := range map[string]struct {
		files []string
		kind  string
		want  []string
		left  []string
	}{
		"docs folder": {
			[]string{"docs/README.md", "docs/guide/intro.md", "docs/img/x.png"}, "a folder of Markdown",
			[]string{"README.md", "guide/intro.md", "img/x.png"}, nil,
		},
		"no common folder": {
			[]string{"README.md", "docs/intro.md"}, "a folder of Markdown", []string{"README.md", "docs/intro.md"}, nil,
		},
		"Obsidian": {
			[]string{"Vault/.obsidian/app.json", "Vault/.obsidian/plugins/x/main.js", "Vault/.trash/Old.md", "Vault/Daily notes/2026-11-30.md", "Vault/Home.md", "Vault/.DS_Store", "__MACOSX/Vault/._Home.md"},
			"an Obsidian vault", []string{"Daily notes/2026-11-30.md", "Home.md"}, []string{".obsidian/ (2)", ".trash/ (1)"},
		},
		"Notion": {
			[]string{"Export-1/Plan " + id1 + ".md", "Export-1/Plan " + id1 + "/Task " + id2 + ".md", "Export-1/Plan " + id1 + "/Board " + id3 + ".csv", "Export-1/Plan " + id1 + "/Board " + id3 + "_all.csv", "Export-1/Plan " + id1 + "/Board " + id3 + "/One " + id2 + ".md", "Export-1/Plan " + id1 + "/x.png"},
			"a Notion export",
			[]string{"Plan " + id1 + ".md -> Plan.md", "Plan " + id1 + "/Board " + id3 + "_all.csv -> Plan/Board.md", "Plan " + id1 + "/Board " + id3 + "/One " + id2 + ".md -> Plan/Board/One.md", "Plan " + id1 + "/Task " + id2 + ".md -> Plan/Task.md", "Plan " + id1 + "/x.png -> Plan/x.png"},
			[]string{"Plan " + id1 + "/Board " + id3 + ".csv (1)"},
		},
		"two Notion pages of one name": {
			[]string{"Same " + id1 + ".md", "Same " + id2 + ".md"}, "a Notion export",
			[]string{"Same " + id2 + ".md -> Same (2).md", "Same " + id1 + ".md -> Same.md"}, nil,
		},
		"Logseq": {
			[]string{"graph/logseq/config.edn", "graph/pages/A___B.md", "graph/pages/What%3F.md", "graph/journals/2026_11_30.md", "graph/assets/x.png"},
			"a Logseq graph", []string{"pages/A___B.md -> A/B.md", "pages/What%3F.md -> What?.md", "assets/x.png", "journals/2026_11_30.md"}, []string{"logseq/ (1)"},
		},
	} {
		_, l := list(t, plain(tc.files...)...)
		got := arrows(l)
		slices.Sort(got)
		slices.Sort(tc.want)
		if l.Kind != tc.kind || !slices.Equal(got, tc.want) || !slices.Equal(leftNames(l), tc.left) {
			t.Errorf("%s: %s\n%q\n%q\nleft %q", name, l.Kind, got, tc.want, leftNames(l))
		}
	}
}

// A page keeps its name rather than the file whose path is the page's address, whatever
// ending the page's own file has in the zip.
func TestPagesKeepTheirNames(t *testing.T) {
	_, l := list(t, plain("A", "A.md", "B", "B.markdown", "C", "C.MD")...)
	want := []string{"A -> A (2)", "A.md", "B -> B (2)", "B.markdown -> B.md", "C -> C (2)", "C.MD -> C.md"}
	if got := arrows(l); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// Attack: names that lead out of the folder, links, and duplicate names.
func TestHostileNames(t *testing.T) {
	files := plain("../out.md", "/etc/passwd.md", "C:/x.md", `C:\y.md`, "a/../../b.md", "c/./d.md", "e//f.md", "ok.md", "OK.md", `win\dows.md`, "ok.md", ".git/config", "x/.hidden/y.md", "nul\x00l.md")
	files = append(files, zipFile{"link.md", "/etc/passwd", func(h *zip.FileHeader) { h.SetMode(fs.ModeSymlink | 0o777) }},
		zipFile{"pipe.md", "", func(h *zip.FileHeader) { h.SetMode(fs.ModeNamedPipe | 0o666) }},
		zipFile{"folder/", "", nil})
	_, l := list(t, files...)
	want := []string{"OK.md", "nul\x00l.md -> nul_l.md", "ok.md -> ok (2).md", "win/dows.md"}
	if got := arrows(l); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := leftNames(l); len(got) != 11 || l.LeftFiles != 11 {
		t.Errorf("left: %q", got)
	}
}

// Names of old Windows and DOS programs are in code page 437; Info-ZIP adds a field
// with the Unicode name.
func TestNamesInCodePages(t *testing.T) {
	extra := func(name, unicode string) []byte {
		field := append([]byte{1}, binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(name)))...)
		field = append(field, unicode...)
		head := binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, 0x7075), uint16(len(field)))
		return append(head, field...)
	}
	_, l := list(t,
		zipFile{"\x81ber.md", "", func(h *zip.FileHeader) { h.NonUTF8 = true }},
		zipFile{"???.md", "", func(h *zip.FileHeader) { h.Extra = extra("???.md", "日本.md") }},
		zipFile{"stale.md", "", func(h *zip.FileHeader) { h.Extra = extra("other.md", "wrong.md") }},
		zipFile{"Cafe\u0301.md", "", nil})
	if got := arrows(l); !slices.Equal(got, []string{"Cafe\u0301.md -> Caf\u00e9.md", "stale.md", "über.md", "日本.md"}) {
		t.Errorf("%q", got)
	}
	if l.Files[0].Why != "" {
		t.Errorf("the Unicode form is no news: %q", l.Files[0].Why)
	}
}

// Attack: a list of a million entries, which package zip reads into memory.
func TestTooManyEntries(t *testing.T) {
	for _, n := range []int{MaxEntries + 1, maxRecords + 1} {
		var buf bytes.Buffer
		z := zip.NewWriter(&buf)
		for i := range n {
			if _, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err := open(t, buf.Bytes())
		if !errors.Is(err, wiki.ErrTooLarge) || !strings.Contains(err.Error(), "too many files") {
			t.Error(err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%d: took %s", n, took)
		}
		if _, err := ReadDirectory(bytes.NewReader(buf.Bytes()), int64(buf.Len())); (err != nil) != (n > maxRecords) {
			t.Errorf("%d: %v", n, err)
		}
	}
}

// Attack: a zip that expands further than it declares.
func TestLyingSizes(t *testing.T) {
	text := strings.Repeat("bomb ", 100_000)
	data := makeZip(t, zipFile{"a.md", text, nil}, zipFile{"b.md", "fine", nil})
	at := bytes.LastIndex(data, []byte("PK\x01\x02")) // of b.md; the first is a.md's
	at = bytes.LastIndex(data[:at], []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(data[at+24:], 10) // the declared size
	z, err := open(t, data)
	if err != nil {
		t.Fatal(err)
	}
	l, err := z.List(t.Context())
	if err != nil || l.Files[0].Size != 10 {
		t.Fatal(l, err)
	}
	if got, err := z.Read(t.Context(), l.Files[0]); !errors.Is(err, wiki.ErrInvalid) || len(got) > 0 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if got, err := z.Read(t.Context(), l.Files[1]); err != nil || string(got) != "fine" {
		t.Errorf("%q, %v", got, err)
	}
}

// Notion splits large exports into zips within the zip.
func TestZipsWithinTheZip(t *testing.T) {
	part := func(files ...zipFile) string { return string(makeZip(t, files...)) }
	z, l := list(t,
		zipFile{"ExportBlock-1-Part-1.zip", part(zipFile{"Private/A " + id1 + ".md", "one", nil}), nil},
		zipFile{"ExportBlock-1-Part-2.zip", part(zipFile{"Private/B " + id2 + ".md", "two", nil}), nil})
	if got := arrows(l); len(got) != 2 || l.Kind != "a Notion export" || l.Files[1].Path != "B.md" {
		t.Fatalf("%s %q", l.Kind, got)
	}
	if data, err := z.Read(t.Context(), l.Files[1]); err != nil || string(data) != "two" {
		t.Errorf("%q, %v", data, err)
	}
	// Attack: a part that is far larger than the limit, one that is no zip, and a zip in
	// a zip in a zip.
	for name, tc := range map[string]struct{ text, want string }{
		"large":  {strings.Repeat("x", 11<<20), "are too large. Import them one at a time"},
		"no zip": {"text", "damaged"},
		"nested": {part(zipFile{"Part-1.zip", part(zipFile{"a.md", "x", nil}), nil}), ""},
	} {
		z, err := open(t, makeZip(t, zipFile{"Part-1.zip", tc.text, nil}))
		if err == nil {
			l, err = z.List(t.Context())
		}
		switch {
		case tc.want == "" && (err != nil || len(l.Files) != 1 || l.Files[0].Path != "Part-1.zip"):
			t.Errorf("%s: %v, %v", name, l, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRefusedZips(t *testing.T) {
	for name, tc := range map[string]struct {
		data []byte
		want string
	}{
		"empty":       {makeZip(t), "nothing to import"},
		"only hidden": {makeZip(t, plain(".obsidian/app.json")...), "nothing to import"},
		"encrypted":   {makeZip(t, zipFile{"a.md", "x", func(h *zip.FileHeader) { h.Flags |= 1 }}), "encrypted"},
	} {
		z, err := open(t, tc.data)
		if err == nil {
			_, err = z.List(t.Context())
		}
		if err == nil || !errors.Is(err, wiki.ErrInvalid) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := open(t, []byte("# Home\n")); err == nil || errors.As(err, new(*wiki.Problem)) {
		t.Errorf("no zip: %v", err)
	}
}

func TestNotionTables(t *testing.T) {
	folder := "Board " + id1
	z, l := list(t,
		zipFile{folder + ".csv", "\uFEFFName,Link,Note\nOne,https://example.org/a_b,\"a | b\nc [x](javascript:1) <b> `c` #tag\"\n\"Q \"\"x\",\"[[Secret]]\"\nThree,a,b,c,d\nat 5) [x,,\n", nil},
		zipFile{folder + "/One " + id2 + ".md", "# One", nil}, zipFile{folder + "/at 5) [x " + id3 + ".md", "# At", nil})
	i := slices.IndexFunc(l.Files, func(f File) bool { return f.Path == "Board.md" })
	if i < 0 {
		t.Fatalf("%q", arrows(l))
	}
	data, err := z.Read(t.Context(), l.Files[i])
	want := "# Board\n\n| Name | Link | Note |\n| --- | --- | --- |\n" +
		"| [One](/Board%20" + id1 + "/One%20" + id2 + ".md) | <https://example.org/a_b> | a \\| b<br>c \\[x\\](javascript:1) \\<b\\> \\`c\\` \\#tag |\n" +
		"| Q \"x | \\[\\[Secret\\]\\] |  |\n| Three | a | b |\n" +
		"| [at 5) \\[x](/Board%20" + id1 + "/at%205%29%20%5Bx%20" + id3 + ".md) |  |  |\n"
	if err != nil || string(data) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, data, want)
	}
}

// FuzzZip: any bytes are listed and read within bounds.
func FuzzZip(f *testing.F) {
	f.Add(makeZip(f, plain("Vault/.obsidian/a", "Vault/b.md", "Vault/c d.png")...))
	f.Add(makeZip(f, zipFile{"A " + id1 + ".csv", "a,b\n\"c\"d,e\n", nil}, zipFile{"A " + id1 + "/c " + id2 + ".md", "x", nil}, zipFile{"B " + id3 + ".md", "x", nil}))
	f.Add(makeZip(f, plain("logseq/config.edn", "pages/A___B.md", "pages/%2e%2e___x.md")...))
	f.Add(makeZip(f, zipFile{"Part-1.zip", string(makeZip(f, plain("a.md")...)), nil}))
	f.Fuzz(func(t *testing.T, data []byte) {
		z, err := open(t, data)
		if err != nil {
			return
		}
		l, err := z.List(t.Context())
		if err != nil {
			return
		}
		keys := map[string]bool{}
		for _, file := range l.Files {
			if again, why, err := wiki.AddressablePath(file.Path); again != file.Path || why != "" || err != nil {
				t.Errorf("%q isn't addressable: %q, %q, %v", file.Path, again, why, err)
			}
			if key := wiki.Key(file.Path); keys[key] {
				t.Errorf("%q twice", file.Path)
			} else {
				keys[key] = true
			}
			if file.Size > 1<<20 {
				continue
			}
			if text, err := z.Read(t.Context(), file); err == nil && len(text) > 4*maxTableBytes+1<<20 {
				t.Errorf("%q: %d bytes", file.Path, len(text))
			}
		}
	})
}

// Notion's callouts are HTML whose Markdown a reader would see as it is written.
func TestNotionCallouts(t *testing.T) {
	for _, test := range []struct{ from, want string }{
		{"a\n\n<aside>\n💡 **b** [c](d.md)\n\n</aside>\n\ne\n", "a\n\n> [!note]\n> 💡 **b** [c](d.md)\n\ne\n"},
		{"<aside>\r\n💡 a\r\n\r\n- b\r\n</aside>\r\n", "> [!note]\n> 💡 a\n>\n> - b\n"},
		{"```\n<aside>\na\n</aside>\n```\n", "```\n<aside>\na\n</aside>\n```\n"},
		{"<aside>\nnot closed\n", "<aside>\nnot closed\n"},
		{"an <aside> in text\n", "an <aside> in text\n"},
	} {
		if got := string(notionCallouts([]byte(test.from))); got != test.want {
			t.Errorf("%q: %q, want %q", test.from, got, test.want)
		}
	}
}

// Attack: a zip whose names differ only in case, or whose tables have one title. Each
// search for a free name goes on where the last one ended.
func TestManyFilesOfOneName(t *testing.T) {
	l := &Listing{}
	for i := range 20_000 {
		name := []byte("abcdefghijklmnop.md")
		for bit := range 16 {
			if i>>bit&1 == 1 {
				name[bit] -= 'a' - 'A'
			}
		}
		l.Files = append(l.Files, File{Path: string(name), From: string(name)})
	}
	began := time.Now()
	l.Settle()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	keys := map[string]bool{}
	for _, f := range l.Files {
		keys[wiki.Key(f.Path)] = true
	}
	if len(keys) != 20_000 {
		t.Errorf("%d names", len(keys))
	}
	calls, free := 0, FreeNames{}
	taken := map[string]bool{}
	for range 1000 {
		taken[wiki.Key(free.Find("a.md", func(key string) bool { calls++; return taken[key] }))] = true
	}
	if len(taken) != 1000 || calls > 4000 {
		t.Errorf("%d names, %d tries", len(taken), calls)
	}
}
