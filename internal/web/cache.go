package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

	"robot.wtf/internal/budget"
	"robot.wtf/internal/wiki"
)

// finishedKey holds everything a finished page depends on. The page has no
// personal data, so of the reader only their permission to edit is in the key.
type finishedKey struct {
	slug, path string
	seq        int64  // the wiki's head
	created    int64  // unix seconds: a wiki deleted and created again is a different one
	version    int64  // of its settings
	related    uint64 // state of the related pages shown
	canEdit    bool
}

// A finishedPage is a rendered page view. Its header values are shared by all
// responses.
type finishedPage struct {
	plain     []byte   // for anonymous readers
	slot, end int      // position of the account in plain
	policy    []string // Content-Security-Policy instead of the default, or nil
	tag       string   // hash of plain
	etag      []string // weak: the same for both encodings
	length    []string
	packed    lazyGzip
}

// finishedPages caches pages, bounded by their total size and by that of each wiki.
type finishedPages struct {
	cache *budget.Cache[finishedKey, *finishedPage]
}

func newFinishedPages(bytes int64) *finishedPages {
	return &finishedPages{cache: budget.NewCache(bytes, bytes/2,
		func(k finishedKey, _ *finishedPage) string { return k.slug },
		func(k finishedKey, p *finishedPage) int64 {
			return int64(len(p.plain)*3/2 + len(k.path) + 500) // HTML shrinks to less than half
		})}
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
	if v.a, err = h.o.Tenant.Resolve(r.Context(), slug, v.caller); err != nil {
		return false
	}
	h.setRobotsHeader(&v)
	seq, err := h.o.Pages.Head(r.Context(), v.a)
	if err != nil {
		return false
	}
	page, ok := h.finished.cache.GetIfPresent(h.finishedKey(&v, seq))
	if !ok || acceptsMarkdown(r) && wantsMarkdown(r) {
		return false
	}
	if h.chargeRateLimit(&v) != nil {
		return false // a refused charge costs nothing; the handler reports it
	}
	if !anonymous {
		return h.writeSpliced(&v, page) == nil
	}
	h.writeFinished(&v, page)
	return true
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

func (h *Handler) finishedKey(v *visit, seq int64) finishedKey {
	site := v.a.Site()
	return finishedKey{v.slug, v.r.URL.Path, seq, site.Created.Unix(), site.Version, h.o.Pages.RelatedVersion(v.a), v.a.Can(wiki.Edit)}
}

// renderFinished renders a page view, caches it under its address and head, and
// sends it. The head was read before the page, so a cached page can be newer than
// its key, but never older.
func (h *Handler) renderFinished(v *visit, seq int64, name string, data framed) error {
	buf, err := h.execute(name, data)
	if err != nil {
		return err
	}
	defer buffers.Put(buf)
	p, err := h.makeFinished(v, buf.Bytes())
	if err != nil {
		return err
	}
	if v.r.URL.RawQuery == "" && !wantsMarkdown(v.r) {
		h.finished.cache.Set(h.finishedKey(v, seq), p)
	}
	if v.caller.Anonymous() {
		h.writeFinished(v, p)
		return nil
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
	p.plain = bytes.Join([][]byte{rendered[:slot], account.html, rendered[slot+len(h.templates.slot):]}, nil)
	sum := sha256.Sum256(p.plain)
	p.tag = hex.EncodeToString(sum[:8])
	p.etag = []string{`W/"` + p.tag + `"`}
	p.length = []string{strconv.Itoa(len(p.plain))}
	return p, nil
}

// writeFinished sends a page to an anonymous reader.
func (h *Handler) writeFinished(v *visit, p *finishedPage) {
	if h.writeFinishedHeader(v, p, p.etag, publicCache) {
		return
	}
	header := v.w.Header()
	body, length := p.plain, p.length
	if acceptsGzip(v.r) {
		header["Content-Encoding"] = gzipCoding
		z := p.packed.get(p)
		body, length = z.member, z.length
	}
	header["Content-Length"] = length
	_, _ = v.w.Write(body)
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
	if h.writeFinishedHeader(v, p, []string{`W/"` + p.tag + "-" + account.tag + `"`}, ownCache) {
		return nil
	}
	header := v.w.Header()
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	tail, size := p.plain[p.end:], len(p.plain)-(p.end-p.slot)+len(account.html)
	buf.Grow(size + 64)
	page := buf.AvailableBuffer()
	if acceptsGzip(v.r) {
		header["Content-Encoding"] = gzipCoding
		page = p.packed.get(p).appendWith(page, account, tail, size)
	} else {
		page = append(append(append(page, p.plain[:p.slot]...), account.html...), tail...)
	}
	header["Content-Length"] = []string{strconv.Itoa(len(page))}
	_, _ = v.w.Write(page)
	return nil
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
