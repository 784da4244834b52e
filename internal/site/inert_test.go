package site

import "testing"

func TestInertName(t *testing.T) {
	for from, want := range map[string]string{
		"a/b.png": "a/b.png", "a.tar.gz": "a.tar.gz", "notes.v1.2.txt": "notes.v1.2.txt", "README": "README",
		"x/page.html": "x/page_html.txt", "Page.HTM": "Page_HTM.txt", "shell.php": "shell_php.txt", "web.config": "web_config.txt",
		"shell.php.jpg": "shell_php.jpg", "a.svg": "a_svg.txt", "a.svg.xml": "a_svg_xml.txt", "html/x.pdf": "html/x.pdf", "html": "html",
	} {
		if got := inertName(from); got != want {
			t.Errorf("%s becomes %s, want %s", from, got, want)
		}
	}
	for name, want := range map[string]bool{"a.svg": true, "x/A.SVG": true, "a.php.svg": false, "svg": false, "a.svg.png": false} {
		if isSVG(name) != want {
			t.Errorf("isSVG(%s) is %v", name, !want)
		}
	}
}

// Attack: an SVG image, opened directly on a web host, runs a script there
// or reports who opened it.
func TestHarmlessSVG(t *testing.T) {
	const open = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 1 1">`
	harmless := []string{
		open + `<title>x</title><path d="M0 0L1 1" fill="url(#a)"/></svg>`,
		`<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">` + open + `<use xlink:href="#a"/><image href="data:image/png;base64,AA"/></svg>`,
		open + `<style>.a { fill: red; mask: url(#m) }</style><sodipodi:namedview xmlns:sodipodi="http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd" id="x"/></svg>`,
		open + `<animateTransform attributeName="transform" type="rotate"/></svg>`,
	}
	for _, s := range harmless {
		if !isHarmlessSVG([]byte(s)) {
			t.Errorf("refused: %s", s)
		}
	}
	for _, s := range []string{
		`<script>alert(1)</script>`, `<path onload="alert(1)"/>`, `<path ONCLICK="alert(1)"/>`, `<foreignObject><body/></foreignObject>`,
		`<a href="javascript:alert(1)"><path/></a>`, `<use href="https://evil.example/x.svg#a"/>`, `<image xlink:href="//evil.example/x.png"/>`,
		`<image href="data:image/svg+xml,x"/>`, `<set attributeName="href" to="x"/>`, `<animateTransform attributeName="xlink:href"/>`,
		`<style>@import "https://evil.example/x.css"</style>`, `<style>a{background:url(https://evil.example)}</style>`, `<style>a{background:u\72l(x)}</style>`,
		`<style>@im<!-- -->port "https://evil.example/x.css"</style>`, `<style>a{background:u<![CDATA[rl(]]>https://evil.example)}</style>`,
		`<style>svg{background:-webkit-image-set("https://evil.example/x.png" 1x)}</style>`, `<style>svg{background:cross-fade("https://evil.example/x.png", red)}</style>`,
		`<path style="fill:url('https://evil.example/')"/>`, `<h:script xmlns:h="http://www.w3.org/1999/xhtml">alert(1)</h:script>`,
		`<s:script xmlns:s="http://www.w3.org/2000/svg">alert(1)</s:script>`, `<g xmlns="http://www.w3.org/1999/xhtml"><script/></g>`,
		`<?xml-stylesheet href="https://evil.example/x.css"?>`, `<!DOCTYPE x [<!ENTITY a "b">]>`, `<path`, `&unknown;<script>`,
	} {
		if s := open + s + `</svg>`; isHarmlessSVG([]byte(s)) {
			t.Errorf("accepted: %s", s)
		}
	}
	if isHarmlessSVG([]byte(`<?xml version="1.0" encoding="UTF-7"?>`+open+`</svg>`)) || isHarmlessSVG([]byte("\xff\xfe<\x00s\x00")) {
		t.Error("accepted another encoding")
	}
}
