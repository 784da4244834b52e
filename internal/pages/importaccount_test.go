package pages

import (
	"archive/zip"
	"bytes"
	"os"
	"testing"

	"robot.wtf/internal/wiki"
)

// An account export is known by its own files. A zip that looks like one and isn't is a
// folder of Markdown.
func TestUnpackAccount(t *testing.T) {
	t.Parallel()
	entry := func(name string, method uint16) zip.FileHeader { return zip.FileHeader{Name: name, Method: method} }
	account := entry("account.json", zip.Deflate)
	ada, bob := entry("wikis/ada/ada.bundle", zip.Store), entry("wikis/bob/bob.bundle", zip.Store)
	for name, c := range map[string]struct {
		files []zip.FileHeader
		want  string // the content of the bundle, "" for no account export
		wrong bool
	}{
		"one wiki":            {files: []zip.FileHeader{account, entry("wikis/bob/files/Home.md", zip.Deflate), bob}, want: bob.Name},
		"the wiki's own":      {files: []zip.FileHeader{account, bob, ada}, want: ada.Name},
		"two others":          {files: []zip.FileHeader{account, bob, entry("wikis/cleo/cleo.bundle", zip.Store)}, wrong: true},
		"packed again":        {files: []zip.FileHeader{account, entry(ada.Name, zip.Deflate)}, wrong: true},
		"no history":          {files: []zip.FileHeader{account, entry("wikis/ada/history-missing.txt", zip.Deflate)}, wrong: true},
		"a vault":             {files: []zip.FileHeader{account, entry("wikis/ada/Home.md", zip.Deflate)}},
		"a bundle in a vault": {files: []zip.FileHeader{entry("Home.md", zip.Deflate), ada}},
		"another name":        {files: []zip.FileHeader{account, entry("wikis/ada/other.bundle", zip.Store)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var buf bytes.Buffer
			z := zip.NewWriter(&buf)
			for _, f := range c.files {
				w, err := z.CreateHeader(&f)
				if err == nil {
					_, err = w.Write([]byte(f.Name))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			u := &Upload{dir: t.TempDir(), Size: int64(buf.Len())}
			if err := os.WriteFile(u.path("upload"), buf.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			archive, err := zip.NewReader(bytes.NewReader(buf.Bytes()), u.Size)
			if err != nil {
				t.Fatal(err)
			}
			is, err := u.unpackAccount(archive, "ada")
			if is != (c.want != "") || (err != nil) != c.wrong || err != nil && wiki.Status(err) != 422 {
				t.Fatalf("%t, %v", is, err)
			}
			got, err := os.ReadFile(u.path("upload"))
			if want := c.want; err != nil || is && (string(got) != want || u.Size != int64(len(want))) || !is && !bytes.Equal(got, buf.Bytes()) {
				t.Errorf("%q, size %d, %v", got, u.Size, err)
			}
		})
	}
}
