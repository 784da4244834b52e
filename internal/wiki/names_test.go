package wiki

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"robot.wtf/internal/testdisk"
)

func TestMain(m *testing.M) { os.Exit(testdisk.Run(m)) }

func TestParsePageName(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"Home", "Home"},
		{"Design/VPS Architecture", "Design/VPS_Architecture"},
		{"Design/VPS_Architecture.md", "Design/VPS_Architecture"},
		{"/Design/", "Design"},
		{"  Home \n", "Home"},
		{"Design / Parts", "Design/Parts"},
		{"Notes.md.md", "Notes"},
		{"Notes .md", "Notes"},
		{"Notes.MD", "Notes.MD"},
		{"v1.2", "v1.2"},
		{"a.", "a."},
		// Imported files keep their underscores.
		{"_Sidebar", "_Sidebar"},
		{"__init__", "__init__"},
		{"a__b", "a__b"},
		{"a  b", "a__b"},
		{"trailing_", "trailing_"},
		// Other spaces, and letter forms.
		{"no\u00a0break", "no_break"},
		{"日本\u3000語", "日本_語"},
		{"u\u0308ber", "über"},
		{"क्\u200dष", "क्\u200dष"}, // a joiner that Devanagari needs
		{"👩\u200d🚀", "👩\u200d🚀"},
		{"C++ & C#?", "C++_&_C#?"},
		{`say "hi": <b>|*`, `say_"hi":_<b>|*`},
		// Reserved words are case-sensitive and depend on their position.
		{"API", "API"},
		{"Api/x", "Api/x"},
		{"Project/api", "Project/api"},
		{"Project/History", "Project/History"},
		{"Edit", "Edit"},
		{"history.txt", "history.txt"},
		{"A/T", "A/T"},
		{"git", "git"},
		{"repo", "repo"},
		{"GIT~x", "GIT~x"},
		{"digits~1", "digits~1"},
		{strings.Repeat("a", 197), strings.Repeat("a", 197)},
	} {
		name, err := ParsePageName(c.text)
		if err != nil || string(name) != c.want {
			t.Errorf("ParsePageName(%q) = %q, %v, want %q", c.text, name, err, c.want)
		}
	}
}

func TestParsePageNameRefuses(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{"", "needs a name"},
		{" / ", "needs a name"},
		{".md", "needs a name"},
		{"a//b", "two slashes"},
		{"a/ /b", "two slashes"},
		{"a/.md", "two slashes"},
		{"_", "spaces only"},
		{"x/__/b", "spaces only"},
		{"..", `".."`},
		{"a/../b", `".."`},
		{"../../etc/passwd", `".."`},
		{".", "dot"},
		{"a/./b", "dot"},
		{".hidden", "dot"},
		{"a/.hidden/b", "dot"},
		{".git", "dot"},
		{"a/.GIT/hooks", "dot"},
		{".g\u200cit/x", "dot"},
		{"\u200c.git/x", "dot"},
		{"\u200d.gitmodules", "dot"},
		{"git~1/x", "git reserves"},
		{"GIT~1 /x", "git reserves"},
		{"gi\u200dt~1/x", "git reserves"},
		{"gitmod~1/x", "git reserves"},
		{"GI7EBA~1/x", "git reserves"},
		{"~1000000/x", "git reserves"},
		{"git~1:$INDEX/x", "git reserves"},
		{`a\b`, "backslash"},
		{"a\x00b", "control"},
		{"a\tb", "control"},
		{"a\nb", "control"},
		{"a\x7fb", "control"},
		{"a\u0085b", "control"},
		{"a\u202eb", "invisible"}, // right-to-left override
		{"a\u2066b", "invisible"},
		{"a\u200bb", "invisible"},
		{"a\ufeffb", "invisible"},
		{"a\u2028b", "invisible"},
		{"a\ufffdb", "invisible"},
		{"a\xffb", "UTF-8"},
		{"-", `begin with "-"`},
		{"-/search", `begin with "-"`},
		{"api", `begin with "api"`},
		{"api.md", `begin with "api"`},
		{"api/x", `begin with "api"`},
		{"mcp", `begin with "mcp"`},
		{"repo.git/config", `begin with "repo.git"`},
		{"authorize", `begin with "authorize"`},
		{"token", `begin with "token"`},
		{"register", `begin with "register"`},
		{"robots.txt", `begin with "robots.txt"`},
		{"Project/history", `"History"`},
		{"Project/history.md", `"History"`},
		{"edit", `"Edit"`},
		{"a", `"A"`},
		{"Project/diff/x", "folder"},
		{"save/x", "folder"},
		{strings.Repeat("a", 198), "197 bytes"},
		{strings.Repeat("é", 99), "197 bytes"},
	} {
		name, err := ParsePageName(c.text)
		refused(t, fmt.Sprintf("ParsePageName(%q) = %q", c.text, name), err, c.says)
	}
}

