package mcpserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// Limits of a request's body, beside maxBody.
const (
	maxNesting = 64      // objects and arrays inside each other
	maxValues  = 100_000 // strings, numbers, objects and so on, with names
	maxMembers = 1000    // of one object
	maxBatch   = 100     // messages
	maxID      = 1000    // bytes of a message's id
)

// withoutBatches is the first revision of the protocol that has no batches. A
// request without a revision is of 2025-03-26, which has them.
const withoutBatches = "2025-06-18"

// A message is a JSON-RPC message. Its raw parts are slices of the body.
type message struct {
	raw    json.RawMessage
	id     json.RawMessage // nil for a notification
	idEnd  int             // its end in raw
	method string          // "" for a response
	params json.RawMessage // nil, null or an object

	name, arguments, meta json.RawMessage // params.name and so on; nil if absent
	tool                  string          // params.name, if it is a string
}

// A messageError is a body that no part of the service executes.
type messageError struct {
	code    int
	id      json.RawMessage // of the message, if it is known
	message string
}

func (e *messageError) Error() string { return e.message }

func invalidRequest(format string, args ...any) error {
	return &messageError{code: jsonrpc.CodeInvalidRequest, message: fmt.Sprintf(format, args...)}
}

// readMessages parses a body: one message, or a batch if the revision of the
// protocol has them. Only accepted messages are counted, answered or passed to the
// SDK, so no call is executed without being counted. Everything that two parsers
// could understand differently is an error, a *messageError: text after the
// value, invalid UTF-8, lone surrogates, NUL, members with the same name in the
// same or another case (encoding/json ignores case), and ids that JSON-RPC or
// MCP don't allow.
func readMessages(body []byte, version string) (list []message, batch bool, err error) {
	r := messageReaders.Get().(*messageReader)
	defer r.release()
	r.start(body)
	batch = r.dec.PeekKind() == '['
	if batch {
		err = r.array(func() error {
			if len(list) == maxBatch {
				return invalidRequest("A batch can have at most %d messages.", maxBatch)
			}
			m, err := r.message()
			list = append(list, m)
			return err
		})
	} else {
		list = make([]message, 1)
		list[0], err = r.message()
	}
	if err == nil {
		err = r.end()
	}
	if err == nil && batch {
		err = checkBatch(list, version)
	}
	if err != nil {
		return nil, batch, describeSyntax(err, list)
	}
	return list, batch, nil
}

func checkBatch(list []message, version string) error {
	switch {
	case version >= withoutBatches:
		return invalidRequest("Revision %s of the protocol has no batches. Send one message per request.", truncate(singleLine(version), 20))
	case len(list) == 0:
		return invalidRequest("The batch is empty.")
	}
	seen := map[string]bool{}
	for _, m := range list {
		if m.id != nil && m.method != "" && seen[string(m.id)] {
			return invalidRequest("Two messages of the batch have the id %s.", truncate(string(m.id), 60))
		}
		seen[string(m.id)] = true
	}
	return nil
}

// describeSyntax turns an error of the decoder into a *messageError.
func describeSyntax(err error, list []message) error {
	var known *messageError
	if errors.As(err, &known) {
		if len(list) == 1 && known.id == nil {
			known.id = list[0].id
		}
		return known
	}
	e := &messageError{code: jsonrpc.CodeParseError, message: "The request isn't complete JSON (RFC 8259)."}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && !errors.Is(err, io.ErrUnexpectedEOF) {
		e.message = fmt.Sprintf("The request isn't JSON in UTF-8 (RFC 8259) at byte %d: %v.", syntax.ByteOffset, syntax.Err)
	}
	return e
}

// writeMessageError answers a request whose body was rejected.
func writeMessageError(w http.ResponseWriter, err error) {
	rejected := &messageError{code: jsonrpc.CodeInternalError, message: internalErrorText}
	errors.As(err, &rejected)
	writeRPCError(w, http.StatusBadRequest, rejected.id, rejected.code, rejected.message)
}

// A messageReader walks a body once, value by value.
type messageReader struct {
	dec    *jsontext.Decoder
	body   []byte
	hasNUL bool // it may have an escaped NUL
	values int
	names  nameSets
}

var messageReaders = sync.Pool{New: func() any { return &messageReader{dec: jsontext.NewDecoder(noBody)} }}

var (
	noBody     = bytes.NewBuffer(nil)
	escapedNUL = []byte(`\u0000`)
)

// start starts a body. The reader checks names itself.
func (r *messageReader) start(body []byte) {
	r.body, r.values, r.hasNUL = body, 0, bytes.Contains(body, escapedNUL)
	r.dec.Reset(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true))
}

