package mcpserver

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
)

// The SDK stores a number as an int64 that it read as a float64. Ids that this
// changes are replaced by a placeholder on the way to the SDK and put back on the
// way to the client, who would not recognize its own id otherwise.

// maxSafeID is the largest number up to which a float64 holds every integer.
const maxSafeID = 1<<53 - 1

// isSafeID reports whether the SDK returns an id unchanged.
func isSafeID(id json.RawMessage) bool {
	if id[0] == '"' {
		return true
	}
	n, err := strconv.ParseInt(string(id), 10, 64)
	return err == nil && -maxSafeID <= n && n <= maxSafeID && string(id) != "-0"
}

// withID returns the body with another id for its only message.
func (m *message) withID(body []byte, id string) []byte {
	return slices.Concat(body[:m.idEnd-len(m.id)], []byte(id), body[m.idEnd:])
}

// serveWithID lets next answer a request whose id is the placeholder, and replaces
// it in the response by the client's id.
func serveWithID(w http.ResponseWriter, r *http.Request, next http.Handler, placeholder string, id json.RawMessage) {
	held := &heldResponse{ResponseWriter: w, status: http.StatusOK}
	next.ServeHTTP(held, r)
	body := bytes.ReplaceAll(held.body.Bytes(), []byte(placeholder), id)
	w.Header().Del("Content-Length")
	w.WriteHeader(held.status)
	_, _ = w.Write(body)
}

// A heldResponse holds a response back.
type heldResponse struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (h *heldResponse) WriteHeader(status int)         { h.status = status }
func (h *heldResponse) Write(data []byte) (int, error) { return h.body.Write(data) }
func (h *heldResponse) Flush()                         {}
