package wiki

import (
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// AddressablePath returns a file path under which a wiki can show a file of any
// name: the path itself in NFC if it has an address, otherwise one that resembles
// it. why is a short reason, such as "control character"; it is "" if only the
// Unicode form differs. It fails with a Problem if no similar path has an address,
// such as one that leads out of the wiki. It is idempotent.
func AddressablePath(file string) (to, why string, err error) {
	to = norm.NFC.String(file)
	if checkAddress(to) == nil {
		return to, "", nil
	}
	segments := strings.Split(to, "/")
	if !utf8.ValidString(file) || slices.Contains(segments, "") {
		return to, "", checkAddress(to)
	}
	for i, s := range segments {
		fixed, cause := addressableSegment(s, i == 0, i == len(segments)-1)
		if fixed != s {
			segments[i], why = fixed, cause
		}
	}
	to = strings.Join(segments, "/")
	if over := len(to) - MaxNameBytes; over > 0 {
		last := len(segments) - 1
		segments[last] = shorten(segments[last], len(segments[last])-over)
		to, why = strings.Join(segments, "/"), "the name is too long"
	}
	return to, why, checkAddress(to)
}

// checkAddress returns nil if a wiki can show the file of a path.
func checkAddress(file string) error {
	name, page := PageOf(file)
	if !page {
		as, err := ParseFilePath(file)
		if err == nil && as != file {
			err = Problemf(ErrInvalid, "path", "A path can't begin or end with a slash.")
		}
		return err
	}
	parsed, err := ParsePageName(string(name))
	if err == nil && parsed.Key() != Key(file) {
		err = Problemf(ErrInvalid, "path", "A page name can't end in .md or have spaces around its parts.")
	}
	return err
}

// addressableSegment changes one part of a path so that it has an address.
func addressableSegment(s string, first, last bool) (to, why string) {
	if clean := VisibleName(strings.ReplaceAll(s, `\`, "_")); clean != s {
		return addressableAgain(clean, first, last, "it has control or invisible characters, or a backslash")
	}
	stem, ext := s, ""
	if last && strings.HasSuffix(s, ".md") {
		stem, ext = strings.TrimSuffix(s, ".md"), ".md"
	}
	switch trimmed := strings.TrimFunc(stem, isSpace); {
	case trimmed != stem:
		return addressableAgain(trimmed+ext, first, last, "it has spaces around it")
	case ext != "" && strings.HasSuffix(stem, ".md"):
		return addressableAgain(stem, first, last, "it ends in .md twice")
	case last && ext == "" && hasPageEnding(s):
		stem, _ = CutPageEnding(s)
		return addressableAgain(stem+".md", first, last, "pages end in .md")
	case strings.Trim(stem, "_") == "":
		return "Page" + ext, "it consists of spaces only"
	case slices.Contains(Actions, stem):
		return capital(stem) + ext, "“" + stem + "” is an address of every page"
	case first && slices.Contains(reservedFirst, stem):
		if to = capital(stem); to == stem {
			to = "Page" + stem
		}
		return to + ext, "“" + stem + "” is an address of every wiki"
	case gitName(stem):
		return addressableAgain(strings.ReplaceAll(s, "~", "-"), first, last, "git reserves it")
	case unreachable(s):
		return addressableAgain(strings.ReplaceAll(s, "%", "_"), first, last, "it has percent codes of characters that addresses can't have")
	}
	return s, ""
}

// addressableAgain continues with a segment that may need another change.
func addressableAgain(s string, first, last bool, why string) (string, string) {
	to, _ := addressableSegment(s, first, last)
	return to, why
}

func isSpace(r rune) bool { return r == ' ' || underscore(r) != r }

// shorten cuts a file name's stem so that the name has at most max bytes.
func shorten(name string, max int) string {
	ext := path.Ext(name)
	if len(ext) > 12 {
		ext = ""
	}
	stem := strings.TrimSuffix(name, ext)
	if max-len(ext) < 1 {
		return name
	}
	return strings.TrimRight(strings.ToValidUTF8(stem[:min(len(stem), max-len(ext))], ""), " .") + ext
}
