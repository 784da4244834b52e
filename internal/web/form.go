package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"robot.wtf/internal/wiki"
)

// readForm reads a form of at most max bytes. It fails with a Problem that
// names the first of the required fields that is missing.
func (h *Handler) readForm(v *visit, max int64, required ...string) (url.Values, error) {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, max)
	if err := parseForm(v.r); err != nil {
		return nil, err
	}
	for _, name := range required {
		if !v.r.PostForm.Has(name) {
			return v.r.PostForm, wiki.Problemf(wiki.ErrInvalid, name, "This form lacks its field %q. Open the page and try again from there.", name)
		}
	}
	return v.r.PostForm, nil
}

// textForm is how large a form with a page's text may be. A page over its limit
// is still read, so that its text can be given back; one byte may take three.
func textForm(v *visit) int64 { return 4*v.a.Site().Limits.PageBytes + 256<<10 }

const smallForm = 64 << 10

// formText is a text as a browser sends it, with line ends as "\n".
func formText(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n"), "\r", "\n")
}

// notice is what a form came to, told on the page that its answer leads to.
func notice(name string) string {
	switch name {
	case "unchanged":
		return "Nothing changed: this is what was saved already."
	case "merged":
		return "Saved, together with what somebody else saved while you were writing."
	case "saved":
		return "Saved."
	case "draft":
		return "Your draft is kept. Nobody else sees it."
	case "discarded":
		return "Your draft is gone."
	case "renamed":
		return "Renamed. The old name leads here."
	case "deleted":
		return "Deleted. Its history is kept, and any version can be brought back."
	case "reverted":
		return "Undone, in a new change."
	case "undone":
		return "There was nothing left to undo."
	case "keptchange":
		return "Kept. It stays in the history like any other change."
	case "uploaded":
		return "Uploaded."
	case "invited":
		return "Added. They can come in as soon as they sign in."
	case "removed":
		return "Removed. Their tokens for this wiki have ended as well."
	case "revoked":
		return "Revoked. The token does not work any more."
	case "disconnected":
		return "Disconnected. The agent cannot come in any more."
	case "sessionended":
		return "That session has ended, on every host."
	case "left":
		return "You have left the wiki, and your tokens for it have ended."
	case "ended":
		return "The wiki is closed. For seven days you can restore it here."
	case "restored":
		return "Restored, with pages and members. Tokens have to be made again."
	case "accountended":
		return "Your account is closed and you are signed out everywhere. Sign in within seven days to keep it after all."
	case "kept":
		return "Your account stays. Tokens have to be made again."
	}
	return ""
}

// told is an address with a notice on it.
func told(address, notice string) string {
	if notice == "" {
		return address
	}
	return address + "?notice=" + notice
}

// wantsJSON reports whether a script is asking.
func wantsJSON(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Accept"), "application/json")
}

func (h *Handler) writeJSON(v *visit, status int, value any) error {
	var buf bytes.Buffer
	if err := json.NewEncoder(&buf).Encode(value); err != nil {
		return fmt.Errorf("web: encode answer: %w", err)
	}
	v.w.Header().Set("Cache-Control", "no-store")
	h.write(v, status, "application/json", buf.Bytes())
	return nil
}

// A failure is what a form tells its sender when it is shown again.
type failure struct {
	Status int
	Field  string // that it is about, or ""
	Wrong  string // what is wrong, and what to do
	Meant  string // what they may have meant to type, or ""
}

// mend turns an error into what the form tells. It reports false for redirects:
// those are followed, with the form (308).
func (h *Handler) mend(v *visit, err error) (failure, bool) {
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
		f.Wrong = "Something broke on our side, and nothing was saved. Your text is still here: try again in a minute."
	}
	v.failed(err)
	return f, true
}
