package api

import (
	"bytes"
	"net/http"
	"path"
	"time"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

type attachment struct {
	Filename     string    `json:"filename"`
	Path         string    `json:"path"`
	Size         int64     `json:"size"`
	MIMEType     string    `json:"mime_type"`
	LastModified time.Time `json:"last_modified"`
	Revision     string    `json:"revision"`
	URL          string    `json:"url"`
}

func (c *call) describe(a pages.Attachment) attachment {
	return attachment{a.Name, a.Path, a.Size, a.Type, a.Modified.UTC(), a.Blob, c.origin + wiki.PathURL(a.Path)}
}

type attachmentList struct {
	Attachments []attachment `json:"attachments"`
	Total       int          `json:"total"`
	Path        string       `json:"path"`
}

func (h *Handler) listAttachments(c *call) error {
	list, err := h.o.Pages.Attachments(c.Context(), c.access, c.page)
	if err != nil {
		return err
	}
	out := make([]attachment, len(list))
	for i, a := range list {
		out[i] = c.describe(a)
	}
	return c.respond(http.StatusOK, attachmentList{out, len(out), c.page})
}

// filePath returns the path of the requested attachment.
func (c *call) filePath() string { return path.Join(c.page, c.file) }

type attachmentContent struct {
	attachment
	Content []byte `json:"content"` // base64
}

func (h *Handler) getAttachment(c *call) error {
	a, data, err := h.o.Pages.OpenAttachment(c.Context(), c.access, c.filePath(), c.URL.Query().Get("revision"))
	if err != nil {
		return err
	}
	c.w.Header().Set("ETag", `"`+a.Blob+`"`)
	return c.respond(http.StatusOK, attachmentContent{c.describe(a), data})
}

type uploadBody struct {
	Filename string  `json:"filename"`
	Content  *string `json:"content"` // base64
	Revision string  `json:"revision"`
	Message  string  `json:"commit_message"`
}

type uploadAnswer struct {
	attachment
	Commit  string `json:"commit"`
	Created bool   `json:"created"`
}

func (h *Handler) postAttachment(c *call) error {
	var body uploadBody
	release, err := h.o.Pages.AcquireUpload(c.Context(), c.access, c.ContentLength)
	if err != nil {
		return err
	}
	defer release()
	limit := c.access.Site().Limits.AttachmentBytes
	raw, err := h.readText(c, limit*4/3+1<<16, &body)
	if err != nil {
		return err
	}
	if body.Filename == "" || body.Content == nil {
		return wiki.Problemf(wiki.ErrInvalid, "filename", `The body needs "filename" and "content" (base64).`)
	}
	data, err := pages.DecodeBase64("content", *body.Content)
	if err != nil {
		return err
	}
	req := pages.UploadRequest{Page: c.page, Name: body.Filename, Data: bytes.NewReader(data)}
	if req.Precondition, err = c.precondition(body.Revision); err != nil {
		return err
	}
	req.Replace = req.Base != ""
	if req.Write, err = c.writeOptions(body.Message, raw); err != nil {
		return err
	}
	s, err := h.o.Pages.Upload(c.Context(), c.access, req)
	if err != nil {
		return err
	}
	done, err := h.o.Pages.AcquireLarge(c.Context(), c.access, len(data))
	if err != nil {
		return err
	}
	defer done()
	a, _, err := h.o.Pages.OpenAttachment(c.Context(), c.access, s.Path, s.Revision)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if s.Created {
		status = http.StatusCreated
	}
	if s.Replayed {
		c.w.Header().Set("Idempotency-Replayed", "true")
	}
	c.w.Header().Set("ETag", `"`+a.Blob+`"`)
	return c.respond(status, uploadAnswer{c.describe(a), s.Commit, s.Created})
}

type deleteFileBody struct {
	Revision string `json:"revision"`
	Message  string `json:"commit_message"`
}

type deleteFileAnswer struct {
	Deleted  bool   `json:"deleted"`
	Filename string `json:"filename"`
	Path     string `json:"path"`
	Commit   string `json:"commit"`
}

func (h *Handler) deleteAttachment(c *call) error {
	var body deleteFileBody
	raw, err := c.readJSON(1<<16, &body)
	if err != nil {
		return err
	}
	p, err := c.precondition(body.Revision)
	if err != nil {
		return err
	}
	w, err := c.writeOptions(body.Message, raw)
	if err != nil {
		return err
	}
	s, err := h.o.Pages.DeleteAttachment(c.Context(), c.access, c.filePath(), p, w)
	if err != nil {
		return err
	}
	return c.respond(http.StatusOK, deleteFileAnswer{true, c.file, s.Path, s.Commit})
}
