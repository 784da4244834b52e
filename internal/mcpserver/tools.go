package mcpserver

import (
	"encoding/json"
	"slices"
	"strings"

	"robot.wtf/internal/wiki"
)

// A tool is one entry of the list. Models pay for each word of what they are
// told of it, with each request: a test bounds it.
type tool struct {
	name, title string
	description string // what comes back; never how the model should behave
	params      []param
	hidden      []string // parameters that are understood and not told of
	action      wiki.Action
	destructive bool
	idempotent  bool
	serve       func(*Handler, ctx, *client, arguments) (*reply, error)
}

// A param is a parameter: its name, with "!" where it must be given, its type,
// and what it is where that does not say it.
type param struct{ name, kind, about string }

// tools in the order of the list.
var tools = []tool{
	{
		name: "wiki_overview", title: "Overview", action: wiki.Read, idempotent: true,
		description: "What this wiki is: your rights, page count, top of the tree, outline of Home, tags, last 5 changes.",
		serve:       (*Handler).overview,
	},
	{
		name: "search", title: "Search", action: wiki.Read, idempotent: true,
		description: "Best pages for some words, with the section and a line of it.",
		params: []param{
			{"query!", "string", `Words, "a phrase", -not, tag:x, author:x`},
			{"mode", "enum keyword", ""},
			{"path_prefix", "string", ""},
			{"tag", "string", ""},
			{"limit", "integer", "10"},
			{"cursor", "string", ""},
		},
		serve: (*Handler).search,
	},
	{
		name: "read_page", title: "Read a page", action: wiki.Read, idempotent: true,
		description: "Markdown source with its revision. A long page comes as outline and lead unless section, lines or view says more.",
		params: []param{
			{"path!", "string", ""},
			{"view", "enum auto outline full", ""},
			{"section", "string", `"Heading" or "A > B"`},
			{"lines", "string", `"40-120"`},
			{"at", "string", "Revision or date"},
			{"max_chars", "integer", "16000"},
		},
		serve: (*Handler).readPage,
	},
	{
		name: "read_pages", title: "Read pages", action: wiki.Read, idempotent: true,
		description: "Several pages or sections within max_chars.",
		params: []param{
			{"items!", "strings", `"path" or "path#Heading", up to 20`},
			{"max_chars", "integer", "24000"},
		},
		serve: (*Handler).readPages,
	},
	{
		name: "create_page", title: "Create a page", action: wiki.Edit,
		description: "Makes a page; fails if it exists. Returns its revision and pages with similar names.",
		params: []param{
			{"path!", "string", "Folder/Name"},
			{"content!", "string", "Markdown; [[Page]] links"},
			{"message", "string", ""},
		},
		serve: (*Handler).createPage,
	},
	{
		name: "edit_page", title: "Edit a page", action: wiki.Edit, idempotent: true,
		description: "Applies all edits or none and returns the new revision and what changed. A stale revision is merged.",
		params: []param{
			{"path!", "string", ""},
			{"revision", "string", "As read. Needed by replace_section, set_meta, all"},
			{"edits!", editSchema, ""},
			{"message", "string", ""},
			{"dry_run", "boolean", ""},
		},
		hidden: []string{"op", "old", "section", "text", "all"},
		serve:  (*Handler).editPage,
	},
}

const editSchema = `{"type":"array","items":{"type":"object","properties":{` +
	`"op":{"enum":["replace","replace_section","append","prepend","insert_after","set_meta"]},` +
	`"old":{"type":"string","description":"Text that is there once"},` +
	`"section":{"type":"string"},` +
	`"text":{"type":"string","description":"set_meta: key: value"},` +
	`"all":{"type":"boolean"}},"required":["op"]}}`

// names are the parameters that a tool tells of.
func (t *tool) names() []string {
	names := make([]string, len(t.params))
	for i, p := range t.params {
		names[i] = strings.TrimSuffix(p.name, "!")
	}
	return names
}

func (t *tool) takes(name string) bool {
	return slices.Contains(t.hidden, name) || slices.Contains(t.names(), name)
}

// schema is what a tool takes (JSON Schema 2020-12).
func (t *tool) schema() json.RawMessage {
	var b strings.Builder
	var required []string
	b.WriteString(`{"type":"object","properties":{`)
	for i, p := range t.params {
		name, must := strings.CutSuffix(p.name, "!")
		if must {
			required = append(required, name)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quoted(name) + ":" + p.schema())
	}
	b.WriteByte('}')
	if len(required) > 0 {
		list, _ := json.Marshal(required)
		b.WriteString(`,"required":` + string(list))
	}
	b.WriteByte('}')
	return json.RawMessage(b.String())
}

func (p param) schema() string {
	if strings.HasPrefix(p.kind, "{") {
		return p.kind
	}
	about := ""
	if p.about != "" {
		about = `,"description":` + quoted(p.about)
	}
	if words, ok := strings.CutPrefix(p.kind, "enum "); ok {
		list, _ := json.Marshal(strings.Fields(words))
		return `{"enum":` + string(list) + about + `}`
	}
	if p.kind == "strings" {
		return `{"type":"array","items":{"type":"string"}` + about + `}`
	}
	return `{"type":` + quoted(p.kind) + about + `}`
}

func quoted(text string) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text)
	return strings.TrimSuffix(b.String(), "\n")
}

// call runs a tool. What goes wrong is told to the model as the tool's result
// (MCP 2025-11-25, tools, "Error handling").
func (h *Handler) call(ctx ctx, c *client, t *tool, raw json.RawMessage) *reply {
	a, err := t.parse(raw)
	if err != nil {
		return h.refused(ctx, c, t, arguments{}, err)
	}
	r, err := t.serve(h, ctx, c, a)
	if err != nil {
		return h.refused(ctx, c, t, a, err)
	}
	return r
}
