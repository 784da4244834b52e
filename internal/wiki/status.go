package wiki

import (
	"errors"
	"net/http"
)

// statuses is the one table from kinds of errors to HTTP statuses, special cases
// first. docs/api.md and adr/0020 explain the choices.
var statuses = []struct {
	kind   error
	status int
}{
	{ErrMalformed, http.StatusBadRequest},
	{ErrInvalid, http.StatusUnprocessableEntity},
	{ErrSuspended, http.StatusForbidden},
	{ErrDenied, http.StatusForbidden},
	{ErrQuota, http.StatusForbidden},
	{ErrNotFound, http.StatusNotFound},
	{ErrGone, http.StatusGone},
	{ErrTakenDown, http.StatusUnavailableForLegalReasons},
	{ErrConflict, http.StatusConflict},
	{ErrExists, http.StatusConflict},
	{ErrPrecondition, http.StatusPreconditionFailed},
	{ErrPreconditionRequired, http.StatusPreconditionRequired},
	{ErrTooLarge, http.StatusRequestEntityTooLarge},
	{ErrTooMany, http.StatusTooManyRequests},
	{ErrUnavailable, http.StatusServiceUnavailable},
	{ErrStorageBusy, http.StatusServiceUnavailable},
	{ErrDamaged, http.StatusServiceUnavailable},
	{ErrStorage, http.StatusInsufficientStorage},
}

// Kinds returns every kind of error, special cases before the general ones.
func Kinds() []error {
	kinds := make([]error, len(statuses))
	for i, s := range statuses {
		kinds[i] = s.kind
	}
	return kinds
}

// KindOf returns the kind of an error; nil if it has none, which makes it a fault
// of the service.
func KindOf(err error) error {
	_, kind := classify(err)
	return kind
}

// Status returns the HTTP status for an error; 500 if it has no kind.
func Status(err error) int {
	status, _ := classify(err)
	return status
}

func classify(err error) (status int, kind error) {
	for _, s := range statuses {
		if errors.Is(err, s.kind) {
			return s.status, s.kind
		}
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge, ErrTooLarge
	}
	return http.StatusInternalServerError, nil
}
