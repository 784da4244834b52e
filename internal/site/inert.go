package site

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
)

// activeExtensions are those of files that a browser runs script in, or that a web
// server may execute. On the service, a policy disarms them.
var activeExtensions = strings.Fields(`ashx asmx asp aspx cfm cgi config hta htm html jsp jspx mht mhtml phar php php3 php4 php5 php7 php8 pht phtml pl
	shtm shtml stm svg svgz swf xht xhtm xhtml xml xsl xslt`)

// inertName returns the name of an attachment in a site. Files with an active
// extension, wherever it is in the name (Apache looks at each of them), become text.
func inertName(p string) string {
	segments := strings.Split(path.Base(p), ".")
	name, active := segments[0], false
	for i, s := range segments[1:] {
		dot := "."
		if slices.Contains(activeExtensions, strings.ToLower(s)) {
			dot = "_"
			active = active || i == len(segments)-2
		}
		name += dot + s
	}
	if active {
		name += ".txt"
	}
	return path.Join(path.Dir(p), name)
}

// isSVG reports whether a file is named like an SVG image, and has no other active
// extension.
func isSVG(p string) bool {
	stem, ok := strings.CutSuffix(strings.ToLower(p), ".svg")
	return ok && inertName(stem) == path.Clean(stem)
}

// svgElements are the elements of SVG 2 that only draw.
var svgElements = strings.Fields(`animateMotion animateTransform circle clipPath defs desc ellipse filter g image line linearGradient marker mask metadata
	mpath path pattern polygon polyline radialGradient rect stop style svg switch symbol text textPath title tspan use view
	feBlend feColorMatrix feComponentTransfer feComposite feConvolveMatrix feDiffuseLighting feDisplacementMap feDistantLight feDropShadow feFlood
	feFuncA feFuncB feFuncG feFuncR feGaussianBlur feMerge feMergeNode feMorphology feOffset fePointLight feSpecularLighting feSpotLight feTile feTurbulence`)

const (
	svgNamespace   = "http://www.w3.org/2000/svg"
	xhtmlNamespace = "http://www.w3.org/1999/xhtml"
)

var (
	innerReference = regexp.MustCompile(`^\s*(#|data:image/(png|jpeg|gif|webp)[;,])`)
	outerURL       = regexp.MustCompile(`(?i)url\(\s*["']?\s*[^#"'\s)]|image-set\(|\bimage\(|cross-fade\(|src\(|@import|javascript:|expression\(|\\`)
)

// maxSVG is the size of an SVG image that is checked.
const maxSVG = 4 << 20

// isHarmlessSVG reports whether an SVG image, opened directly, runs no script and
// loads nothing.
func isHarmlessSVG(data []byte) bool {
	if len(data) > maxSVG {
		return false
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, errors.New("not UTF-8") }
	style := 0              // depth of style elements
	var styles bytes.Buffer // their text, which comments and sections only seem to divide
	for {
		token, err := d.RawToken()
		switch t := token.(type) {
		case nil:
			return errors.Is(err, io.EOF) && !outerURL.Match(styles.Bytes())
		case xml.ProcInst:
			if t.Target != "xml" {
				return false
			}
		case xml.Directive:
			if bytes.ContainsAny(t, "[") { // a document type with entities
				return false
			}
		case xml.CharData:
			if style > 0 {
				styles.Write(t)
			}
		case xml.StartElement:
			if !isHarmlessElement(t) {
				return false
			}
			if t.Name.Local == "style" {
				style++
			}
		case xml.EndElement:
			if t.Name.Local == "style" {
				style--
			}
		}
	}
}

// isHarmlessElement checks an element of an SVG image. A prefixed element, such as a
// drawing program's, is harmless because browsers don't draw it, so no prefix may be
// declared for SVG or HTML.
func isHarmlessElement(e xml.StartElement) bool {
	if e.Name.Space == "" && !slices.Contains(svgElements, e.Name.Local) {
		return false
	}
	for _, a := range e.Attr {
		name := strings.ToLower(a.Name.Local)
		namespace := a.Name.Space == "xmlns" || name == "xmlns"
		switch {
		case namespace && a.Value == xhtmlNamespace, namespace && a.Value == svgNamespace && name != "xmlns":
			return false
		case a.Name.Space == "" && name == "xmlns" && a.Value != svgNamespace:
			return false
		case strings.HasPrefix(name, "on"):
			return false
		case (name == "href" || name == "src") && !innerReference.MatchString(a.Value):
			return false
		case name == "attributename" && strings.Contains(strings.ToLower(a.Value), "href"):
			return false
		case !namespace && name != "d" && outerURL.MatchString(a.Value):
			return false
		}
	}
	return true
}
