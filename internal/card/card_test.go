package card

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/opentype"
)

var plain = Card{Wiki: "Ada’s notebook", Slug: "ada", Host: "ada.robot.wtf", Owner: "Ada", Accent: color.RGBA{0x20, 0x38, 0xc4, 0xff}}

// drawn draws a card and returns its pixels.
func drawn(t *testing.T, c Card) *image.RGBA {
	t.Helper()
	data, err := Draw(c)
	if err != nil {
		t.Fatal(err)
	}
	m, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if m.Bounds() != image.Rect(0, 0, Width, Height) {
		t.Fatalf("size %v", m.Bounds())
	}
	if len(data) > 100<<10 {
		t.Errorf("%d bytes", len(data))
	}
	p := image.NewRGBA(m.Bounds())
	for y := range Height {
		for x := range Width {
			p.Set(x, y, m.At(x, y))
		}
	}
	return p
}

// inked counts the pixels of a part that aren't paper.
func inked(m *image.RGBA, r image.Rectangle) (n int) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if m.RGBAAt(x, y) != paper {
				n++
			}
		}
	}
	return n
}

func TestCardHasTitleInThreeScripts(t *testing.T) {
	t.Parallel()
	without := drawn(t, plain)
	seen := map[string]string{}
	for _, title := range []string{"Weather Station", "Μετεωρολογικός σταθμός", "Метеостанция", "Cafe\u0301 Zürich, Łódź"} {
		c := plain
		c.Title = title
		m := drawn(t, c)
		if bytes.Equal(m.Pix, without.Pix) {
			t.Errorf("%q isn't drawn", title)
		}
		if other, twice := seen[string(m.Pix)]; twice {
			t.Errorf("%q looks like %q", title, other)
		}
		seen[string(m.Pix)] = title
		if n := inked(m, image.Rect(0, 20, left-10, Height)) + inked(m, image.Rect(Width-right+10, 20, Width, Height)); n > 0 {
			t.Errorf("%q: %d pixels in the margins", title, n)
		}
	}
}

// A title that the font can't write gives the wiki's plain card.
func TestOtherScriptsGivePlainCard(t *testing.T) {
	t.Parallel()
	without := drawn(t, plain)
	for _, title := range []string{"気象台", "מזג אוויר", "🌱 Garden", "a\u0336b", "bad \x00 byte", "Weather 気"} {
		c := plain
		c.Title = title
		if !bytes.Equal(drawn(t, c).Pix, without.Pix) {
			t.Errorf("%q isn't the plain card", title)
		}
	}
	c := plain
	c.Wiki = "気象台"
	slug := plain
	slug.Wiki = "ada"
	if !bytes.Equal(drawn(t, c).Pix, drawn(t, slug).Pix) {
		t.Error("a name that can't be written isn't replaced by the slug")
	}
}

// Attack: titles and names of any length, to be drawn slowly or beyond the picture.
func TestLongTextsAreCut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("W", 1<<20)
	for _, title := range []string{long, strings.Repeat("word ", 1<<18), "short " + long} {
		m := drawn(t, Card{Title: title, Wiki: title, Slug: "ada", Host: strings.Repeat("h", 1000), Owner: title, Accent: ink})
		if n := inked(m, image.Rect(Width-right+10, 20, Width, Height)); n > 0 {
			t.Errorf("%.10q: %d pixels beyond the margin", title, n)
		}
	}
}

func TestAvatarAndIcon(t *testing.T) {
	t.Parallel()
	picture := func(w, h int) []byte {
		m := image.NewRGBA(image.Rect(0, 0, w, h))
		for i := range m.Pix {
			m.Pix[i] = 0xff
		}
		for y := range h {
			for x := range w {
				m.Set(x, y, color.RGBA{0xff, 0, 0, 0xff})
			}
		}
		var b bytes.Buffer
		if err := png.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	red := color.RGBA{0xff, 0, 0, 0xff}
	c := plain
	c.Title, c.Avatar, c.Icon = "Title", picture(40, 90), picture(90, 10)
	m := drawn(t, c)
	if m.RGBAAt(left+36, 542) != red || m.RGBAAt(left+1, 507) != paper {
		t.Error("the avatar isn't a disc")
	}
	if m.RGBAAt(left+23, 93) != red || m.RGBAAt(left+23, 72) != paper {
		t.Error("the icon lost its proportions")
	}
	c.Avatar, c.Icon = []byte("no picture"), picture(maxPicture+1, 1)
	other := c
	other.Avatar, other.Icon = nil, nil
	if !bytes.Equal(drawn(t, c).Pix, drawn(t, other).Pix) {
		t.Error("pictures that can't be drawn change the card")
	}
}

func TestCutKeepsAnEllipsis(t *testing.T) {
	t.Parallel()
	f, err := opentype.Parse(gobold.TTF)
	if err != nil {
		t.Fatal(err)
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: 20, DPI: 72})
	if err != nil {
		t.Fatal(err)
	}
	if got := cut(face, "Weather Station", 80); !strings.HasSuffix(got, "…") || len(got) < 5 {
		t.Errorf("%q", got)
	}
	if got := cut(face, "Fits", 80); got != "Fits" {
		t.Errorf("%q", got)
	}
}

func BenchmarkDraw(b *testing.B) {
	c := plain
	c.Title = "A title of a usual length, on two lines"
	for b.Loop() {
		if _, err := Draw(c); err != nil {
			b.Fatal(err)
		}
	}
}
