package pages

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"robot.wtf/internal/wiki"
)

func TestFileName(t *testing.T) {
	for name, want := range map[string]string{
		"diagram.png":             "diagram.png",
		"my diagram.png":          "my_diagram.png",
		"  two   blanks .png":     "two_blanks_.png",
		"C:\\Users\\ada\\pic.png": "pic.png",
		"/etc/passwd":             "passwd",
		"../../evil.txt":          "evil.txt",
		"e v!l.html":              "e_v!l.html",
		"schön 図.png":             "schön_図.png",
		"scho\u0308n.png":         "schön.png",
		"no extension":            "no_extension",
		"a.tar.gz":                "a.tar.gz",
		"x.md":                    "",
		"X.MD":                    "",
		"":                        "",
		"   ":                     "",
		"dir/":                    "",
		"..":                      "",
		".htaccess":               "",
		".git":                    "",
		"a\x00b.png":              "",
		"a\nb.png":                "",
		"\u202egnp.exe":           "",
		"bad\xff.png":             "",
		strings.Repeat("x", 300):  "",
		"robots.txt":              "",
	} {
		got, err := FileName(name)
		if got != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("%q: %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Page", "x\n")
	w.put("Page/Sub/Deep", "x\n")
	up := func(page, name, data string, with func(*UploadRequest)) (Saved, error) {
		r := UploadRequest{Page: page, Name: name, Data: strings.NewReader(data)}
		if with != nil {
			with(&r)
		}
		return w.Upload(w.t.Context(), w.editor, r)
	}
	first, err := up("page", "a b.png", "1", nil)
	if err != nil || first.Path != "Page/a_b.png" || !first.Created || first.Name != "" {
		t.Fatalf("%+v, %v", first, err)
	}
	_, err = up("Page", "A_B.png", "2", nil)
	wantKind(t, err, wiki.ErrExists)
	free, err := up("Page", "a b.png", "2", func(r *UploadRequest) { r.Free = true })
	if err != nil || free.Path != "Page/a_b-2.png" {
		t.Errorf("%+v, %v", free, err)
	}
	replaced, err := up("Page", "A b.png", "3", func(r *UploadRequest) { r.Replace = true })
	if err != nil || replaced.Path != "Page/a_b.png" || replaced.Created {
		t.Errorf("%+v, %v", replaced, err)
	}
	_, err = up("Page", "a b.png", "4", func(r *UploadRequest) { r.Replace, r.Base = true, first.Revision })
	wantKind(t, err, wiki.ErrConflict)
	_, err = up("Nowhere", "a.png", "1", nil)
	wantKind(t, err, wiki.ErrNotFound)
	_, err = up("Page", "sub", "a file where a folder is", nil)
	wantKind(t, err, wiki.ErrExists)
	if root, err := up("", "root.txt", "1", nil); err != nil || root.Path != "root.txt" {
		t.Errorf("%+v, %v", root, err)
	}
	list, err := w.Attachments(w.t.Context(), w.reader, "page")
	if err != nil || len(list) != 2 || list[0].Name != "a_b-2.png" || !list[0].Image {
		t.Errorf("%+v, %v", list, err)
	}
	if list, err := w.Attachments(w.t.Context(), w.reader, ""); err != nil || len(list) != 1 || list[0].Path != "root.txt" {
		t.Errorf("%+v, %v", list, err)
	}
	if list, err := w.AllAttachments(w.t.Context(), w.reader); err != nil || len(list) != 3 {
		t.Errorf("%+v, %v", list, err)
	}
	a, data, err := w.OpenAttachment(w.t.Context(), w.reader, "page/A b.png", "")
	if err != nil || string(data) != "3" || a.Path != "Page/a_b.png" {
		t.Errorf("%+v, %q, %v", a, data, err)
	}
	if _, data, err = w.OpenAttachment(w.t.Context(), w.reader, "Page/a_b.png", first.Revision); err != nil || string(data) != "1" {
		t.Errorf("the first revision: %q, %v", data, err)
	}
	_, _, err = w.OpenAttachment(w.t.Context(), w.reader, "Page.md", "")
	wantKind(t, err, wiki.ErrInvalid)
	if _, err := w.Revert(w.t.Context(), w.editor, replaced.Commit, Write{}); err != nil {
		t.Fatal(err)
	}
	if _, data, _ = w.OpenAttachment(w.t.Context(), w.reader, "Page/a_b.png", ""); string(data) != "1" {
		t.Errorf("reverted: %q", data)
	}
	history, err := w.History(w.t.Context(), w.reader, "Page/a_b.png", 0, 0)
	if err != nil || len(history) != 3 {
		t.Errorf("%+v, %v", history, err)
	}
}

// An upload fails when the limit is reached, not when everything has been sent.
func TestUploadStopsReading(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Page", "x\n")
	endless := &zeros{}
	_, err := w.Upload(w.t.Context(), w.editor, UploadRequest{Page: "Page", Name: "big", Data: endless})
	wantKind(t, err, wiki.ErrTooLarge)
	if endless.read > 2*w.site.Limits.AttachmentBytes {
		t.Errorf("read %d bytes", endless.read)
	}
}

type zeros struct{ read int64 }

func (z *zeros) Read(p []byte) (int, error) { z.read += int64(len(p)); return len(p), nil }

func TestTypes(t *testing.T) {
	pngData := string(pngOf(picture(2, 2)))
	for _, test := range []struct{ name, data, want string }{
		{"a.png", pngData, "image/png"},
		{"a.jpg", pngData, "image/png"},
		{"a", pngData, "image/png"},
		{"a.png", "<html><script>alert(1)</script>", "text/html"},
		{"a.png", "<!DOCTYPE html>", "text/html"},
		{"a.png", "GIF89a<script>", "image/gif"},
		{"a.html", pngData, "text/html"},
		{"a.txt", "<script>alert(1)</script>", "text/html"},
		{"a.txt", "plain", "text/plain"},
		{"a.svg", "anything", "image/svg+xml"},
		{"a.png", "<?xml version='1.0'?><svg onload='x'/>", "image/svg+xml"},
		{"a.txt", "  <svg xmlns='x'>", "image/svg+xml"},
		{"a.png", "no picture", "text/plain"},
		{"a.pdf", "%PDF-1.7", "application/pdf"},
		{"a.pdf", "<html>", "text/html"},
		{"a.csv", "a,b", "text/csv"},
		{"a.json", "{}", "application/json"},
		{"a.bin", "\x00\x01", "application/octet-stream"},
		{"a.xhtml", "x", "application/xhtml+xml"},
	} {
		if got := typeOf(test.name, []byte(test.data)); got != test.want {
			t.Errorf("%s %.20q: %s, want %s", test.name, test.data, got, test.want)
		}
	}
}

func picture(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetNRGBA(x, y, color.NRGBA{uint8(x), uint8(y), 200, 255})
		}
	}
	return m
}

