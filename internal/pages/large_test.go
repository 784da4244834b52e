package pages

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// Attack: saving and showing large pages of one wiki from many connections, so that
// every processor is busy. A wiki works on one large text at a time; small texts and
// other wikis don't wait.
func TestLargeTextsTakeTurns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Large", strings.Repeat("words\n", largeText))
	release, err := w.acquireLarge(t.Context(), "ada", largeText)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	large := []byte(strings.Repeat("other words\n", largeText))
	for what, work := range map[string]func() error{
		"save": func() error {
			_, err := w.Save(ctx, w.owner, SaveRequest{Name: "New", Text: large, Precondition: Precondition{Create: true}})
			return err
		},
		"view":    func() error { _, err := w.View(ctx, w.reader, "Large", ""); return err },
		"preview": func() error { _, err := w.Preview(ctx, w.owner, "New", large); return err },
	} {
		if err := work(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s doesn't wait for its turn: %v", what, err)
		}
	}
	w.put("Small", "few words\n")
	if _, err := w.View(t.Context(), w.reader, "Small", ""); err != nil {
		t.Error(err)
	}
	release()
	w.another("bob", wiki.DefaultLimits).put("Large", strings.Repeat("words\n", largeText))
}
