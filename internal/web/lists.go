package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// Lists of large wikis come in parts, so that no page is larger than 150 kB.
const (
	wholeIndex  = 300       // pages of a wiki whose index is one page
	maxListPart = 60 << 10  // estimated bytes of one part
	maxTextPart = 120 << 10 // of sitemaps and llms.txt
	maxBranch   = 60        // entries of one level of the tree beside a page
)

// partStarts divides a list into parts of at most max bytes, but at least one item,
// and returns the index at which each part starts.
func partStarts[T any](list []T, size func(T) int, max int) []int {
	starts, used := []int{0}, 0
	for i, item := range list {
		n := size(item)
		if used > 0 && used+n > max {
			starts, used = append(starts, i), 0
		}
		used += n
	}
	return starts
}

// partOf returns one part of a list, counted from 1. Numbers beyond the ends are the
// first or the last part.
func partOf[T any](list []T, starts []int, number int) (part []T, at int) {
	at = min(max(number, 1), len(starts))
	end := len(list)
	if at < len(starts) {
		end = starts[at]
	}
	return list[starts[at-1]:end], at
}

// listNumber returns the part that a request asks for.
func (v *visit) listNumber() int {
	n, _ := strconv.Atoi(v.query("part"))
	return max(n, 1)
}

// partLinks lead to the parts around one part of a list, for the template "parts".
type partLinks struct {
	Part, Parts    int
	Previous, Next string // addresses, or ""
}

func newPartLinks(part, parts int, address func(part int) string) partLinks {
	p := partLinks{Part: part, Parts: parts}
	if part > 1 {
		p.Previous = address(part - 1)
	}
	if part < parts {
		p.Next = address(part + 1)
	}
	return p
}

// A listPart is one part of a long list of pages.
type listPart struct {
	partLinks
	By      string // pages, name, tags, wanted or orphans
	Folder  string // whose content By pages lists
	Rows    []listRow
	Letters []listLetter
}

// A listRow is an entry of a listPart.
type listRow struct {
	Title, URL string
	Red        bool   // the page is missing
	Note       string // after the title
	Links      int    // to a missing page
	Below      int    // pages in a folder
	Open       string // address of its list
}

func (r listRow) size() int { return 100 + len(r.Title) + len(r.URL) + len(r.Note) + 2*len(r.Open) }

// A listLetter leads to the part in which a letter begins.
type listLetter struct{ Letter, URL string }

// indexPart returns a part of one of the index's lists.
func (v *visit) indexPart(index *pages.Index) *listPart {
	p := &listPart{By: v.query("by"), Folder: strings.Trim(v.query("in"), "/")}
	var rows []listRow
	var first []int // row of each letter
	switch p.By {
	case "name":
		for _, l := range index.Letters {
			first = append(first, len(rows))
			for _, e := range l.Pages {
				rows = append(rows, listRow{Title: e.Name.Title(), URL: e.Name.URL(), Note: wiki.Title(e.Name.Parent())})
			}
		}
	case "tags":
		for _, t := range index.Tags {
			rows = append(rows, listRow{Title: t.Tag, URL: "/-/search?q=" + url.QueryEscape("tag:"+t.Tag), Note: strconv.Itoa(len(t.Pages))})
		}
	case "wanted":
		for _, w := range index.Wanted {
			rows = append(rows, listRow{Title: wiki.Title(string(w.Name)), URL: w.Name.URL(), Red: true, Links: len(w.From)})
		}
	case "orphans":
		for _, name := range index.Orphans {
			rows = append(rows, listRow{Title: wiki.Title(string(name)), URL: name.URL()})
		}
	default:
		p.By = "pages"
		rows = folderRows(pages.ChildrenOf(index.Tree, p.Folder))
	}
	starts := partStarts(rows, listRow.size, maxListPart)
	var at int
	p.Rows, at = partOf(rows, starts, v.listNumber())
	p.partLinks = newPartLinks(at, len(starts), p.address)
	for i, row := range first {
		part, found := slices.BinarySearch(starts, row)
		if found {
			part++
		}
		p.Letters = append(p.Letters, listLetter{index.Letters[i].Letter, p.address(part)})
	}
	return p
}

func (p *listPart) address(part int) string {
	q := url.Values{}
	if p.By != "pages" {
		q.Set("by", p.By)
	}
	if p.Folder != "" {
		q.Set("in", p.Folder)
	}
	if part > 1 {
		q.Set("part", strconv.Itoa(part))
	}
	if len(q) == 0 {
		return "/-/index"
	}
	return "/-/index?" + q.Encode()
}

// folderRows lists one level of the tree.
func folderRows(nodes []*pages.Node) (rows []listRow) {
	for _, n := range nodes {
		row := listRow{Title: n.Name, URL: wiki.PathURL(n.Path), Below: n.Count}
		if len(n.Children) > 0 {
			row.Open = "/-/index?in=" + url.QueryEscape(n.Path)
		}
		rows = append(rows, row)
	}
	return rows
}

// branchAround returns the entries of one level of the tree to show: all, or the
// first and those around the current one, and how many are left out.
func branchAround(nodes []*pages.Node, path string) (shown []*pages.Node, left int) {
	if len(nodes) <= maxBranch {
		return nodes, 0
	}
	at := slices.IndexFunc(nodes, func(n *pages.Node) bool { return n.Path == path || strings.HasPrefix(path, n.Path+"/") })
	from := min(max(at-maxBranch/2, 0), len(nodes)-maxBranch)
	return slices.Concat(nodes[:1], nodes[from+1:from+maxBranch]), len(nodes) - maxBranch
}
