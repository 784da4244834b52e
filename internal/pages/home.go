package pages

import (
	"context"
	"strings"

	"robot.wtf/internal/wiki"
)

// homeNames are the pages that serve as home page, in order, unless the settings
// choose one: repositories and other wikis begin with them.
var homeNames = []wiki.PageName{"Home", "README", "index", "docs/index", "_index"}

// Home returns the page to show at /, or a path starting with /: the one in the
// settings, else the first of homeNames that exists, else the only page that isn't in
// a folder. If there is none, it returns "Home", which doesn't exist.
func (s *Service) Home(ctx context.Context, a wiki.Access) (string, error) {
	if home := a.Site().Home; home != "" {
		return home, a.Allow(wiki.Read)
	}
	_, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return "", err
	}
	defer release()
	return d.home(a.Site()), nil
}

func (d *directory) home(site wiki.Site) string {
	if site.Home != "" {
		return site.Home
	}
	for _, name := range homeNames {
		if file, ok := d.page(string(name)); ok {
			found, _ := wiki.PageOf(file)
			return string(found)
		}
	}
	if only := d.onlyRootPage(); only != "" {
		return string(only)
	}
	return site.HomePage()
}

// onlyRootPage returns the page that isn't in a folder if there is exactly one.
// AGENTS, which instructs agents, doesn't count.
func (d *directory) onlyRootPage() (only wiki.PageName) {
	for _, p := range d.paths {
		name, ok := listedPage(p)
		if !ok || strings.Contains(p, "/") || wiki.Key(string(name)) == "agents" {
			continue
		}
		if only != "" {
			return ""
		}
		only = name
	}
	return only
}
