package web

import (
	"fmt"
	"hash/maphash"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// beside identifies everything that is shown around a page and depends on the names of
// the wiki's other pages.
type beside struct {
	tree  uint64 // hash of its HTML
	pages int    // in the wiki
	home  string // see pages.Service.Home
}

// A besidePage is the page tree and the page count, which are shown beside a page.
type besidePage struct {
	tree  template.HTML
	state beside
}

var treeSeed = maphash.MakeSeed()

// readBeside returns the tree, open at a path.
func (h *Handler) readBeside(v *visit, path string) (besidePage, error) {
	var b besidePage
	tree, err := h.o.Pages.Sidebar(v.ctx(), v.a)
	if err != nil {
		return b, fmt.Errorf("web: read page tree: %w", err)
	}
	stats, err := h.o.Pages.Stats(v.ctx(), v.a)
	if err != nil {
		return b, fmt.Errorf("web: read wiki statistics: %w", err)
	}
	home, err := h.o.Pages.Home(v.ctx(), v.a)
	if err != nil {
		return b, err
	}
	b.tree = treeHTML(treeItems(tree, "", path))
	b.state = beside{maphash.String(treeSeed, string(b.tree)), stats.Pages, home}
	return b, nil
}

// maxOpenFolders is how many folders of the tree one request opens.
const maxOpenFolders = 20

// showBranches returns the content of the folders that the query names, as HTML by
// folder, for a tree whose folders are opened in place.
func (h *Handler) showBranches(v *visit) error {
	tree, err := h.o.Pages.Sidebar(v.ctx(), v.a)
	if err != nil {
		return fmt.Errorf("web: read page tree: %w", err)
	}
	branches := map[string]template.HTML{}
	for _, folder := range v.r.URL.Query()["in"] {
		if len(branches) == maxOpenFolders {
			break
		}
		if list := pages.ChildrenOf(tree, folder); folder != "" && list != nil {
			branches[folder] = treeHTML(treeItems(list, folder, ""))
		}
	}
	return h.writeJSON(v, http.StatusOK, branches)
}

// addTo fills in a frame.
func (b besidePage) addTo(f *Frame) { f.Tree, f.Pages = b.tree, b.state.pages }

// renderWithTree renders a page with the tree beside it, open at a path.
func (h *Handler) renderWithTree(v *visit, status int, name string, data framed, path string) error {
	side, err := h.readBeside(v, path)
	if err != nil {
		return err
	}
	side.addTo(data.frame())
	return h.render(v, status, name, data)
}

// treeItem is one entry of the page tree.
type treeItem struct {
	Title    string
	URL      string
	Count    int
	Current  bool
	Children []treeItem
}

// treeItems returns the content of a folder of the tree with the folders on the way
// to a path opened. If there are many entries, it returns those around the path, and a
// link to the rest.
func treeItems(nodes []*pages.Node, folder, path string) []treeItem {
	shown, left := branchAround(nodes, path)
	list := make([]treeItem, 0, len(shown)+1)
	for _, n := range shown {
		item := treeItem{Title: n.Name, URL: wiki.PathURL(n.Path), Count: n.Count, Current: n.Path == path}
		if item.Current || strings.HasPrefix(path, n.Path+"/") {
			item.Children = treeItems(n.Children, n.Path, path)
			if len(item.Children) > 0 {
				item.Count = 0 // the pages are visible
			}
		}
		list = append(list, item)
	}
	if left > 0 {
		all := listPart{By: "pages", Folder: folder}
		list = append(list, treeItem{Title: strconv.Itoa(left) + " more…", URL: all.address(1)})
	}
	return list
}

// treeHTML renders the tree; "" if it is empty. html/template takes ten times as long,
// and every page has one.
func treeHTML(items []treeItem) template.HTML {
	var b strings.Builder
	writeBranch(&b, items)
	return template.HTML(b.String())
}

func writeBranch(b *strings.Builder, items []treeItem) {
	if len(items) == 0 {
		return
	}
	b.WriteString("<ul>\n")
	for _, item := range items {
		b.WriteString(`<li><a href="` + template.HTMLEscapeString(item.URL) + `"`)
		if item.Current {
			b.WriteString(` aria-current="page"`)
		}
		b.WriteString(">" + template.HTMLEscapeString(item.Title))
		if item.Count > 0 {
			b.WriteString(" <small>" + strconv.Itoa(item.Count) + `<span class="sr"> pages</span></small>`)
		}
		b.WriteString("</a>")
		writeBranch(b, item.Children)
		b.WriteString("</li>\n")
	}
	b.WriteString("</ul>")
}
