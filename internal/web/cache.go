package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/flate"

	"robot.wtf/internal/budget"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// finishedKey identifies a finished page. It has no personal data, so of the reader only
// their permission to edit is in the key.
type finishedKey struct {
	slug, path string
	canEdit    bool
}

// A finishedPage is a rendered page view, with everything it depends on: it is sent until
// one of these changes. Its header values are shared by all responses.
type finishedPage struct {
	created int64 // unix seconds: a wiki deleted and created again is a different one
	version int64 // of its settings
	state   atomic.Pointer[pages.State]
	basis   *pages.Basis
	beside  beside
	bylines []shownAuthor

	size      int      // of the text for anonymous readers
	slot, end int      // position of the account in it
	policy    []string // Content-Security-Policy instead of the default, or nil
	tag       string   // hash of the text
	etag      []string // weak: the same for both encodings
	length    []string
	packed    atomic.Pointer[splicedGzip] // the text
	asked     atomic.Int64                // how often it was sent compressed
}

// finishedPages caches pages, bounded by their total size and by that of each wiki. They
// are kept compressed, because almost all readers get them so; texts has the
// uncompressed pages that the other readers asked for last.
type finishedPages struct {
	cache *budget.Cache[finishedKey, *finishedPage]
	texts *budget.Cache[textKey, []byte]
}

// A textKey identifies a page's text by its tag.
type textKey struct{ slug, tag string }

func newFinishedPages(bytes int64) *finishedPages {
	const textShare = 4
	texts := bytes / textShare
	return &finishedPages{
		cache: budget.NewCache(bytes-texts, (bytes-texts)/2,
			func(k finishedKey, _ *finishedPage) string { return k.slug },
			func(k finishedKey, p *finishedPage) int64 {
				return int64(len(p.packed.Load().member) + len(k.path) + p.basis.Weight() + 900)
			}),
		texts: budget.NewCache(texts, texts/2,
			func(k textKey, _ []byte) string { return k.slug },
			func(_ textKey, text []byte) int64 { return int64(len(text) + 200) }),
	}
}

// text returns the text of a page of a wiki.
func (f *finishedPages) text(slug string, p *finishedPage) ([]byte, error) {
	key := textKey{slug, p.tag}
	if text, ok := f.texts.GetIfPresent(key); ok {
		return text, nil
	}
	text, err := p.packed.Load().plain(p.size)
	if err == nil {
		f.texts.Set(key, text)
	}
	return text, err
}

// gzip returns a page compressed: fast for its first reader, because rendering already took
// time, and well from the second on.
func (f *finishedPages) gzip(slug string, p *finishedPage) (*splicedGzip, error) {
	z := p.packed.Load()
	if p.asked.Add(1) != 2 || z.small {
		return z, nil
	}
	text, ok := f.texts.GetIfPresent(textKey{slug, p.tag})
	if !ok {
		var err error
		if text, err = z.plain(p.size); err != nil {
			return nil, err
		}
	}
	z = newSplicedGzip(flate.BestCompression, text, p.slot, p.end)
	p.packed.Store(z)
	return z, nil
}

var (
	htmlType    = []string{"text/html; charset=utf-8"}
	publicCache = []string{"no-cache"} // caches must revalidate: the wiki may have changed
	ownCache    = []string{"private, no-cache"}
	gzipCoding  = []string{"gzip"}
)

// serveFinished serves a page view from the cache and reports whether it did. The
// caller, their access, the wiki's head and the page all come from memory.
// Everything out of the ordinary is left to the handlers.
func (h *Handler) serveFinished(w http.ResponseWriter, r *http.Request, slug string) bool {
	if !reads(r) || r.URL.RawQuery != "" {
		return false
	}
	anonymous := len(r.Header["Cookie"]) == 0
	v := visit{w: w, r: r, slug: slug}
	if !anonymous {
		v.caller = h.o.Session.Browser(r)
		if anonymous = v.caller.Anonymous(); anonymous && mayBeSignedIn(r) {
			return false
		}
	}
	var err error
	if v.a, err = h.o.Tenant.Resolve(r.Context(), slug, v.caller); err != nil || h.homeAddress(r, slug) != "" {
		return false
	}
	h.setRobotsHeader(&v)
	page, ok := h.finished.cache.GetIfPresent(keyOf(&v))
	if !ok || acceptsMarkdown(r) && wantsMarkdown(r) || !h.isCurrent(&v, page) {
		return false
	}
	if h.chargeRateLimit(&v) != nil {
		return false // a refused charge costs nothing; the handler reports it
	}
	if !anonymous {
		return h.writeSpliced(&v, page) == nil
	}
	return h.writeFinished(&v, page) == nil
}

