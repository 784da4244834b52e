package gitrepo

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"robot.wtf/internal/wiki"
)

// A Signature is a person and a time in a commit.
type Signature struct {
	Name  string // without "<", ">" and line endings
	Email string
	// Time has whole seconds and a zone. A parsed time's location is named as
	// the commit spells it ("-0000", "+0099"), because several spellings mean
	// the same offset and the commit's id depends on the spelling.
	Time time.Time
}

// A Commit is a commit object. Headers holds the headers we don't interpret
// (gpgsig, encoding, mergetag …) as raw lines.
type Commit struct {
	Tree      string
	Parents   []string
	Author    Signature
	Committer Signature
	Headers   string
	Message   string
	// NoBody reports that the commit ends with its headers, without even the
	// empty line before a message. Git accepts such commits but never writes them.
	NoBody bool
}

// EncodeCommit returns the commit's content, exactly as git writes it. It drops
// characters that would break out of a signature.
func EncodeCommit(c Commit) []byte {
	var b bytes.Buffer
	b.Grow(256 + len(c.Headers) + len(c.Message))
	b.WriteString("tree " + c.Tree + "\n")
	for _, p := range c.Parents {
		b.WriteString("parent " + p + "\n")
	}
	b.WriteString("author " + c.Author.String() + "\n")
	b.WriteString("committer " + c.Committer.String() + "\n")
	b.WriteString(c.Headers)
	if !c.NoBody {
		b.WriteString("\n" + c.Message)
	}
	return b.Bytes()
}

// String returns the signature as written in a commit.
func (s Signature) String() string {
	return stripCrud(s.Name) + " <" + stripCrud(s.Email) + "> " + formatDate(s.Time)
}

var crud = strings.NewReplacer("<", "", ">", "", "\n", "", "\x00", "")

func stripCrud(s string) string { return crud.Replace(s) }

// formatDate returns a date such as "1700000000 +0100". It uses the location's
// name as the spelling if that means the same time and offset.
func formatDate(t time.Time) string {
	zone, offset := t.Zone()
	unix := strconv.FormatInt(t.Unix(), 10)
	for _, spelling := range []string{zone, unix + " " + zone} {
		if u, o, ok := parseDate(spelling); ok && u == t.Unix() && o == offset {
			return spelling
		}
	}
	sign, minutes := "+", offset/60
	if minutes < 0 {
		sign, minutes = "-", -minutes
	}
	return fmt.Sprintf("%s %s%02d%02d", unix, sign, minutes/60, minutes%60)
}

// datePattern matches what git's strict check accepts: C's strtoumax skips blanks
// and a plus sign.
var datePattern = regexp.MustCompile(`^[ \t\v\f\r]*\+?([0-9]+) ([+-])([0-9]{2})([0-9]{2})$`)

func parseDate(text string) (unix int64, offset int, ok bool) {
	m := datePattern.FindStringSubmatch(text)
	if m == nil {
		return 0, 0, false
	}
	unix, err := strconv.ParseInt(m[1], 10, 64)
	hours, _ := strconv.Atoi(m[3])
	minutes, _ := strconv.Atoi(m[4])
	offset = (hours*60 + minutes) * 60
	if m[2] == "-" {
		offset = -offset
	}
	return unix, offset, err == nil
}

// parseSignature parses the rest of a line after "author ".
func parseSignature(line string) (Signature, bool) {
	person, when, ok := strings.Cut(line, "> ")
	name, email, ok2 := strings.Cut(person, " <")
	unix, offset, ok3 := parseDate(when)
	if !ok || !ok2 || !ok3 || strings.ContainsAny(name+email, "<>\x00") {
		return Signature{}, false
	}
	spelling := when
	if number, zone, _ := strings.Cut(when, " "); number == strconv.FormatInt(unix, 10) {
		spelling = zone
	}
	return Signature{name, email, time.Unix(unix, 0).In(time.FixedZone(spelling, offset))}, true
}

// ParseCommit parses a commit's content. For every commit that git's strict check
// accepts, encoding the result gives the same bytes. Its errors wrap
// wiki.ErrInvalid.
func ParseCommit(content []byte) (Commit, error) {
	p := commitParser{rest: string(content)}
	var c Commit
	c.Tree = p.id("tree")
	for strings.HasPrefix(p.rest, "parent ") && p.bad == "" {
		c.Parents = append(c.Parents, p.id("parent"))
	}
	c.Author = p.signature("author")
	c.Committer = p.signature("committer")
	c.Headers, c.Message, c.NoBody = p.body()
	if p.bad != "" {
		return Commit{}, fmt.Errorf("gitrepo: parse commit: %s: %w", p.bad, wiki.ErrInvalid)
	}
	return c, nil
}

// A commitParser consumes lines from the front of a commit. bad describes the
// first error, after which it returns nothing.
type commitParser struct{ rest, bad string }

func (p *commitParser) header(key string) string {
	if p.bad != "" {
		return ""
	}
	line, rest, ok := strings.Cut(p.rest, "\n")
	value, ok2 := strings.CutPrefix(line, key+" ")
	if !ok || !ok2 {
		p.bad = "missing " + key + " line"
		return ""
	}
	p.rest = rest
	return value
}

func (p *commitParser) id(key string) string {
	id := p.header(key)
	if _, err := hex.DecodeString(id); p.bad == "" && (err != nil || len(id) != 2*rawID) {
		p.bad = fmt.Sprintf("%s %q is not an object id", key, id)
	}
	return id
}

func (p *commitParser) signature(key string) Signature {
	line := p.header(key)
	s, ok := parseSignature(line)
	if p.bad == "" && !ok {
		p.bad = fmt.Sprintf("%s %q is not a name, address and date", key, line)
	}
	return s
}

func (p *commitParser) body() (headers, message string, none bool) {
	if strings.HasPrefix(p.rest, "\n") {
		return "", p.rest[1:], false
	}
	if head, message, ok := strings.Cut(p.rest, "\n\n"); ok {
		return head + "\n", message, false
	}
	if p.rest != "" && !strings.HasSuffix(p.rest, "\n") && p.bad == "" {
		p.bad = "unterminated headers"
	}
	return p.rest, "", true
}
