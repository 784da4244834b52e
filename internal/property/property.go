// Package property owns what a page's front matter says as data: typed values
// by key, and expressions such as "status = draft and due < 2026-12-05" that
// select pages by them.
//
// It doesn't parse YAML and stores nothing: package markdown reads the front
// matter, and package search keeps the values in its index.
package property

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"robot.wtf/internal/wiki"
)

// Bounds on one page's properties. The rest of its front matter isn't data.
const (
	MaxKeys   = 100 // per page, nested ones included
	MaxValues = 100 // per key
	MaxText   = 500 // characters of a value; longer ones are cut
	MaxKey    = 100 // bytes of a key; longer ones are left out
	maxDepth  = 5   // parts of a key, as in owner.name
)

// A Kind is the type of a value.
type Kind uint8

// The kinds, in the order in which values of different kinds are sorted.
const (
	Number Kind = iota + 1
	Boolean
	Date // a day
	Time // a day and a time
	Text
	Link // to a page
)

// A Value is one value of a property.
type Value struct {
	Kind   Kind
	Text   string  // as written, on one line; of a link, without the brackets
	Number float64 // a Number; 1 for true; of a Date or Time, the unix time in seconds
	// Folded is Text as it is compared, without regard to case. Of a link, it is
	// the key of the page it leads to.
	Folded string
}

// A Property is a key of a page's front matter with its values.
type Property struct {
	Key    string // as compared; the parts of nested keys are joined by dots
	Name   string // as written
	List   bool   // it is a list, also if it has one value
	Values []Value
}

// Key returns the form in which keys are compared. They differ neither by case
// nor by spaces and underscores.
func Key(name string) string { return wiki.Key(strings.TrimSpace(name)) }

// FromFrontMatter returns the properties of a page's front matter, sorted by
// key. Keys without a value, such as "due:" or "tags: []", are left out: they
// count as missing.
func FromFrontMatter(front map[string]any) []Property {
	c := collector{byKey: map[string]*Property{}}
	c.addMap("", front, false, 1)
	list := make([]Property, 0, len(c.byKey))
	for _, key := range slices.Sorted(maps.Keys(c.byKey)) {
		list = append(list, *c.byKey[key])
	}
	return list
}

// A collector gathers the properties of one page.
type collector struct {
	byKey map[string]*Property
}

func (c *collector) addMap(prefix string, m map[string]any, inList bool, depth int) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		c.add(prefix+oneLine(name), m[name], inList, depth)
	}
}

// add adds a value: a mapping key by key, a list value by value.
func (c *collector) add(name string, v any, inList bool, depth int) {
	if link, ok := wiki.UnquotedLink(v); ok {
		v = link
	}
	switch v := v.(type) {
	case map[string]any:
		if depth < maxDepth {
			c.addMap(name+".", v, inList, depth+1)
		}
	case []any:
		for _, item := range v[:min(len(v), MaxValues)] {
			if depth < maxDepth {
				c.add(name, item, true, depth+1)
			}
		}
	default:
		if value, ok := newValue(v); ok {
			c.addValue(name, value, inList)
		}
	}
}

func (c *collector) addValue(name string, v Value, inList bool) {
	key := Key(name)
	if key == "" || len(key) > MaxKey {
		return
	}
	p := c.byKey[key]
	if p == nil {
		if len(c.byKey) == MaxKeys {
			return
		}
		p = &Property{Key: key, Name: name}
		c.byKey[key] = p
	}
	p.List = p.List || inList || len(p.Values) > 0
	if len(p.Values) < MaxValues {
		p.Values = append(p.Values, v)
	}
}

// newValue converts a YAML scalar. It returns false for null and empty text.
func newValue(v any) (Value, bool) {
	switch v := v.(type) {
	case nil:
		return Value{}, false
	case bool:
		text := strconv.FormatBool(v)
		return Value{Kind: Boolean, Text: text, Folded: text, Number: map[bool]float64{true: 1}[v]}, true
	case int64:
		return numberValue(float64(v), strconv.FormatInt(v, 10)), true
	case uint64:
		return numberValue(float64(v), strconv.FormatUint(v, 10)), true
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return textValue(fmt.Sprint(v)), true
		}
		return numberValue(v, strconv.FormatFloat(v, 'f', -1, 64)), true
	case time.Time:
		return parseText(v.Format(time.RFC3339)), true
	}
	text := oneLine(fmt.Sprint(v))
	return parseText(text), text != ""
}

