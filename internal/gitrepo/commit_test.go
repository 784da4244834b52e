package gitrepo

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/wiki"
)

const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

func TestCommitsMatchGit(t *testing.T) {
	git := newRepository(t)
	git(nil, nil, "hash-object", "-w", "-t", "tree", os.DevNull)
	r := rand.New(rand.NewPCG(8, 9))
	names := []string{"ada", "Ada Lovelace", "Änne ☃", "O'Neil"}
	zones := []int{0, 60, -60, 330, -210, 345, 14 * 60}
	var before []string
	for range rounds(24, 1000) {
		person := func() Signature {
			zone := time.FixedZone("", 60*zones[r.IntN(len(zones))])
			return Signature{names[r.IntN(len(names))], "did:plc:" + randomID(r)[:24], time.Unix(r.Int64N(1<<33)+100_000_000, 0).In(zone)}
		}
		c := Commit{Tree: emptyTree, Author: person(), Committer: person(), Message: CleanMessage(randomMessage(r))}
		for i := len(before); i > 0 && len(c.Parents) < r.IntN(4); i-- {
			c.Parents = append(c.Parents, before[i-1])
		}
		args := []string{"commit-tree", emptyTree}
		for _, p := range c.Parents {
			args = append(args, "-p", p)
		}
		content := EncodeCommit(c)
		id := line(git([]byte(c.Message), []string{
			"GIT_AUTHOR_NAME=" + c.Author.Name, "GIT_AUTHOR_EMAIL=" + c.Author.Email, "GIT_AUTHOR_DATE=" + gitDate(c.Author.Time),
			"GIT_COMMITTER_NAME=" + c.Committer.Name, "GIT_COMMITTER_EMAIL=" + c.Committer.Email, "GIT_COMMITTER_DATE=" + gitDate(c.Committer.Time),
		}, args...))
		if got := ObjectID("commit", content); got != id {
			t.Fatalf("ours:\n%s\ngit's:\n%s", content, git(nil, nil, "cat-file", "commit", id))
		}
		parsed, err := ParseCommit(content)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, parsed); diff != "" {
			t.Fatalf("ParseCommit(EncodeCommit(c)) (-want +got):\n%s", diff)
		}
		before = append(before, id)
	}
}

func gitDate(t time.Time) string { return fmt.Sprintf("@%d %s", t.Unix(), t.Format("-0700")) }

// oddCommits returns unusual commits. Those that git's strict check accepts must
// parse and encode to the same bytes.
func oddCommits() []string {
	const author, committer = "author A <a@b> 1700000000 +0000\n", "committer C <c@d> 1700000001 -0800\n"
	head := "tree " + emptyTree + "\n"
	commits := []string{
		head + author + committer + "encoding ISO-8859-1\n\nGr\xfc\xdfe\n",
		head + author + committer + "gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQEz\n =abcd\n -----END PGP SIGNATURE-----\n\nsigned\n",
		head + author + committer + "mergetag object " + emptyTree + "\n type commit\n tag v1\n tagger T <t@t> 1 +0000\n \n tagged\n\nmerged\n",
		head + author + committer + "HG:extra x\nencoding latin1\n\n\n\n  blank lines first\n\n",
		head + author + committer + "\n",
		head + author + committer + "\nno end of line",
		head + author + committer,
		head + author + committer + "encoding x\n",
		head + author + committer + "encoding x",
		head + author + committer + "\nNUL \x00 in it\n",
		head + author + committer + "\r\n\r\nCR\r\n",
		head + author + author + committer + "\ntwo authors\n",
		head + committer + "\nno author\n",
		head + author + "\nno committer\n",
		author + committer + "\nno tree\n",
		head + head + author + committer + "\ntwo trees\n",
		strings.ToUpper(emptyTree) + "\n" + author + committer + "\n",
		"tree " + strings.ToUpper(emptyTree) + "\n" + author + committer + "\ncapitals\n",
		"tree " + emptyTree[1:] + "\n" + author + committer + "\nshort\n",
		head + "parent " + Zero[1:] + "\n" + author + committer + "\nshort parent\n",
		"",
	}
	for _, name := range []string{"", " ", "A", " A ", "A. B;", "A\tB", "A>B", "A<B", "Ä\xff", "A\x00B", `"A"`, "A\rB"} {
		for _, email := range []string{"", "a", " a ", "a b@c", "a<b", "a>b"} {
			commits = append(commits, head+"author "+name+" <"+email+"> 1700000000 +0000\n"+committer+"\nnames\n")
		}
	}
	commits = append(commits, head+"author <a@b> 1 +0000\n"+committer+"\nno name\n", head+"author A<a@b> 1 +0000\n"+committer+"\nno blank\n")
	for _, number := range []string{"0", "1", "00", "01", "-1", "+1", " 1", "\t1", "  +01", "9223372036854775807", "9223372036854775808", "18446744073709551615", "99999999999999", "", "x", "1x", "0x10"} {
		for _, zone := range []string{"+0000", "-0000", "+0099", "+9999", "-1234", "0000", "+000", "+00000", "+0a00", "", "UTC", "-0800 "} {
			commits = append(commits, head+"author A <a@b> "+number+" "+zone+"\n"+committer+"\ndates\n")
		}
	}
	return commits
}

