package server

import "strings"

// isGit reports whether a path belongs to the git front end.
func isGit(path string) bool {
	return path == "/repo.git" || strings.HasPrefix(path, "/repo.git/")
}
