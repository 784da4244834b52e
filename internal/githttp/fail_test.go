package githttp

import (
	"errors"
	"fmt"
	"testing"

	"robot.wtf/internal/wiki"
)

// Each kind of error has the status of wiki.Status and a text.
func TestDescribeEveryKind(t *testing.T) {
	for _, kind := range wiki.Kinds() {
		if status, text := describe(fmt.Errorf("export: %w", kind)); status != wiki.Status(kind) || text == "" {
			t.Errorf("%v: %d %q, want status %d", kind, status, text, wiki.Status(kind))
		}
	}
	for err, want := range map[error]int{errPassword: 401, errMethod: 405, errMedia: 415, errBusy: 503, errors.New("index broken"): 500} {
		if status, _ := describe(err); status != want {
			t.Errorf("%v: status %d, want %d", err, status, want)
		}
	}
}
