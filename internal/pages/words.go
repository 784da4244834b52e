package pages

import (
	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/search"
)

// Types of lower packages that appear in this package's signatures, so that front
// ends need no other imports.
type (
	LogFilter = content.LogFilter
	Authors   = content.Authors
	Draft     = content.Draft
	DraftFile = content.DraftFile
	// A TrashPlace is a place in the list of deleted pages.
	TrashPlace = content.TrashPlace
	Stats      = content.Stats
	Query      = search.Query
	Results    = search.Results
	Hit        = search.Hit
	HitSection = search.Section
	Span       = search.Span
	Mode       = search.Mode
	KnownKey   = search.KnownKey
	Heading    = markdown.Heading
	Prop       = markdown.Prop
	Section    = markdown.Section
)

// How a query without exact matches was relaxed; see search.Loosened.
const (
	Beginnings = search.Beginnings
	AnyWord    = search.AnyWord
)

// Search modes; see search.Mode.
const (
	Hybrid   = search.Hybrid
	Keyword  = search.Keyword
	Semantic = search.Semantic
)

// ParseMode parses a mode; "" is Hybrid. ErrInvalid for unknown modes.
func ParseMode(text string) (Mode, error) { return search.ParseMode(text) }
