package gitrepo

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/hostile"
)

func TestTrailers(t *testing.T) {
	agent := Trailer{"Agent", "Claude"}
	for _, c := range []struct {
		name, message string
		add           []Trailer
		want          string
	}{
		{"title", "Fix", []Trailer{agent}, "Fix\n\nAgent: Claude\n"},
		{"title that looks like a trailer", "Fix: it\n", []Trailer{agent}, "Fix: it\n\nAgent: Claude\n"},
		{"empty message", "", []Trailer{agent}, "\nAgent: Claude\n"},
		{"nothing to add", "Fix\n\n\n", nil, "Fix\n"},
		{"body", "Fix\n\nBecause.\n", []Trailer{agent, {"Grant", "g1"}}, "Fix\n\nBecause.\n\nAgent: Claude\nGrant: g1\n"},
		{"existing trailers", "Fix\n\nA: b\n", []Trailer{agent}, "Fix\n\nA: b\nAgent: Claude\n"},
		{"repeated trailer", "Fix\n\nAgent: claude\n", []Trailer{agent}, "Fix\n\nAgent: claude\n"},
		{"line endings in a value", "Fix", []Trailer{{"Agent", "x\nGrant: forged\r\ny"}}, "Fix\n\nAgent: x Grant: forged y\n"},
		{"a heading isn't a comment", "Fix\n\n# Agent: y", []Trailer{agent}, "Fix\n\n# Agent: y\n\nAgent: Claude\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := AppendTrailers(c.message, c.add); got != c.want {
				t.Errorf("AppendTrailers(%q) = %q, want %q", c.message, got, c.want)
			}
		})
	}
	body, trailers := CutTrailers("Fix\n\nBecause.\n\nMoved: a -> b\nAgent: Claude\n  Code\n")
	if body != "Fix\n\nBecause." {
		t.Errorf("body %q", body)
	}
	if diff := cmp.Diff([]Trailer{{"Moved", "a -> b"}, {"Agent", "Claude\n  Code"}}, trailers); diff != "" {
		t.Errorf("trailers (-want +got):\n%s", diff)
	}
}

// messageLines are the lines of random messages.
var messageLines = []string{
	"Fix", "Because of it.", "", "", "", "  ", " folded", "\tfolded more: yes", "# Heading", "---", "Agent: Claude",
	"agent: claude", "Key :value", "Empty:", "http://example.org", "not a trailer: it has blanks", "X-1:y: z",
	"Signed-off-by: A <a@b>", "(cherry picked from commit 1234)", ": nothing", "Ünder: score", "a", "- item: b",
}

func randomMessage(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(9) {
		b.WriteString(messageLines[r.IntN(len(messageLines))])
		if r.IntN(12) > 0 {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func TestTrailersMatchGit(t *testing.T) {
	git := newRepository(t)
	r := rand.New(rand.NewPCG(1, 2))
	for range rounds(75, 3000) {
		message := strings.TrimRight(randomMessage(r), " \t\n")
		if message != "" {
			message += "\n"
		}
		add := []Trailer{{"Agent", "Claude"}, {"Grant", "g1"}}[:1+r.IntN(2)]
		args := []string{"interpret-trailers", "--no-divider"}
		for _, a := range add {
			args = append(args, "--trailer", a.Key+": "+a.Value)
		}
		want := string(git([]byte(message), nil, args...))
		got := AppendTrailers(message, add)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("message %q with %v (-git +ours):\n%s", message, add, diff)
		}
		parsed := string(git([]byte(got), nil, "interpret-trailers", "--no-divider", "--only-input", "--only-trailers"))
		var ours strings.Builder
		_, trailers := CutTrailers(got)
		for _, a := range trailers {
			ours.WriteString(trailerLine(a.Key, a.Value))
		}
		if diff := cmp.Diff(parsed, ours.String()); diff != "" {
			t.Fatalf("trailers of %q (-git +ours):\n%s", got, diff)
		}
		for _, a := range add {
			if !strings.Contains(strings.ToLower(ours.String()), strings.ToLower(trailerLine(a.Key, a.Value))) {
				t.Fatalf("%v is not among the trailers of %q", a, got)
			}
		}
	}
}

func TestCleanMessageMatchesStripspace(t *testing.T) {
	git := newRepository(t)
	r := rand.New(rand.NewPCG(3, 4))
	for range rounds(30, 1000) {
		message := randomMessage(r)
		if got, want := CleanMessage(message), string(git([]byte(message), nil, "stripspace")); got != want {
			t.Fatalf("CleanMessage(%q) = %q, git says %q", message, got, want)
		}
	}
	if got := CleanMessage("\xffa\x00b\r\nc \rd"); got != "\uFFFDab\nc\nd\n" {
		t.Errorf("CleanMessage of hostile bytes = %q", got)
	}
}

// Attack: an imported commit whose last trailer continues on very many lines.
func TestManyContinuationLines(t *testing.T) {
	hostile.Double(t, "continuation lines", 64<<10, func(n int) int {
		value := "b" + strings.Repeat("\n c", n/3)
		_, trailers := CutTrailers("Title\n\nA: " + value + "\n")
		if len(trailers) != 1 || trailers[0].Value != value {
			t.Errorf("%d trailers", len(trailers))
		}
		return n
	})
}
