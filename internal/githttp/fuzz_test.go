package githttp

import (
	"strings"
	"testing"
)

// Any body of a git client is parsed within its bounds, or left to git.
func FuzzPktLines(f *testing.F) {
	for _, body := range []string{
		"", "0000", "0001", "0004", "0003", "ffff", "0005a0000", allRefs,
		"0014command=ls-refs\n0001001bref-prefix refs/heads/\n0000",
		"0011command=fetch0001003fwant 1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a00000009done\n000dofs-delta0000",
		"003f1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a HEAD symref-target:x0000",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		lines, _ := pktLines(body)
		if n := len(strings.Join(lines, "")); n > len(body) {
			t.Errorf("%d bytes of lines from %d", n, len(body))
		}
		if wants, ok := readFullClone(body); ok && len(wants) == 0 {
			t.Error("a full clone that wants nothing")
		}
		readRefsRequest(body)
		_, _ = parseRefs(body)
	})
}