// release returns the reader to the pool, without the body.
func (r *messageReader) release() {
	r.body = nil
	r.dec.Reset(noBody)
	r.names.clear()
	messageReaders.Put(r)
}

// end checks that only whitespace follows.
func (r *messageReader) end() error {
	switch _, err := r.dec.ReadToken(); {
	case err == io.EOF:
		return nil
	case err != nil:
		return err
	}
	return &messageError{code: jsonrpc.CodeParseError, message: "The request must be one JSON value, with nothing after it."}
}

// token reads a token and counts it.
func (r *messageReader) token() (jsontext.Token, error) {
	t, err := r.dec.ReadToken()
	switch r.values++; {
	case err != nil:
		return t, err
	case r.values > maxValues:
		return t, invalidRequest("The request has too many values. Split it.")
	case r.dec.StackDepth() > maxNesting:
		return t, invalidRequest("The request is nested too deeply: at most %d levels.", maxNesting)
	case r.hasNUL && t.Kind() == '"' && strings.IndexByte(t.String(), 0) >= 0:
		return t, invalidRequest("A text contains a NUL character (\\u0000). Remove it and send the request again.")
	}
	return t, nil
}

// value reads any value and returns its bytes.
func (r *messageReader) value() (json.RawMessage, error) {
	kind := r.dec.PeekKind()
	start := r.dec.InputOffset()
	var err error
	switch kind {
	case '{':
		err = r.object(func([]byte) error { _, err := r.value(); return err })
	case '[':
		err = r.array(func() error { _, err := r.value(); return err })
	default:
		_, err = r.token()
	}
	if err != nil {
		return nil, err
	}
	return json.RawMessage(bytes.TrimLeft(r.body[start:r.dec.InputOffset()], " \t\r\n:,")), nil
}

// array reads an array; element reads one of its elements.
func (r *messageReader) array(element func() error) error {
	if _, err := r.token(); err != nil {
		return err
	}
	for {
		switch r.dec.PeekKind() {
		case ']', 0: // 0 is an error
			_, err := r.token()
			return err
		}
		if err := element(); err != nil {
			return err
		}
	}
}

// object reads an object; member reads the value of a member. It rejects names
// that are the same, or differ only in case.
func (r *messageReader) object(member func(name []byte) error) error {
	if _, err := r.token(); err != nil {
		return err
	}
	r.names.open()
	defer r.names.close()
	for {
		switch r.dec.PeekKind() {
		case '}', 0:
			_, err := r.token()
			return err
		}
		name, err := r.memberName()
		if err != nil {
			return err
		}
		if other := r.names.add(name); other != nil {
			return invalidRequest("An object has the members %q and %q. Names must differ in more than case.", truncate(string(other), 60), truncate(string(name), 60))
		}
		if r.names.count() > maxMembers {
			return invalidRequest("An object has more than %d members.", maxMembers)
		}
		if err := member(name); err != nil {
			return err
		}
	}
}

// memberName reads a member's name, usually without a copy.
func (r *messageReader) memberName() ([]byte, error) {
	start := r.dec.InputOffset()
	if _, err := r.token(); err != nil {
		return nil, err
	}
	raw := bytes.TrimLeft(r.body[start:r.dec.InputOffset()], " \t\r\n,")
	if len(raw) < 2 || raw[0] != '"' {
		return nil, errors.New("mcpserver: a member without a name") // the decoder rejects it first
	}
	if bytes.IndexByte(raw, '\\') >= 0 {
		return jsontext.AppendUnquote(nil, raw)
	}
	return raw[1 : len(raw)-1], nil
}

// mustBeExact rejects a name that only a parser that ignores case takes for a
// known one.
func mustBeExact(name []byte, known ...string) error {
	for _, k := range known {
		if string(name) != k && bytes.EqualFold(name, []byte(k)) {
			return invalidRequest("The member %q must be written %q.", truncate(string(name), 60), k)
		}
	}
	return nil
}

var (
	messageMembers = []string{"jsonrpc", "id", "method", "params", "result", "error"}
	paramsMembers  = []string{"name", "arguments", "_meta"}
)

