package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"html"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// filesPage lists the attachments of a page, or of the whole wiki.
type filesPage struct {
	Frame
	failure
	Name   wiki.PageName // "" for the whole wiki
	Action string        // upload address
	Files  []fileRow
	Used   int64
	Limit  int64
	Each   int64 // size limit of one file
}

// A fileRow is an attachment in a list.
type fileRow struct {
	pages.Attachment
	Page   wiki.PageName // the page it belongs to, "" at the root
	Manage string        // address of the file's own page
	Icon   string
}

func fileRows(files []pages.Attachment) []fileRow {
	rows := make([]fileRow, len(files))
	for i, f := range files {
		rows[i] = fileRow{Attachment: f, Page: wiki.PageName(wiki.PageName(f.Path).Parent()), Manage: managePath(f.Path), Icon: "page"}
		switch {
		case strings.HasPrefix(f.Type, "image/"):
			rows[i].Icon = "image"
		case f.Type == "text/csv" || f.Type == "text/tab-separated-values":
			rows[i].Icon = "table"
		}
	}
	return rows
}

// managePath is the address of an attachment's own page.
func managePath(file string) string {
	if dir := wiki.PageName(file).Parent(); dir != "" {
		return wiki.PathURL(dir + "/attachment/" + path.Base(file))
	}
	return "/-/attachments?file=" + url.QueryEscape(file)
}

func (h *Handler) showAttachments(v *visit) error {
	p, err := h.newFilesPage(v, v.name)
	if err != nil {
		return err
	}
	return h.render(v, http.StatusOK, "attachments", p)
}

// showAllAttachments lists the files of the wiki. With ?file= it shows a file at
// the root, which belongs to no page.
func (h *Handler) showAllAttachments(v *visit) error {
	if file := v.query("file"); file != "" {
		return h.showFilePage(v, http.StatusOK, file, failure{})
	}
	p, err := h.newFilesPage(v, "")
	if err != nil {
		return err
	}
	return h.render(v, http.StatusOK, "attachments", p)
}

// newFilesPage collects a page's files, or all files if name is empty.
func (h *Handler) newFilesPage(v *visit, name string) (*filesPage, error) {
	p := &filesPage{Action: "/-/upload", Limit: v.a.Site().Limits.CurrentBytes, Each: v.a.Site().Limits.AttachmentBytes}
	var files []pages.Attachment
	var err error
	if name == "" {
		p.Frame = h.frame(v, "Files")
		p.NoIndex = true
		files, err = h.o.Pages.AllAttachments(v.ctx(), v.a)
	} else {
		var page *pages.Page
		if page, err = h.o.Pages.Page(v.ctx(), v.a, name, ""); err != nil {
			return nil, err
		}
		p.Name = page.Name
		p.Action = wiki.PathURL(string(page.Name) + "/attachments")
		p.Frame = h.pageFrame(v, "Files of "+page.Name.Title(), page.Name, "files")
		files, err = h.o.Pages.Attachments(v.ctx(), v.a, string(page.Name))
	}
	if err != nil {
		return nil, err
	}
	stats, err := h.o.Pages.Stats(v.ctx(), v.a)
	if err != nil {
		return nil, err
	}
	p.Files, p.Used = fileRows(files), stats.CurrentBytes
	return p, nil
}

// attachFiles attaches the files of a form to a page.
func (h *Handler) attachFiles(v *visit) error {
	return h.storeFiles(v, v.name)
}

// uploadFiles stores files at the root or, with ?file=, changes one there.
func (h *Handler) uploadFiles(v *visit) error {
	if file := v.query("file"); file != "" {
		return h.changeFile(v, file)
	}
	return h.storeFiles(v, "")
}

