package markdown

import (
	"math"
	"regexp"
	"strings"

	"github.com/yuin/goldmark/ast"
)

// imageSize matches a size in Obsidian's form: 300 or 300x200.
var imageSize = regexp.MustCompile(`^([0-9]{1,4})(?:x([0-9]{1,4}))?$`)

// cutSize cuts the size from the text of an image: "alt|300x200". A text that is a
// size alone is one only if alone is true.
func cutSize(text string, alone bool) (alt, width, height string) {
	at := strings.LastIndexByte(text, '|')
	if at < 0 && !alone {
		return text, "", ""
	}
	m := imageSize.FindStringSubmatch(strings.TrimSpace(text[at+1:]))
	if m == nil {
		return text, "", ""
	}
	return strings.TrimSpace(text[:max(at, 0)]), m[1], m[2]
}

// imageText returns the text of a Markdown image and the size in it, if any.
func (d *document) imageText(n *ast.Image) (alt, width, height string) {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		d.writePlainText(&b, c, math.MaxInt)
	}
	return cutSize(oneLine(b.String()), false)
}

var (
	htmlLength = regexp.MustCompile(`^\{?([0-9]{1,4})(?:px)?\}?$`)
	htmlShare  = regexp.MustCompile(`^(?:[1-9]?[0-9]|100)%$`)
	styleWidth = regexp.MustCompile(`(?i)(?:^|;)\s*width\s*:\s*([0-9]+(?:px|%))`)
)

// htmlSize returns a width or height of raw HTML as it is written: pixels or a
// share; "" for others.
func htmlSize(value string) string {
	value = strings.ToLower(strings.TrimSpace(value))
	if m := htmlLength.FindStringSubmatch(value); m != nil {
		return m[1]
	}
	if htmlShare.MatchString(value) {
		return value
	}
	return ""
}

// widthInStyle returns the width in a style attribute as it is written, or "".
func widthInStyle(style string) string {
	if m := styleWidth.FindStringSubmatch(style); m != nil {
		return m[1]
	}
	return ""
}

// isGollumImage reports whether a wikilink shows an image, as [[/path/x.png]]
// does in Gollum.
func (n *wikilink) isGollumImage() bool {
	if n.embed || !strings.HasPrefix(n.target, "/") || n.fragment != "" {
		return false
	}
	dot := strings.LastIndexByte(n.target, '.')
	return dot > 0 && imageExtensions[strings.ToLower(n.target[dot+1:])]
}

var imageExtensions = wordSet("png jpg jpeg gif webp avif svg bmp")

// gollumOptions returns the options after the target: alt=text|width=300px.
func (n *wikilink) gollumOptions() (alt, width, height string) {
	for option := range strings.SplitSeq(n.label, "|") {
		key, value, named := strings.Cut(strings.TrimSpace(option), "=")
		value = strings.TrimSpace(value)
		switch {
		case !named && alt == "" && !gollumFlags[key]:
			alt = key
		case key == "alt":
			alt = value
		case key == "width":
			width = value
		case key == "height":
			height = value
		}
	}
	return alt, width, height
}

var gollumFlags = wordSet("frame thumb float left right center")

// setImageWords sets the words of a link to an image to its text, without the size
// and options, or to its name.
func (n *wikilink) setImageWords() {
	alt := ""
	switch {
	case n.label == "":
		return
	case n.isGollumImage():
		alt, _, _ = n.gollumOptions()
	case n.embed && LooksLikeFile(n.target):
		alt, _, _ = cutSize(n.label, true)
	default:
		return
	}
	if n.words = alt; alt == "" {
		n.words = displayTarget(n.target)
	}
}
