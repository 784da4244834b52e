package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

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

func (c *call) answer(status int, v any) error { return writeJSON(c.w, c.Request, status, v) }

// read decodes a JSON body of at most limit bytes into v. It refuses what the
// decoder would silently change: members it does not know, text that is not
// UTF-8, halves of surrogate pairs. An empty body leaves v as it is.
func (c *call) read(limit int64, v any) (raw []byte, err error) {
	if kind := c.Header.Get("Content-Type"); kind != "" && !strings.HasPrefix(kind, "application/json") {
		return nil, malformed("The body must be JSON (Content-Type: application/json), not %s.", kind)
	}
	raw, err = io.ReadAll(http.MaxBytesReader(c.w, c.Body, limit))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, wiki.Problemf(wiki.ErrTooLarge, "", "The body is larger than %d bytes.", over.Limit)
	case err != nil:
		return nil, malformed("The body could not be read to its end.")
	case !utf8.Valid(raw):
		return nil, malformed("The body is not valid UTF-8.")
	case loneSurrogate(raw):
		return nil, malformed(`The body has half of a surrogate pair (\ud800 to \udfff) in a string.`)
	case len(bytes.TrimSpace(raw)) == 0:
		return raw, nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return nil, malformed("The body is not the JSON that this route takes: %s. Its members are %s.",
			strings.TrimPrefix(err.Error(), "json: "), strings.Join(memberNames(v), ", "))
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, malformed("There is something after the JSON value.")
	}
	return raw, nil
}

func malformed(format string, args ...any) error { return wiki.Problemf(errBody, "", format, args...) }

// loneSurrogate reports an escaped surrogate without its other half, which
// encoding/json would replace by U+FFFD. It keeps nothing of what it passes: a
// body may be one escape after the other.
func loneSurrogate(raw []byte) bool {
	if !bytes.Contains(raw, []byte(`\u`)) {
		return false
	}
	high := -1 // where the second half must begin
	for i := 0; i+1 < len(raw); {
		if raw[i] != '\\' {
			i++
			continue
		}
		unit, length := escapedUnit(raw[i:])
		low := unit >= 0xdc00 && unit < 0xe000
		switch {
		case high >= 0 && (high != i || !low), high < 0 && low:
			return true
		case low:
			high = -1
		case unit >= 0xd800 && unit < 0xdc00:
			high = i + length
		}
		i += length
	}
	return high >= 0
}

// escapedUnit reads the escape that a text begins with: the UTF-16 unit of
// "\u" and four digits, 0 of every other.
func escapedUnit(text []byte) (unit uint64, length int) {
	if len(text) >= 6 && text[1] == 'u' {
		if unit, err := strconv.ParseUint(string(text[2:6]), 16, 32); err == nil {
			return unit, 6
		}
	}
	return 0, 2
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
		return pages.Precondition{}, wiki.Problemf(wiki.ErrUnmet, "", `If-Match: * does not say which revision you read. Send the page's ETag.`)
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
