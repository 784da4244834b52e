package markdown

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
	"github.com/goccy/go-yaml"
)

const tomlFence = "+++"

// IsTOML reports whether a page's front matter is TOML, as Hugo and Zola write it:
// between two lines "+++".
func IsTOML(page []byte) bool {
	page = bytes.TrimPrefix(page, []byte(byteOrderMark))
	_, size := cutFrontMatter(page)
	return size > 0 && bytes.HasPrefix(page, []byte(tomlFence))
}

// readTOML parses the text between the two lines. Its limits are those of YAML.
func readTOML(text []byte, start int) (f frontMatter) {
	f = frontMatter{text: string(text), start: start, toml: true}
	defer func() {
		if recover() != nil {
			f.items, f.bad = nil, "The front matter is not TOML."
		}
	}()
	switch {
	case len(text) > maxFrontMatter:
		f.bad = fmt.Sprintf("The front matter is longer than %s bytes.", thousands(maxFrontMatter))
		return f
	case !utf8.Valid(text):
		f.bad = "The front matter is not UTF-8."
		return f
	case yamlDepth(text) > maxYAMLDepth:
		f.bad = fmt.Sprintf("The front matter is nested more than %d deep.", maxYAMLDepth)
		return f
	}
	values := map[string]any{}
	known, err := toml.Decode(f.text, &values)
	if err != nil {
		f.bad = "The front matter is not TOML: " + tomlReason(err) + "."
		return f
	}
	keys := known.Keys()
	if slices.ContainsFunc(keys, func(k toml.Key) bool { return len(k) > maxYAMLDepth }) {
		f.bad = fmt.Sprintf("The front matter is nested more than %d deep.", maxYAMLDepth)
		return f
	}
	f.items = tomlItems(values, keys)
	return f
}

func tomlReason(err error) string {
	var at toml.ParseError
	if errors.As(err, &at) {
		return fmt.Sprintf("line %d: %s", at.Position.Line, strings.TrimRight(at.Message, "."))
	}
	return "it can't be read"
}

// tomlItems returns the values at the top in the order of the text.
func tomlItems(values map[string]any, keys []toml.Key) yaml.MapSlice {
	items := yaml.MapSlice{}
	seen := map[string]bool{}
	for _, k := range keys {
		if v, ok := values[k[0]]; ok && !seen[k[0]] {
			seen[k[0]] = true
			items = append(items, yaml.MapItem{Key: k[0], Value: tomlValue(v)})
		}
	}
	return items
}

// tomlValue converts a value to the types that YAML has. Dates and times without a
// zone become text, in which package property finds them.
func tomlValue(v any) any {
	switch v := v.(type) {
	case time.Time:
		switch v.Location().String() {
		case "date-local":
			return v.Format(time.DateOnly)
		case "time-local":
			return v.Format(time.TimeOnly)
		case "datetime-local":
			return v.Format("2006-01-02T15:04:05")
		}
		return v
	case map[string]any:
		items := make(yaml.MapSlice, 0, len(v))
		for _, key := range sortedKeys(v) {
			items = append(items, yaml.MapItem{Key: key, Value: tomlValue(v[key])})
		}
		return items
	case []map[string]any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = tomlValue(v[i])
		}
		return list
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = tomlValue(v[i])
		}
		return list
	}
	return v
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// isTableHeader reports whether [[name]] at an offset of a text is the header of a
// TOML table, not a link.
func isTableHeader(text string, at int) bool {
	line := text[strings.LastIndexByte(text[:at], '\n')+1 : at]
	return strings.TrimSpace(line) == ""
}
