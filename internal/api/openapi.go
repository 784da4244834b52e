package api

import "strings"

// An operation says of a route what the table of routes does not. Lists are
// words; types are those of memberTypes, otherwise strings.
type operation struct {
	summary string
	query   string // parameters of the address
	body    string // members of the JSON body
	answer  string // members that each answer to a success has
}

// operations has an entry for each route, by method and pattern.
var operations = map[string]operation{
	"GET /pages":                              {"List pages", "prefix tag category updated_since", "", "pages total"},
	"GET /pages/{page}":                       {"Read a page, as it is or was at a revision", "revision", "", "name path content revision"},
	"PUT /pages/{page}":                       {"Write a page's exact text", "", "content revision commit_message", "name path revision commit"},
	"PATCH /pages/{page}":                     {"Replace one passage of a page", "", "revision old_string new_string commit_message", "name path revision commit"},
	"DELETE /pages/{page}":                    {"Delete a page", "", "revision commit_message recursive", "deleted"},
	"POST /pages/{page}/rename":               {"Rename a page; links follow", "", "new_path revision commit_message keep_links page_only", "old_path new_path"},
	"GET /pages/{page}/history":               {"List a page's revisions, newest first", "limit before author by", "", "path history"},
	"GET /pages/{page}/diff":                  {"Compare two revisions of a page", "from to", "", "path diff"},
	"GET /pages/{page}/attachments":           {"List the files beside a page", "", "", "attachments total"},
	"POST /pages/{page}/attachments":          {"Upload a file, in base64", "", "filename content revision commit_message", "filename path"},
	"GET /pages/{page}/attachments/{file}":    {"Read a file, in base64", "revision", "", "filename content"},
	"DELETE /pages/{page}/attachments/{file}": {"Delete a file", "", "revision commit_message", "deleted filename"},
	"GET /changelog":                          {"List the wiki's changes, newest first", "limit before author by prefix", "", "entries total"},
	"GET /search":                             {"Search the wiki", "q limit offset", "", "query results total"},
	"GET /links":                              {"All links between pages", "", "", "nodes edges"},
	"GET /links/{page}":                       {"The links from and to a page", "", "", "path links_to linked_from"},

	"GET /me":                            {"Who you are", "", "", "did username handle name"},
	"DELETE /me":                         {"Delete your account: closed at once, purged after seven days", "", "confirm", "did ending"},
	"GET /wikis":                         {"Your wikis, and those you are a member of", "", "", "wikis"},
	"POST /wikis":                        {"Make your wiki", "", "slug", "slug url"},
	"GET /wikis/{slug}":                  {"A wiki's settings and how full it is", "", "", "slug url role title description public home as_handle pages max_pages bytes max_bytes"},
	"PATCH /wikis/{slug}":                {"Change the settings that the body names", "", "title description public home as_handle", "slug url title public"},
	"DELETE /wikis/{slug}":               {"Delete your wiki: closed at once, purged after seven days", "", "confirm", "wikis"},
	"POST /wikis/{slug}/restore":         {"Restore a wiki that is being deleted", "", "", "slug url"},
	"GET /wikis/{slug}/members":          {"A wiki's people, the owner first", "", "", "members max_members"},
	"POST /wikis/{slug}/members":         {"Add somebody by handle or DID, as viewer or editor", "", "handle role", "members max_members"},
	"PATCH /wikis/{slug}/members/{did}":  {"Give a member another role", "", "role", "members max_members"},
	"DELETE /wikis/{slug}/members/{did}": {"Remove a member, or leave", "", "", "deleted"},
	"GET /wikis/{slug}/tokens":           {"Your own tokens for a wiki", "", "", "tokens"},
	"POST /wikis/{slug}/tokens":          {"Make a token for a wiki; its secret is told once", "", "name read_only", "id name read_only created secret"},
	"DELETE /wikis/{slug}/tokens/{id}":   {"Revoke a token", "", "", "deleted"},
	"GET /tokens":                        {"Your personal tokens", "", "", "tokens"},
	"DELETE /tokens/{id}":                {"Revoke a personal token", "", "", "deleted"},
	"GET /sessions":                      {"Where you are signed in", "", "", "sessions"},
	"DELETE /sessions":                   {"Sign out everywhere", "", "", "deleted"},
	"DELETE /sessions/{id}":              {"End one session, on every host", "", "", "deleted"},
}

