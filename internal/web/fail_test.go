package web

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/session"
	"robot.wtf/internal/wiki"
)

// Each kind of error has the status of wiki.Status, a heading and a message.
func TestProblemOfEveryKind(t *testing.T) {
	for _, kind := range wiki.Kinds() {
		status, heading, message := problem(fmt.Errorf("pages: %w", kind))
		if status != wiki.Status(kind) || heading == "" || message == "" {
			t.Errorf("%v: %d %q %q, want status %d", kind, status, heading, message, wiki.Status(kind))
		}
		if _, _, message := problem(wiki.Problemf(kind, "", "Explained.")); message != "Explained." {
			t.Errorf("%v: message %q, want the problem's", kind, message)
		}
	}
	for err, want := range map[error]int{
		methodError("POST"):               http.StatusMethodNotAllowed,
		&limit.Exceeded{}:                 http.StatusTooManyRequests,
		session.ErrWatched:                http.StatusTooManyRequests,
		&http.MaxBytesError{Limit: 1}:     http.StatusRequestEntityTooLarge,
		errors.New("pages: index broken"): http.StatusInternalServerError,
	} {
		if got, _, _ := problem(err); got != want {
			t.Errorf("%v: status %d, want %d", err, got, want)
		}
	}
}
