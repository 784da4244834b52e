package web

import (
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/url"
	"strings"
)

// connectLines are what the connect page offers to press and to copy, for one
// wiki. What each client makes of them is in the tests.
type connectLines struct {
	Name          string       // what clients call the wiki: its slug
	URL           string       // "https://ada.robot.wtf/mcp"
	Claude        string       // opens the dialog of claude.ai, filled in
	ClaudeCode    string       // a command
	ClaudeLogin   string       // a command
	Cursor        template.URL // opens Cursor
	VSCode        template.URL // opens VS Code
	VSCodeCommand string
	File          string // .mcp.json
	FileWithToken string // .mcp.json for a machine on which nobody can sign in
	Prompt        string
	// Local says that only this machine reaches the wiki, so no hosted client.
	Local bool
	Hosts string // then, a line for /etc/hosts: not all programs know *.localhost
}

// An mcpServer is an entry of .mcp.json, whose "type" is required there.
type mcpServer struct {
	Name    string            `json:"name,omitempty"`
	Type    string            `json:"type,omitempty"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
}

// makeConnectLines makes the lines of the wiki at an origin.
func makeConnectLines(slug, origin string) connectLines {
	l := connectLines{Name: slug, URL: origin + "/mcp"}
	host, _ := url.Parse(origin)
	if host != nil && strings.HasSuffix(host.Hostname(), ".localhost") {
		l.Local, l.Hosts = true, "127.0.0.1 "+host.Hostname()+" "+strings.TrimPrefix(host.Hostname(), slug+".")
	}
	// Blanks as %20: not all that read these decode a plus sign.
	query := url.Values{"connectorName": {slug + " wiki"}, "connectorUrl": {l.URL}}.Encode()
	l.Claude = "https://claude.ai/customize/connectors?modal=add-custom-connector&" + strings.ReplaceAll(query, "+", "%20")
	// Flags come before the name; without --transport an address is taken for a
	// command.
	l.ClaudeCode = "claude mcp add --transport http --scope user " + slug + " " + l.URL
	l.ClaudeLogin = "claude mcp login " + slug
	l.Cursor = template.URL("cursor://anysphere.cursor-deeplink/mcp/install?name=" + slug + "&config=" +
		url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(plainJSON(mcpServer{URL: l.URL})))))
	vscode := plainJSON(mcpServer{Name: slug, Type: "http", URL: l.URL})
	l.VSCode = template.URL("vscode:mcp/install?" + strings.ReplaceAll(url.QueryEscape(vscode), "+", "%20"))
	l.VSCodeCommand = "code --add-mcp '" + vscode + "'"
	servers := func(s mcpServer) string { return plainJSON(map[string]map[string]mcpServer{"mcpServers": {slug: s}}) }
	l.File = servers(mcpServer{Type: "http", URL: l.URL})
	l.FileWithToken = servers(mcpServer{Type: "http", URL: l.URL, Headers: map[string]string{"Authorization": "Bearer ${ROBOTWTF_TOKEN}"}})
	l.Prompt = "Use my " + slug + " wiki. Read the AGENTS page, ask me three short questions about what I am working on, then write one page about it, link it from Home, and tell me its address."
	return l
}

// plainJSON is JSON on one line; slugs and origins hold nothing to escape.
func plainJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and maps of them cannot fail
	}
	return string(text)
}
