package gitrepo

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// A Trailer is one "Key: value" line of a message's last paragraph. Keys are
// ASCII letters, digits and hyphens.
type Trailer struct{ Key, Value string }

// CleanMessage turns user input into a commit message, as `git stripspace` does:
// it removes trailing blanks and leading, trailing and repeated empty lines, and
// ends the last line ("" stays ""). Line endings become "\n". NUL, which git
// rejects, is removed, and invalid UTF-8 becomes U+FFFD.
func CleanMessage(text string) string {
	text = strings.ToValidUTF8(text, string(utf8.RuneError))
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\x00", "").Replace(text)
	var b strings.Builder
	empty := false
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimRight(line, blanks)
		if line == "" {
			empty = true
			continue
		}
		if empty && b.Len() > 0 {
			b.WriteByte('\n')
		}
		empty = false
		b.WriteString(line + "\n")
	}
	return b.String()
}

const blanks = " \t\n\v\f\r" // C's isspace

func isBlank(line string) bool { return strings.Trim(line, blanks) == "" }

// AppendTrailers adds trailers to a message as `git interpret-trailers
// --no-divider` does: to the trailers in the last paragraph, or as a new
// paragraph. It omits a trailer that repeats the one before it. Line endings in
// values become blanks. Empty lines at the end of the message are dropped. "#"
// doesn't start a comment, because stored messages have none.
//
// Trailers written by the message's author are kept. A caller that gives a key a
// meaning must remove it from the message first.
func AppendTrailers(message string, trailers []Trailer) string {
	head, block := splitMessage(message)
	if len(trailers) == 0 {
		return head + joinBlock(block)
	}
	for i := range block {
		if block[i].key != "" {
			block[i].text = trailerLine(block[i].key, block[i].value)
		}
	}
	for _, t := range trailers {
		value := strings.Trim(strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ").Replace(t.Value), blanks)
		if n := len(block); n > 0 && strings.EqualFold(block[n-1].key, t.Key) && strings.EqualFold(block[n-1].value, value) {
			continue
		}
		block = append(block, blockLine{t.Key, value, trailerLine(t.Key, value)})
	}
	if !isBlank(lastLine(head)) || head == "" {
		head += "\n"
	}
	return head + joinBlock(block)
}

func joinBlock(block []blockLine) string {
	var b strings.Builder
	for _, l := range block {
		b.WriteString(l.text)
	}
	return b.String()
}

func trailerLine(key, value string) string { return key + ": " + value + "\n" }

// CutTrailers splits a message into its body and the trailers of its last
// paragraph. The body has no trailing newlines; folded values keep theirs. As in
// git, the last paragraph holds trailers if it isn't the first, and if either all
// its lines are trailers, or at least a quarter are and git itself wrote one.
func CutTrailers(message string) (body string, trailers []Trailer) {
	head, block := splitMessage(message)
	for _, l := range block {
		if l.key != "" {
			trailers = append(trailers, Trailer{l.key, l.value})
		}
	}
	return strings.TrimRight(head, blanks), trailers
}

// A blockLine is one entry of a trailer paragraph: a trailer with its continuation
// lines or, with an empty key, any other line.
type blockLine struct{ key, value, text string }

// splitMessage drops trailing empty lines and splits a message before its trailer
// paragraph.
func splitMessage(message string) (head string, block []blockLine) {
	lines := strings.SplitAfter(message, "\n")
	for len(lines) > 0 && isBlank(lines[len(lines)-1]) {
		lines = lines[:len(lines)-1]
	}
	if n := len(lines); n > 0 && !strings.HasSuffix(lines[n-1], "\n") {
		lines[n-1] += "\n"
	}
	start := trailerStart(lines)
	for rest := lines[start:]; len(rest) > 0; {
		key, value, ok := cutTrailer(rest[0])
		if !ok {
			block = append(block, blockLine{"", "", rest[0]})
			rest = rest[1:]
			continue
		}
		n := 1 + countContinuations(rest[1:])
		block = append(block, blockLine{key, unfold(value, rest[1:n]), strings.Join(rest[:n], "")})
		rest = rest[n:]
	}
	return strings.Join(lines[:start], ""), block
}

// countContinuations returns how many lines belong to the trailer before them: those
// that begin with a blank.
func countContinuations(lines []string) int {
	if n := slices.IndexFunc(lines, func(line string) bool { return strings.IndexByte(blanks, line[0]) < 0 }); n >= 0 {
		return n
	}
	return len(lines)
}

// unfold returns a trailer's value with its continuation lines, which keep their
// indentation.
func unfold(value string, continued []string) string {
	var b strings.Builder
	b.WriteString(value)
	for _, line := range continued {
		b.WriteString("\n" + strings.TrimRight(line, blanks))
	}
	return strings.Trim(b.String(), blanks)
}

// trailerStart returns the index of the trailer paragraph's first line, or the
// number of lines if there is none.
func trailerStart(lines []string) int {
	title := slices.IndexFunc(lines, isBlank)
	if title < 0 {
		return len(lines)
	}
	found, others, folded, byGit := 0, 0, 0, false
	for i := len(lines) - 1; i >= title; i-- {
		line := lines[i]
		_, _, ok := cutTrailer(line)
		switch {
		case isBlank(line):
			others += folded
			if byGit && found*3 >= others || found > 0 && others == 0 {
				return i + 1
			}
			return len(lines)
		case strings.HasPrefix(line, "Signed-off-by: ") || strings.HasPrefix(line, "(cherry picked from commit "):
			found, folded, byGit = found+1, 0, true
		case ok:
			found, folded = found+1, 0
		case strings.IndexByte(blanks, line[0]) >= 0:
			folded++
		default:
			others, folded = others+1+folded, 0
		}
	}
	return len(lines)
}

// cutTrailer parses "Key: value". A key is letters, digits and hyphens, optionally
// followed by blanks.
func cutTrailer(line string) (key, value string, ok bool) {
	key, value, ok = strings.Cut(line, ":")
	key = strings.TrimRight(key, " \t")
	if !ok || key == "" {
		return "", "", false
	}
	for i := range len(key) {
		if c := key[i]; c != '-' && !('0' <= c && c <= '9') && !('a' <= c|0x20 && c|0x20 <= 'z') {
			return "", "", false
		}
	}
	return key, strings.Trim(value, blanks), true
}

func lastLine(text string) string {
	text = strings.TrimSuffix(text, "\n")
	return text[strings.LastIndexByte(text, '\n')+1:]
}
