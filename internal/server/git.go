package server

import (
	"net/http"
	"net/url"
	"strings"
)

// Paths of a wiki's repository: ours, and that of An Otter Wiki, which clones from
// before a move have as their remote.
const (
	gitPath       = "/repo.git"
	formerGitPath = "/.git"
)

// isGit reports whether a path belongs to the git front end.
func isGit(path string) bool {
	return path == gitPath || strings.HasPrefix(path, gitPath+"/")
}

// withGitPath returns a request for a repository's former path as one for its path.
func withGitPath(r *http.Request) *http.Request {
	rest, former := strings.CutPrefix(r.URL.Path, formerGitPath)
	if !former || rest != "" && !strings.HasPrefix(rest, "/") {
		return r
	}
	with := new(http.Request)
	*with = *r
	with.URL = new(url.URL)
	*with.URL = *r.URL
	with.URL.Path, with.URL.RawPath = gitPath+rest, ""
	return with
}
