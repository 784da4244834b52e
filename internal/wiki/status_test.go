package wiki

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
)

func TestStatusOfKinds(t *testing.T) {
	for _, kind := range Kinds() {
		for _, err := range []error{kind, fmt.Errorf("pages: save: %w", Problemf(kind, "", "Sentence."))} {
			if got := KindOf(err); got != kind {
				t.Errorf("KindOf(%v) = %v, want %v", err, got, kind)
			}
			if got := Status(err); got < 400 || got == http.StatusInternalServerError || http.StatusText(got) == "" {
				t.Errorf("Status(%v) = %d", err, got)
			}
		}
	}
	for err, want := range map[error]int{
		errors.New("bug"):                500,
		fmt.Errorf("save: %w", ErrQuota): 403,
		&ConflictError{Path: "A.md"}:     409,
		&http.MaxBytesError{Limit: 1}:    413,
		ErrStorageBusy:                   503,
		ErrStorage:                       507,
		ErrMalformed:                     400,
		ErrInvalid:                       422,
	} {
		if got := Status(err); got != want {
			t.Errorf("Status(%v) = %d, want %d", err, got, want)
		}
	}
}
