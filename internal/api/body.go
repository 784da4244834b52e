package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

func writeJSON(w http.ResponseWriter, r *http.Request, status int, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("api: encode answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	if r.Method != "HEAD" {
		w.Write(b.Bytes())
	}
	return nil
}

func (c *call) respond(status int, v any) error { return writeJSON(c.w, c.Request, status, v) }

// readJSON decodes a JSON body of at most limit bytes into v. It rejects ambiguous
// bodies (RFC 7493): invalid UTF-8, lone surrogates and duplicate members; and
// members that v doesn't have in exactly this spelling. An empty body leaves v
// unchanged.
func (c *call) readJSON(limit int64, v any) (raw []byte, err error) {
	if raw, err = c.readBody(limit); err != nil {
		return nil, err
	}
	return raw, decodeJSON(raw, v)
}

// readText is readJSON for bodies with texts or files, which are decoded with their
// wiki's share of the time.
func (h *Handler) readText(c *call, limit int64, v any) (raw []byte, err error) {
	if raw, err = c.readBody(limit); err != nil {
		return nil, err
	}
	release, err := h.o.Pages.AcquireLarge(c.Context(), c.access, len(raw))
	if err != nil {
		return nil, err
	}
	defer release()
	return raw, decodeJSON(raw, v)
}

func (c *call) readBody(limit int64) (raw []byte, err error) {
	if kind := c.Header.Get("Content-Type"); kind != "" && !strings.HasPrefix(kind, "application/json") {
		return nil, malformed("The body must be JSON (Content-Type: application/json), not %s.", kind)
	}
	var body bytes.Buffer
	body.Grow(int(min(max(c.ContentLength, 0), trustedLength)) + bytes.MinRead)
	_, err = body.ReadFrom(http.MaxBytesReader(c.w, c.Body, limit))
	raw = body.Bytes()
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, wiki.Problemf(wiki.ErrTooLarge, "", "The body is larger than %d bytes.", over.Limit)
	case err != nil:
		return nil, malformed("The body is incomplete.")
	}
	return raw, nil
}

func decodeJSON(raw []byte, v any) error {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	if err := jsonv2.Unmarshal(raw, v, jsonv2.RejectUnknownMembers(true)); err != nil {
		return decodeProblem(err, v)
	}
	return nil
}

// trustedLength is the largest buffer allocated from a Content-Length alone.
const trustedLength = 64 << 10 // bytes

// decodeProblem explains why a body can't be decoded into v.
func decodeProblem(err error, v any) error {
	members := strings.Join(memberNames(v), ", ")
	var value *jsonv2.SemanticError
	var text *jsontext.SyntacticError
	switch {
	case errors.As(err, &value) && errors.Is(value.Err, jsonv2.ErrUnknownName):
		return malformed("Unknown member %q. This route's body has the members %s.", shortenForMessage(value.JSONPointer.LastToken()), members)
	case errors.As(err, &value) && value.JSONPointer == "":
		return malformed("The body must be a JSON object, not a JSON %s. Its members are %s.", kindOf(value.JSONKind), members)
	case errors.As(err, &value):
		return malformed("The value of %s has the wrong type: a JSON %s.", shortenForMessage(string(value.JSONPointer)), kindOf(value.JSONKind))
	case errors.As(err, &text) && errors.Is(text.Err, jsontext.ErrDuplicateName):
		return malformed("The body has two members %q.", shortenForMessage(text.JSONPointer.LastToken()))
	case errors.As(err, &text):
		return malformed("The body isn't valid JSON in UTF-8 (RFC 8259) at byte %d: %s.", text.ByteOffset, text.Err)
	}
	return malformed("The body isn't valid JSON.")
}

// kindOf names a kind of JSON value.
func kindOf(k jsontext.Kind) string {
	switch k {
	case '{':
		return "object"
	case '[':
		return "array"
	case '0':
		return "number"
	case '"':
		return "string"
	}
	return k.String() // null, true, false
}

func shortenForMessage(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) > most {
		return string([]rune(s)[:most]) + "…"
	}
	return s
}

func malformed(format string, args ...any) error {
	return wiki.Problemf(wiki.ErrMalformed, "", format, args...)
}

// precondition reads the precondition of a write: If-Match is strict,
// If-None-Match: * creates, a revision in the body merges (RFC 9110, section 13.1).
func (c *call) precondition(revision string) (pages.Precondition, error) {
	match, none := c.Header.Get("If-Match"), strings.TrimSpace(c.Header.Get("If-None-Match"))
	switch {
	case match != "" && none != "":
		return pages.Precondition{}, malformed("Send If-Match or If-None-Match, not both.")
	case none == "*":
		return pages.Precondition{Create: true, Strict: true}, nil
	case none != "":
		return pages.Precondition{}, malformed("If-None-Match must be *: the page must not exist yet.")
	case strings.TrimSpace(match) == "*":
		return pages.Precondition{}, wiki.Problemf(wiki.ErrPreconditionRequired, "", `If-Match: * doesn't name the revision you read. Send the page's ETag.`)
	case match != "":
		tag := strings.TrimPrefix(strings.TrimSpace(match), "W/")
		if len(tag) < 2 || tag[0] != '"' || strings.Index(tag[1:], `"`) != len(tag)-2 {
			return pages.Precondition{}, malformed(`If-Match must be one entity tag in quotes: If-Match: "…".`)
		}
		return pages.Precondition{Base: tag[1 : len(tag)-1], Strict: true}, nil
	}
	return pages.Precondition{Base: revision}, nil
}

// writeOptions returns the message of a change, and its idempotency key with the
// hash of the whole request.
func (c *call) writeOptions(message string, raw []byte) (pages.Write, error) {
	w := pages.Write{Message: message}
	key := c.Header.Get("Idempotency-Key")
	if key == "" {
		return w, nil
	}
	if len(key) > 255 {
		return w, malformed("An Idempotency-Key can be at most 255 characters.")
	}
	sum := sha256.New()
	for _, part := range []string{c.Method, c.URL.Path, c.URL.RawQuery, c.Header.Get("If-Match"), c.Header.Get("If-None-Match"), string(raw)} {
		fmt.Fprintf(sum, "%d %s\n", len(part), part)
	}
	w.IdempotencyKey, w.IdempotencyHash = key, hex.EncodeToString(sum.Sum(nil))
	return w, nil
}

// number reads a query parameter between min and max.
func (c *call) number(name string, standard, min, max int64) (int64, error) {
	text := c.URL.Query().Get(name)
	if text == "" {
		return standard, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < min || n > max {
		return 0, wiki.Problemf(wiki.ErrInvalid, name, "The parameter %s must be a number from %d to %d.", name, min, max)
	}
	return n, nil
}
