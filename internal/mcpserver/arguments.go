package mcpserver

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"robot.wtf/internal/edit"
	"robot.wtf/internal/wiki"
)

// arguments of a call, by the names in the schema. parse has checked them, so
// each has its parameter's type. An absent optional argument has no entry.
type arguments map[string]*argument

// An argument is what a call sent for a parameter.
type argument struct {
	raw   json.RawMessage // as sent
	value any             // string, int, bool, []string or []arguments, by the parameter's kind
}

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

// parse parses the arguments of a tool call and checks their types. A tool
// without parameters ignores them.
func (t *tool) parse(raw json.RawMessage) (arguments, error) {
	if len(t.params) == 0 {
		return arguments{}, nil
	}
	given := map[string]json.RawMessage{}
	if len(raw) > 0 && string(raw) != "null" {
		if err := json.Unmarshal(raw, &given); err != nil {
			return nil, wiki.Problemf(wiki.ErrInvalid, "", "The arguments are not a JSON object.")
		}
	}
	a, unknown, err := assign(given, t.params, t.hidden)
	switch {
	case err != nil:
		return nil, err
	case unknown != "":
		return nil, wiki.Problemf(wiki.ErrInvalid, unknown, "%s has no parameter %q. It accepts: %s.", wiki.Own(t.name), truncate(unknown, 60), wiki.Own(strings.Join(t.paramNames(), ", ")))
	}
	for _, p := range t.params {
		if name, must := strings.CutSuffix(p.name, "!"); must && a[name] == nil && (p.kind != "edits" || !hasAny(a, t.hidden)) {
			return nil, wiki.Problemf(wiki.ErrInvalid, name, "%s requires %q%s.", wiki.Own(t.name), wiki.Own(name), p.members())
		}
	}
	return a, nil
}

func hasAny(a arguments, params []param) bool {
	return slices.ContainsFunc(params, func(p param) bool { return a[p.name] != nil })
}

// assign gives each member of an object to the parameter of that name or
// alias, and checks it. It returns the first name that no parameter has.
func assign(given map[string]json.RawMessage, known ...[]param) (a arguments, unknown string, err error) {
	a = make(arguments, len(given))
	left := len(given)
	for _, params := range known {
		for i := range params {
			p := &params[i]
			name := strings.TrimSuffix(p.name, "!")
			raw, sent := given[name]
			if !sent {
				continue
			}
			left--
			if err := a.set(p, name, raw); err != nil {
				return nil, "", err
			}
		}
	}
	if left == 0 {
		return a, "", nil
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if string(given[name]) == "null" || findParam(name, known...) != nil {
			continue
		}
		p := findParam(aliases[name], known...)
		if p == nil && name == "content" {
			p = findParam("text", known...)
		}
		if p == nil || a[strings.TrimSuffix(p.name, "!")] != nil {
			return nil, name, nil
		}
		if err := a.set(p, strings.TrimSuffix(p.name, "!"), given[name]); err != nil {
			return nil, "", err
		}
	}
	return a, "", nil
}

// set checks and sets an argument, unless it means the same as nothing.
func (a arguments) set(p *param, name string, raw json.RawMessage) error {
	if string(raw) == "null" {
		return nil
	}
	arg, err := p.check(raw)
	if arg != nil {
		a[name] = arg
	}
	return err
}

// valueOf returns an argument's value, or the zero value if it is absent. It
// panics if the parameter has another type: a test calls every tool with every
// parameter.
func valueOf[T any](a arguments, name string) (v T) {
	if arg := a[name]; arg != nil {
		v = arg.value.(T)
	}
	return v
}

// text returns a text, or "" if it is absent.
func (a arguments) text(name string) string { return valueOf[string](a, name) }

func (a arguments) boolean(name string) bool { return valueOf[bool](a, name) }

// texts returns an array of strings.
func (a arguments) texts(name string) []string { return valueOf[[]string](a, name) }

// objects returns an array of objects.
func (a arguments) objects(name string) []arguments { return valueOf[[]arguments](a, name) }

// requiredText returns a text that must not be empty.
func (a arguments) requiredText(name string) (string, error) {
	s := a.text(name)
	if strings.TrimSpace(s) == "" {
		return "", wiki.Problemf(wiki.ErrInvalid, name, "%q must not be empty.", wiki.Own(name))
	}
	return s, nil
}

// integer returns an integer of at least 0: the standard if it is 0 or absent,
// otherwise clamped to low and high.
func (a arguments) integer(name string, standard, low, high int) (int, error) {
	switch n := valueOf[int](a, name); {
	case n < 0:
		return 0, wiki.Problemf(wiki.ErrInvalid, name, "%q must be a number from %d to %d.", wiki.Own(name), low, high)
	case n == 0:
		return standard, nil
	default:
		return max(low, min(high, n)), nil
	}
}

// enum returns an argument of the kind enum, or the standard if it is absent.
func (a arguments) enum(name, standard string) string { return cmp.Or(a.text(name), standard) }

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
// the agent has read: "a1b2c3d4~40-120", or none, "a1b2c3d4~0". Without it,
// seen is nil: all of them.
func parseRevision(revision string) (base string, seen *edit.Lines, err error) {
	revision = strings.TrimPrefix(strings.TrimSpace(revision), "@")
	base, lines, marked := strings.Cut(revision, "~")
	switch {
	case !marked:
		return base, nil, nil
	case lines == "0":
		return base, &edit.Lines{}, nil
	}
	from, to, err := parseLines(lines)
	if err != nil {
		err = wiki.Problemf(wiki.ErrInvalid, "revision", "%q is not a revision. Send it exactly as returned.", truncate(revision, 60))
	}
	return base, &edit.Lines{From: from, To: to}, err
}

func rangeSuffix(from, to int) string {
	if to < 1 {
		return "~0"
	}
	return fmt.Sprintf("~%d-%d", from, to)
}