func refused(t *testing.T, what string, err error, says string) {
	t.Helper()
	var p *Problem
	if !errors.As(err, &p) || p.Kind != ErrInvalid || p.Field == "" || !strings.Contains(p.Message, says) {
		t.Errorf("%s, %v; want a problem that says %q", what, err, says)
	}
}

func TestParseFilePath(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"Design/VPS_Architecture/diagram.png", "Design/VPS_Architecture/diagram.png"},
		{"/logo.svg", "logo.svg"},
		{"two  words.txt", "two  words.txt"},
		{"u\u0308.png", "ü.png"},
		{"History/Edit.png", "History/Edit.png"},
		{"edit.png", "edit.png"},
		{"x.mdx", "x.mdx"},
	} {
		if got, err := ParseFilePath(c.text); err != nil || got != c.want {
			t.Errorf("ParseFilePath(%q) = %q, %v, want %q", c.text, got, err, c.want)
		}
	}
	for _, c := range []struct{ text, says string }{
		{"", "needs a name"},
		{"a/b.md", "would be a page"},
		{"a/b.MD", "would be a page"},
		{"a/../b.png", `".."`},
		{"a/.htaccess", "dot"},
		{"git~1", "git reserves"},
		{"gitatt~1", "git reserves"},
		{"a\x00.png", "control"},
		{"static/app.js", `begin with "static"`},
		{"favicon.ico", `begin with "favicon.ico"`},
		{"Design/edit", "action"},
		{"Design/a/x.png", "action"},
		{strings.Repeat("a", 201), "200 bytes"},
	} {
		got, err := ParseFilePath(c.text)
		refused(t, fmt.Sprintf("ParseFilePath(%q) = %q", c.text, got), err, c.says)
	}
}

// wild are strings with a special meaning in names.
func wild() *rapid.Generator[string] {
	pieces := []string{
		"a", "B", "é", "e\u0301", "ß", "İ", "ſ", "K", "ǰ", "\u0345", "ᾳ", "ﬁ", "日", " ", "  ", "_", "\u00a0", "\u3000", "\u200c", "\u200d",
		"/", "//", ".", "..", ".md", ".git", "git~1", "GIT~1", "gitmod~1", "gi7eba~1", "~", "1", "~1000000", ":", "\\", "\n", "\x00", "\xff",
		"-", "api", "history", "History", "%2e", "?", "#", "Σ", "ς", "\u202e",
	}
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 8).Draw(t, "pieces"), "")
	})
}

func TestNameLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := wild().Draw(t, "text")
		if k := Key(text); Key(k) != k {
			t.Errorf("Key(%q) = %q, whose key is %q", text, k, Key(k))
		}
		if Key(norm.NFC.String(text)) != Key(norm.NFD.String(text)) {
			t.Errorf("%q has other keys composed and decomposed", text)
		}
		name, err := ParsePageName(text)
		if err != nil {
			var p *Problem
			if !errors.As(err, &p) || p.Kind != ErrInvalid {
				t.Errorf("ParsePageName(%q): %v is no problem", text, err)
			}
			return
		}
		if again, err := ParsePageName(string(name)); err != nil || again != name {
			t.Errorf("%q is %q, which is %q, %v", text, name, again, err)
		}
		if back, ok := PageOf(name.File()); !ok || back != name || Hidden(name.File()) {
			t.Errorf("the file of %q is the page %q, %t", name, back, ok)
		}
		if url := name.URL(); !strings.HasPrefix(url, "/") || strings.HasPrefix(url, "//") || strings.ContainsAny(url, " ?#\\\"<>") {
			t.Errorf("the address of %q is %q", name, url)
		}
	})
}

// If an imported file's path parses as a page name, that name finds the page.
func TestImportedPagesAreFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		file := wild().Draw(t, "file")
		for segment := range strings.SplitSeq(file, "/") {
			if segment == "" || segment != strings.TrimSpace(segment) {
				return // import renames those
			}
		}
		page, ok := PageOf(file + ".md")
		if strings.HasSuffix(file, ".md") || !ok {
			return
		}
		if name, err := ParsePageName(string(page)); err == nil && name.Key() != page.Key() {
			t.Errorf("file %q has the key %q, but its name the key %q", file+".md", page.Key(), name.Key())
		}
	})
}

