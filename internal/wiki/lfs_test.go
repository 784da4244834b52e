package wiki

import (
	"strings"
	"testing"
)

func TestParseLFSPointer(t *testing.T) {
	pointer := "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
	if p, ok := ParseLFSPointer([]byte(pointer)); !ok || p.Size != 12345 || p.OID != "sha256:4d7a" {
		t.Errorf("%+v, %v", p, ok)
	}
	for _, s := range []string{"", "size 1\n", strings.Replace(pointer, "12345", "-1", 1), strings.Replace(pointer, "oid", "id", 1), pointer + strings.Repeat("x", 1024)} {
		if p, ok := ParseLFSPointer([]byte(s)); ok {
			t.Errorf("%.80q: %+v", s, p)
		}
	}
}
