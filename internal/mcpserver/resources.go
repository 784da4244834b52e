package mcpserver

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"robot.wtf/internal/wiki"
)

const (
	pageURI      = "wiki://page/"
	pageTemplate = pageURI + "{+path}"
	maxCompleted = 20
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
	return path, ok && err == nil && path != ""
}

func (h *Handler) readResource(ctx context.Context, r *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	c := clientOf(r)
	path, ok := pageOfURI(r.Params.URI)
	if !ok {
		return nil, mcp.ResourceNotFoundError(r.Params.URI)
	}
	// Like read_page, with header and fence, because clients show it to
	// their model.
	read := h.call(ctx, c, h.tools["read_page"], []byte(`{"path":`+jsonString(path)+`,"view":"full","max_chars":60000}`))
	if read.failed {
		if _, err := h.o.Pages.Source(ctx, c.access, path, ""); errors.Is(err, wiki.ErrNotFound) || errors.Is(err, wiki.ErrInvalid) {
			return nil, mcp.ResourceNotFoundError(r.Params.URI)
		}
		return nil, errors.New(read.text())
	}
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: r.Params.URI, MIMEType: "text/markdown", Text: read.text()}}}, nil
}

// complete completes the page name in the template's URI.
func (h *Handler) complete(ctx context.Context, r *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
	none := &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: []string{}}}
	ref := r.Params.Ref
	if ref == nil || ref.Type != "ref/resource" || ref.URI != pageTemplate || r.Params.Argument.Name != "path" {
		return none, nil
	}
	names, err := h.o.Pages.Complete(ctx, clientOf(r).access, r.Params.Argument.Value, maxCompleted+1)
	if err != nil {
		return nil, err
	}
	more := len(names) > maxCompleted
	for _, name := range names[:min(len(names), maxCompleted)] {
		none.Completion.Values = append(none.Completion.Values, string(name))
	}
	none.Completion.Total, none.Completion.HasMore = len(names), more
	return none, nil
}