var memberTypes = map[string]string{
	"limit": "integer", "before": "integer", "offset": "integer", "total": "integer", "bytes": "integer", "max_bytes": "integer",
	"max_pages": "integer", "max_members": "integer",
	"recursive": "boolean", "keep_links": "boolean", "page_only": "boolean", "public": "boolean", "as_handle": "boolean",
	"read_only": "boolean", "deleted": "boolean",
	"pages": "", "attachments": "array", "history": "array", "entries": "array", "results": "array", "nodes": "array", "edges": "array",
	"links_to": "array", "linked_from": "array", "wikis": "array", "members": "array", "tokens": "array", "sessions": "array",
}

type object = map[string]any

// schemaOf is the schema of a member or parameter; "pages" is a list in one
// route and a number in another.
func schemaOf(name string) object {
	kind, known := memberTypes[name]
	switch {
	case !known:
		kind = "string"
	case kind == "":
		return object{}
	}
	return object{"type": kind}
}

// document is the OpenAPI 3.1 document of both APIs, made from their routes.
func (h *Handler) document() object {
	paths := object{}
	for _, r := range Routes {
		// {page} may contain slashes, which OpenAPI cannot say.
		describe(paths, prefix+r.Pattern, r.Method, r.Pattern, "wiki", object{"servers": []object{{"url": h.o.WikiOrigin("{slug}"), "variables": object{"slug": object{"default": "ada"}}}}})
	}
	for _, r := range ManageRoutes {
		describe(paths, "/api"+r.Pattern, r.Method, r.Pattern, "personal", object{})
	}
	bearer := func(text string) object {
		return object{"type": "http", "scheme": "bearer", "description": text}
	}
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "robot.wtf", "version": "1",
			"description": "The API of a wiki, below /api/v1 on its own host, and the management API, below /api on the platform's host.",
		},
		"paths": paths,
		"components": object{
			"securitySchemes": object{
				"wiki":     bearer("A token of this wiki, rwtf_…. A public wiki is read without one."),
				"personal": bearer("A personal token, rwtp_…, from the account's page."),
			},
			"schemas": object{"Problem": object{
				"type": "object", "description": "Problem details (RFC 9457).",
				"required": []string{"type", "title", "status", "detail", "code"},
				"properties": object{
					"type": object{"type": "string"}, "title": object{"type": "string"}, "status": object{"type": "integer"},
					"detail": object{"type": "string"}, "code": object{"type": "string"}, "field": object{"type": "string"},
				},
			}},
		},
	}
}

func describe(paths object, address, method, pattern, security string, path object) {
	op := operations[method+" "+pattern]
	var parameters []object
	for part := range strings.SplitSeq(pattern, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			parameters = append(parameters, object{"name": name, "in": "path", "required": true, "schema": object{"type": "string"}})
		}
	}
	for _, name := range strings.Fields(op.query) {
		parameters = append(parameters, object{"name": name, "in": "query", "schema": schemaOf(name)})
	}
	members := func(words string) object {
		properties := object{}
		for _, name := range strings.Fields(words) {
			properties[name] = schemaOf(name)
		}
		return object{"type": "object", "properties": properties}
	}
	answer := members(op.answer)
	answer["required"] = strings.Fields(op.answer)
	described := object{
		"summary":  op.summary,
		"security": []object{{security: []string{}}},
		"responses": object{
			"2XX":     object{"description": "Done", "content": object{"application/json": object{"schema": answer}}},
			"default": object{"description": "A problem", "content": object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/Problem"}}}},
		},
	}
	if len(parameters) > 0 {
		described["parameters"] = parameters
	}
	if op.body != "" {
		described["requestBody"] = object{"content": object{"application/json": object{"schema": members(op.body)}}}
	}
	item, ok := paths[address].(object)
	if !ok {
		item = path
		paths[address] = item
	}
	item[strings.ToLower(method)] = described
}
