// Package mediawiki reads the XML exports of MediaWiki (Special:Export,
// dumpBackup.php) and converts wikitext to Markdown.
//
// It doesn't know where pages go or how a wiki stores them: the caller says where a
// title leads. It has no I/O of its own and no templates: those stay in the text as
// code.
//
// Everything it reads is untrusted. An export is read in one pass with bounded memory,
// without entities and document types; converting a text takes linear time.
package mediawiki

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Numbers of MediaWiki's own namespaces.
const (
	NamespaceMedia    = -2
	NamespaceSpecial  = -1
	NamespaceMain     = 0
	NamespaceUser     = 2
	NamespaceProject  = 4
	NamespaceFile     = 6
	NamespaceSystem   = 8 // "MediaWiki": texts of the software
	NamespaceTemplate = 10
	NamespaceHelp     = 12
	NamespaceCategory = 14
	NamespaceModule   = 828
)

// canonicalNamespaces are the names that work in every wiki, in lowercase.
var canonicalNamespaces = map[string]int{
	"media": NamespaceMedia, "special": NamespaceSpecial,
	"talk": 1, "user": NamespaceUser, "user talk": 3, "project": NamespaceProject, "project talk": 5,
	"file": NamespaceFile, "image": NamespaceFile, "file talk": 7, "image talk": 7,
	"mediawiki": NamespaceSystem, "mediawiki talk": 9, "template": NamespaceTemplate, "template talk": 11,
	"help": NamespaceHelp, "help talk": 13, "category": NamespaceCategory, "category talk": 15,
	"module": NamespaceModule, "module talk": 829,
}

// A Site is what an export says about its wiki.
type Site struct {
	Name          string
	Main          string // title of the main page, "" if unknown
	CaseSensitive bool   // also the first letter of a title

	names   map[int]string // of namespaces
	numbers map[string]int // by the name in lowercase
}

// addNamespace records a namespace of the wiki.
func (s *Site) addNamespace(number int, name string) {
	if s.names == nil {
		s.names, s.numbers = map[int]string{}, map[string]int{}
	}
	if len(s.names) < maxNamespaces && name != "" {
		s.names[number] = name
		s.numbers[strings.ToLower(name)] = number
	}
}

const maxNamespaces = 1000

// NamespaceName returns the name of a namespace in this wiki, "" for the main one.
func (s *Site) NamespaceName(number int) string {
	if name := s.names[number]; name != "" || number == NamespaceMain {
		return name
	}
	switch number {
	case 1:
		return "Talk"
	case NamespaceProject:
		return "Project"
	case NamespaceHelp:
		return "Help"
	case NamespaceCategory:
		return "Category"
	case NamespaceFile:
		return "File"
	case NamespaceUser:
		return "User"
	case NamespaceTemplate:
		return "Template"
	}
	if number%2 == 1 {
		return s.NamespaceName(number-1) + " talk"
	}
	return "Namespace " + strconv.Itoa(number)
}

// namespace finds a namespace by one of its names.
func (s *Site) namespace(name string) (int, bool) {
	name = strings.ToLower(cleanTitle(name))
	if n, ok := s.numbers[name]; ok {
		return n, true
	}
	n, ok := canonicalNamespaces[name]
	return n, ok
}

// A Title is the name of a page without its namespace.
type Title struct {
	Namespace int
	Text      string // with spaces, not underscores
}

// ParseTitle reads a title as it is written in a link or an export: with spaces or
// underscores, and the first letter in either case.
func (s *Site) ParseTitle(text string) Title {
	text = cleanTitle(text)
	if before, after, ok := strings.Cut(text, ":"); ok {
		if n, ok := s.namespace(before); ok {
			return Title{n, s.firstLetter(cleanTitle(after))}
		}
	}
	return Title{NamespaceMain, s.firstLetter(text)}
}

// String returns the title with the wiki's name for its namespace.
func (s *Site) String(t Title) string {
	if t.Namespace == NamespaceMain {
		return t.Text
	}
	return s.NamespaceName(t.Namespace) + ":" + t.Text
}

// cleanTitle returns a title with single spaces for underscores and spaces.
func cleanTitle(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '_' || unicode.IsSpace(r) }), " ")
}

// firstLetter returns a title with its first letter as the wiki stores it.
func (s *Site) firstLetter(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if s.CaseSensitive || size == 0 || first == utf8.RuneError {
		return text
	}
	return string(unicode.ToUpper(first)) + text[size:]
}

// IsContent reports whether a namespace has pages that people read: not talk pages,
// users' pages, files, and what the software needs, such as templates.
func IsContent(namespace int) bool {
	return namespace >= 0 && namespace%2 == 0 && !slices.Contains(softwareNamespaces, namespace)
}

// softwareNamespaces are those of MediaWiki and of well-known extensions (Widgets,
// LiquidThreads, Forms, Scribunto, Translate, Gadgets, Structured Discussions) that
// have no pages to read.
var softwareNamespaces = []int{NamespaceUser, NamespaceFile, NamespaceSystem, NamespaceTemplate, 90, 92, 106, NamespaceModule, 274, 1198, 2300, 2302, 2600}