func TestKey(t *testing.T) {
	for _, same := range [][]string{
		{"Design/VPS_Architecture", "design/vps architecture", "DESIGN/VPS\u00a0ARCHITECTURE"},
		{"Über", "u\u0308ber", "ÜBER"},
		{"Straße", "STRASSE"},
		{"Σίσυφος", "σίσυφοσ", "ΣΊΣΥΦΟΣ"},
		{"K2", "\u212a2"}, // the Kelvin sign
	} {
		for _, other := range same[1:] {
			if Key(same[0]) != Key(other) {
				t.Errorf("keys of %q and %q: %q, %q", same[0], other, Key(same[0]), Key(other))
			}
		}
	}
	for _, differ := range [][2]string{{"a", "á"}, {"a_b", "a__b"}, {"ab", "a_b"}, {"a/b", "a_b"}, {"_a", "a"}, {"ﬁ", "fj"}} {
		if Key(differ[0]) == Key(differ[1]) {
			t.Errorf("%q and %q have one key, %q", differ[0], differ[1], Key(differ[0]))
		}
	}
	for r := range rune(0x20000) { // the rest are ideographs
		k := Key(string(r))
		if k == "" || k != Key(k) {
			t.Errorf("the key of %U is %q, whose key is %q", r, k, Key(k))
		}
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			if Key(string(other)) != k {
				t.Errorf("%U and %U differ in case alone, but their keys are %q and %q", r, other, k, Key(string(other)))
			}
		}
	}
}

func TestPageOf(t *testing.T) {
	for _, c := range []struct {
		file string
		page PageName
		ok   bool
	}{
		{"Home.md", "Home", true},
		{"Design/VPS_Architecture.md", "Design/VPS_Architecture", true},
		{"odd  name_.md", "odd  name_", true},
		{"Home.MD", "", false},
		{"Home", "", false},
		{"diagram.png", "", false},
		{".md", "", false},
		{"a/.md", "", false},
		{".github/README.md", "", false},
		{"a/.b/c.md", "", false},
	} {
		if page, ok := PageOf(c.file); page != c.page || ok != c.ok {
			t.Errorf("PageOf(%q) = %q, %t, want %q, %t", c.file, page, ok, c.page, c.ok)
		}
	}
}

func TestPageNameParts(t *testing.T) {
	p := PageName(`Design/VPS_Architecture`)
	if p.File() != "Design/VPS_Architecture.md" || p.Title() != "VPS Architecture" || p.Parent() != "Design" || p.Key() != "design/vps_architecture.md" {
		t.Errorf("parts of %q: %q %q %q %q", p, p.File(), p.Title(), p.Parent(), p.Key())
	}
	if got := PageName("Home").Parent(); got != "" {
		t.Errorf("Home's folder is %q", got)
	}
	if got := PageName("C#/100% ü?").URL(); got != "/C%23/100%25%20%C3%BC%3F" {
		t.Errorf("address %q", got)
	}
}

func TestCheckSlug(t *testing.T) {
	for _, slug := range []string{"ada", "a-b", "a0z", "123", "a--b", strings.Repeat("a", 30)} {
		if err := CheckSlug(slug); err != nil {
			t.Errorf("%q: %v", slug, err)
		}
	}
	for _, slug := range []string{
		"", "a", "ab", "-ab", "ab-", "Ada", "a_b", "a.b", "a b", "ada\n", "äda", "ada\x00", strings.Repeat("a", 31),
		"api", "auth", "app", "www", "admin", "mcp", "robot", "wiki", "login", "localhost", "xn--ada", "xn--80ak6aa92e",
	} {
		refused(t, fmt.Sprintf("CheckSlug(%q)", slug), CheckSlug(slug), "")
	}
}

