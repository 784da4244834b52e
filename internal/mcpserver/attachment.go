package mcpserver

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

const (
	maxImage    = 1 << 20   // bytes of an image that is sent as one
	maxInlined  = 256 << 10 // bytes that may come in base64
	maxTextFile = 24_000    // characters of a text
)

func (h *Handler) readAttachment(ctx ctx, c *client, a arguments) (*reply, error) {
	page, name := strings.Trim(a.text("path"), "/"), a.text("name")
	if name == "" {
		return h.listAttachments(ctx, c, page)
	}
	file, data, err := h.o.Pages.OpenAttachment(ctx, c.access, path.Join(page, name), "")
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.headf("%s @%s %s, %s bytes, %s", file.Path, short(file.Blob), file.Type, thousands(int(file.Size)), c.origin+wiki.PathURL(file.Path))
	r.by(file.Author)
	switch {
	case file.Image && len(data) <= maxImage:
		r.more = append(r.more, &mcp.ImageContent{Data: data, MIMEType: file.Type})
	case utf8.Valid(data) && !bytes.Contains(data, []byte{0}):
		text := string(data)
		if chars(text) > maxTextFile {
			r.then("Cut after %s of %s characters; the address has all of it, for who is signed in.", thousands(maxTextFile), thousands(chars(text)))
			text = clip(text, maxTextFile)
		}
		r.body.WriteString(text)
	default:
		r.then("It is not shown here; the address leads to it, for who is signed in.")
	}
	return r, nil
}

func (h *Handler) listAttachments(ctx ctx, c *client, page string) (*reply, error) {
	list, err := h.o.Pages.Attachments(ctx, c.access, page)
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.headf("%s: %s", page, count(len(list), "attachment"))
	for _, f := range list {
		r.addf("%s @%s %s, %s bytes, %s by %s\n", f.Name, short(f.Blob), f.Type, thousands(int(f.Size)), day(f.Modified), by(f.Author))
	}
	return r, nil
}

func (h *Handler) writeAttachment(ctx ctx, c *client, a arguments) (*reply, error) {
	page := strings.Trim(a.text("path"), "/")
	name, err := a.needed("name")
	if err != nil {
		return nil, err
	}
	if a.text("base64") == "" {
		return h.offerUpload(ctx, c, page, name, a.text("message"))
	}
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(a.text("base64")), ""))
	switch {
	case err != nil:
		return nil, wiki.Problemf(wiki.ErrInvalid, "base64", "This is no base64 (RFC 4648, section 4).")
	case len(data) > maxInlined:
		return nil, wiki.Problemf(wiki.ErrTooLarge, "base64", "That is more than %s bytes. Call again without base64 for an address to upload it to.", thousands(maxInlined))
	}
	done, err := h.o.Pages.Upload(ctx, c.access, pages.UploadRequest{
		Write: write(c, "write_attachment", a), Page: page, Name: name, Data: bytes.NewReader(data), Replace: true,
	})
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.head = h.stored(c, done)
	return r, nil
}

// stored says where a file is, and how pages show it.
func (h *Handler) stored(c *client, done pages.Saved) string {
	verb := "Stored"
	if done.Unchanged {
		verb = "Already stored"
	}
	return verb + " " + done.Path + " @" + short(done.Revision) + ", commit " + short(done.Commit) + ", " + c.origin + wiki.PathURL(done.Path) + ". A page shows it with ![[" + done.Path + "]]."
}

// offerUpload makes an address that takes one file.
func (h *Handler) offerUpload(ctx ctx, c *client, page, name, message string) (*reply, error) {
	if page != "" {
		if _, err := h.o.Pages.Source(ctx, c.access, page, ""); err != nil {
			return nil, err
		}
	}
	if _, err := pages.FileName(name); err != nil {
		return nil, err
	}
	once, err := h.uploads.add(upload{slug: c.access.Site().Slug, authorization: c.authorization, page: page, name: name, message: message, until: h.o.Now().Add(uploadTime)})
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.headf("Send the file within 15 minutes, once, up to %s bytes: curl -T FILE %s", thousands(int(c.access.Site().Limits.AttachmentBytes)), c.origin+uploadPath+once)
	return r, nil
}

// serveUpload takes a file at a one-time address. The address stands for the
// token of who asked for it, and is worth no more than that is now.
func (h *Handler) serveUpload(w http.ResponseWriter, r *http.Request, slug string) {
	u, ok := h.uploads.take(strings.TrimPrefix(r.URL.Path, uploadPath), slug, h.o.Now())
	if !ok {
		refuse(w, http.StatusGone, "This address has been used, or its 15 minutes are over. Ask write_attachment for another.")
		return
	}
	asked := r.Clone(r.Context())
	asked.Header.Set("Authorization", u.authorization)
	c, err := h.admit(asked, slug)
	if err == nil {
		err = h.take(c, slug, true)
	}
	if err != nil {
		h.refuseCaller(w, asked, slug, err)
		return
	}
	limit := c.access.Site().Limits.AttachmentBytes
	done, err := h.o.Pages.Upload(r.Context(), c.access, pages.UploadRequest{
		Write: pages.Write{Message: u.message}, Page: u.page, Name: u.name, Data: http.MaxBytesReader(w, r.Body, limit+1), Replace: true,
	})
	if err != nil {
		reply := h.refused(r.Context(), c, h.tools["write_attachment"], arguments{}, err)
		refuse(w, wiki.Status(err), reply.text()+" The address is used up; ask for another.")
		return
	}
	writeJSON(w, http.StatusCreated, map[string]string{"path": done.Path, "revision": done.Revision, "commit": done.Commit, "says": h.stored(c, done)})
}