func pngOf(m image.Image) []byte {
	var b bytes.Buffer
	png.Encode(&b, m)
	return b.Bytes()
}

func TestThumbnail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Page", "x\n")
	var jpg, gifData bytes.Buffer
	jpeg.Encode(&jpg, picture(300, 100), nil)
	gif.Encode(&gifData, picture(40, 90), nil)
	// An Exif segment with a rotation of 90 degrees.
	exif := "Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00 secret place"
	turned := append([]byte{0xFF, 0xD8, 0xFF, 0xE1, 0, byte(len(exif) + 2)}, append([]byte(exif), jpg.Bytes()[2:]...)...)
	w.upload("Page", "a.png", string(pngOf(picture(200, 100))))
	w.upload("Page", "a.jpg", jpg.String())
	w.upload("Page", "turned.jpg", string(turned))
	w.upload("Page", "a.gif", gifData.String())
	w.upload("Page", "fake.png", "<svg onload='alert(1)'/>")
	w.upload("Page", "cut.png", string(pngOf(picture(200, 100))[:60]))
	for _, test := range []struct {
		name          string
		size          int
		mime          string
		width, height int
	}{
		{"a.png", 80, "image/png", 80, 40},
		{"a.png", 0, "image/png", 200, 100},
		{"a.png", 1000, "image/png", 200, 100},
		{"a.png", 1, "image/png", 16, 8},
		{"a.jpg", 100, "image/jpeg", 96, 32}, // sizes come in steps
		{"turned.jpg", 0, "image/jpeg", 100, 300},
		{"turned.jpg", 60, "image/jpeg", 16, 48},
		{"a.gif", 45, "image/png", 17, 40},
	} {
		data, mime, err := w.Thumbnail(w.t.Context(), w.reader, "Page/"+test.name, "", test.size)
		if err != nil || mime != test.mime {
			t.Errorf("%s %d: %s, %v", test.name, test.size, mime, err)
			continue
		}
		m, _, err := image.Decode(bytes.NewReader(data))
		if err != nil || m.Bounds().Dx() != test.width || m.Bounds().Dy() != test.height {
			t.Errorf("%s %d: %v, %v", test.name, test.size, m.Bounds(), err)
		}
		if bytes.Contains(data, []byte("secret")) {
			t.Errorf("%s %d: the metadata is still there", test.name, test.size)
		}
	}
	for _, name := range []string{"fake.png", "cut.png"} {
		_, _, err := w.Thumbnail(w.t.Context(), w.reader, "Page/"+name, "", 80)
		wantKind(t, err, wiki.ErrInvalid)
	}
	_, _, err := w.Thumbnail(w.t.Context(), w.reader, "Page/none.png", "", 80)
	wantKind(t, err, wiki.ErrNotFound)
}

