package atproto

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/bluesky-social/indigo/atproto/identity"

	"robot.wtf/internal/wiki"
)

// find looks up whom a person typed. The identifier is that of ParseIdentifier.
// Where there is nobody, the Problem says whom they may have meant, if that is
// somebody.
func (s *Service) find(ctx context.Context, typed string) (string, *identity.Identity, error) {
	id, err := ParseIdentifier(typed)
	var account *identity.Identity
	if err == nil {
		account, err = s.lookup(ctx, id)
	}
	if err != nil {
		return "", nil, s.didYouMean(ctx, typed, id, err)
	}
	return id, account, nil
}

// didYouMean adds to the error about what was typed whom else it may stand for.
// Nobody but those accounts' own hosts is asked.
func (s *Service) didYouMean(ctx context.Context, typed, id string, err error) error {
	var problem *wiki.Problem
	if !errors.As(err, &problem) || id != "" && !errors.Is(problem, wiki.ErrNotFound) {
		return err
	}
	candidates := meant(typed, id)
	found := make([]bool, len(candidates))
	var work sync.WaitGroup
	for i, candidate := range candidates {
		work.Go(func() {
			_, err := s.lookup(ctx, candidate)
			found[i] = err == nil
		})
	}
	work.Wait()
	i := slices.Index(found, true)
	if i < 0 {
		return err
	}
	better := &wiki.Problem{Kind: problem.Kind, Field: problem.Field, Message: problem.Message + " Did you mean " + candidates[i] + "?", Meant: candidates[i], Cause: problem.Cause}
	return fmt.Errorf("atproto: %w: %w", better, err)
}

// maxMeant bounds how many hosts one slip makes us ask.
const maxMeant = 3

// meant gives the handles that somebody may have meant who typed this, best
// first. id is how it was read, or "".
func meant(typed, id string) []string {
	text := strings.ToLower(strings.Trim(visible(typed), " .@"))
	text = strings.TrimPrefix(text, "https://")
	var list []string
	add := func(handles ...string) {
		for _, h := range handles {
			parsed, err := ParseIdentifier(h)
			if err == nil && parsed != id && strings.Contains(h, ".") && !slices.Contains(list, parsed) && len(list) < maxMeant {
				list = append(list, parsed)
			}
		}
	}
	if text == "" || strings.HasPrefix(text, "did:") || strings.ContainsAny(text, "/\\:<>") {
		return nil
	}
	// A slip of the keyboard, or of another keyboard.
	text = strings.NewReplacer(",", ".", "..", ".", "·", ".", "。", ".").Replace(text)
	add(text)
	// What is an email address elsewhere: of the host, or the host itself.
	if name, host, ok := strings.Cut(text, "@"); ok {
		add(name+"."+host, host)
		text = name + "." + host
	}
	// Handles have no underscores and no spaces.
	if strings.ContainsAny(text, "_ ") {
		dashed, closed := strings.NewReplacer("_", "-", " ", "-").Replace(text), strings.NewReplacer("_", "", " ", "").Replace(text)
		for _, h := range []string{dashed, closed} {
			if !strings.Contains(h, ".") {
				h += defaultHost
			}
			add(h)
		}
		text = dashed
	}
	if name, ok := strings.CutSuffix(text, "bsky.social"); ok && !strings.HasSuffix(name, ".") { // adabsky.social
		add(strings.TrimSuffix(name, "-") + defaultHost)
	}
	if name, host, ok := strings.Cut(text, "."); ok && likeBluesky(host) {
		add(name + defaultHost)
	}
	if own, ok := strings.CutSuffix(text, defaultHost); ok { // ada.example.org.bsky.social
		add(own)
	}
	if own, ok := strings.CutPrefix(text, "www."); ok {
		add(own)
	}
	return list
}

// likeBluesky reports whether a host is Bluesky's with a slip or two, or one of
// the names that people have for it.
func likeBluesky(host string) bool {
	switch host {
	case "bsky.social":
		return false
	case "bsky", "bluesky", "bsky.app", "bsky.com", "bsky.network", "bluesky.social", "bluesky.com", "bsky.team", "social":
		return true
	}
	return slips(host, "bsky.social") <= 2
}

// slips counts the letters that were left out, added, changed or swapped with
// their neighbour between two short words (optimal string alignment).
func slips(a, b string) int {
	if len(a) > 32 || len(b) > 32 {
		return 32
	}
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
