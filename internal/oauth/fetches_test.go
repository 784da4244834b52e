package oauth

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"
)

// Attack: one address names documents on slow servers, as many as are fetched at a time.
// It waits for its own; others don't.
func TestFetchesAreShared(t *testing.T) {
	t.Parallel()
	s := &Service{}
	s.documents.slots = newFetchSlots()
	acquire := func(from string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
		r.RemoteAddr = from
		_, err := s.acquireFetch(r)
		return err
	}
	for i := range maxFetchesEach {
		if err := acquire(fmt.Sprintf("[2001:db8:0:%x::1]:1", i)); err != nil { // of one home
			t.Fatal(err)
		}
	}
	if err := acquire("[2001:db8::2]:1"); err == nil {
		t.Error("one address fetches more than its share")
	}
	if err := acquire("198.51.100.1:1"); err != nil {
		t.Errorf("another address: %v", err)
	}
}
