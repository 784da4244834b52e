package api

import (
	"errors"
	"net/http"
	"net/url"
	"testing"

	"robot.wtf/internal/wiki"
)

// A cursor in a query is a number within its bounds, or an error that says so.
func FuzzCursor(f *testing.F) {
	for _, text := range []string{"", "0", "1", "-1", "+7", "10001", "9007199254740993", "9223372036854775807", "99999999999999999999", "0x10", "1_0", "١", " 1", "%00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := &call{Request: &http.Request{URL: &url.URL{RawQuery: url.Values{"before": {text}}.Encode()}}}
		n, err := c.number("before", 0, 1, 1<<53)
		if err != nil {
			if !errors.As(err, new(*wiki.Problem)) || n != 0 {
				t.Errorf("%q: %d, not a Problem: %v", text, n, err)
			}
			return
		}
		if n < 0 || n > 1<<53 || n == 0 && text != "" {
			t.Errorf("%q is %d", text, n)
		}
	})
}
