package pages

import (
	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/search"
)

// The words of lower rooms that appear in this package's signatures, so that
// doors need to import nothing else.
type (
	LogFilter = content.LogFilter
	Authors   = content.Authors
	Draft     = content.Draft
	Stats     = content.Stats
	Query     = search.Query
	Results   = search.Results
	Hit       = search.Hit
	Span      = search.Span
	Mode      = search.Mode
	Heading   = markdown.Heading
	Prop      = markdown.Prop
	Section   = markdown.Section
)

// How a query was read when no page matched as it was asked; see
// search.Loosened.
const (
	Beginnings = search.Beginnings
	AnyWord    = search.AnyWord
)

// What a query is compared by; see search.Mode.
const (
	Hybrid   = search.Hybrid
	Keyword  = search.Keyword
	Semantic = search.Semantic
)

// ParseMode reads a mode, "" as Hybrid. ErrInvalid for anything else.
func ParseMode(text string) (Mode, error) { return search.ParseMode(text) }
