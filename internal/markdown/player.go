package markdown

import (
	"net/url"
	"regexp"
	"strings"
	"sync"

	xhtml "golang.org/x/net/html"

	"robot.wtf/internal/wiki"
)

// A page loads nothing from other hosts, and players of other services run scripts.
// So a player in a page becomes a card with a link to the video.

// writePlayer writes the card of a video or sound. Without a title, it shows the
// name, and without a link the text as written.
func (w *writer) writePlayer(p linkTarget, title, written string) {
	to := w.lookUp(p)
	where, name := playerSource(p, to)
	if title == "" {
		title = name
	}
	if !w.isLink(to) && title == "" {
		title = written
	}
	if !w.isLink(to) || w.inLink > 0 {
		w.writeText(title)
		return
	}
	to.card = true
	icon := "out"
	if p.Kind != "" {
		icon = "page"
	}
	w.writeLink(to, "", func() {
		w.write(w.icon(icon), "<span><b>")
		w.writeText(title)
		w.write(`</b><br><small>`)
		w.writeText(where)
		w.write("</small></span>")
	})
}

// playerSource returns where a video is, in words, and its name.
func playerSource(p linkTarget, to resolvedLink) (where, name string) {
	if p.Kind != "" {
		name = p.Target[strings.LastIndexByte(p.Target, '/')+1:]
		if to.missing {
			return "A file that doesn't exist yet", name
		}
		return "A file of this wiki", name
	}
	u, err := url.Parse(to.url)
	if err != nil || u.Host == "" {
		return "", to.url
	}
	host := strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.")
	return "On " + host, to.url
}

// A player is the address of a well-known player, and of the page that shows the same.
type player struct {
	form *regexp.Regexp
	page string
}

// players are compiled when a page first has a frame: together they take a quarter of a
// megabyte.
var players = sync.OnceValue(func() []player {
	return []player{
		{regexp.MustCompile(`^(?:www\.)?(?:youtube\.com|youtube-nocookie\.com)/embed/([A-Za-z0-9_-]{5,20})$`), "https://www.youtube.com/watch?v=$1"},
		{regexp.MustCompile(`^player\.vimeo\.com/video/([0-9]{1,15})$`), "https://vimeo.com/$1"},
		{regexp.MustCompile(`^(?:www\.)?dailymotion\.com/embed/video/([A-Za-z0-9]{1,20})$`), "https://www.dailymotion.com/video/$1"},
		{regexp.MustCompile(`^player\.bilibili\.com/player\.html$`), "https://www.bilibili.com/video/$bvid"},
		{regexp.MustCompile(`^player\.twitch\.tv/$`), "https://www.twitch.tv/videos/$video"},
		{regexp.MustCompile(`^open\.spotify\.com/embed/([a-z]{1,20}/[A-Za-z0-9]{1,40})$`), "https://open.spotify.com/$1"},
		{regexp.MustCompile(`^w\.soundcloud\.com/player/?$`), "$url"},
		{regexp.MustCompile(`^(?:www\.)?loom\.com/embed/([a-f0-9]{10,40})$`), "https://www.loom.com/share/$1"},
		{regexp.MustCompile(`^codepen\.io/([\w-]{1,40})/embed/([\w-]{1,40})$`), "https://codepen.io/$1/pen/$2"},
		{regexp.MustCompile(`^(?:www\.)?google\.com/maps/embed$`), "$self"},
		{regexp.MustCompile(`^(?:www\.)?openstreetmap\.org/export/embed\.html$`), "$self"},
		{regexp.MustCompile(`^archive\.org/embed/([\w.-]{1,100})$`), "https://archive.org/details/$1"},
		{regexp.MustCompile(`^([a-z0-9.-]{4,100})/videos/embed/([\w-]{10,40})$`), "https://$1/videos/watch/$2"}, // PeerTube
	}
})

var playerID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,30}$`)

// playerPage returns the address of the page for a player's address, or "" if the
// player isn't known.
func playerPage(src string) string {
	src = strings.TrimSpace(src)
	if strings.HasPrefix(src, "//") {
		src = "https:" + src
	}
	u, err := url.Parse(src)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.Port() != "" {
		return ""
	}
	place := strings.ToLower(u.Host) + u.EscapedPath()
	for _, p := range players() {
		m := p.form.FindStringSubmatchIndex(place)
		if m == nil {
			continue
		}
		switch p.page {
		case "$self":
			return src
		case "$url":
			if to := u.Query().Get("url"); scheme(to) == "https" {
				return to
			}
			return ""
		}
		page, key, inQuery := strings.Cut(p.page, "/$")
		if inQuery && !strings.Contains(p.page, "$1") {
			if id := u.Query().Get(key); playerID.MatchString(id) {
				return page + "/" + id
			}
			return ""
		}
		return string(p.form.ExpandString(nil, p.page, place, m))
	}
	return ""
}

// playerTarget is the target of the card for a tag: of an iframe with a well-known
// player, or of a video or sound. It reports whether there is one.
func playerTarget(self wiki.PageName, tag, src string) (p linkTarget, ok bool) {
	if tag == "iframe" {
		p = addressTarget(self, playerPage(src), false)
	} else {
		p = addressTarget(self, src, true)
	}
	return p, p.Kind != "" || p.url != "" && p.out
}

// A mediaState says whether a <video> or <audio> is open, and has its card.
type mediaState int

const (
	mediaClosed mediaState = iota
	mediaOpen
	mediaShown
)

// writePlayerTag writes the card for a tag of raw HTML that plays something. It
// reports whether the tag is one.
func (w *writer) writePlayerTag(t xhtml.Token, kind xhtml.TokenType, open *[]string) bool {
	switch t.Data {
	case "iframe", "video", "audio":
	case "source":
		if w.media != mediaOpen {
			return false
		}
	default:
		return false
	}
	if kind == xhtml.EndTagToken {
		shown := w.media != mediaClosed && t.Data != "source"
		w.media = mediaClosed
		return shown
	}
	p, ok := playerTarget(w.doc.name, t.Data, attribute(t, "src"))
	if !ok && (t.Data == "iframe" || attribute(t, "src") != "") {
		return false
	}
	w.media = mediaOpen
	if ok && w.makeRoomForTag("img", open) {
		w.writePlayer(p, attribute(t, "title"), "")
		w.media = mediaShown
	}
	return true
}

var mediaEnd = regexp.MustCompile(`(?i)</(?:video|audio|iframe)`)

// inFallback reports whether an offset of raw HTML is in the text for browsers
// without a player: before the last end tag of one.
func (w *writer) inFallback(at int, lastEnd func() int) bool {
	return w.media != mediaClosed && at < lastEnd()
}

// lastMediaEnd returns a function that finds the last end tag of a player once.
func lastMediaEnd(raw []byte) func() int {
	return sync.OnceValue(func() int {
		all := mediaEnd.FindAllIndex(raw, -1)
		if len(all) == 0 {
			return 0
		}
		return all[len(all)-1][0]
	})
}
