package pages

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"strings"
	"testing"
)

// A page says how large its pictures are, so that nothing moves while they load, and
// shows smaller copies of large ones. A replaced picture has its own size.
func TestPictureSizes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Page", "![a](./small.png) ![b](./large.png) ![[large.png|300]] ![c](./moves.gif) ![d](./broken.png)\n")
	w.upload("Page", "small.png", string(pngOf(picture(40, 30))))
	w.upload("Page", "large.png", string(pngOf(picture(3000, 1500))))
	w.upload("Page", "broken.png", "no picture")
	var moving bytes.Buffer
	if err := gif.Encode(&moving, image.NewPaletted(image.Rect(0, 0, 2000, 10), color.Palette{color.Black, color.White}), nil); err != nil {
		t.Fatal(err)
	}
	w.upload("Page", "moves.gif", moving.String())
	for range 2 { // rendered, and from the cache
		view, err := w.View(w.t.Context(), w.reader, "Page", "")
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			`src="/Page/small.png" alt="a" width="40" height="30"`, `src="/Page/large.png?size=1600" alt="b" width="3000" height="1500"`,
			`src="/Page/large.png?size=1600" alt="" width="300" height="150"`, `src="/Page/moves.gif" alt="c" width="2000" height="10"`, `src="/Page/broken.png" alt="d" loading`,
		} {
			if !strings.Contains(string(view.Body), want) {
				t.Errorf("no %s in\n%s", want, view.Body)
			}
		}
	}
	w.upload("Page", "small.png", string(pngOf(picture(50, 60))))
	if view, err := w.View(w.t.Context(), w.reader, "Page", ""); err != nil || !strings.Contains(string(view.Body), `width="50" height="60"`) {
		t.Errorf("after it was replaced: %s, %v", view.Body, err)
	}
}

// Attack: a page with hundreds of pictures. One view would read them all.
func TestPictureReadsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var text strings.Builder
	w.put("Page", "")
	for i := range maxPictureReads + 5 {
		name := string(rune('a'+i%26)) + strings.Repeat("x", i/26) + ".png"
		text.WriteString("![](./" + name + ")\n")
		w.upload("Page", name, string(pngOf(picture(10+i, 10))))
	}
	w.put("Page", text.String())
	sized := func() int {
		view, err := w.View(w.t.Context(), w.reader, "Page", "")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(view.Body), "width=")
	}
	if n := sized(); n != maxPictureReads {
		t.Errorf("%d pictures were read", n)
	}
	if n := sized(); n != maxPictureReads+5 {
		t.Errorf("later, %d sizes are known", n)
	}
}
