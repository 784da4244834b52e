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
	Name  string // without "<", ">" and line ends
	Email string
	// Time is in whole seconds; its zone is written and read. A parsed time's
	// location is named as the commit spells it ("-0000", "+0099"), because
	// several spellings mean one offset and the id depends on them.
	Time time.Time
}

// A Commit is a commit object. Headers keeps what we do not interpret
// (gpgsig, encoding, mergetag …), each as its raw lines with their end.
type Commit struct {
	Tree      string
	Parents   []string
	Author    Signature
	Committer Signature
	Headers   string
	Message   string
	// NoBody says that the commit ends with its headers, without even the empty
	// line before a message. git never writes such commits but accepts them.
	NoBody bool
}

// EncodeCommit gives the commit's content, exactly as git writes it. Characters
// that would break out of a signature are left out of it.
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

// String is the signature as it stands in a commit.
func (s Signature) String() string {
	return crudless(s.Name) + " <" + crudless(s.Email) + "> " + date(s.Time)
}

var crud = strings.NewReplacer("<", "", ">", "", "\n", "", "\x00", "")

func crudless(s string) string { return crud.Replace(s) }

// date is "1700000000 +0100". The location's name decides the spelling when it
// means the same moment and offset.
func date(t time.Time) string {
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

// dateForm is what git's strict check lets through: C's strtoumax skips blanks
// and a plus sign.
var dateForm = regexp.MustCompile(`^[ \t\v\f\r]*\+?([0-9]+) ([+-])([0-9]{2})([0-9]{2})$`)

func parseDate(text string) (unix int64, offset int, ok bool) {
	m := dateForm.FindStringSubmatch(text)
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

// parseSignature reads what follows "author ".
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

// ParseCommit reads a commit's content; encoding what it returns gives the
// same bytes for every commit that git's strict check accepts. Its errors are
// of kind wiki.ErrInvalid.
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
		return Commit{}, fmt.Errorf("gitrepo: commit: %s: %w", p.bad, wiki.ErrInvalid)
	}
	return c, nil
}

// A commitParser takes lines from the front of a commit; bad is the first
// thing that was not as it must be, after which it yields nothing.
type commitParser struct{ rest, bad string }

func (p *commitParser) header(key string) string {
	if p.bad != "" {
		return ""
	}
	line, rest, ok := strings.Cut(p.rest, "\n")
	value, ok2 := strings.CutPrefix(line, key+" ")
	if !ok || !ok2 {
		p.bad = "no " + key + " line where one must be"
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
		p.bad = "its headers do not end"
	}
	return p.rest, "", true
}
