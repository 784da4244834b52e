package server

import "strings"

// isGit reports the paths of git's door.
func isGit(path string) bool {
	return path == "/repo.git" || strings.HasPrefix(path, "/repo.git/")
}