// A small file with an enormous image is rejected before it is decoded.
func TestImageBombs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Page", "x\n")
	bomb := pngOf(picture(1, 1))
	binary.BigEndian.PutUint32(bomb[16:], 50_000)
	binary.BigEndian.PutUint32(bomb[20:], 50_000)
	binary.BigEndian.PutUint32(bomb[29:], crc32.ChecksumIEEE(bomb[12:29]))
	w.upload("Page", "bomb.png", string(bomb))
	_, _, err := w.Thumbnail(w.t.Context(), w.reader, "Page/bomb.png", "", 80)
	wantKind(t, err, wiki.ErrTooLarge)
	var g bytes.Buffer
	gif.Encode(&g, picture(1, 1), nil)
	huge := g.Bytes()
	binary.LittleEndian.PutUint16(huge[6:], 65_000)
	binary.LittleEndian.PutUint16(huge[8:], 65_000)
	w.upload("Page", "bomb.gif", string(huge))
	_, _, err = w.Thumbnail(w.t.Context(), w.reader, "Page/bomb.gif", "", 80)
	wantKind(t, err, wiki.ErrTooLarge)
}

// Attack: a JPEG of 20 million pixels repeats its frame header's promise in 200
// nearly empty scans. It has no thumbnail, and the file itself can still be read.
func TestImageThatTakesTooLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Page", "x\n")
	var b bytes.Buffer
	jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 5000, 4000)), nil)
	scan := bytes.Index(b.Bytes(), []byte{0xFF, 0xDA})
	slow := string(b.Bytes()[:scan]) + strings.Repeat(string(b.Bytes()[scan:scan+12]), 200) + string(b.Bytes()[scan:])
	w.upload("Page", "slow.jpg", slow)
	_, _, err := w.Thumbnail(w.t.Context(), w.reader, "Page/slow.jpg", "", 80)
	wantKind(t, err, wiki.ErrTooLarge)
	if _, data, err := w.OpenAttachment(w.t.Context(), w.reader, "Page/slow.jpg", ""); err != nil || string(data) != slow {
		t.Errorf("the file: %d bytes, %v", len(data), err)
	}
}

// Attack: one wiki shows many images that take seconds. Another wiki's thumbnails
// don't wait for them.
func TestImagesOfOneWikiDontDelayAnother(t *testing.T) {
	ada := newWorld(t)
	bob := ada.another("bob", wiki.DefaultLimits)
	ada.put("Page", "x\n")
	bob.put("Page", "x\n")
	var b bytes.Buffer
	jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 4000, 4000)), nil)
	scan := bytes.Index(b.Bytes(), []byte{0xFF, 0xDA})
	scans := string(b.Bytes()[scan : b.Len()-2])
	slow := string(b.Bytes()[:scan]) + strings.Repeat(scans, 40) + "\xFF\xD9" // each scan is the whole image
	ctx, cancel := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	var finished atomic.Int64
	for i := range 4 {
		name := fmt.Sprintf("slow%d.jpg", i)
		ada.upload("Page", name, slow+strings.Repeat("x", i)) // four images, not one
		flood.Go(func() {
			ada.Thumbnail(ctx, ada.reader, "Page/"+name, "", 80)
			finished.Add(1)
		})
	}
	for i := range 3 {
		name := fmt.Sprintf("dot%d.png", i)
		bob.upload("Page", name, string(pngOf(picture(50+i, 50))))
		if _, _, err := bob.Thumbnail(t.Context(), bob.reader, "Page/"+name, "", 16); err != nil {
			t.Error(err)
		}
	}
	if n := finished.Load(); n > 1 {
		t.Errorf("%d images of another wiki came first", n)
	}
	cancel()
	flood.Wait()
}

// Attack: a visitor requests one large image of a public wiki in each size from 16
// to 1,600. Each size is decoded again, delays other images, and fills the cache
// that all wikis share.
func TestThumbnailSizesAreBounded(t *testing.T) {
	made := map[int]bool{}
	for asked := -10; asked < 5000; asked++ {
		size := roundThumbnailSize(asked)
		if made[size] = true; size > max(asked, 16) {
			t.Errorf("%d: %d doesn't fit", asked, size)
		}
	}
	if len(made) > 20 || roundThumbnailSize(80) != 80 || roundThumbnailSize(480) != 480 {
		t.Errorf("sizes %v", made)
	}
}