// acceptsMarkdown is a cheap check before wantsMarkdown.
func acceptsMarkdown(r *http.Request) bool {
	for _, line := range r.Header["Accept"] {
		if strings.Contains(line, "markdown") {
			return true
		}
	}
	return false
}

func keyOf(v *visit) finishedKey { return finishedKey{v.slug, v.r.URL.Path, v.a.Can(wiki.Edit)} }

// isCurrent reports whether a finished page is what would be rendered now.
func (h *Handler) isCurrent(v *visit, p *finishedPage) bool {
	site := v.a.Site()
	if p.created != site.Created.Unix() || p.version != site.Version {
		return false
	}
	state, err := h.o.Pages.State(v.ctx(), v.a)
	if err != nil {
		return false
	}
	last := p.state.Load()
	if *last == state {
		return true
	}
	same, sameNames, err := h.o.Pages.IsCurrent(v.ctx(), v.a, p.basis, *last)
	if err != nil || !same || !sameNames && !h.isBeside(v, p) {
		return false
	}
	for _, by := range p.bylines {
		if h.byline(by.author) != by.line {
			return false
		}
	}
	p.state.Store(&state)
	return true
}

// isBeside reports whether the request's address still leads to the page, and the tree
// and count beside it are the same.
func (h *Handler) isBeside(v *visit, p *finishedPage) bool {
	name := string(p.basis.Name())
	now, err := h.readBeside(v, name)
	if err != nil || now.state != p.beside {
		return false
	}
	path := strings.TrimPrefix(v.r.URL.Path, "/")
	if path == "" {
		return now.state.home == name
	}
	found, err := h.o.Pages.Find(v.ctx(), v.a, path)
	return err == nil && found.Kind == pages.KindPage && found.Path == name
}

// A shownAuthor is an author whom a page names. The line changes when their account is
// deleted.
type shownAuthor struct {
	author wiki.Author
	line   string
}

// bylinesOf lists the authors that a page names.
func (h *Handler) bylinesOf(view *pages.View) (list []shownAuthor) {
	add := func(a wiki.Author) {
		if !slices.ContainsFunc(list, func(s shownAuthor) bool { return s.author == a }) {
			list = append(list, shownAuthor{a, h.byline(a)})
		}
	}
	add(view.File.Author)
	for _, part := range view.Blame {
		if part.By != nil {
			add(part.By.Author)
		}
	}
	return list
}

// renderFinished renders a page view, caches it, and sends it. The state was read before
// the page, so a cached page can be newer than its state, but never older.
func (h *Handler) renderFinished(v *visit, state pages.State, next beside, data *pageView) error {
	bylines := h.bylinesOf(data.View)
	buf, err := h.execute("page", data)
	if err != nil {
		return err
	}
	defer buffers.Put(buf)
	p, err := h.makeFinished(v, buf.Bytes())
	if err != nil {
		return err
	}
	if v.r.URL.RawQuery == "" && !wantsMarkdown(v.r) {
		p.created, p.version = v.a.Site().Created.Unix(), v.a.Site().Version
		p.basis, p.beside, p.bylines = data.View.Basis, next, bylines
		p.state.Store(&state)
		h.finished.cache.Set(keyOf(v), p)
	}
	if v.caller.Anonymous() {
		return h.writeFinished(v, p)
	}
	return h.writeSpliced(v, p)
}

func (h *Handler) makeFinished(v *visit, rendered []byte) (*finishedPage, error) {
	anonymous := *v
	anonymous.caller = wiki.Caller{}
	account, err := h.account(&anonymous)
	if err != nil {
		return nil, err
	}
	slot := bytes.Index(rendered, h.templates.slot)
	p := &finishedPage{policy: v.policy, slot: slot, end: slot + len(account.html)}
	text := bytes.Join([][]byte{rendered[:slot], account.html, rendered[slot+len(h.templates.slot):]}, nil)
	sum := sha256.Sum256(text)
	p.tag, p.size = hex.EncodeToString(sum[:8]), len(text)
	p.etag = []string{`W/"` + p.tag + `"`}
	p.length = []string{strconv.Itoa(p.size)}
	p.packed.Store(newSplicedGzip(flate.BestSpeed, text, p.slot, p.end))
	if !acceptsGzip(v.r) {
		h.finished.texts.Set(textKey{v.slug, p.tag}, text)
	}
	return p, nil
}

