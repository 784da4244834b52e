package pages

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
)

// maxFrontMatter bounds what is read as YAML.
const maxFrontMatter = 16 << 10

// frontMatter reads the mapping between the two lines "---" that begin a page;
// nil if there is none, it is no mapping, or it has anchors, which can make a
// small text enormous.
func frontMatter(source []byte) map[string]any {
	text, ok := strings.CutPrefix(plainLines(source), "---\n")
	if !ok {
		return nil
	}
	yamlText, _, ok := strings.Cut(text, "\n---\n")
	if !ok {
		yamlText, ok = strings.CutSuffix(strings.TrimRight(text, "\n"), "\n---")
	}
	if !ok || len(yamlText) > maxFrontMatter || strings.Contains(yamlText, "*") && strings.Contains(yamlText, "&") {
		return nil
	}
	var props map[string]any
	if err := yaml.Unmarshal([]byte(yamlText), &props); err != nil {
		return nil
	}
	return props
}

func hasCategory(props map[string]any, category string) bool {
	switch v := props["category"].(type) {
	case []any:
		for _, c := range v {
			if strings.EqualFold(fmt.Sprint(c), category) {
				return true
			}
		}
		return false
	case nil:
		return false
	default:
		return strings.EqualFold(fmt.Sprint(v), category)
	}
}
