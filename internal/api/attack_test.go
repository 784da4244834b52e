package api

import (
	"bytes"
	"runtime"
	"testing"
)

// Attack: a body of 8 MB that is one escaped backslash after the other. A list
// of all escapes took 900 MB and seconds; a few requests at once took the
// service down.
func TestEscapesCostNoMemory(t *testing.T) {
	raw := append([]byte(`{"content":"\u0041`), bytes.Repeat([]byte(`\\`), 4<<20)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if loneSurrogate(raw) {
		t.Error("a lone surrogate where there is none")
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("%d bytes for a look at %d", used, len(raw))
	}
}

func TestLoneSurrogate(t *testing.T) {
	for text, want := range map[string]bool{
		`"a"`: false, `"\u0041"`: false, `"\ud83d\ude00"`: false, `"\uD83D\uDE00"`: false, `"\ud83d"`: true, `"\ude00"`: true,
		`"\ud83d \ude00"`: true, `"\ud83d\n\ude00"`: true, `"\ud83d\ud83d\ude00"`: true, `"\ude00\ud83d"`: true,
		`"\\ud83d"`: false, `"\\\ud83d"`: true, `"\u00e9\\ud83d\u00e9"`: false, `"\ud83d\ude00\ud83d\ude00"`: false, `"\u`: false, `"\ud8`: false, `\u0041\`: false,
	} {
		if got := loneSurrogate([]byte(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
