package minilm

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// The packed file records the hash of the published weights, which
// testdata/README.md lists.
func TestSourceOfTheWeights(t *testing.T) {
	w, err := parseWeights(packed)
	if err != nil {
		t.Fatal(err)
	}
	const published = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
	if got := hex.EncodeToString(w.source[:]); got != published {
		t.Errorf("made from %s, want %s", got, published)
	}
}

func TestDamagedWeights(t *testing.T) {
	longer := append(bytes.Clone(packed), 0)
	for name, file := range map[string][]byte{
		"empty":           nil,
		"other file":      []byte(strings.Repeat("GGUF", 100)),
		"truncated":       packed[:len(packed)-1],
		"truncated early": packed[:100],
		"too long":        longer,
		"other version":   append([]byte("MINILM 2"), packed[8:]...),
	} {
		if _, err := parseWeights(file); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
