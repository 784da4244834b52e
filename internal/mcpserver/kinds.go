package mcpserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"robot.wtf/internal/wiki"
)

// The kinds of parameters. Each has a schema and a check, which accepts the
// other forms that clients commonly send if their meaning is certain, and
// refuses the rest with the parameter's name and the expected type. null means
// an absent argument everywhere, and so does "" where it can't be meant.
//
//	text      string   prose; an array of strings is its lines
//	string    string   a name, query or date; a number is its digits. A second word
//	                   says that it names a page: see resolvePaths
//	lines     string   "40-120"; a number, [40, 120] and {"from": 40, "to": 120} too
//	integer   int      0 means the default; also as a string
//	boolean   bool     also as a string
//	enum A B  string   one of some words, in any case
//	strings   []string also a single string, or the array as a string
//	edits     []arguments with editParams; also a single object, or JSON as a string
var kinds = map[string]func(p *param, raw json.RawMessage) (any, error){
	"text":    checkText,
	"string":  checkString,
	"lines":   checkLines,
	"integer": checkInteger,
	"boolean": checkBoolean,
	"enum":    checkEnum,
	"strings": checkStrings,
}

func init() { kinds["edits"] = checkEdits } // it uses kinds

// check checks what a call sent for a parameter. It returns nil if that means
// the same as nothing.
func (p *param) check(raw json.RawMessage) (*argument, error) {
	kind, _, _ := strings.Cut(p.kind, " ")
	value, err := kinds[kind](p, raw)
	if err != nil || value == nil {
		return nil, err
	}
	return &argument{raw: raw, value: value}, nil
}

// refuse is the error of a value of the wrong type.
func (p *param) refuse(raw json.RawMessage, takes wiki.Own) error {
	name := strings.TrimSuffix(p.name, "!")
	return wiki.Problemf(wiki.ErrInvalid, name, "%q must be %s, not %s.", wiki.Own(name), takes, describeJSON(raw))
}

// describeJSON names the type of a JSON value.
func describeJSON(raw json.RawMessage) wiki.Own {
	switch first := bytes.TrimLeft(raw, " \t\r\n"); {
	case len(first) == 0:
		return "nothing"
	case first[0] == '{':
		return "an object"
	case first[0] == '[':
		return "an array"
	case first[0] == 't', first[0] == 'f':
		return "a boolean"
	case first[0] == 'n':
		return "null"
	case first[0] == '"':
		return "a string like this"
	}
	return "a number like this"
}

func checkText(p *param, raw json.RawMessage) (any, error) {
	if s, ok := jsonText(raw); ok {
		return s, nil
	}
	if list, ok := jsonTexts(raw); ok && len(list) > 0 {
		return strings.Join(list, "\n"), nil
	}
	return nil, p.refuse(raw, "a text, or an array of its lines")
}

func checkString(p *param, raw json.RawMessage) (any, error) {
	if s, ok := jsonText(raw); ok {
		return p.unlessEmpty(s), nil
	}
	if isNumber(raw) {
		return string(raw), nil
	}
	return nil, p.refuse(raw, "a string")
}

// unlessEmpty returns a string, or nil for an empty one of an optional
// parameter.
func (p *param) unlessEmpty(s string) any {
	if strings.TrimSpace(s) == "" && !strings.HasSuffix(p.name, "!") {
		return nil
	}
	return s
}

func checkLines(p *param, raw json.RawMessage) (any, error) {
	var list []int
	var ends struct{ From, To, Start, End int }
	switch {
	case raw[0] == '[' && json.Unmarshal(raw, &list) == nil && len(list) == 2:
		return strconv.Itoa(list[0]) + "-" + strconv.Itoa(list[1]), nil
	case raw[0] == '{' && strictly(raw, &ends) == nil && (ends.From == 0) != (ends.Start == 0) && (ends.To == 0) != (ends.End == 0):
		return strconv.Itoa(ends.From+ends.Start) + "-" + strconv.Itoa(ends.To+ends.End), nil
	case raw[0] == '"' || isNumber(raw):
		return checkString(p, raw)
	}
	return nil, p.refuse(raw, `a range such as "40-120"`)
}

