package pages

import (
	"fmt"
	"strings"

	"robot.wtf/internal/markdown"
)

// frontMatter returns a page's front matter, nil if it has none or it is invalid.
func frontMatter(source []byte) map[string]any {
	props, err := markdown.FrontMatter(source)
	if err != nil {
		return nil // the rendered page has a notice
	}
	return props
}

// hasCategory reports whether front matter has a category, alone or in a list.
func hasCategory(props map[string]any, category string) bool {
	list, ok := props["category"].([]any)
	if !ok {
		list = []any{props["category"]}
	}
	for _, c := range list {
		if c != nil && strings.EqualFold(fmt.Sprint(c), category) {
			return true
		}
	}
	return false
}
