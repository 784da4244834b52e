package mcpserver

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"robot.wtf/internal/wiki"
)

// The kinds string and strings can have a second word for the thing they name:
// pageParam a page, sectionParam a page or "page#section", folderParam the
// beginning of names. Besides the plain name, each accepts a wiki:// URI, an
// address on the wiki's host and a [[link]].
const (
	pageParam    = "page"
	sectionParam = "section"
	folderParam  = "folder"
)

// resolvePaths replaces URIs, addresses and links in a call's arguments by the names
// of pages.
func (h *Handler) resolvePaths(ctx context.Context, c *client, a arguments, params []param) error {
	for _, p := range params {
		name := strings.TrimSuffix(p.name, "!")
		kind, names, _ := strings.Cut(p.kind, " ")
		if a[name] == nil || kind == "enum" || kind != "edits" && names == "" {
			continue
		}
		switch value := a[name].value.(type) {
		case string:
			path, err := h.parsePath(ctx, c, name, names, value)
			if err != nil {
				return err
			}
			a[name].value = path
		case []string:
			for i := range value {
				var err error
				if value[i], err = h.parsePath(ctx, c, name, names, value[i]); err != nil {
					return err
				}
			}
		case []arguments:
			for i, e := range value {
				if err := h.resolvePaths(ctx, c, e, editParams); err != nil {
					return nameBadEdit(err, i+1)
				}
			}
		}
	}
	return nil
}

// nameBadEdit says which edit has a wrong argument.
func nameBadEdit(err error, n int) error {
	var wrong *wiki.Problem
	if !errors.As(err, &wrong) {
		return err
	}
	return wiki.Problemf(wiki.ErrInvalid, "edits", "Edit %d: %s Nothing was changed.", n, wrong)
}

// parsePath returns the name of the page that the parameter of a name got.
func (h *Handler) parsePath(ctx context.Context, c *client, param, names, given string) (string, error) {
	page, section, known := c.parseReference(strings.TrimSpace(given))
	switch {
	case !known && strings.Contains(given, "://"):
		return "", wiki.Problemf(wiki.ErrInvalid, param, "%q is not an address of this wiki, which is at %s. Send the page's name.", truncate(given, 200), wiki.Own(c.origin+"/"))
	case !known:
		return given, nil
	case page == "" && names != folderParam:
		var err error
		if page, err = h.o.Pages.Home(ctx, c.access); err != nil {
			return "", err
		}
	}
	switch {
	case section == "":
		return page, nil
	case names != sectionParam:
		return "", wiki.Problemf(wiki.ErrInvalid, param, "%q names a section, but %s takes a whole page: %q.", truncate(given, 200), wiki.Own(param), page)
	}
	return page + "#" + section, nil
}

// parseReference parses a wiki:// URI, an address on the wiki's host or a [[link]].
func (c *client) parseReference(text string) (page, section string, ok bool) {
	if inner, found := strings.CutSuffix(strings.TrimPrefix(text, "!"), "]]"); found && strings.HasPrefix(inner, "[[") {
		target, _, _ := strings.Cut(inner[len("[["):], "|")
		if page, section, _ = strings.Cut(target, "#"); section == "" {
			page = target // such as C#
		}
		return strings.TrimSpace(page), strings.TrimSpace(section), true
	}
	rest, ok := strings.CutPrefix(text, pageURI)
	if !ok {
		if rest, ok = c.pathOnHost(text); !ok {
			return "", "", false
		}
		rest, _, _ = strings.Cut(rest, "?")
	}
	escaped, fragment, _ := strings.Cut(rest, "#")
	return unescaped(escaped), unescaped(fragment), true
}

// pathOnHost returns the part after the host of an address on one of the wiki's hosts.
func (c *client) pathOnHost(address string) (string, bool) {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok || !strings.EqualFold(scheme, "https") && !strings.EqualFold(scheme, "http") {
		return "", false
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	for _, origin := range []string{c.origin, c.home} {
		if _, own, _ := strings.Cut(origin, "://"); own != "" && strings.EqualFold(rest[:end], own) {
			return strings.TrimPrefix(rest[end:], "/"), true
		}
	}
	return "", false
}

// unescaped decodes percent-encoding; a text that has none stays.
func unescaped(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}
