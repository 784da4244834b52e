package api

import (
	"bytes"
	"errors"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

// readBody reads a body like a handler.
func readBody(text []byte, v any) error {
	r := httptest.NewRequest("PUT", "/", bytes.NewReader(text))
	_, err := (&call{Request: r, w: httptest.NewRecorder()}).readJSON(maxPageBody, v)
	return err
}

// Attack: a body of 8 MB of escaped backslashes. A list of all escapes took 900 MB
// and several seconds; a few concurrent requests took the service down.
func TestEscapesCostNoMemory(t *testing.T) {
	raw := append([]byte(`{"content":"\u0041`), bytes.Repeat([]byte(`\\`), maxPageBody/2-16)...)
	raw = append(raw, `"}`...)
	var body saveBody
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := readBody(raw, &body); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 8*uint64(len(raw)) {
		t.Errorf("%d bytes for a body of %d", used, len(raw))
	}
}

func TestLoneSurrogate(t *testing.T) {
	for text, refused := range map[string]bool{
		`a`: false, `\u0041`: false, `\ud83d\ude00`: false, `\uD83D\uDE00`: false, `\ud83d`: true, `\ude00`: true,
		`\ud83d \ude00`: true, `\ud83d\n\ude00`: true, `\ud83d\ud83d\ude00`: true, `\ude00\ud83d`: true,
		`\\ud83d`: false, `\\\ud83d`: true, `\u00e9\\ud83d\u00e9`: false, `\ud83d\ude00\ud83d\ude00`: false, `\u`: true, `\ud8`: true,
	} {
		var body saveBody
		if err := readBody([]byte(`{"content":"`+text+`"}`), &body); (err != nil) != refused {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Ambiguous bodies and bodies of the wrong shape are rejected with the position of
// the mistake.
func TestBodiesRefused(t *testing.T) {
	long := strings.Repeat("é", 100)
	for text, want := range map[string]string{
		`{"content":"a","content":"b"}`:  `has two members "content"`,
		`{"Content":"a"}`:                `Unknown member "Content". This route's body has the members commit_message, content,`,
		`{"` + long + `":"a"}`:           `Unknown member "` + strings.Repeat("é", 60) + `…"`,
		`{"content":7}`:                  `The value of /content has the wrong type: a JSON number`,
		`{"content":["a"]}`:              `The value of /content has the wrong type: a JSON array`,
		`[]`:                             `must be a JSON object, not a JSON array`,
		`"a"`:                            `must be a JSON object, not a JSON string`,
		`{"content":"a"} x`:              `at byte 16:`,
		`{"content":"a"}{"content":"b"}`: `at byte 15:`,
		`{"content":"a"`:                 `at byte 14:`,
		`{"content":"` + "\xff" + `"}`:   `at byte 12:`,
		`{"content":"\ud83d"}`:           `at byte 12:`,
		`{'content':'a'}`:                `at byte 1:`,
		strings.Repeat("[", 100_000):     `JSON array`,
		`{"content":` + strings.Repeat(`{"a":`, 100_000): `exceeded max depth`,
	} {
		var body saveBody
		err := readBody([]byte(text), &body)
		if !errors.Is(err, wiki.ErrMalformed) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.50s: %v, want %s", text, err, want)
		}
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("%.50s: %d bytes of words", text, len(err.Error()))
		}
	}
	for _, text := range []string{"", " \n", "{}", `{"content":null}`, `{"content":"a","revision":null}`} {
		var body saveBody
		if err := readBody([]byte(text), &body); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func BenchmarkBody(b *testing.B) {
	text := []byte(`{"content":"` + strings.Repeat(`The mast stands in [[Garden 7]] and measures wind, rain and frost.\n`, 90) + `"}`)
	b.ReportAllocs()
	for b.Loop() {
		var body saveBody
		if err := readBody(text, &body); err != nil {
			b.Fatal(err)
		}
	}
}
