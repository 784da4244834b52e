package content

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// revise writes a page of about 3 KB with that many revisions, each with another
// line. edit can be nil, and changes the text of a revision.
func revise(t *testing.T, w *Wiki, path string, revisions int, edit func(n int, text string) string) (texts []string) {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(len(path)), 11))
	lines := make([]string, 60)
	for i := range lines {
		lines[i] = fmt.Sprintf("Line %d is about %x and %x.\n", i, r.Uint64(), r.Uint32())
	}
	for n := range revisions {
		lines[r.IntN(len(lines))] = fmt.Sprintf("Revision %d changed this line to %x.\n", n, r.Uint64())
		text := strings.Join(lines, "")
		if edit != nil {
			text = edit(n, text)
		}
		must(t, w, ada, Edit{Path: path, Base: BaseAny, Data: []byte(text)})
		texts = append(texts, text)
	}
	return texts
}

func compress(t *testing.T, w *Wiki) {
	t.Helper()
	if err := w.Compress(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkStored(t, w)
}

// checkStored checks the deltas of a wiki and the size of its history.
func checkStored(t *testing.T, w *Wiki) {
	t.Helper()
	for _, query := range []string{
		"SELECT history_bytes - (SELECT SUM(LENGTH(data)) FROM blobs) FROM meta",
		"SELECT COUNT(*) FROM blobs b WHERE (SUBSTR(data, 1, 1) = X'64') <> EXISTS (SELECT 1 FROM deltas d WHERE d.oid = b.oid)",
		"SELECT COUNT(*) FROM deltas d WHERE NOT EXISTS (SELECT 1 FROM blobs b WHERE b.oid = d.base)",
		"SELECT COUNT(*) FROM deltas WHERE height > 20",
	} {
		var n int
		if err := w.queryRow(t.Context(), query).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s: %d, %v", query, n, err)
		}
	}
	for _, f := range must2(w.List(t.Context(), "")) {
		if b, err := w.blobs().row(t.Context(), f.Blob); err != nil || b.isDelta() {
			t.Errorf("the current file %s is a delta: %v", f.Path, err)
		}
	}
}

