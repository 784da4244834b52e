package mcpserver

import (
	"bytes"
	"context"
	"net/http"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

const (
	maxImage   = 1 << 20   // bytes of an image that is returned as an image
	maxInlined = 256 << 10 // bytes that can be sent as base64
)

func (h *Handler) readAttachment(ctx context.Context, c *client, a arguments) (*reply, error) {
	page, fileName := strings.Trim(a.text("path"), "/"), a.text("name")
	if fileName == "" {
		return h.listAttachments(ctx, c, page)
	}
	file, data, err := h.o.Pages.OpenAttachment(ctx, c.access, path.Join(page, fileName), "")
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.setHead("%s %s %s, %s bytes, %s", called(file.Path), revision(file.Blob, noCredit), checked(file.Type, mediaType), number(int(file.Size)), address(c, file.Path, wiki.PathURL(file.Path)))
	switch {
	case file.Image && len(data) <= maxImage:
		r.more = append(r.more, &mcp.ImageContent{Data: data, MIMEType: file.Type})
	case utf8.Valid(data) && !bytes.Contains(data, []byte{0}):
		text := string(data)
		shown, left := clipLines(text, fileTokens)
		if left > 0 {
			r.addTail("Cut after %s of %s bytes; signed-in users can open the whole file at its address.", number(len(shown)), number(len(text)))
		}
		r.add("%s", fileText(file.Path, shown))
	default:
		r.addTail("Not shown here; signed-in users can open it at its address.")
	}
	return r, nil
}

func (h *Handler) listAttachments(ctx context.Context, c *client, page string) (*reply, error) {
	list, err := h.o.Pages.Attachments(ctx, c.access, page)
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.setHead("%s: %s", called(page), count(len(list), "attachment"))
	for _, f := range list {
		r.add("%s %s %s, %s bytes, %s by %s\n", called(f.Name), revision(f.Blob, noCredit), checked(f.Type, mediaType), number(int(f.Size)), day(f.Modified), by(f.Author))
	}
	return r, nil
}

func (h *Handler) writeAttachment(ctx context.Context, c *client, a arguments) (*reply, error) {
	page := strings.Trim(a.text("path"), "/")
	name, err := a.requiredText("name")
	if err != nil {
		return nil, err
	}
	if a.text("base64") == "" {
		return h.offerUpload(ctx, c, page, name, a.text("message"))
	}
	data, err := pages.DecodeBase64("base64", a.text("base64"))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxInlined:
		return nil, wiki.Problemf(wiki.ErrTooLarge, "base64", "That is more than %s bytes. Call again without base64 to get an upload address.", wiki.Own(thousands(maxInlined)))
	}
	done, err := h.o.Pages.Upload(ctx, c.access, pages.UploadRequest{
		Write: newWrite(c, "write_attachment", a), Page: page, Name: name, Data: bytes.NewReader(data), Replace: true,
	})
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.head = storedLine(c, done)
	return r, nil
}

// storedLine says where a file is and how to embed it.
func storedLine(c *client, done pages.Saved) line {
	verb := ours("Stored")
	if done.Unchanged {
		verb = "Already stored"
	}
	return say("%s %s %s, commit %s, %s. Embed it with ![[%s]].", constant(verb), called(done.Path), revision(done.Revision, noCredit), hash(done.Commit), address(c, done.Path, wiki.PathURL(done.Path)), called(done.Path))
}

// offerUpload creates an upload address for one file.
func (h *Handler) offerUpload(ctx context.Context, c *client, page, name, message string) (*reply, error) {
	if page != "" {
		if _, err := h.o.Pages.Source(ctx, c.access, page, ""); err != nil {
			return nil, err
		}
	}
	if _, err := pages.FileName(name); err != nil {
		return nil, err
	}
	caller := c.access.Caller()
	once, err := h.uploads.add(upload{
		slug: c.access.Site().Slug, did: caller.User.DID, grant: caller.Grant, authorization: c.authorization,
		page: page, name: name, message: message, until: h.o.Now().Add(uploadTime),
	})
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.setHead("Send the file within 15 minutes, once, up to %s bytes: curl -T FILE %s", number(int(c.access.Site().Limits.AttachmentBytes)), uploadAddress(c, once))
	return r, nil
}

// receiveFile reads and stores the file of an upload address.
func (h *Handler) receiveFile(w http.ResponseWriter, r *http.Request, c *client, u upload) (pages.Saved, error) {
	release, err := h.o.Pages.AcquireUpload(r.Context(), c.access, r.ContentLength)
	if err != nil {
		return pages.Saved{}, err
	}
	defer release()
	limit := c.access.Site().Limits.AttachmentBytes
	return h.o.Pages.Upload(r.Context(), c.access, pages.UploadRequest{
		Write: pages.Write{Message: u.message}, Page: u.page, Name: u.name, Data: http.MaxBytesReader(w, r.Body, limit+1), Replace: true,
	})
}

// serveUpload stores the file sent to a one-time address. The address acts
// with the token that requested it, with that token's current rights.
func (h *Handler) serveUpload(w http.ResponseWriter, r *http.Request, slug string) {
	u, ok := h.uploads.redeem(strings.TrimPrefix(r.URL.Path, uploadPath), slug, h.o.Now())
	if !ok {
		writeError(w, http.StatusGone, "This address has been used or has expired after 15 minutes. Get another from write_attachment.")
		return
	}
	asked := r.Clone(r.Context())
	asked.Header.Set("Authorization", u.authorization)
	c, err := h.authenticate(asked, slug)
	if err == nil {
		err = h.chargeLimit(c, slug, true)
	}
	if err != nil {
		h.refuseCaller(w, asked, slug, err)
		return
	}
	done, err := h.receiveFile(w, r, c, u)
	if err != nil {
		reply := h.render(r.Context(), c, h.errorReply(r.Context(), c, h.tools["write_attachment"], arguments{}, err))
		writeError(w, wiki.Status(err), reply.text()+" The address has been used; get another.")
		return
	}
	stored := map[string]string{"revision": done.Revision, "commit": done.Commit}
	says := h.render(r.Context(), c, &reply{head: storedLine(c, done)})
	if stored["says"] = says.text(); !says.fenced {
		stored["path"] = done.Path
	}
	writeJSON(w, http.StatusCreated, stored)
}
