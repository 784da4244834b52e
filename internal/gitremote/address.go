package gitremote

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"robot.wtf/internal/outbound"
	"robot.wtf/internal/wiki"
)

// An Address names a public repository, and possibly one of its branches or tags.
type Address struct {
	Host string // as typed, in lowercase
	Path string // of the repository, with a slash at its start
	// Ref is the path after the word "tree" in a website's address: the name of a
	// branch or tag, possibly followed by a folder; "" for the main branch.
	Ref string
}

// URL returns the repository's address for git clients.
func (a Address) URL() string {
	return (&url.URL{Scheme: "https", Host: a.Host, Path: a.Path}).String()
}

// String returns the address without "https://" and ".git", for people.
func (a Address) String() string {
	text := a.Host + strings.TrimSuffix(a.Path, ".git")
	if a.Ref != "" {
		text += " (" + a.Ref + ")"
	}
	return wiki.VisibleName(text)
}

func problemf(format string, args ...any) error {
	return wiki.Problemf(wiki.ErrInvalid, "address", format, args...)
}

const maxAddress = 2000 // bytes

// IsAddress reports whether a text is meant as an address rather than a file's name.
func IsAddress(text string) bool { return strings.Contains(text, "://") }

// ParseAddress parses what people copy from a browser or from a "clone" button: the
// address of a repository, of its wiki, or of one of its branches on GitHub, GitLab,
// Forgejo (Codeberg), Gitea, Bitbucket and SourceHut. It connects to nothing. Its
// errors are Problems with the field "address".
func ParseAddress(text string) (Address, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return Address{}, problemf("Enter the address of a repository, such as https://github.com/owner/name.")
	case len(text) > maxAddress:
		return Address{}, problemf("This address is too long.")
	case !strings.Contains(text, ":"): // github.com/owner/name
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Opaque != "" {
		return Address{}, problemf("Only https addresses can be imported, such as https://github.com/owner/name.")
	}
	if err := checkHost(u); err != nil {
		return Address{}, err
	}
	segments, err := pathSegments(u)
	if err != nil {
		return Address{}, err
	}
	a := Address{Host: strings.ToLower(u.Hostname())}
	a.Path, a.Ref = repositoryOf(strings.TrimPrefix(a.Host, "www."), segments)
	if a.Path == "" {
		return Address{}, problemf("This isn't the address of a repository. It should look like https://github.com/owner/name.")
	}
	return a, nil
}

func checkHost(u *url.URL) error {
	host := u.Hostname()
	switch {
	case u.User != nil:
		return problemf("Remove the name or password before the @. Only public repositories can be imported.")
	case u.Port() != "" && u.Port() != "443":
		return problemf("Only addresses without a port can be imported.")
	case host == "" || strings.ContainsAny(host, `%\ `):
		return problemf("This address has no valid host. It should look like https://github.com/owner/name.")
	}
	ip, err := netip.ParseAddr(host)
	if err == nil && !outbound.IsPublic(ip) || err != nil && !strings.Contains(strings.Trim(host, "."), ".") {
		return problemf("%s isn't on the public internet. Upload a bundle of the repository instead.", host)
	}
	return nil
}

// pathSegments returns the decoded parts of a path, without empty ones.
func pathSegments(u *url.URL) ([]string, error) {
	var segments []string
	for part := range strings.SplitSeq(u.EscapedPath(), "/") {
		name, err := url.PathUnescape(part)
		if err != nil || name == "." || name == ".." || strings.ContainsAny(name, "/\\") || wiki.VisibleName(name) != name {
			return nil, problemf("This address contains characters that a repository's address can't have.")
		}
		if name != "" {
			segments = append(segments, name)
		}
	}
	return segments, nil
}

// repositoryOf returns the path of the repository that a page on its website belongs
// to, and the branch in its address; "" if there is none.
func repositoryOf(host string, segments []string) (path, ref string) {
	for i, name := range segments {
		switch {
		case strings.HasSuffix(name, ".git") && name != ".git":
			return join(segments[:i+1]), refAfter(segments[i+1:])
		case name == "-" && i >= 2: // GitLab
			if rest := segments[i+1:]; len(rest) > 0 && rest[0] == "wikis" {
				return join(segments[:i]) + ".wiki.git", ""
			}
			return join(segments[:i]) + ".git", refAfter(segments[i+1:])
		}
	}
	switch {
	case len(segments) == 0 || len(segments) == 1 && hasOwners(host):
		return "", ""
	case len(segments) < 3:
		return join(segments) + dotGit(host), ""
	case segments[2] == "wiki" && host == "bitbucket.org":
		return join(segments[:3]), ""
	case segments[2] == "wiki":
		return join(segments[:2]) + ".wiki.git", ""
	case hasOwners(host) || slices.Contains([]string{"tree", "src", "blob"}, segments[2]):
		return join(segments[:2]) + dotGit(host), refAfter(segments[2:])
	}
	return join(segments), ""
}

// hasOwners reports whether every repository of a website is at /owner/name.
func hasOwners(host string) bool {
	return slices.Contains([]string{"github.com", "codeberg.org", "bitbucket.org", "git.sr.ht"}, host)
}

// dotGit is the ending of a repository's address: without it, some servers redirect.
func dotGit(host string) string {
	if host == "github.com" || host == "codeberg.org" || host == "gitlab.com" {
		return ".git"
	}
	return ""
}

func join(segments []string) string { return "/" + strings.Join(segments, "/") }

// refAfter returns the branch or tag, with a folder, in the part of an address after
// the repository: tree/main, src/branch/main, blob/main/Home.md.
func refAfter(rest []string) string {
	if len(rest) < 2 {
		return ""
	}
	switch rest[0] {
	case "src": // src/branch/main (Forgejo) or src/main (Bitbucket)
		if rest[1] == "branch" || rest[1] == "tag" {
			rest = rest[1:]
		}
	case "tree", "blob":
	default:
		return ""
	}
	return strings.Join(rest[1:], "/")
}
