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

// read decodes a JSON body of at most limit bytes into v. What could be read in two
// ways is refused (RFC 7493): text that is not UTF-8, halves of surrogate pairs, a
// member twice; and members that v does not have, in just that spelling. An empty
// body leaves v as it is.
func (c *call) read(limit int64, v any) (raw []byte, err error) {
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
		return nil, malformed("The body could not be read to its end.")
	case len(bytes.TrimSpace(raw)) == 0:
		return raw, nil
	}
	if err := jsonv2.Unmarshal(raw, v, jsonv2.RejectUnknownMembers(true)); err != nil {
		return nil, undecoded(err, v)
	}
	return raw, nil
}

// trustedLength is how much room the announced length of a body gets before any
// of it is there.
const trustedLength = 64 << 10 // bytes

// undecoded says in words why a body cannot be read into v.
func undecoded(err error, v any) error {
	members := strings.Join(memberNames(v), ", ")
	var value *jsonv2.SemanticError
	var text *jsontext.SyntacticError
	switch {
	case errors.As(err, &value) && errors.Is(value.Err, jsonv2.ErrUnknownName):
		return malformed("This route knows no member %q in its body. Its members are %s.", clip(value.JSONPointer.LastToken()), members)
	case errors.As(err, &value) && value.JSONPointer == "":
		return malformed("The body is a JSON %s; this route takes an object. Its members are %s.", kindOf(value.JSONKind), members)
	case errors.As(err, &value):
		return malformed("The value of %s in the body is a JSON %s, which it cannot be.", clip(string(value.JSONPointer)), kindOf(value.JSONKind))
	case errors.As(err, &text) && errors.Is(text.Err, jsontext.ErrDuplicateName):
		return malformed("The body has the member %q twice.", clip(text.JSONPointer.LastToken()))
	case errors.As(err, &text):
		return malformed("The body is not JSON in UTF-8 (RFC 8259), from byte %d on: %s.", text.ByteOffset, text.Err)
	}
	return malformed("The body is not JSON.")
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

func clip(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) > most {
		return string([]rune(s)[:most]) + "…"
	}
	return s
}

func malformed(format string, args ...any) error {
	return wiki.Problemf(wiki.ErrMalformed, "", format, args...)
}

// precondition reads what the writer knew: If-Match is strict, If-None-Match: *
// creates, a revision in the body merges (RFC 9110, 13.1).
func (c *call) precondition(revision string) (pages.Precondition, error) {
	match, none := c.Header.Get("If-Match"), strings.TrimSpace(c.Header.Get("If-None-Match"))
	switch {
	case match != "" && none != "":
		return pages.Precondition{}, malformed("Send If-Match or If-None-Match, not both.")
	case none == "*":
		return pages.Precondition{Create: true, Strict: true}, nil
	case none != "":
		return pages.Precondition{}, malformed("If-None-Match takes only * here: the page must not exist yet.")
	case strings.TrimSpace(match) == "*":
		return pages.Precondition{}, wiki.Problemf(wiki.ErrPreconditionRequired, "", `If-Match: * does not say which revision you read. Send the page's ETag.`)
	case match != "":
		tag := strings.TrimPrefix(strings.TrimSpace(match), "W/")
		if len(tag) < 2 || tag[0] != '"' || strings.Index(tag[1:], `"`) != len(tag)-2 {
			return pages.Precondition{}, malformed(`If-Match takes one entity tag in quotes: If-Match: "…".`)
		}
		return pages.Precondition{Base: tag[1 : len(tag)-1], Strict: true}, nil
	}
	return pages.Precondition{Base: revision}, nil
}

// write makes what every change carries: message, and the key of a retry with
// the hash of all that the request says.
func (c *call) write(message string, raw []byte) (pages.Write, error) {
	w := pages.Write{Message: message}
	key := c.Header.Get("Idempotency-Key")
	if key == "" {
		return w, nil
	}
	if len(key) > 255 {
		return w, malformed("An Idempotency-Key has at most 255 characters.")
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
		return 0, wiki.Problemf(wiki.ErrInvalid, name, "%s is a number from %d to %d.", name, min, max)
	}
	return n, nil
}
