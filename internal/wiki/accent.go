package wiki

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// DefaultAccent is the accent color of wikis that choose none.
const DefaultAccent = "#2038c4"

// ParseAccent parses a color as browsers send it, "#2038c4" in any case. "" and the
// default stand for no own color, and return "".
func ParseAccent(text string) (string, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if text == "" || text == DefaultAccent {
		return "", nil
	}
	if _, ok := parseColor(text); !ok {
		return "", Problemf(ErrInvalid, "accent", "%q isn't a color. Use six hexadecimal digits, such as #6a2a9c.", text)
	}
	return text, nil
}

// Shades are an accent color and those that go with it on a background, as "#2038c4".
type Shades struct {
	Accent   string // of text and buttons
	OnAccent string // of text on a button
	Tint     string // background of text in the accent color
}

// backgrounds are those that text in the accent color has besides its tint, as in
// app.css: paper, sunk, and the tints of notices. The first one is the page's.
var backgrounds = map[bool][]color{
	false: colors("#fdfdfb", "#f4f4ef", "#dcf1e2", "#fbefcf", "#fce3df"),
	true:  colors("#15171b", "#1d2026", "#17362a", "#382d14", "#442322"),
}

// minContrast is that of text on its background (WCAG 2.2, 1.4.3).
const minContrast = 4.5

// AccentShades returns the shades of an accent color, on light or dark pages. A color
// with too little contrast is made darker on light pages, and lighter on dark ones,
// until its text can be read on every background.
func AccentShades(accent string, dark bool) Shades {
	c, _ := parseColor(accent)
	shades, toward, share := Shades{OnAccent: "#ffffff"}, color{}, 0.1
	if dark {
		shades.OnAccent, toward, share = "#11141d", color{1, 1, 1}, 0.15
	}
	for step := 0; ; step++ {
		shade := c.mix(toward, float64(step)/50).rounded()
		tint := backgrounds[dark][0].mix(shade, share).rounded()
		if step == 50 || shade.readableOn(append(backgrounds[dark], tint)) {
			shades.Accent, shades.Tint = shade.String(), tint.String()
			return shades
		}
	}
}

// A color has red, green and blue from 0 to 1, as sRGB encodes them.
type color [3]float64

func parseColor(text string) (c color, ok bool) {
	digits, ok := strings.CutPrefix(text, "#")
	n, err := strconv.ParseUint(digits, 16, 24)
	if !ok || err != nil || len(digits) != 6 {
		return c, false
	}
	return color{float64(n>>16) / 255, float64(n>>8&255) / 255, float64(n&255) / 255}, true
}

func colors(list ...string) []color {
	parsed := make([]color, len(list))
	for i, text := range list {
		parsed[i], _ = parseColor(text)
	}
	return parsed
}

func (c color) String() string {
	return fmt.Sprintf("#%02x%02x%02x", int(math.Round(c[0]*255)), int(math.Round(c[1]*255)), int(math.Round(c[2]*255)))
}

// rounded returns the color as it is shown.
func (c color) rounded() color {
	for i := range c {
		c[i] = math.Round(c[i]*255) / 255
	}
	return c
}

// mix returns the color with a share of another one.
func (c color) mix(other color, share float64) color {
	for i := range c {
		c[i] += (other[i] - c[i]) * share
	}
	return c
}

// luminance is the relative luminance (WCAG 2.2).
func (c color) luminance() float64 {
	sum := 0.0
	for i, weight := range [3]float64{0.2126, 0.7152, 0.0722} {
		v := c[i] / 12.92
		if c[i] > 0.04045 {
			v = math.Pow((c[i]+0.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}

// contrast is the contrast ratio of two colors (WCAG 2.2), from 1 to 21.
func (c color) contrast(other color) float64 {
	a, b := c.luminance(), other.luminance()
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

func (c color) readableOn(backgrounds []color) bool {
	for _, b := range backgrounds {
		if c.contrast(b) < minContrast {
			return false
		}
	}
	return true
}