func numberValue(n float64, text string) Value {
	text = cut(text)
	return Value{Kind: Number, Text: text, Folded: text, Number: n}
}

func textValue(text string) Value {
	text = cut(text)
	return Value{Kind: Text, Text: text, Folded: wiki.Key(text)}
}

// parseText returns the value of a YAML text: a date, a link, or the text.
func parseText(text string) Value {
	if t, kind, ok := parseDate(text); ok {
		return Value{Kind: kind, Text: text, Folded: wiki.Key(text), Number: float64(t.Unix())}
	}
	if target, label, ok := parseLink(text); ok {
		v := Value{Kind: Link, Text: cut(target), Folded: wiki.Key(cut(target))}
		if label != "" {
			v.Text = cut(target + "|" + label)
		}
		return v
	}
	return textValue(text)
}

// Restore returns a value that was stored by its kind and texts. folded can be ""
// if text is ASCII.
func Restore(kind Kind, text, folded string) Value {
	v := Value{Kind: kind, Text: text, Folded: folded}
	switch kind {
	case Number:
		v.Number, _ = strconv.ParseFloat(text, 64) // we formatted it
	case Date, Time:
		t, _, _ := parseDate(text)
		v.Number = float64(t.Unix())
	case Boolean:
		if text == "true" {
			v.Number = 1
		}
	}
	if folded == "" {
		target, _, _ := strings.Cut(text, "|")
		if kind != Link {
			target = text
		}
		v.Folded = wiki.Key(target)
	}
	return v
}

// parseLink reads [[Page]] and [[Page#Section|label]].
func parseLink(text string) (target, label string, ok bool) {
	inner, ok := strings.CutPrefix(text, "[[")
	if !ok {
		return "", "", false
	}
	if inner, ok = strings.CutSuffix(inner, "]]"); !ok || strings.ContainsAny(inner, "[]") {
		return "", "", false
	}
	target, label, _ = strings.Cut(inner, "|")
	target, _, _ = strings.Cut(target, "#")
	target = strings.Trim(strings.TrimSpace(target), "/")
	return target, strings.TrimSpace(label), target != ""
}

var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04Z07:00"}

// parseDate reads ISO dates and times. Without a zone they are UTC.
func parseDate(text string) (t time.Time, kind Kind, ok bool) {
	if len(text) < len(time.DateOnly) || len(text) > 40 || text[4] != '-' {
		return t, 0, false
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, Date, true
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, strings.ToUpper(text)); err == nil {
			return t, Time, true
		}
	}
	return t, 0, false
}

// oneLine joins the lines of a text and drops control characters.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
}

func cut(text string) string {
	if utf8.RuneCountInString(text) <= MaxText {
		return text
	}
	return string([]rune(text)[:MaxText-1]) + "…"
}

// String formats a value as the page has it.
func (v Value) String() string {
	if v.Kind == Link {
		return "[[" + v.Text + "]]"
	}
	return v.Text
}

// JSON returns a value for JSON: a number, a boolean or a string.
func (v Value) JSON() any {
	switch v.Kind {
	case Number:
		return v.Number
	case Boolean:
		return v.Number == 1
	}
	return v.String()
}

// String formats a property's values for people.
func (p Property) String() string {
	parts := make([]string, len(p.Values))
	for i, v := range p.Values {
		parts[i] = v.String()
	}
	return strings.Join(parts, ", ")
}

// JSON returns a property's value for JSON, an array for a list.
func (p Property) JSON() any {
	if !p.List && len(p.Values) == 1 {
		return p.Values[0].JSON()
	}
	list := make([]any, len(p.Values))
	for i, v := range p.Values {
		list[i] = v.JSON()
	}
	return list
}

// Compare orders properties by their first values: numbers, booleans, dates and
// times, then text and links. A property without values comes last.
func Compare(a, b Property) int {
	if len(a.Values) == 0 || len(b.Values) == 0 {
		return cmp.Compare(min(1, len(b.Values)), min(1, len(a.Values)))
	}
	x, y := a.Values[0], b.Values[0]
	return cmp.Or(cmp.Compare(x.class(), y.class()), cmp.Compare(x.Number, y.Number), cmp.Compare(x.Folded, y.Folded))
}

// class is the kind by which values are sorted: dates and times are mixed, and
// so are text and links.
func (v Value) class() Kind {
	switch v.Kind {
	case Time:
		return Date
	case Link:
		return Text
	}
	return v.Kind
}
