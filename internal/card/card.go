// Package card draws the pictures that other services show for a link: a page's title
// with the wiki's name and its owner's avatar, as PNG. Its font, Go by Bigelow & Holmes
// (BSD license), has Latin, Greek and Cyrillic letters; a title with others is left out.
// It stores nothing and decides no access. Drawing takes a bounded time, because texts
// are cut to what fits.
package card

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	_ "image/jpeg" // avatars and icons
	"image/png"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/unicode/norm"

	scale "golang.org/x/image/draw"
)

// A Card says what to draw. Texts that the font lacks are left out.
type Card struct {
	Title  string // of the page; "" for the wiki's plain card
	Wiki   string // name of the wiki
	Slug   string // drawn if the name can't be
	Host   string // of the wiki
	Owner  string // name of its owner
	Avatar []byte // PNG or JPEG of the owner, re-encoded by package raster; nil for their initial
	Icon   []byte // the same of the wiki; nil for ours
	Accent color.Color
}

// Width and Height are the size of a card, in pixels.
const (
	Width  = 1200
	Height = 630
)

const (
	left, right = 132, 72 // margins
	maxRunes    = 200     // of a text
)

var (
	paper = color.RGBA{0xfd, 0xfd, 0xfb, 0xff}
	ink   = color.RGBA{0x19, 0x1a, 0x1c, 0xff}
	soft  = color.RGBA{0x5b, 0x5c, 0x5f, 0xff}
)

// fonts parses the fonts when they are first needed.
var fonts = sync.OnceValues(func() (f struct{ bold, regular *sfnt.Font }, err error) {
	if f.bold, err = opentype.Parse(gobold.TTF); err != nil {
		return f, err
	}
	f.regular, err = opentype.Parse(goregular.TTF)
	return f, err
})

// Draw draws a card as PNG.
func Draw(c Card) ([]byte, error) {
	f, err := fonts()
	if err != nil {
		return nil, fmt.Errorf("card: parse font: %w", err)
	}
	p := &painter{Image: image.NewRGBA(image.Rect(0, 0, Width, Height))}
	p.fill(p.Bounds(), paper)
	p.fill(image.Rect(0, 0, Width, 12), c.Accent)
	name := drawable(f.bold, c.Wiki, c.Slug)
	title := drawable(f.bold, c.Title, "")
	if title == "" {
		title, name = name, ""
	}
	if name != "" {
		p.brand(c.Icon)
		p.text(f.bold, 34, left+60, 106, ink, name, Width-left-60-right)
	}
	if err := p.title(f.bold, title); err != nil {
		return nil, err
	}
	p.face(f.bold, c)
	host := p.text(f.regular, 24, 0, 0, nil, c.Host, 400)
	p.text(f.regular, 28, left+96, 551, soft, drawable(f.regular, c.Owner, ""), Width-left-96-right-host-40)
	p.text(f.regular, 24, Width-right-host, 549, soft, c.Host, 400)
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&out, p.Image); err != nil {
		return nil, fmt.Errorf("card: encode: %w", err)
	}
	return out.Bytes(), nil
}

// drawable returns a text on one line, of at most maxRunes, if the font has all of its
// letters, or else another one.
func drawable(f *sfnt.Font, text, other string) string {
	text = norm.NFC.String(strings.Join(strings.Fields(shorten(text)), " "))
	var buf sfnt.Buffer
	for _, r := range text {
		if glyph, err := f.GlyphIndex(&buf, r); err != nil || glyph == 0 || !unicode.IsPrint(r) || unicode.Is(unicode.M, r) {
			return other
		}
	}
	return text
}

// shorten cuts a text after maxRunes.
func shorten(text string) string {
	n := 0
	for at := range text {
		if n++; n > maxRunes {
			return text[:at] + "…"
		}
	}
	return text
}

// A painter draws on the picture of a card.
type painter struct{ Image *image.RGBA }

// Bounds returns the picture's size.
func (p *painter) Bounds() image.Rectangle { return p.Image.Bounds() }

func (p *painter) fill(r image.Rectangle, c color.Color) {
	draw.Draw(p.Image, r, image.NewUniform(c), image.Point{}, draw.Src)
}

// text writes a line that ends within a width, cut if it has to be, and returns its
// width. x and y are where its baseline begins. Without a color it only measures.
func (p *painter) text(f *sfnt.Font, size float64, x, y int, c color.Color, text string, width int) int {
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72})
	if err != nil {
		return 0
	}
	defer face.Close()
	text = cut(face, shorten(text), width)
	d := font.Drawer{Dst: p.Image, Face: face, Dot: fixed.P(x, y)}
	if c != nil {
		d.Src = image.NewUniform(c)
		d.DrawString(text)
	}
	return d.MeasureString(text).Ceil()
}

// cut shortens a text to a width, with an ellipsis.
func cut(face font.Face, text string, width int) string {
	if font.MeasureString(face, text).Ceil() <= width {
		return text
	}
	letters := []rune(text)
	for len(letters) > 0 && font.MeasureString(face, string(letters)+"…").Ceil() > width {
		letters = letters[:len(letters)-1]
	}
	return strings.TrimSpace(string(letters)) + "…"
}

