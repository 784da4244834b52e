package atproto

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bluesky-social/indigo/atproto/identity"

	"robot.wtf/internal/background"
	"robot.wtf/internal/limit"
	"robot.wtf/internal/wiki"
)

// findAccount resolves what a person typed. The identifier is that of
// ParseIdentifier, also with an error, or "". If there is no such account, the Problem suggests one
// that exists.
func (s *Service) findAccount(ctx context.Context, asker limit.Caller, typed string) (string, *identity.Identity, error) {
	id, err := ParseIdentifier(typed)
	var account *identity.Identity
	if err == nil {
		account, err = s.lookup(ctx, asker, id)
	}
	if err != nil {
		return id, nil, s.didYouMean(ctx, asker, typed, id, err)
	}
	return id, account, nil
}

// didYouMean adds a suggestion to the error about typed, if a similar handle
// exists. It queries only the hosts of the suggested handles.
func (s *Service) didYouMean(ctx context.Context, asker limit.Caller, typed, id string, err error) error {
	var problem *wiki.Problem
	if !errors.As(err, &problem) || id != "" && !errors.Is(problem, wiki.ErrNotFound) {
		return err
	}
	candidates := suggestHandles(typed, id)
	found := make([]bool, len(candidates))
	var work background.Group
	for i, candidate := range candidates {
		work.Go(func() {
			_, err := s.lookup(ctx, asker, candidate)
			found[i] = err == nil
		})
	}
	work.Wait()
	i := slices.Index(found, true)
	if i < 0 {
		return err
	}
	better := &wiki.Problem{Kind: problem.Kind, Field: problem.Field, Message: problem.Message + " Did you mean " + candidates[i] + "?", DidYouMean: candidates[i], Cause: problem.Cause}
	return fmt.Errorf("atproto: %w: %w", better, err)
}

// maxSuggestions limits how many hosts a typo makes us query.
const maxSuggestions = 3

// suggestHandles returns the handles that typed could stand for, best first.
// id is the parsed identifier, or "".
func suggestHandles(typed, id string) []string {
	text := strings.ToLower(strings.Trim(stripInvisible(typed), " .@"))
	text = strings.TrimPrefix(text, "https://")
	var list []string
	add := func(handles ...string) {
		for _, h := range handles {
			parsed, err := ParseIdentifier(h)
			if err == nil && parsed != id && strings.Contains(h, ".") && !slices.Contains(list, parsed) && len(list) < maxSuggestions {
				list = append(list, parsed)
			}
		}
	}
	if text == "" || strings.HasPrefix(text, "did:") || strings.ContainsAny(text, "/\\:<>") {
		return nil
	}
	// Typos, and other keyboards' punctuation.
	text = strings.NewReplacer(",", ".", "..", ".", "·", ".", "。", ".").Replace(text)
	add(text)
	// An email address, or a fediverse one: a handle on the host, or the
	// host itself.
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
	if name, host, ok := strings.Cut(text, "."); ok && looksLikeBluesky(host) {
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

// looksLikeBluesky reports whether a host is a misspelling of bsky.social or
// another common name for it.
func looksLikeBluesky(host string) bool {
	switch host {
	case "bsky.social":
		return false
	case "bsky", "bluesky", "bsky.app", "bsky.com", "bsky.network", "bluesky.social", "bluesky.com", "bsky.team", "social":
		return true
	}
	return editDistance(host, "bsky.social") <= 2
}

// editDistance counts insertions, deletions, changes and swaps of adjacent
// letters between two short words (optimal string alignment).
func editDistance(a, b string) int {
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
