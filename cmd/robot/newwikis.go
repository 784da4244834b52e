package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"robot.wtf/internal/service"
	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

type newCommand struct {
	Days int `default:"7" placeholder:"N" help:"Wikis that became public in the last N days (${default})."`
	dataFlag
}

// Run lists new public wikis.
func (c newCommand) Run(ctx context.Context) error {
	return c.run(ctx, "new", url.Values{"days": {strconv.Itoa(c.Days)}})
}

// Limits of the list of outgoing links.
const (
	maxLinkPages = 300     // pages read per wiki
	maxLinkBytes = 4 << 20 // text read per wiki
	shownHosts   = 8       // hosts shown per wiki
)

// listNewWikis lists public wikis, newest first, with the hosts that their pages link
// to: spam usually shows there.
func listNewWikis(ctx context.Context, s *service.Service, args url.Values, _ io.Reader, out io.Writer) error {
	days, err := strconv.Atoi(args.Get("days"))
	if err != nil || days < 1 || days > 3650 {
		return fmt.Errorf("--days must be between 1 and 3650")
	}
	list, err := s.Store.AllSites(ctx)
	if err != nil {
		return err
	}
	since := time.Now().Add(-time.Duration(days) * 24 * time.Hour)
	list = slices.DeleteFunc(list, func(site store.SiteRow) bool {
		return !site.Public || site.Slug == wiki.HelpSlug || site.Published.Before(since)
	})
	slices.SortStableFunc(list, func(a, b store.SiteRow) int { return b.Published.Compare(a.Published) })
	return table(out, "WIKI\tOWNER\tHOST\tPUBLIC SINCE\tSTATE\tLINKS\tTO", func(row func(...any)) {
		for _, site := range list {
			links, hosts := "?", "?" // list a wiki that can't be read, too
			if found, err := outgoingHosts(ctx, s, site.Slug); err == nil {
				links, hosts = summarizeHosts(found)
			}
			row(site.Slug, "@"+site.OwnerHandle, cmp.Or(site.OwnerHost, "-"), day(site.Published), state(site.Suspended, site.PurgeAt), links, hosts)
		}
	})
}

var outgoingLink = regexp.MustCompile(`(?i)https?://([a-z0-9.-]+\.[a-z0-9-]{2,})`)

// outgoingHosts counts the links in a wiki's pages by host. It reads at most
// maxLinkPages pages and maxLinkBytes of text.
func outgoingHosts(ctx context.Context, s *service.Service, slug string) (map[string]int, error) {
	w, release, err := s.Content.Open(ctx, slug)
	if err != nil {
		return nil, err
	}
	defer release()
	names, err := w.Names(ctx)
	if err != nil {
		return nil, err
	}
	found, pages, bytes := map[string]int{}, 0, 0
	for _, name := range names {
		if !strings.HasSuffix(name, ".md") {
			continue
		}
		if pages++; pages > maxLinkPages || bytes > maxLinkBytes {
			break
		}
		_, text, err := w.Read(ctx, name)
		if err != nil {
			return nil, err
		}
		bytes += len(text)
		for _, m := range outgoingLink.FindAllSubmatch(text, 1000) {
			found[strings.ToLower(string(m[1]))]++
		}
	}
	return found, nil
}

// summarizeHosts returns the number of links, and the hosts with the most of them.
func summarizeHosts(found map[string]int) (links, hosts string) {
	total := 0
	for _, n := range found {
		total += n
	}
	names := slices.SortedFunc(maps.Keys(found), func(a, b string) int { return cmp.Or(found[b]-found[a], strings.Compare(a, b)) })
	var shown []string
	for _, name := range names[:min(len(names), shownHosts)] {
		shown = append(shown, fmt.Sprintf("%s (%d)", name, found[name]))
	}
	if more := len(names) - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	return strconv.Itoa(total), cmp.Or(strings.Join(shown, ", "), "-")
}
