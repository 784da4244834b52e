package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"robot.wtf/internal/wiki"
)

// readForm reads a form of at most max bytes. It fails with a Problem for the
// first required field that is missing, and returns the other fields with it.
func (h *Handler) readForm(v *visit, max int64, required ...string) (url.Values, error) {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, max)
	if err := h.parseText(v); err != nil {
		return nil, err
	}
	for _, name := range required {
		if !v.r.PostForm.Has(name) {
			return v.r.PostForm, wiki.Problemf(wiki.ErrInvalid, name, "This form is missing the field %q. Open the page and try again from there.", name)
		}
	}
	return v.r.PostForm, nil
}

// parseText is parseForm for a form that may hold a page's text. It reads the whole
// body first, and parses a large one in its wiki's turn, so that a slow client holds no
// turn and many large forms keep one processor busy, not all.
func (h *Handler) parseText(v *visit) error {
	body, err := io.ReadAll(v.r.Body)
	if err != nil {
		return formProblem(err)
	}
	release, err := h.o.Pages.AcquireLarge(v.ctx(), v.a, len(body))
	if err != nil {
		return err
	}
	defer release()
	v.r.Body = io.NopCloser(bytes.NewReader(body))
	return parseForm(v.r)
}

// maxTextForm is the size limit of a form with a page's text. It is larger than a
// page, so that a text over the limit can be returned to the writer; encoding can
// triple a byte.
func maxTextForm(v *visit) int64 { return 4*v.a.Site().Limits.PageBytes + 256<<10 }

// smallForm is the size limit of a form without a text, in bytes.
const smallForm = 64 << 10

// formText returns a text sent by a browser as valid UTF-8 with "\n" line ends.
func formText(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n"), "\r", "\n")
}

// wantsJSON reports whether a script sent the request.
func wantsJSON(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Accept"), "application/json")
}

func (h *Handler) writeJSON(v *visit, status int, value any) error {
	var buf bytes.Buffer
	if err := json.NewEncoder(&buf).Encode(value); err != nil {
		return fmt.Errorf("web: encode JSON response: %w", err)
	}
	v.w.Header().Set("Cache-Control", "no-store")
	h.write(v, status, "application/json", buf.Bytes())
	return nil
}

// A failure is the error shown in a form that is rendered again.
type failure struct {
	Status int
	Field  string // the invalid field, or ""
	Wrong  string // message: what happened, then what to do
	Meant  string // suggested input, or ""
}

// formFailure turns an error into the failure that the form shows. It reports
// false for redirects, which are followed with the form (308).
func (h *Handler) formFailure(v *visit, err error) (failure, bool) {
	if errors.As(err, new(*wiki.Redirect)) {
		return failure{}, false
	}
	var f failure
	f.Status, _, f.Wrong = problem(err)
	var p *wiki.Problem
	if errors.As(err, &p) {
		f.Field, f.Meant = p.Field, p.DidYouMean
	}
	if f.Status == http.StatusInternalServerError {
		f.Wrong = "Something broke on our side, and nothing was saved. Your text is still here. Try again in a minute."
	}
	v.failed(err)
	return f, true
}