func (h *Handler) storeFiles(v *visit, page string) error {
	files, form, err := h.readFiles(v)
	if err == nil && len(files) == 0 {
		err = wiki.Problemf(wiki.ErrInvalid, "file", "Choose a file to upload first.")
	}
	stored := 0
	defer func() { h.chargeMoreWrites(v, stored) }()
	for _, file := range files {
		if err != nil {
			break
		}
		request := pages.UploadRequest{Page: page, Name: file.Filename, Write: pages.Write{Message: form.Get("message")}}
		if as := form.Get("filename"); as != "" {
			request.Name, request.Replace = as, true
		}
		if _, err = h.storeFile(v, file, request); err == nil {
			stored++
		}
	}
	if err == nil {
		to := "/-/attachments"
		if page != "" {
			to = wiki.PathURL(page + "/attachments")
		}
		return h.redirect(v, h.tell(v, to, "uploaded"))
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	p, failed := h.newFilesPage(v, page)
	if failed != nil {
		return err
	}
	p.failure = wrong
	return h.render(v, wrong.Status, "attachments", p)
}

// receiving bounds the files being received at the same time. It takes the place
// of a wiki's upload before its body is read.
func receiving(handle handler) handler {
	return func(h *Handler, v *visit) error {
		release, err := h.o.Pages.AcquireUpload(v.ctx(), v.a, v.r.ContentLength)
		if err != nil && wantsJSON(v.r) {
			return h.writeJSONFailure(v, err)
		}
		if err != nil {
			return err
		}
		defer release()
		defer func() {
			if v.r.MultipartForm != nil {
				v.r.MultipartForm.RemoveAll() // net/http does it later, and again
			}
		}()
		return handle(h, v)
	}
}

// readFiles reads a form with files. Large files are buffered in temporary files,
// which receiving removes when the request ends.
func (h *Handler) readFiles(v *visit) ([]*multipart.FileHeader, url.Values, error) {
	if err := parseForm(v.r); err != nil {
		return nil, nil, err
	}
	if v.r.MultipartForm == nil {
		return nil, v.r.PostForm, nil
	}
	var files []*multipart.FileHeader
	for _, f := range v.r.MultipartForm.File["file"] {
		if f.Filename != "" { // browsers send "" when no file was chosen
			files = append(files, f)
		}
	}
	return files, v.r.PostForm, nil
}

func (h *Handler) storeFile(v *visit, file *multipart.FileHeader, r pages.UploadRequest) (pages.Saved, error) {
	data, err := file.Open()
	if err != nil {
		return pages.Saved{}, fmt.Errorf("web: read upload %q: %w", file.Filename, err)
	}
	defer data.Close()
	r.Data = data
	return h.o.Pages.Upload(v.ctx(), v.a, r)
}

// inlineResponse is the result of a pasted or dropped file, for the editor.
type inlineResponse struct {
	Name     string `json:"name"`
	URL      string `json:"url"`
	Markdown string `json:"markdown"`
	// Attachments are the names of all files of the page.
	Attachments []string `json:"attachments"`
}

// attachInlineFile attaches one file under an unused name, for the editor. If the page
// doesn't exist, the file is kept with the caller's draft.
func (h *Handler) attachInlineFile(v *visit) error {
	files, form, err := h.readFiles(v)
	if err == nil && len(files) != 1 {
		err = wiki.Problemf(wiki.ErrInvalid, "file", "Send one file, in the field \"file\".")
	}
	var saved pages.Saved
	if err == nil {
		saved, err = h.storeFile(v, files[0], pages.UploadRequest{
			Page: v.name, Name: files[0].Filename, Free: true, Draft: true, Write: pages.Write{Message: form.Get("message")},
		})
	}
	if err != nil {
		return h.writeJSONFailure(v, err)
	}
	if saved.Kept {
		return h.writeKeptFile(v, path.Base(saved.Path))
	}
	response := inlineResponse{Name: path.Base(saved.Path), URL: wiki.PathURL(saved.Path)}
	list, err := h.o.Pages.Attachments(v.ctx(), v.a, v.name)
	if err != nil {
		return h.writeJSONFailure(v, err)
	}
	for _, f := range list {
		response.Attachments = append(response.Attachments, f.Name)
		if f.Path == saved.Path {
			response.Markdown = fileMarkdown(f)
		}
	}
	return h.writeJSON(v, http.StatusCreated, response)
}

// writeKeptFile reports a file that is kept with a draft.
func (h *Handler) writeKeptFile(v *visit, name string) error {
	f, _, err := h.o.Pages.DraftFile(v.ctx(), v.a, v.name, name)
	if err != nil {
		return h.writeJSONFailure(v, err)
	}
	page := wiki.PageName(wiki.PageName(f.Path).Parent())
	return h.writeJSON(v, http.StatusCreated, inlineResponse{
		Name: name, URL: pages.DraftFileURL(page, name), Markdown: fileMarkdown(f), Attachments: []string{name},
	})
}

// showDraft serves a file kept with a draft to its writer. It is part of the preview.
func (h *Handler) showDraft(v *visit) error {
	if len(v.rest) == 0 {
		return h.redirectToEdit(v)
	}
	f, data, err := h.o.Pages.DraftFile(v.ctx(), v.a, v.name, v.rest[0])
	if err != nil {
		return err
	}
	kind, inline := servedAs(f)
	sum := sha256.Sum256(data)
	h.fileHeaders(v, kind, hex.EncodeToString(sum[:8]), false)
	v.w.Header().Set("Cache-Control", "private, no-cache")
	v.w.Header().Set("Content-Disposition", disposition(inline, f.Name))
	http.ServeContent(v.w, v.r, "", f.Modified, bytes.NewReader(data))
	return nil
}

// fileMarkdown returns Markdown that links a file from its page, or shows it.
func fileMarkdown(f pages.Attachment) string {
	label := strings.NewReplacer("[", `\[`, "]", `\]`, "_", " ").Replace(strings.TrimSuffix(f.Name, path.Ext(f.Name)))
	address := pages.FileAddress(f.Name)
	if f.Image {
		return "![" + label + "](" + address + ")"
	}
	return "[" + f.Name + "](" + address + ")"
}

func (h *Handler) redirectToAttachments(v *visit) error {
	return h.redirect(v, wiki.PathURL(v.name+"/attachments"))
}

// filePage is one attachment with its history and forms to change it.
type filePage struct {
	Frame
	failure
	Path      string
	File      *pages.Attachment // nil if it was deleted
	Page      wiki.PageName
	Action    string
	Revisions []wiki.Revision
	Each      int64
}

func (h *Handler) showAttachment(v *visit) error {
	return h.showFilePage(v, http.StatusOK, v.name+"/"+v.rest[0], failure{})
}

func (h *Handler) showFilePage(v *visit, status int, file string, wrong failure) error {
	found, _, err := h.o.Pages.OpenAttachment(v.ctx(), v.a, file, "")
	var moved *wiki.Redirect
	switch {
	case errors.As(err, &moved):
		to, err := url.PathUnescape(moved.To)
		if err != nil {
			return fmt.Errorf("web: %q moved to %q: %w", file, moved.To, err)
		}
		return h.redirectWith(v, http.StatusFound, managePath(strings.TrimPrefix(to, "/")))
	case err != nil && !errors.Is(err, wiki.ErrNotFound):
		return err
	}
	p := &filePage{Frame: h.frame(v, path.Base(file)), failure: wrong, Path: file, Each: v.a.Site().Limits.AttachmentBytes}
	if err == nil {
		p.File, p.Path = &found, found.Path
	}
	if p.Revisions, err = h.o.Pages.History(v.ctx(), v.a, p.Path, 0, revisionsShown); err != nil {
		return err
	}
	p.NoIndex = true
	p.Page = wiki.PageName(wiki.PageName(p.Path).Parent())
	p.Head = &Head{Crumbs: crumbs(p.Path), Here: path.Base(p.Path)}
	p.Action = "/-/upload?file=" + url.QueryEscape(p.Path)
	if p.Page != "" {
		p.Action = managePath(p.Path)
	}
	return h.render(v, status, "attachment", p)
}

// changeAttachment renames, replaces, deletes or restores one file.
func (h *Handler) changeAttachment(v *visit) error {
	return h.changeFile(v, v.name+"/"+v.rest[0])
}

func (h *Handler) changeFile(v *visit, file string) error {
	files, form, err := h.readFiles(v)
	if err != nil {
		return err
	}
	pre := pages.Precondition{Base: form.Get("revision")}
	wr := pages.Write{Message: form.Get("message")}
	to := managePath(file)
	var saved pages.Saved
	switch {
	case form.Has("new_filename"):
		if saved, err = h.o.Pages.RenameAttachment(v.ctx(), v.a, file, form.Get("new_filename"), pre, wr); err == nil {
			to = managePath(saved.Path)
		}
	case form.Has("delete"):
		_, err = h.o.Pages.DeleteAttachment(v.ctx(), v.a, file, pre, wr)
		if page := wiki.PageName(file).Parent(); page != "" {
			to = wiki.PathURL(page + "/attachments")
		} else {
			to = "/-/attachments"
		}
	case form.Has("restore"):
		_, err = h.o.Pages.Restore(v.ctx(), v.a, file, form.Get("restore"), wr)
	case len(files) == 1:
		_, err = h.storeFile(v, files[0], pages.UploadRequest{
			Page: wiki.PageName(file).Parent(), Name: path.Base(file), Replace: true, Precondition: pre, Write: wr,
		})
	default:
		err = wiki.Problemf(wiki.ErrInvalid, "file", "Choose a file to replace this one first.")
	}
	if err == nil {
		return h.redirect(v, to)
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	return h.showFilePage(v, wrong.Status, file, wrong)
}

// serveAttachment serves /{page}/a/{file}[/{revision}].
func (h *Handler) serveAttachment(v *visit) error {
	revision := v.query("revision")
	if len(v.rest) > 1 {
		revision = v.rest[1]
	}
	v.suffix = "" // a moved file redirects to its own address
	return h.serveBytes(v, v.name+"/"+v.rest[0], revision)
}

// serveThumbnail serves /{page}/t/{file}[/{size}].
func (h *Handler) serveThumbnail(v *visit) error {
	size := 80
	if len(v.rest) > 1 {
		n, err := strconv.Atoi(v.rest[1])
		if err != nil {
			return wiki.Problemf(wiki.ErrInvalid, "size", "The size of a thumbnail is a number of pixels.")
		}
		size = n
	}
	return h.serveImage(v, v.name+"/"+v.rest[0], v.query("revision"), size)
}

// serveFile serves the file at a path, with ?revision= and thumbnail parameters.
// showPage calls it.
func (h *Handler) serveFile(v *visit, path string) error {
	query := v.r.URL.Query()
	size := 0
	for _, name := range []string{"thumbnail", "size", "width", "height"} {
		if n, err := strconv.Atoi(query.Get(name)); err == nil && n > 0 {
			size = n
		} else if query.Has(name) && size == 0 {
			size = 80
		}
	}
	if size > 0 {
		return h.serveImage(v, path, query.Get("revision"), size)
	}
	return h.serveBytes(v, path, query.Get("revision"))
}

// fileHeaders makes a file inert: browsers don't sniff its type, run scripts in it
// or load anything for it. A revision never changes, but its wiki can become
// private: private caches may keep it, shared caches must revalidate.
func (h *Handler) fileHeaders(v *visit, kind, tag string, fixed bool) {
	header := v.w.Header()
	h.headers.set(header, true)
	header.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	header.Set("Content-Type", kind)
	header.Set("Etag", `"`+tag+`"`)
	header.Set("Vary", "Cookie")
	switch {
	case fixed:
		header.Set("Cache-Control", "private, max-age=31536000, immutable")
	case v.a.Site().Public && v.caller.Anonymous():
		header.Set("Cache-Control", "public, no-cache")
	default:
		header.Set("Cache-Control", "private, no-cache")
	}
}

func (h *Handler) serveBytes(v *visit, file, revision string) error {
	found, data, err := h.o.Pages.OpenAttachment(v.ctx(), v.a, file, revision)
	if err != nil {
		return err
	}
	if found.Pointer != nil && v.r.Header.Get("Sec-Fetch-Dest") == "image" {
		return h.servePlaceholder(v, found)
	}
	kind, inline := servedAs(found)
	h.fileHeaders(v, kind, found.Blob, revision != "")
	if found.Pointer != nil {
		v.w.Header().Add("Vary", "Sec-Fetch-Dest")
	}
	v.w.Header().Set("Content-Disposition", disposition(inline, found.Name))
	http.ServeContent(v.w, v.r, "", found.Modified, bytes.NewReader(data))
	return nil
}

// servePlaceholder shows an image that says that the file is a pointer of Git LFS.
func (h *Handler) servePlaceholder(v *visit, f pages.Attachment) error {
	h.fileHeaders(v, "image/svg+xml", f.Blob+"-placeholder", false)
	v.w.Header().Add("Vary", "Sec-Fetch-Dest")
	v.w.Header().Set("Content-Disposition", disposition(true, f.Name+".svg"))
	picture := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 360 90" width="360" height="90" font-family="sans-serif" font-size="14">`+
		`<rect width="360" height="90" rx="8" fill="#eee"/><text x="16" y="40" fill="#222">%s</text><text x="16" y="64" fill="#555">stored with Git LFS, not in this wiki</text></svg>`,
		html.EscapeString(wiki.VisibleName(f.Name)))
	http.ServeContent(v.w, v.r, "", f.Modified, strings.NewReader(picture))
	return nil
}

// servedAs returns the content type of a file and whether browsers may show it
// inline: only images we can decode, text and PDF.
func servedAs(f pages.Attachment) (kind string, inline bool) {
	switch {
	case f.Image, f.Type == "application/pdf":
		return f.Type, true
	case f.Type == "image/svg+xml": // for <img>, where it can't run scripts
		return f.Type, false
	case strings.HasPrefix(f.Type, "audio/"), strings.HasPrefix(f.Type, "video/"):
		return f.Type, false
	case plainTypes[f.Type]:
		return "text/plain; charset=utf-8", true
	}
	return "application/octet-stream", false
}

// plainTypes are served as plain text. Types that browsers would run or render as
// a document must not be added.
var plainTypes = map[string]bool{
	"text/plain": true, "text/csv": true, "text/tab-separated-values": true,
	"application/json": true, "application/yaml": true, "application/toml": true,
}

// disposition returns a Content-Disposition (RFC 6266); non-ASCII names are encoded
// as in RFC 8187.
func disposition(inline bool, name string) string {
	kind := "attachment"
	if inline {
		kind = "inline"
	}
	return mime.FormatMediaType(kind, map[string]string{"filename": name})
}

func (h *Handler) serveImage(v *visit, file, revision string, size int) error {
	data, kind, err := h.o.Pages.Thumbnail(v.ctx(), v.a, file, revision, size)
	if errors.Is(err, wiki.ErrInvalid) {
		if found, _, failed := h.o.Pages.OpenAttachment(v.ctx(), v.a, file, revision); failed == nil && found.Pointer != nil {
			return h.servePlaceholder(v, found)
		}
	}
	if size == pages.LargePicture && (errors.Is(err, wiki.ErrTooLarge) || errors.Is(err, wiki.ErrUnavailable)) {
		return h.serveBytes(v, file, revision) // pages show it, in any size
	}
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	h.fileHeaders(v, kind, hex.EncodeToString(sum[:8]), revision != "")
	v.w.Header().Set("Content-Disposition", disposition(true, path.Base(file)))
	http.ServeContent(v.w, v.r, "", time.Time{}, bytes.NewReader(data))
	return nil
}