// Attack: an editor names an attachment like one of git's own files on some file
// system, with content that fails `git fsck --strict`, so that nobody can clone the
// wiki.
func TestAcceptedNamesPassGitsStrictCheck(t *testing.T) {
	git := repository(t)
	contents := []string{"[submodule \"x\"]\n\tpath = -x\n\turl = --evil\n# ", strings.Repeat("a", 5000) + "\n"}
	var names []string
	var blobs strings.Builder
	for _, name := range namesLikeGits() {
		for _, c := range contents {
			names = append(names, name)
			c += fmt.Sprint(len(names)) // so that an error about a blob identifies the name
			fmt.Fprintf(&blobs, "blob\nmark :%d\ndata %d\n%s\n", len(names), len(c), c)
		}
	}
	marks := filepath.Join(t.TempDir(), "marks")
	git(blobs.String(), "fast-import", "--quiet", "--export-marks="+marks)
	lines, err := os.ReadFile(marks)
	if err != nil {
		t.Fatal(err)
	}
	owner := map[string]string{} // by blob or tree id
	var trees strings.Builder
	for line := range strings.Lines(string(lines)) {
		var n int
		var id string
		if _, err := fmt.Sscanf(line, ":%d %s", &n, &id); err != nil {
			t.Fatal(err)
		}
		owner[id] = names[n-1]
		fmt.Fprintf(&trees, "100644 blob %s\t%s\x00\x00", id, names[n-1])
		names = append(names, names[n-1]) // in tree order
	}
	names = names[len(names)/2:]
	for i, id := range strings.Fields(git(trees.String(), "mktree", "-z", "--batch")) {
		owner[id] = names[i]
	}
	bad := map[string]bool{}
	// The check doesn't follow references: it covers every object.
	for line := range strings.Lines(git("", "-c", "alias.check=!git fsck --strict --full --no-dangling 2>&1 || true", "check")) {
		if f := strings.Fields(line); len(f) > 3 && (f[0] == "error" || f[0] == "warning") && f[1] == "in" {
			name, ok := owner[strings.TrimSuffix(f[3], ":")]
			if !ok {
				t.Errorf("git complains: %s", line)
			}
			bad[name] = true
		}
	}
	accepted := 0
	for _, name := range names {
		if _, err := ParseFilePath(name); err != nil {
			continue
		}
		accepted++
		if bad[name] {
			t.Errorf("%q is accepted, but git's strict check refuses it", name)
		}
	}
	t.Logf("measured: of %d names git refuses %d; %d are accepted here", len(names)/2, len(bad), accepted/2)
	if len(bad) < 50 || accepted < 50 {
		t.Errorf("git refuses %d names and we accept %d: these test little", len(bad), accepted)
	}
}

func namesLikeGits() []string {
	names := []string{"a", "git~x", "~", "g~a", "photo~1", "git~", "con", "aux", ".git", "git~1", "..", "%2egit", "gitmodules", "GIT", "git:x", "git .", "~12", "git~12", "m~1"}
	for _, stem := range []string{"git", "gitmod", "gitatt", "gitign", "mailma", "gi7eba", "gi7d29", "gi250a", "maba30"} {
		for n := range len(stem) + 1 {
			for _, end := range []string{"~1", "~4", "~9", "~1 .", "~1:x", "~99999999"[:8-min(n, 6)]} {
				names = append(names, stem[:n]+end, strings.ToUpper(stem[:n]+end), "\u200d"+stem[:n]+end)
			}
		}
	}
	for _, file := range []string{".git", ".gitmodules", ".gitattributes"} {
		for n := range len(file) + 1 {
			names = append(names, file[:n]+"\u200c"+file[n:], file[:n]+"\ufeff"+file[n:])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// repository creates an empty bare repository and returns a function that runs git
// in it, without this machine's configuration.
func repository(t *testing.T) func(stdin string, args ...string) string {
	program, err := exec.LookPath("git")
	if err != nil {
		t.Skip("no git on this machine")
	}
	dir := filepath.Join(t.TempDir(), "repo.git")
	git := func(stdin string, args ...string) string {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Env = []string{
			"PATH=/usr/bin:/bin", "HOME=/nonexistent", "LANG=C.UTF-8", "GIT_DIR=" + dir,
			"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		}
		cmd.Stdin = strings.NewReader(stdin)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, stderr.String())
		}
		return string(out)
	}
	git("", "init", "-q", "--bare", "--template=", dir)
	return git
}

// Attack: a name that begins with slashes, "//evil.example", decoded from an address
// with an encoded slash. Its URL must not lead to another host.
func TestPathURLStaysHere(t *testing.T) {
	for path, want := range map[string]string{
		"/evil.example": "/evil.example", "//evil.example": "/evil.example", "///": "/", "": "/", "a//b": "/a//b", `\evil`: "/%5Cevil",
	} {
		if got := PathURL(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

// Attack: a page or file named "x%0d%0ay", "a%5cb" or "%252e%252e". The server
// rejects its address, which decodes to forbidden characters, so nobody could open,
// change or delete it.
func TestUnreachableNames(t *testing.T) {
	for _, name := range []string{"x%0d%0ay", "a%5cb", "a%5Cb", "%2e%2e", "A/%2e%2e/B", "A%2f..%2fB", "%252e%252e", "x%00", "x%7f", "%25250a"} {
		if got, err := ParsePageName(name); !errors.Is(err, ErrInvalid) {
			t.Errorf("page %q: %q, %v", name, got, err)
		}
		if got, err := ParseFilePath(name + ".png"); !errors.Is(err, ErrInvalid) && !strings.HasSuffix(name, "%2e%2e") && !strings.HasSuffix(name, "%252e%252e") {
			t.Errorf("file %q: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"50%", "50%_off", "100%25", "a%20b", "%41", "%zz%0a", "a%2fb", "%e2%80%a6"} {
		if _, err := ParsePageName(name); err != nil {
			t.Errorf("page %q: %v", name, err)
		}
	}
}