// writeFinished sends a page to an anonymous reader.
func (h *Handler) writeFinished(v *visit, p *finishedPage) error {
	header := v.w.Header()
	var body []byte
	length := p.length
	switch {
	case sameTag(v.r, p.etag[0]):
	case acceptsGzip(v.r):
		z, err := h.finished.gzip(v.slug, p)
		if err != nil {
			return err
		}
		header["Content-Encoding"] = gzipCoding
		body, length = z.member, z.length
	default:
		var err error
		if body, err = h.finished.text(v.slug, p); err != nil {
			return err
		}
	}
	if h.writeFinishedHeader(v, p, p.etag, publicCache) {
		return nil
	}
	header["Content-Length"] = length
	_, _ = v.w.Write(body)
	return nil
}

// writeFinishedHeader sets the headers of a finished page, except those that differ by
// encoding. It reports true if the reader has the page, and has been told so.
func (h *Handler) writeFinishedHeader(v *visit, p *finishedPage, etag, cache []string) bool {
	header := v.w.Header()
	h.headers.set(header, true)
	if p.policy != nil {
		header["Content-Security-Policy"] = p.policy
	}
	header["Etag"] = etag
	header["Cache-Control"] = cache
	header["Vary"] = varyValue
	if sameTag(v.r, etag[0]) {
		v.w.WriteHeader(http.StatusNotModified)
		return true
	}
	header["Content-Type"] = htmlType
	return false
}

// writeSpliced sends a page to a signed-in person, with their account in the slot. Its
// tag names both, so it changes when somebody else signs in.
func (h *Handler) writeSpliced(v *visit, p *finishedPage) error {
	account, err := h.account(v)
	if err != nil {
		return err
	}
	etag := []string{`W/"` + p.tag + "-" + account.tag + `"`}
	if sameTag(v.r, etag[0]) {
		h.writeFinishedHeader(v, p, etag, ownCache)
		return nil
	}
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	page, err := h.appendSpliced(buf, v, p, account)
	if err != nil {
		return err
	}
	h.writeFinishedHeader(v, p, etag, ownCache)
	header := v.w.Header()
	if acceptsGzip(v.r) {
		header["Content-Encoding"] = gzipCoding
	}
	header["Content-Length"] = []string{strconv.Itoa(len(page))}
	_, _ = v.w.Write(page)
	return nil
}

// appendSpliced returns a page with an account, in memory of buf.
func (h *Handler) appendSpliced(buf *bytes.Buffer, v *visit, p *finishedPage, account *accountPart) ([]byte, error) {
	size := p.size - (p.end - p.slot) + len(account.html)
	if acceptsGzip(v.r) {
		z, err := h.finished.gzip(v.slug, p)
		if err != nil {
			return nil, err
		}
		buf.Grow(len(z.member) + len(account.blocks))
		return z.appendWith(buf.AvailableBuffer(), account, size), nil
	}
	text, err := h.finished.text(v.slug, p)
	if err != nil {
		return nil, err
	}
	buf.Grow(size)
	page := append(buf.AvailableBuffer(), text[:p.slot]...)
	return append(append(page, account.html...), text[p.end:]...), nil
}

// sameTag reports whether If-None-Match names the tag (RFC 9110, 13.1.2: weak
// comparison).
func sameTag(r *http.Request, tag string) bool {
	for _, line := range r.Header["If-None-Match"] {
		for part := range strings.SplitSeq(line, ",") {
			part = strings.TrimSpace(part)
			if part == "*" || strings.TrimPrefix(part, "W/") == strings.TrimPrefix(tag, "W/") {
				return true
			}
		}
	}
	return false
}

// writeCached sends a body that is the same for everyone with access and changes
// only with its tag.
func (h *Handler) writeCached(v *visit, kind, tag string, body []byte) {
	header := v.w.Header()
	header.Set("Etag", tag)
	header["Cache-Control"] = publicCache
	if !v.caller.Anonymous() {
		header["Cache-Control"] = ownCache
	}
	if sameTag(v.r, tag) {
		h.headers.set(header, true)
		header["Vary"] = varyValue
		v.w.WriteHeader(http.StatusNotModified)
		return
	}
	h.write(v, http.StatusOK, kind, body)
}