func TestParseCommitAcceptsWhatGitAccepts(t *testing.T) {
	git := newRepository(t)
	git(nil, nil, "hash-object", "-w", "-t", "tree", os.DevNull)
	commits := oddCommits()
	ids := map[string]string{}
	dir := t.TempDir()
	var files strings.Builder // for one process, which takes longer to start than to write a commit
	for i, c := range commits {
		file := filepath.Join(dir, strconv.Itoa(i))
		if err := os.WriteFile(file, []byte(c), 0o600); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&files, file)
	}
	written := strings.Fields(string(git([]byte(files.String()), nil, "hash-object", "-w", "--literally", "-t", "commit", "--stdin-paths")))
	if len(written) != len(commits) {
		t.Fatalf("git wrote %d commits of %d", len(written), len(commits))
	}
	for i, c := range commits {
		if ids[written[i]] = c; ObjectID("commit", []byte(c)) != written[i] {
			t.Errorf("wrong id for %q", c)
		}
	}
	complaints := string(git(nil, nil, "-c", "alias.check=!git fsck --strict --no-dangling --full 2>&1 || true", "check"))
	accepted := 0
	for id, content := range ids {
		parsed, err := ParseCommit([]byte(content))
		if err == nil {
			if got := string(EncodeCommit(parsed)); got != content {
				t.Errorf("%q became %q", content, got)
			}
		} else if !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("error %v is not wiki.ErrInvalid", err)
		}
		if strings.Contains(complaints, id) {
			continue
		}
		accepted++
		if err != nil {
			t.Errorf("git accepts %q, but %v", content, err)
		}
	}
	t.Logf("measured: git accepts %d of %d odd commits", accepted, len(ids))
	if accepted < 50 || accepted > len(ids)-50 {
		t.Errorf("git accepts %d of %d, want a mix\n%s", accepted, len(ids), complaints)
	}
}

func TestParseCommit(t *testing.T) {
	c, err := ParseCommit([]byte("tree " + emptyTree + "\nparent " + Zero + "\nauthor Ada L <did:plc:x> 1700000000 +0530\ncommitter robot.wtf <noreply@robot.wtf> 1700000000 +0000\ngpgsig a\n b\n\nFix\n\nAgent: x\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, offset := c.Author.Time.Zone(); c.Author.Name != "Ada L" || c.Author.Email != "did:plc:x" || c.Author.Time.Unix() != 1700000000 || offset != 19800 {
		t.Errorf("author %v", c.Author)
	}
	if c.Headers != "gpgsig a\n b\n" || c.Message != "Fix\n\nAgent: x\n" || len(c.Parents) != 1 || c.NoBody {
		t.Errorf("commit %+v", c)
	}
}

func TestSignatureCannotBreakOut(t *testing.T) {
	s := Signature{"a <x> 1 +0000\ncommitter e", "b>\x00\n", time.Unix(5, 0).UTC()}
	if got, want := s.String(), "a x 1 +0000committer e <b> 5 +0000"; got != want {
		t.Errorf("signature %q, want %q", got, want)
	}
	// A named zone isn't a spelling of its offset.
	if got := (Signature{"a", "b", time.Unix(5, 9).In(time.FixedZone("CET", 3600))}).String(); got != "a <b> 5 +0100" {
		t.Errorf("signature %q", got)
	}
	// A spelling of another offset is ignored.
	if got := (Signature{"a", "b", time.Unix(5, 0).In(time.FixedZone("+0200", 3600))}).String(); got != "a <b> 5 +0100" {
		t.Errorf("signature %q", got)
	}
}

func FuzzParseCommit(f *testing.F) {
	for _, c := range oddCommits() {
		f.Add([]byte(c))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := ParseCommit(content)
		if err != nil {
			return
		}
		if got := EncodeCommit(c); !bytes.Equal(got, content) {
			t.Errorf("%q became %q", content, got)
		}
	})
}

func FuzzTrailers(f *testing.F) {
	f.Add("Fix\n\nAgent: x\n y\n", "a\nb")
	f.Fuzz(func(t *testing.T, message, value string) {
		_, before := CutTrailers(message)
		body, after := CutTrailers(AppendTrailers(message, []Trailer{{"Grant", value}}))
		if len(after) < len(before) || len(after) == 0 || !strings.EqualFold(after[len(after)-1].Key, "Grant") {
			t.Errorf("%q with %q: trailers %q became %q, body %q", message, value, before, after, body)
		}
		if strings.Contains(after[len(after)-1].Value, "\n") && len(before) == 0 {
			t.Errorf("multi-line value: %q", after)
		}
	})
}
