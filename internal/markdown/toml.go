package markdown

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/goccy/go-yaml"
)

// IsTOML reports whether a page's front matter is TOML, as Hugo and Zola write it:
// between two lines "+++".
func IsTOML(page []byte) bool {
	_, _, isTOML := cutFrontMatter(bytes.TrimPrefix(page, []byte(byteOrderMark)))
	return isTOML
}

// parseTOML returns the values of a text within the limits, which are those of YAML, or
// why it has none.
func parseTOML(text []byte) (items yaml.MapSlice, bad string) {
	values := map[string]any{}
	known, err := toml.Decode(string(text), &values)
	if err != nil {
		return nil, "The front matter is not TOML: " + tomlReason(err) + "."
	}
	keys := known.Keys()
	if slices.ContainsFunc(keys, func(k toml.Key) bool { return len(k) > maxYAMLDepth }) {
		return nil, tooDeep
	}
	return tomlItems(values, keys), ""
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
		for _, key := range slices.Sorted(maps.Keys(v)) {
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

// isTableHeader reports whether [[name]] at an offset of a text is the header of a
// TOML table, not a link.
func isTableHeader(text string, at int) bool {
	line := text[strings.LastIndexByte(text[:at], '\n')+1 : at]
	return strings.TrimSpace(line) == ""
}
