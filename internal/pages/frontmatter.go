package pages

import (
	"fmt"
	"strings"

	"robot.wtf/internal/markdown"
)

// frontMatter is a page's front matter, nil if it has none that can be read.
func frontMatter(source []byte) map[string]any {
	props, err := markdown.FrontMatter(source)
	if err != nil {
		return nil // the page's notices say why
	}
	return props
}

// hasCategory reports a front matter with the category, alone or in a list.
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
