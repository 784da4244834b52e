package mcpserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"robot.wtf/internal/wiki"
)

// arguments of a call, by the names in the schema. Models also use other
// names, and texts for numbers; we accept anything unambiguous.
type arguments map[string]json.RawMessage

// aliases maps other names that models use for parameters.
var aliases = map[string]string{
	"page": "path", "page_path": "path", "title": "path", "file": "path", "uri": "path",
	"body": "content", "markdown": "content", "new_content": "content",
	"commit_message": "message", "summary": "message", "comment": "message",
	"q": "query", "prefix": "path_prefix", "folder": "path_prefix", "path_glob": "path_prefix",
	"new_name": "new_path", "to_path": "new_path", "destination": "new_path",
	"rev": "revision", "base_revision": "revision", "heading": "section", "filename": "name",
	"old_string": "old", "old_text": "old", "find": "old", "new_string": "text", "new_text": "text", "new": "text", "replace_all": "all",
}

// parse parses the arguments of a tool call.
func (t *tool) parse(raw json.RawMessage) (arguments, error) {
	a := arguments{}
	if len(raw) == 0 || string(raw) == "null" {
		return a, nil
	}
	given := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &given); err != nil {
		return nil, wiki.Problemf(wiki.ErrInvalid, "", "The arguments are not a JSON object.")
	}
	maps.DeleteFunc(given, func(_ string, value json.RawMessage) bool { return string(value) == "null" })
	for name, value := range given {
		if t.accepts(name) {
			a[name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		other := aliases[name]
		switch {
		case t.accepts(name):
		case t.accepts(other) && a[other] == nil:
			a[other] = given[name]
		default:
			return nil, wiki.Problemf(wiki.ErrInvalid, name, "%s has no parameter %q. It accepts: %s.", t.name, truncate(name, 60), strings.Join(t.paramNames(), ", "))
		}
	}
	for _, p := range t.params {
		if name, must := strings.CutSuffix(p.name, "!"); must && a[name] == nil && len(t.hidden) == 0 {
			return nil, wiki.Problemf(wiki.ErrInvalid, name, "%s requires %q.", t.name, name)
		}
	}
	return a, nil
}

// text returns a string argument, or "" if it is missing.
func (a arguments) text(name string) string {
	raw := a[name]
	if raw == nil {
		return ""
	}
	if s, ok := plainText(raw); ok {
		return s
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String()
	}
	return ""
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

// requiredText returns a string argument that must not be empty.
func (a arguments) requiredText(name string) (string, error) {
	s := a.text(name)
	if strings.TrimSpace(s) == "" {
		return "", wiki.Problemf(wiki.ErrInvalid, name, "%q must not be empty.", name)
	}
	return s, nil
}

// integer returns an integer argument, clamped to low and high.
func (a arguments) integer(name string, standard, low, high int) (int, error) {
	text := strings.TrimSpace(a.text(name))
	if text == "" {
		return standard, nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, wiki.Problemf(wiki.ErrInvalid, name, "%q must be a number from %d to %d.", name, low, high)
	}
	return int(max(float64(low), min(float64(high), n))), nil
}

func (a arguments) boolean(name string) bool {
	var b bool
	if json.Unmarshal(a[name], &b) == nil {
		return b
	}
	return strings.EqualFold(a.text(name), "true")
}

// enum returns an argument that must be one of some words; the first is the
// default.
func (a arguments) enum(name string, words ...string) (string, error) {
	got := strings.ToLower(strings.TrimSpace(a.text(name)))
	if got == "" {
		return words[0], nil
	}
	if slices.Contains(words, got) {
		return got, nil
	}
	return "", wiki.Problemf(wiki.ErrInvalid, name, "%q must be one of: %s.", name, strings.Join(words, ", "))
}

// texts returns an array of strings. It also accepts a single string, or an
// array encoded as a string.
func (a arguments) texts(name string) ([]string, error) {
	raw := a[name]
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return list, nil
	}
	text := a.text(name)
	if json.Unmarshal([]byte(text), &list) == nil {
		return list, nil
	}
	if text == "" {
		return nil, wiki.Problemf(wiki.ErrInvalid, name, "%q must be an array of strings.", name)
	}
	return []string{text}, nil
}

// objects returns an array of objects. It also accepts a single object, an
// array encoded as a string, and aliases for members.
func (a arguments) objects(name string, members ...string) ([]arguments, error) {
	raw := a[name]
	if text := a.text(name); text != "" {
		raw = json.RawMessage(text)
	}
	var list []map[string]json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		var one map[string]json.RawMessage
		if json.Unmarshal(raw, &one) != nil {
			return nil, wiki.Problemf(wiki.ErrInvalid, name, "%q must be an array of objects.", name)
		}
		list = append(list, one)
	}
	out := make([]arguments, len(list))
	for i, given := range list {
		out[i] = arguments{}
		for member, value := range given {
			if !slices.Contains(members, member) {
				if other := aliases[member]; slices.Contains(members, other) && given[other] == nil {
					member = other
				} else if member == "content" && given["text"] == nil {
					member = "text"
				} else {
					return nil, wiki.Problemf(wiki.ErrInvalid, name, "%s %d has no member %q. It accepts: %s.", strings.TrimSuffix(name, "s"), i+1, truncate(member, 60), strings.Join(members, ", "))
				}
			}
			if string(value) != "null" {
				out[i][member] = value
			}
		}
	}
	return out, nil
}

// parseLines parses a range of lines: "40-120", "40-" or "40".
func parseLines(text string) (from, to int, err error) {
	first, last, ranged := strings.Cut(strings.TrimSpace(text), "-")
	from, err = strconv.Atoi(strings.TrimSpace(first))
	to = from
	if ranged && err == nil {
		if last = strings.TrimSpace(last); last == "" {
			to = 1 << 30
		} else {
			to, err = strconv.Atoi(last)
		}
	}
	if err != nil || from < 1 || to < from {
		return 0, 0, wiki.Problemf(wiki.ErrInvalid, "lines", `%q is not a line range; use "40-120".`, truncate(text, 30))
	}
	return from, to, nil
}

// parseRevision parses a revision. Its suffix says which lines of the page
// the agent has read: "a1b2c3d4~40-120", or none, "a1b2c3d4~0".
func parseRevision(revision string) (base string, from, to int, marked bool, err error) {
	revision = strings.TrimPrefix(strings.TrimSpace(revision), "@")
	base, lines, marked := strings.Cut(revision, "~")
	if !marked || lines == "0" {
		return base, 0, 0, marked, nil
	}
	from, to, err = parseLines(lines)
	if err != nil {
		err = wiki.Problemf(wiki.ErrInvalid, "revision", "%q is not a revision. Send it exactly as returned.", truncate(revision, 60))
	}
	return base, from, to, true, err
}

func rangeSuffix(from, to int) string {
	if to < 1 {
		return "~0"
	}
	return fmt.Sprintf("~%d-%d", from, to)
}