// message reads one message.
func (r *messageReader) message() (m message, err error) {
	if r.dec.PeekKind() != '{' {
		if _, err := r.value(); err != nil {
			return m, err
		}
		return m, invalidRequest("A message must be a JSON object.")
	}
	start := r.dec.InputOffset()
	var version, method json.RawMessage
	isResponse := false
	err = r.object(func(name []byte) (err error) {
		if string(name) == "params" {
			m.params, err = r.messageParams(&m)
			return err
		}
		value, err := r.value()
		switch string(name) {
		case "jsonrpc":
			version = value
		case "id":
			m.id, m.idEnd = value, int(r.dec.InputOffset())
		case "method":
			method = value
		case "result", "error":
			isResponse = true
		default:
			err = errors.Join(err, mustBeExact(name, messageMembers...))
		}
		return err
	})
	if err != nil {
		return m, err
	}
	end := int(r.dec.InputOffset())
	m.raw = bytes.TrimLeft(r.body[start:end], " \t\r\n,")
	m.idEnd -= end - len(m.raw)
	return m, m.check(version, method, isResponse)
}

// messageParams reads the parameters, which are an object for every method.
func (r *messageReader) messageParams(m *message) (json.RawMessage, error) {
	if r.dec.PeekKind() != '{' {
		return r.value()
	}
	start := r.dec.InputOffset()
	err := r.object(func(name []byte) (err error) {
		value, err := r.value()
		switch string(name) {
		case "name":
			m.name = value
		case "arguments":
			m.arguments = value
		case "_meta":
			m.meta = value
		default:
			err = errors.Join(err, mustBeExact(name, paramsMembers...))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return json.RawMessage(bytes.TrimLeft(r.body[start:r.dec.InputOffset()], " \t\r\n:")), nil
}

// check checks the members that JSON-RPC defines and decodes the texts.
func (m *message) check(version, method json.RawMessage, isResponse bool) error {
	badID := len(m.id) > maxID || m.id != nil && m.id[0] != '"' && m.id[0] != '-' && (m.id[0] < '0' || m.id[0] > '9')
	if badID {
		m.id = nil
	}
	_ = json.Unmarshal(method, &m.method)
	_ = json.Unmarshal(m.name, &m.tool)
	switch {
	case badID:
		return invalidRequest("A message's id must be a string or a number of at most %d bytes.", maxID)
	case string(version) != `"2.0"`:
		return invalidRequest(`A message must have "jsonrpc": "2.0".`)
	case method == nil && (!isResponse || m.id == nil):
		return invalidRequest("A message must have a method, or be a response with an id.")
	case method != nil && (isResponse || m.method == ""):
		return invalidRequest("A request's method must be a string, and it has no result or error.")
	case m.params != nil && m.params[0] != '{' && string(m.params) != "null":
		return &messageError{code: jsonrpc.CodeInvalidParams, id: m.id, message: "params must be an object."}
	}
	return nil
}

// nameSets are the member names of the objects being read, outermost first.
type nameSets struct {
	names   [][]byte  // of all these objects
	objects []nameSet // the last one is the innermost
	keys    []byte    // scratch space of fold
}

type nameSet struct {
	start int            // of its names in names
	index map[string]int // by folded name; nil for a small object
}

// scannedNames is the number of an object's names that are compared one by one. The
// others are indexed.
const scannedNames = 16

// clear forgets all names, and most of the memory of a large request.
func (s *nameSets) clear() {
	if cap(s.names) > 1024 {
		*s = nameSets{}
		return
	}
	clear(s.names[:cap(s.names)])
	clear(s.objects[:cap(s.objects)])
	s.names, s.objects = s.names[:0], s.objects[:0]
}

func (s *nameSets) open() { s.objects = append(s.objects, nameSet{start: len(s.names)}) }

func (s *nameSets) close() {
	last := len(s.objects) - 1
	s.names, s.objects = s.names[:s.objects[last].start], s.objects[:last]
}

// count returns the number of names of the innermost object.
func (s *nameSets) count() int { return len(s.names) - s.objects[len(s.objects)-1].start }

// add adds a name to the innermost object. It returns an equal name, or nil.
func (s *nameSets) add(name []byte) []byte {
	o := &s.objects[len(s.objects)-1]
	own := s.names[o.start:]
	for _, other := range own[:min(len(own), scannedNames)] {
		if bytes.EqualFold(name, other) {
			return other
		}
	}
	if len(own) >= scannedNames {
		key := s.fold(name)
		if i, ok := o.index[key]; ok {
			return s.names[i]
		}
		if o.index == nil {
			o.index = map[string]int{}
		}
		o.index[key] = len(s.names)
	}
	s.names = append(s.names, name)
	return nil
}

// fold returns the same text for all names that bytes.EqualFold takes for equal.
func (s *nameSets) fold(raw []byte) string {
	s.keys = s.keys[:0]
	for _, c := range string(raw) {
		least := c
		for next := unicode.SimpleFold(c); next != c; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		s.keys = utf8.AppendRune(s.keys, least)
	}
	return string(s.keys)
}

// isCall reports whether a message calls a tool.
func (m *message) isCall() bool { return m.method == "tools/call" }