func must2[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func storedSize(t *testing.T, w *Wiki) (blobs, deltas, bytes int) {
	t.Helper()
	if err := w.queryRow(t.Context(), "SELECT COUNT(*), SUM(SUBSTR(data, 1, 1) = X'64'), SUM(LENGTH(data)) FROM blobs").Scan(&blobs, &deltas, &bytes); err != nil {
		t.Fatal(err)
	}
	return blobs, deltas, bytes
}

func TestCompressKeepsEveryRevision(t *testing.T) {
	w := newWiki(t, time.Now)
	a, b := revise(t, w, "A.md", 70, nil), revise(t, w, "Folder/B.md", 45, nil)
	must(t, w, ada, Edit{Op: Move, Path: "A.md", To: "C.md", Base: BaseAny})
	must(t, w, ada, Edit{Path: "C.md", Base: BaseAny, Data: []byte(a[3])}) // a revision that is a delta by then
	_, _, before := storedSize(t, w)
	compress(t, w)
	blobs, deltas, after := storedSize(t, w)
	if after > before/3 || deltas < blobs*9/10 {
		t.Errorf("%d of %d blobs are deltas, %d bytes became %d", deltas, blobs, before, after)
	}
	for _, text := range append(a, b...) {
		if got, err := w.Blob(t.Context(), blobID(text)); err != nil || string(got) != text {
			t.Fatalf("%.20q: %v", got, err)
		}
	}
	for _, text := range a { // a reader may change the bytes
		got, err := w.Blob(t.Context(), blobID(text))
		if err != nil || string(got) != text {
			t.Fatalf("%.20q: %v", got, err)
		}
		clear(got)
	}
	compareWithGit(t, w)
	checkWholeFile(t, w)
}

// A wiki that is compressed between other commits has the same history as one that
// isn't.
func TestCompressAtAnyTime(t *testing.T) {
	for seed := range uint64(4) {
		c := newClock()
		w := newWiki(t, c.Now)
		r := rand.New(rand.NewPCG(seed, 5))
		for round := range 6 {
			scribble(t, w, c, r, 15)
			revise(t, w, fmt.Sprintf("Long %d.md", r.IntN(2)), 1+r.IntN(30), func(_ int, text string) string { return fmt.Sprint(text, round) })
			compress(t, w)
		}
		compareWithGit(t, w)
		checkWholeFile(t, w)
	}
}

func TestCompressResumes(t *testing.T) {
	w := newWiki(t, time.Now)
	texts := revise(t, w, "A.md", 300, nil) // more than one transaction
	ctx, cancel := context.WithCancel(t.Context())
	if more, err := w.compressSlice(ctx); err != nil || !more {
		t.Fatal(more, err)
	}
	cancel()
	if err := w.Compress(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, deltas, _ := storedSize(t, w); deltas == 0 || deltas > sliceChanges {
		t.Errorf("%d deltas after the first transaction", deltas)
	}
	compress(t, w)
	if blobs, deltas, _ := storedSize(t, w); deltas < blobs*9/10 {
		t.Errorf("%d of %d blobs are deltas", deltas, blobs)
	}
	for _, text := range texts {
		if got, err := w.Blob(t.Context(), blobID(text)); err != nil || string(got) != text {
			t.Fatal(err)
		}
	}
}

func TestCompressLeavesOutWhatSavesLittle(t *testing.T) {
	w := newWiki(t, time.Now)
	r := rand.New(rand.NewPCG(1, 1))
	random := func(n int) []byte {
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		return data
	}
	for range 3 {
		must(t, w, ada, Edit{Path: "picture.png", Base: BaseAny, Data: random(5000)})
		must(t, w, ada, Edit{Path: "Short.md", Base: BaseAny, Data: fmt.Appendf(nil, "%d\n", r.Uint32())})
	}
	large := random(maxCompressed + 1)
	for n := range 2 {
		must(t, w, ada, Edit{Path: "large.bin", Base: BaseAny, Data: append(large, byte(n))})
	}
	compress(t, w)
	if _, deltas, _ := storedSize(t, w); deltas != 0 {
		t.Errorf("%d deltas", deltas)
	}
}

func TestEraseFromCompressedHistory(t *testing.T) {
	c := newClock()
	w := newWiki(t, c.Now)
	untouched := must(t, w, ada, Edit{Path: "First.md", Data: []byte("first\n")}).Commit.Seq
	key := func(n int, text string) string {
		if n%7 == 3 || n > 40 && n < 50 { // sometimes a base, sometimes a delta, sometimes both
			return text + "key: " + leakedKey + "\n"
		}
		return text
	}
	texts := revise(t, w, "Setup.md", 60, func(n int, text string) string {
		if n == 0 {
			return text + leakedKey
		}
		return key(n, text)
	})
	compress(t, w)
	for _, text := range texts { // fills the cache
		if _, err := w.Blob(t.Context(), blobID(text)); err != nil {
			t.Fatal(err)
		}
	}
	before := wikiLog(t, w)
	erase(t, w, Erasure{Text: leakedKey})
	checkErased(t, w, before, wikiLog(t, w), untouched)
	checkStored(t, w)
	checkWholeFile(t, w)
	compareWithGit(t, w)
	for _, text := range texts {
		had := strings.Contains(text, leakedKey)
		got, err := w.Blob(t.Context(), blobID(text))
		if had != errors.Is(err, wiki.ErrNotFound) || !had && string(got) != text {
			t.Errorf("a revision with the key: %t, %d bytes, %v", had, len(got), err)
		}
	}
	compress(t, w)
	if blobs, deltas, _ := storedSize(t, w); deltas < blobs*8/10 {
		t.Errorf("%d of %d blobs are deltas after the erasure", deltas, blobs)
	}
	compareWithGit(t, w)
	checkWholeFile(t, w)
}

func TestDamagedDeltasAreFound(t *testing.T) {
	for name, query := range map[string]string{
		"no base":       "UPDATE commits SET blob = '', data = NULL WHERE blob = (SELECT base FROM deltas WHERE height = 2 LIMIT 1)",
		"a circle":      "UPDATE commits SET data = (SELECT X'64' || UNHEX(d.oid) || SUBSTR(b.data, 22) FROM blobs b, deltas d WHERE b.oid = d.oid AND d.height = 1 LIMIT 1) WHERE blob = (SELECT base FROM deltas WHERE height = 1 LIMIT 1)",
		"a changed bit": "UPDATE commits SET data = SUBSTR(data, 1, LENGTH(data) - 1) || X'00' WHERE blob = (SELECT oid FROM deltas WHERE height = 3 LIMIT 1)",
		"cut off":       "UPDATE commits SET data = SUBSTR(data, 1, 9) WHERE blob = (SELECT oid FROM deltas WHERE height = 3 LIMIT 1)",
		"another base":  "UPDATE deltas SET base = (SELECT oid FROM deltas WHERE height = 1 LIMIT 1) WHERE height = 4",
	} {
		w := newWiki(t, time.Now)
		texts := revise(t, w, "A.md", 30, nil)
		compress(t, w)
		if err := w.inWriteTx(t.Context(), func(t *tx) error { return t.exec(query) }, nil); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if name != "another base" {
			failed := 0
			for _, text := range texts {
				got, err := w.Blob(t.Context(), blobID(text))
				if err == nil && string(got) != text {
					t.Errorf("%s: a revision has another text", name)
				}
				if err != nil {
					failed++
				}
			}
			if failed == 0 || failed == len(texts) {
				t.Errorf("%s: %d of %d revisions can't be read", name, failed, len(texts))
			}
		}
		copied := t.TempDir() + "/copy.db"
		if _, err := w.db.ExecContext(t.Context(), "VACUUM INTO '"+copied+"'"); err != nil {
			t.Fatal(err)
		}
		if _, err := CheckFile(t.Context(), copied, w.slug); err == nil {
			t.Errorf("%s: verification finds nothing", name)
		}
	}
}

// Reading goes on while revisions are compressed and erased.
func TestReadWhileCompressing(t *testing.T) {
	w := newWiki(t, time.Now)
	texts := revise(t, w, "A.md", 120, func(n int, text string) string {
		if n%10 == 5 {
			return fmt.Sprintf("%s%s%d.", text, leakedKey, n)
		}
		return text
	})
	stop, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(failed)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			text := texts[n%len(texts)]
			got, err := w.Blob(context.Background(), blobID(text))
			if strings.Contains(text, leakedKey) && errors.Is(err, wiki.ErrNotFound) {
				continue
			}
			if err != nil || !bytes.Equal(got, []byte(text)) {
				failed <- fmt.Errorf("revision %d: %d bytes, %w", n%len(texts), len(got), err)
				return
			}
		}
	}()
	for n := 5; n < 60; n += 10 {
		compress(t, w)
		erase(t, w, Erasure{Text: fmt.Sprintf("%s%d.", leakedKey, n)})
	}
	close(stop)
	if err := <-failed; err != nil {
		t.Error(err)
	}
}

