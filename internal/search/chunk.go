package search

import (
	"crypto/sha256"
	"slices"
	"strings"

	"robot.wtf/internal/minilm"
	"robot.wtf/internal/wiki"
)

// A Model embeds text: it returns a unit vector of minilm.Dim floats for the
// first minilm.TextTokens tokens. *minilm.Model (all-MiniLM-L6-v2, pure Go, in
// process) is the real implementation. It must be safe for concurrent use.
type Model interface {
	Tokens(text string) []minilm.Token
	Embed(text string) []float32
}

// understands reports whether the model can compare a text by meaning. Texts in languages
// other than English, and a few English ones, are compared by words alone.
func understands(m Model, text string) bool { return minilm.Understands(text, m.Tokens(text)) }

// chunkScheme names the model, the way texts are split into chunks, and which of
// them it understands. Vectors of different schemes can't be compared, so an index of
// another scheme is rebuilt.
const chunkScheme = "all-MiniLM-L6-v2, sections 2"

// Sizes in tokens. maxChunks counts the chunks of a page.
const (
	chunkTokens   = minilm.TextTokens
	prefixTokens  = 48  // limit of the heading prefix
	mergeTokens   = 128 // adjacent sections that fit are merged into one chunk,
	smallTokens   = 32  // and so is a smaller section with its neighbor, if both fit in chunkTokens
	overlapTokens = 32  // repeated from the previous chunk of the same section
	maxChunks     = 1000
)

// A chunk is the part of a page that one vector represents: several sections, or
// a piece of one.
type chunk struct {
	first, last int    // indexes of its sections
	start       int    // byte offset in the first section's text
	text        string // embedded text, prefixed with the headings above it
}

func (c chunk) hash() string {
	sum := sha256.Sum256([]byte(c.text))
	return string(sum[:16])
}

// A chunker splits one page into chunks.
type chunker struct {
	model  Model
	name   wiki.PageName
	title  string
	chunks []chunk

	group struct { // sections collected for the next chunk
		first, last, tokens int // tokens is 0 if there are none
		text                strings.Builder
	}
	sections []section
}

// chunkPage splits a page into chunks of at most 256 tokens, each prefixed with
// the page's name and headings. Long sections are split with an overlap; small
// neighbors are merged. Tags and attachments aren't embedded. A page without
// text gets one chunk with its name. At most 1,000 chunks (about 800 KB) are
// embedded; the rest of the page is found only by its words.
func chunkPage(m Model, d document) []chunk {
	c := &chunker{model: m, name: d.name, title: d.title, sections: d.sections}
	for i, s := range d.sections {
		if s.line == 0 || s.text == "" && (s.heading == "" || c.hasSubsection(i)) || len(c.chunks) >= maxChunks {
			continue
		}
		c.addSection(i, s)
	}
	c.flush()
	if len(c.chunks) == 0 {
		c.chunks = []chunk{{text: c.headingPrefix(nil)}}
	}
	return c.chunks[:min(len(c.chunks), maxChunks)]
}

// hasSubsection reports whether the next section is below this one. Its prefix
// then includes this section's heading.
func (c *chunker) hasSubsection(i int) bool {
	path := c.sections[i].path
	return i+1 < len(c.sections) && len(c.sections[i+1].path) > len(path) && slices.Equal(c.sections[i+1].path[:len(path)], path)
}

func (c *chunker) addSection(i int, s section) {
	tokens := c.model.Tokens(s.text)
	prefix := c.headingPrefix(s.path)
	space := chunkTokens - len(c.model.Tokens(prefix))
	g := &c.group
	if g.tokens > 0 {
		inline := s.heading + ". " + s.text
		both := g.tokens + len(c.model.Tokens(inline))
		if both <= mergeTokens || both <= chunkTokens && (g.tokens < smallTokens || len(tokens) < smallTokens) {
			g.last, g.tokens = i, both
			g.text.WriteString(" " + inline)
			return
		}
		c.flush()
	}
	if len(tokens) > space {
		c.splitSection(i, prefix, s.text, tokens, space)
		return
	}
	g.first, g.last = i, i
	g.tokens = max(1, chunkTokens-space+len(tokens))
	g.text.WriteString(prefix + s.text)
}

// flush makes a chunk of the collected sections.
func (c *chunker) flush() {
	g := &c.group
	if g.tokens > 0 {
		c.chunks = append(c.chunks, chunk{first: g.first, last: g.last, text: g.text.String()})
	}
	g.tokens = 0
	g.text.Reset()
}

// splitSection splits a long section, after a sentence if one ends near the end
// of a piece, otherwise between words.
func (c *chunker) splitSection(i int, prefix, text string, tokens []minilm.Token, space int) {
	for start := 0; len(c.chunks) < maxChunks; {
		end := min(start+space, len(tokens))
		if end < len(tokens) {
			end = findCut(text, tokens, start+space*3/4, end)
		}
		from, to := tokens[start].Start, tokens[end-1].End
		c.chunks = append(c.chunks, chunk{first: i, last: i, start: from, text: prefix + text[from:to]})
		if end == len(tokens) {
			return
		}
		next := max(end-overlapTokens, start+1)
		for next < end && tokens[next].Inner {
			next++
		}
		start = next
	}
}

// findCut returns the token index to cut before: after the last sentence in
// range, otherwise before the last word.
func findCut(text string, tokens []minilm.Token, least, most int) int {
	for end := most; end > least; end-- {
		if last := tokens[end-1]; strings.Contains(".!?。！？", text[last.Start:last.End]) {
			return end
		}
	}
	for end := most; end > least; end-- {
		if !tokens[end].Inner {
			return end
		}
	}
	return most
}

// headingPrefix returns the text that precedes a chunk: the page's name and the
// headings of its section, or only the last of these if all are too long.
func (c *chunker) headingPrefix(path []string) string {
	names := strings.Split(strings.ReplaceAll(string(c.name), "_", " "), "/")
	if c.title != "" {
		names[len(names)-1] = c.title
	}
	parts := slices.CompactFunc(append(names, path...), strings.EqualFold) // "# Home" on Home
	text := strings.Join(parts, ". ") + ". "
	if len(c.model.Tokens(text)) <= prefixTokens {
		return text
	}
	text = parts[len(parts)-1]
	tokens := c.model.Tokens(text)
	if len(tokens) > prefixTokens {
		text = text[:tokens[prefixTokens-1].End]
	}
	return text + ". "
}
