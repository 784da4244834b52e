package mcpserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

const (
	pageURI       = "wiki://page/"
	pageTemplate  = pageURI + "{+path}"
	maxCompleted  = 20
	maxCandidates = 200 // before strangers' names are left out
	maxLatest     = 20  // pages in the list of resources
)

func (h *Handler) addResources(s *mcp.Server) {
	s.AddResourceTemplate(&mcp.ResourceTemplate{
		Name: "page", Title: "A page of the wiki", Description: "Markdown source of a page.", MIMEType: "text/markdown", URITemplate: pageTemplate,
	}, h.readResource)
}

// pageOfURI is the page that a resource URI names.
func pageOfURI(uri string) (string, bool) {
	escaped, ok := strings.CutPrefix(uri, pageURI)
	path, err := url.PathUnescape(escaped)
	if err != nil {
		path = escaped // not escaped at all
	}
	return path, ok && path != ""
}

// escapeURI escapes a resource URI, because the SDK finds no resource for one with
// spaces or letters outside ASCII.
func escapeURI(uri string) string {
	if path, ok := pageOfURI(uri); ok {
		return pageURI + strings.TrimPrefix(wiki.PathURL(path), "/")
	}
	return uri
}

// listedResources returns the home page, the agents' page and the latest pages. A
// name can't have a fence, so those that strangers gave are left out.
func (h *Handler) listedResources(ctx context.Context, c *client) ([]*mcp.Resource, error) {
	list, err := h.o.Pages.List(ctx, c.access, pages.ListFilter{})
	if err != nil {
		return nil, err
	}
	home, err := h.o.Pages.Home(ctx, c.access)
	if err != nil {
		return nil, err
	}
	rank := func(e pages.Entry) int {
		return slices.Index([]wiki.PageName{agentsPage, wiki.PageName(home)}, e.Name)
	}
	sortBy(list, func(a, b pages.Entry) int {
		return cmp.Or(cmp.Compare(rank(b), rank(a)), b.Modified.Compare(a.Modified))
	})
	list = list[:min(len(list), maxCandidates)]
	lines := make([]line, len(list))
	for i, e := range list {
		lines[i] = line{called(e.Name)}
	}
	h.newFence(ctx, c, lines...)
	found := []*mcp.Resource{}
	latest := 0
	for i, e := range list {
		if lines[i].hasForeign() || latest == maxLatest {
			continue
		}
		if rank(e) < 0 {
			latest++
		}
		found = append(found, &mcp.Resource{Name: string(e.Name), URI: pageURI + strings.TrimPrefix(wiki.PathURL(string(e.Name)), "/"), MIMEType: "text/markdown", Size: e.Size})
	}
	return found, nil
}

func (h *Handler) readResource(ctx context.Context, r *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	c := clientOf(r)
	path, ok := pageOfURI(r.Params.URI)
	if !ok {
		return nil, errNoResource
	}
	// Like read_page, with header and fence, because clients show it to
	// their model.
	read := h.call(ctx, c, h.tools["read_page"], fmt.Appendf(nil, `{"path":%s,"view":"full","max_tokens":%d}`, jsonString(path), maxRead))
	if read.failed {
		if _, err := h.o.Pages.Source(ctx, c.access, path, ""); errors.Is(err, wiki.ErrNotFound) || errors.Is(err, wiki.ErrInvalid) {
			return nil, errNoResource
		}
		return nil, errors.New(read.text())
	}
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: r.Params.URI, MIMEType: "text/markdown", Text: read.text()}}}, nil
}

// errNoResource doesn't repeat the URI, unlike the SDK's: it can have a
// stranger's words.
var errNoResource = &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "Resource not found"}

// complete completes the page name in the template's URI. A completion can't
// have a fence, so it leaves out the names that strangers gave.
func (h *Handler) complete(ctx context.Context, r *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
	none := &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: []string{}}}
	ref := r.Params.Ref
	if ref == nil || ref.Type != "ref/resource" || ref.URI != pageTemplate || r.Params.Argument.Name != "path" {
		return none, nil
	}
	c := clientOf(r)
	found, err := h.o.Pages.Complete(ctx, c.access, r.Params.Argument.Value, maxCandidates)
	if err != nil {
		return nil, err
	}
	lines := make([]line, len(found))
	for i, n := range found {
		lines[i] = line{called(n)}
	}
	h.newFence(ctx, c, lines...)
	known := found[:0]
	for i, n := range found {
		if !lines[i].hasForeign() {
			known = append(known, n)
		}
	}
	found = known
	for _, n := range found[:min(len(found), maxCompleted)] {
		none.Completion.Values = append(none.Completion.Values, string(n))
	}
	none.Completion.Total, none.Completion.HasMore = min(len(found), maxCompleted+1), len(found) > maxCompleted
	return none, nil
}
