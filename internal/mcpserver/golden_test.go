package mcpserver

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the goldens anew")

// TestGoldens runs the scripts of testdata/golden. A script has lines "save
// PERSON PAGE", with the page's lines behind "| ", and "call TOKEN TOOL
// ARGUMENTS", with the reply behind "= ", or "! " for an error. In
// arguments, $rev and $commit are the last revision and commit shown, and
// $long is a long text. Commit ids, which depend on grant ids, are shown as
// "commit". -update rewrites the replies.
func TestGoldens(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v %v", files, err)
	}
	called := map[string]bool{}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runGolden(newWorld(t), string(raw), called)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(raw), got); diff != "" {
				t.Errorf("run with -update, and look at what has changed:\n%s", diff)
			}
		})
	}
	for i := range tools {
		if !called[tools[i].name] && tools[i].client == "" {
			t.Errorf("no golden calls %s", tools[i].name)
		}
	}
}

var (
	aWholeID   = regexp.MustCompile(`\b[0-9a-f]{40}\b`)
	anID       = regexp.MustCompile(`\b[0-9a-f]{8}\b`)
	aRevision  = regexp.MustCompile(`@([0-9a-f]{8}(?:~\d+(?:-\d+)?)?)`)
	aCommit    = regexp.MustCompile(`(?:commit |:\d\d )([0-9a-f]{8})\b`)
	aTime      = regexp.MustCompile(`(\d{4}-\d\d-\d\d) \d\d:\d\d`)
	aNonce     = regexp.MustCompile(`outside-[A-Z2-7]{8}`)
	anUpload   = regexp.MustCompile(`/-/upload/\w+`)
	aLongText  = "x\n" + strings.Repeat(strings.Repeat("word ", 40)+"\n\n", 40)
	longPlain  = strings.Repeat("Some words of a long page. ", 20) + "\n"
	longSource = func() string {
		var b strings.Builder
		b.WriteString("# Long\n\nThe lead.\n")
		for i := 1; i <= 20; i++ {
			fmt.Fprintf(&b, "\n## Part %d\n\n%s\n### Detail %d\n\n%s", i, longPlain, i, longPlain)
		}
		return b.String()
	}()
)

func runGolden(w *world, script string, called map[string]bool) string {
	w.T.Helper()
	var out strings.Builder
	rev, commit := "", ""
	lines := strings.Split(strings.TrimSuffix(script, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if strings.HasPrefix(line, "=") || strings.HasPrefix(line, "!") {
			continue // from an older run
		}
		out.WriteString(line + "\n")
		verb, rest, _ := strings.Cut(line, " ")
		switch verb {
		case "save":
			var text strings.Builder
			for i+1 < len(lines) && strings.HasPrefix(lines[i+1], "|") {
				i++
				out.WriteString(lines[i] + "\n")
				text.WriteString(strings.TrimPrefix(strings.TrimPrefix(lines[i], "|"), " ") + "\n")
			}
			person, page, _ := strings.Cut(rest, " ")
			rev = w.save("ada", person, page, strings.ReplaceAll(text.String(), "$long\n", longSource))[:8]
		case "call":
			part := strings.SplitN(rest, " ", 3)
			called[part[1]] = true
			args := strings.NewReplacer("$rev", rev, "$commit", commit, "$long", strings.Trim(jsonOf(aLongText), `"`)).Replace(part[2])
			text, failed := w.call(part[0], part[1], args)
			if m := aRevision.FindStringSubmatch(text); m != nil {
				rev = m[1]
			}
			if m := aCommit.FindStringSubmatch(text); m != nil {
				commit = m[1]
			}
			sign := "="
			if failed {
				sign = "!"
			}
			for shown := range strings.SplitSeq(normalizeReply(text), "\n") {
				out.WriteString(strings.TrimRight(sign+" "+shown, " ") + "\n")
			}
		}
	}
	return out.String()
}

// normalizeReply removes what changes from run to run.
func normalizeReply(text string) string {
	var b strings.Builder
	last := 0
	for _, at := range anID.FindAllStringIndex(text, -1) {
		b.WriteString(text[last:at[0]])
		last = at[1]
		if at[0] > 0 && (text[at[0]-1] == '@' || strings.HasSuffix(text[:at[0]], "revision ") || strings.HasSuffix(text[:at[0]], "since ")) {
			b.WriteString(text[at[0]:at[1]])
		} else {
			b.WriteString("(id)")
		}
	}
	b.WriteString(text[last:])
	text = aWholeID.ReplaceAllString(b.String(), "(id)")
	text = aTime.ReplaceAllString(text, "$1 09:00")
	text = aNonce.ReplaceAllString(text, "outside-NONCE")
	return anUpload.ReplaceAllString(text, "/-/upload/ONCE")
}
