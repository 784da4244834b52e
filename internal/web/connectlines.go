package web

import (
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/netip"
	"net/url"
	"strings"
)

// connectLines are the links and lines to copy on the connect page of one wiki.
// The tests show how each client reads them.
type connectLines struct {
	Name          string       // the wiki's name in clients: its slug
	URL           string       // "https://ada.robot.wtf/mcp"
	Claude        string       // opens the dialog of claude.ai, filled in
	ClaudeCode    string       // a command
	ClaudeLogin   string       // a command
	Cursor        template.URL // opens Cursor
	CursorFile    string       // .cursor/mcp.json with a token
	VSCode        template.URL // opens VS Code
	VSCodeCommand string
	File          string // .mcp.json
	FileWithToken string // .mcp.json for a machine where nobody can sign in
	Prompt        string
	// Local means that only this machine can reach the wiki, Network that only its
	// network can, so hosted clients can't.
	Local, Network bool
	Hosts          string // if Local, a line for /etc/hosts: not every program resolves *.localhost
}

// An mcpServer is an entry of .mcp.json, where "type" is required.
type mcpServer struct {
	Name    string            `json:"name,omitempty"`
	Type    string            `json:"type,omitempty"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
}

// makeConnectLines returns the lines for the wiki at an origin.
func makeConnectLines(slug, origin string) connectLines {
	l := connectLines{Name: slug, URL: origin + "/mcp"}
	host, _ := url.Parse(origin)
	switch {
	case host == nil:
	case strings.HasSuffix(host.Hostname(), ".localhost"):
		l.Local, l.Hosts = true, "127.0.0.1 "+host.Hostname()
		if platform, below := strings.CutPrefix(host.Hostname(), slug+"."); below {
			l.Hosts += " " + platform
		}
	case isThisMachine(host.Hostname()):
		l.Local = true
	case host.Scheme == "http": // which no service uses at a public address
		l.Network = true
	}
	// Spaces as %20: not every reader decodes a plus sign.
	query := url.Values{"connectorName": {slug + " wiki"}, "connectorUrl": {l.URL}}.Encode()
	l.Claude = "https://claude.ai/customize/connectors?modal=add-custom-connector&" + strings.ReplaceAll(query, "+", "%20")
	// Flags come before the name. Without --transport, the address would be parsed
	// as a command.
	l.ClaudeCode = "claude mcp add --transport http --scope user " + slug + " " + l.URL
	l.ClaudeLogin = "claude mcp login " + slug
	servers := func(s mcpServer) string { return plainJSON(map[string]map[string]mcpServer{"mcpServers": {slug: s}}) }
	l.Cursor = template.URL("cursor://anysphere.cursor-deeplink/mcp/install?name=" + slug + "&config=" +
		url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(plainJSON(mcpServer{URL: l.URL})))))
	// Cursor has a syntax of its own for environment variables (cursor.com/docs/mcp).
	l.CursorFile = servers(mcpServer{URL: l.URL, Headers: map[string]string{"Authorization": "Bearer ${env:ROBOTWTF_TOKEN}"}})
	vscode := plainJSON(mcpServer{Name: slug, Type: "http", URL: l.URL})
	l.VSCode = template.URL("vscode:mcp/install?" + strings.ReplaceAll(url.QueryEscape(vscode), "+", "%20"))
	l.VSCodeCommand = "code --add-mcp '" + vscode + "'"
	l.File = servers(mcpServer{Type: "http", URL: l.URL})
	l.FileWithToken = servers(mcpServer{Type: "http", URL: l.URL, Headers: map[string]string{"Authorization": "Bearer ${ROBOTWTF_TOKEN}"}})
	l.Prompt = "Use my " + slug + " wiki. Read the AGENTS page, ask me three short questions about what I am working on, then write one page about it, link it from Home, and tell me its address."
	return l
}

// isThisMachine reports whether a host leads every machine to itself.
func isThisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// plainJSON returns JSON on one line. Slugs and origins contain nothing to escape.
func plainJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // encoding strings can't fail
	}
	return string(text)
}