func TestSweepCompressesOpenWikis(t *testing.T) {
	p := openPool(t, t.TempDir(), time.Now)
	w, release := createWiki(t, p)
	defer release()
	revise(t, w, "A.md", compressAfter-1, nil)
	for _, want := range []bool{false, true} {
		if err := p.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, deltas, _ := storedSize(t, w); deltas > 0 != want {
			t.Errorf("%d deltas, want some: %t", deltas, want)
		}
		must(t, w, ada, Edit{Path: "B.md", Data: []byte("the commit that makes it worthwhile")})
	}
}

// After an erasure between the reading and the writing of a slice, all of the history is
// looked at again.
func TestCompressStartsAgainAfterAnErasure(t *testing.T) {
	w := newWiki(t, time.Now)
	revise(t, w, "A.md", 60, func(n int, text string) string {
		if n == 30 {
			return text + leakedKey
		}
		return text
	})
	compress(t, w)
	must(t, w, ada, Edit{Path: "B.md", Data: []byte("more\n")})
	c := compressor{q: w, slug: w.slug}
	if err := c.plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	erase(t, w, Erasure{Text: leakedKey})
	if err := w.inWriteTx(t.Context(), c.write, nil); err != nil {
		t.Fatal(err)
	}
	checkStored(t, w)
	var compressed int64
	if err := w.queryRow(t.Context(), "SELECT compressed FROM meta").Scan(&compressed); err != nil || compressed != 0 {
		t.Errorf("the erased part isn't looked at again: compressed up to %d, %v", compressed, err)
	}
	compress(t, w)
}