// title writes the title in the middle, in the largest size in which it fits on the lines
// that it may have.
func (p *painter) title(f *sfnt.Font, title string) error {
	for _, try := range []struct {
		size  float64
		lines int
	}{{92, 1}, {76, 2}, {60, 3}, {48, 4}} {
		face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: try.size, DPI: 72})
		if err != nil {
			return fmt.Errorf("card: font: %w", err)
		}
		lines := wrap(face, title, Width-left-right)
		if len(lines) > try.lines && try.lines < 4 {
			face.Close()
			continue
		}
		if len(lines) > try.lines {
			lines = append(lines[:try.lines-1], strings.Join(lines[try.lines-1:], " "))
		}
		height := try.size * 1.15
		y := 310 - height*float64(len(lines)-1)/2 + try.size*0.35
		for i, line := range lines {
			d := font.Drawer{Dst: p.Image, Src: image.NewUniform(ink), Face: face, Dot: fixed.P(left, int(y+height*float64(i)))}
			d.DrawString(cut(face, line, Width-left-right))
		}
		return face.Close()
	}
	return nil
}

// wrap breaks a text into lines of a width, between words.
func wrap(face font.Face, text string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if longer := strings.TrimSpace(line + " " + word); line == "" || font.MeasureString(face, longer).Ceil() <= width {
			line = longer
			continue
		}
		lines, line = append(lines, line), word
	}
	return append(lines, line)
}

// brand draws the wiki's icon or, without one, ours: a box with an antenna, an eye and a
// closed eye.
func (p *painter) brand(icon []byte) {
	at := image.Rect(left, 70, left+46, 70+46)
	if picture := decode(icon); picture != nil {
		scale.CatmullRom.Scale(p.Image, fit(at, picture.Bounds()), picture, picture.Bounds(), draw.Over, nil)
		return
	}
	p.fill(image.Rect(left+2, 78, left+44, 110), ink)
	p.fill(image.Rect(left+6, 82, left+40, 106), paper)
	p.fill(image.Rect(left+21, 72, left+25, 78), ink)
	p.fill(image.Rect(left+12, 90, left+19, 97), ink)
	p.fill(image.Rect(left+26, 91, left+36, 95), ink)
}

// face draws the owner's avatar or initial, in a circle.
func (p *painter) face(f *sfnt.Font, c Card) {
	at := image.Rect(left, 506, left+72, 506+72)
	disc := &circle{at}
	if picture := decode(c.Avatar); picture != nil {
		square := image.NewRGBA(at)
		scale.CatmullRom.Scale(square, at, picture, middle(picture.Bounds()), draw.Src, nil)
		draw.DrawMask(p.Image, at, square, at.Min, disc, at.Min, draw.Over)
		return
	}
	draw.DrawMask(p.Image, at, image.NewUniform(ink), image.Point{}, disc, at.Min, draw.Over)
	for _, r := range drawable(f, c.Owner, "") {
		letter := string(unicode.ToUpper(r))
		width := p.text(f, 30, 0, 0, nil, letter, 72)
		p.text(f, 30, left+36-width/2, 553, paper, letter, 72)
		return
	}
}

// maxPicture is the size of avatars and icons that are drawn, in pixels of a side.
const maxPicture = 1024

// decode decodes an avatar or icon; nil if it can't.
func decode(data []byte) image.Image {
	config, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil || min(config.Width, config.Height) < 1 || max(config.Width, config.Height) > maxPicture {
		return nil
	}
	picture, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil
	}
	return picture
}

// fit returns the largest part of a square with the proportions of a picture.
func fit(square, picture image.Rectangle) image.Rectangle {
	side := max(picture.Dx(), picture.Dy())
	w, h := square.Dx()*picture.Dx()/side, square.Dy()*picture.Dy()/side
	return image.Rect(0, 0, max(w, 1), max(h, 1)).Add(square.Min).Add(image.Pt((square.Dx()-w)/2, (square.Dy()-h)/2))
}

// middle returns the square in the middle of a picture.
func middle(r image.Rectangle) image.Rectangle {
	side := min(r.Dx(), r.Dy())
	return image.Rect(0, 0, side, side).Add(r.Min).Add(image.Pt((r.Dx()-side)/2, (r.Dy()-side)/2))
}

// A circle is a mask that fills a square.
type circle struct{ square image.Rectangle }

// ColorModel implements image.Image.
func (*circle) ColorModel() color.Model { return color.AlphaModel }

// Bounds implements image.Image.
func (c *circle) Bounds() image.Rectangle { return c.square }

// At implements image.Image, with a smooth edge of two pixels.
func (c *circle) At(x, y int) color.Color {
	radius := float64(c.square.Dx()) / 2
	dx, dy := float64(x-c.square.Min.X)+.5-radius, float64(y-c.square.Min.Y)+.5-radius
	inside := (radius*radius - dx*dx - dy*dy) / (2 * radius) // about the distance from the edge
	return color.Alpha{uint8(255 * min(max(inside+.5, 0), 1))}
}