// strictly decodes an object that has no other members.
func strictly(raw json.RawMessage, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

func checkInteger(p *param, raw json.RawMessage) (any, error) {
	text := string(raw)
	if s, ok := jsonText(raw); ok {
		if text = strings.TrimSpace(s); text == "" {
			return nil, nil
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if !isNumber(json.RawMessage(text)) || err != nil && !errors.Is(err, strconv.ErrRange) || n != math.Trunc(n) {
		return nil, p.refuse(raw, "a whole number")
	}
	const most = 1 << 31
	return int(max(-most, min(most, n))), nil
}

// isNumber reports whether a text is a JSON number.
func isNumber(text json.RawMessage) bool {
	return len(text) > 0 && (text[0] == '-' || text[0] >= '0' && text[0] <= '9') && json.Valid(text)
}

func checkBoolean(p *param, raw json.RawMessage) (any, error) {
	text := string(raw)
	if s, ok := jsonText(raw); ok {
		text = strings.ToLower(strings.TrimSpace(s))
	}
	switch text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "":
		return nil, nil
	}
	return nil, p.refuse(raw, "true or false")
}

func checkEnum(p *param, raw json.RawMessage) (any, error) {
	words := strings.Fields(p.kind)[1:]
	got, ok := jsonText(raw)
	switch got = strings.ToLower(strings.TrimSpace(got)); {
	case ok && slices.Contains(words, got):
		return got, nil
	case ok && got == "":
		return nil, nil
	}
	return nil, notOneOf(strings.TrimSuffix(p.name, "!"), words)
}

func notOneOf(name string, words []string) error {
	return wiki.Problemf(wiki.ErrInvalid, name, "%q must be one of: %s.", wiki.Own(name), wiki.Own(strings.Join(words, ", ")))
}

func checkStrings(p *param, raw json.RawMessage) (any, error) {
	if list, ok := jsonTexts(raw); ok {
		return list, nil
	}
	if s, ok := jsonText(raw); ok && s != "" {
		if inner, err := nestedJSON(s); err == nil {
			if list, ok := jsonTexts(inner); ok {
				return list, nil
			}
		}
		return []string{s}, nil
	}
	return nil, p.refuse(raw, "an array of strings")
}

func checkEdits(p *param, raw json.RawMessage) (any, error) {
	raw, ok := unwrapJSON(raw)
	var list []json.RawMessage
	switch {
	case !ok:
		return nil, p.refuse(raw, "an array of objects")
	case len(raw) == 0:
		return nil, nil
	case raw[0] == '{':
		list = append(list, raw)
	case raw[0] != '[' || json.Unmarshal(raw, &list) != nil:
		return nil, p.refuse(raw, "an array of objects")
	}
	out := make([]arguments, len(list))
	for i, element := range list {
		var err error
		if out[i], err = p.checkEdit(element, i+1); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// checkEdit checks one edit.
func (p *param) checkEdit(raw json.RawMessage, n int) (arguments, error) {
	given := map[string]json.RawMessage{}
	raw, ok := unwrapJSON(raw)
	if !ok || len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &given) != nil {
		return nil, p.refuse(raw, "an array of objects")
	}
	a, unknown, err := assign(given, editParams)
	switch {
	case err != nil:
		return nil, nameBadEdit(err, n)
	case unknown != "":
		return nil, wiki.Problemf(wiki.ErrInvalid, "edits", "Edit %d has no member %q. It accepts: %s.", n, truncate(unknown, 60), wiki.Own(strings.Join(namesOf(editParams), ", ")))
	}
	return a, nil
}

// unwrapJSON returns a value, or the one that a string has as JSON. An empty
// string has none.
func unwrapJSON(raw json.RawMessage) (json.RawMessage, bool) {
	text, ok := jsonText(raw)
	if !ok {
		return raw, true
	}
	if strings.TrimSpace(text) == "" {
		return nil, true
	}
	inner, err := nestedJSON(text)
	if err != nil {
		return raw, false
	}
	return inner, true
}

// nestedJSON parses JSON that was sent as a string, by the rules for bodies.
func nestedJSON(text string) (json.RawMessage, error) {
	r := messageReaders.Get().(*messageReader)
	defer r.release()
	r.start([]byte(text))
	raw, err := r.value()
	if err != nil {
		return nil, err
	}
	return raw, r.end()
}

// jsonText returns a JSON string.
func jsonText(raw json.RawMessage) (s string, ok bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	if s, ok = plainText(raw); ok {
		return s, true
	}
	err := json.Unmarshal(raw, &s)
	return s, err == nil
}

// jsonTexts returns a JSON array of strings.
func jsonTexts(raw json.RawMessage) (list []string, ok bool) {
	if len(raw) == 0 || raw[0] != '[' {
		return nil, false
	}
	var parts []json.RawMessage
	if json.Unmarshal(raw, &parts) != nil {
		return nil, false
	}
	list = make([]string, len(parts)) // null is no string
	for i, part := range parts {
		if list[i], ok = jsonText(part); !ok {
			return nil, false
		}
	}
	return list, true
}

// plainText returns a JSON string that has no escapes, without a decoder.
func plainText(raw json.RawMessage) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return "", false
	}
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') >= 0 || bytes.IndexByte(inner, '"') >= 0 || !utf8.Valid(inner) {
		return "", false
	}
	return string(inner), true
}
