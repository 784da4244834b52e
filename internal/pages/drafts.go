package pages

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/edit"
	"robot.wtf/internal/wiki"
)

// An EditForm is what an editor starts with.
type EditForm struct {
	Name   wiki.PageName
	Text   []byte // line ends as "\n", without byte-order mark
	Base   string // blob id, "" for a new page
	Exists bool
	Draft  *Draft // the caller's, if it differs from Text
	// Similar are pages with a similar name, when the page is new.
	Similar []wiki.PageName
	// Alike are others that may be about the same.
	SimilarText []wiki.PageName
}

// Edit starts an edit, of the newest revision or from the text of an old one.
// Base is the newest revision in both cases: what is saved takes its place. At
// the former name of a page a new one can be made, and Similar tells where the
// first went.
func (s *Service) Edit(ctx context.Context, a wiki.Access, name, revision string) (*EditForm, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return nil, err
	}
	defer release()
	found, now, err := lookup(ctx, w, name)
	exists := err == nil
	if err != nil && !errors.Is(err, wiki.ErrNotFound) {
		return nil, err
	}
	form := &EditForm{Name: found, Base: now.Blob, Exists: exists}
	var text []byte
	switch {
	case revision != "":
		_, text, err = at(ctx, w, found.File(), revision)
	case exists:
		text, err = w.Blob(ctx, now.Blob)
	default:
		if form.Similar, err = s.similar(ctx, w, found); err == nil {
			form.SimilarText, err = s.similarText(ctx, w, found, "", form.Similar)
		}
	}
	if err != nil {
		return nil, err
	}
	form.Text = []byte(edit.Normalize(text))
	form.Draft, err = draft(ctx, w, a.Caller().User.DID, found, string(form.Text))
	return form, err
}

// draft reads a person's draft, if it says something else than the text.
func draft(ctx context.Context, w *content.Wiki, did string, name wiki.PageName, text string) (*Draft, error) {
	if did == "" {
		return nil, nil // the operator has none
	}
	d, err := w.Draft(ctx, did, name.File())
	if errors.Is(err, wiki.ErrNotFound) {
		d, err = movedDraft(ctx, w, did, name)
	}
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case strings.TrimRight(edit.Normalize(d.Text), "\n") == strings.TrimRight(text, "\n"):
		return nil, nil
	}
	return &d, nil
}

// movedDraft finds a draft that was begun before its page was renamed, and puts
// it under the new name.
func movedDraft(ctx context.Context, w *content.Wiki, did string, name wiki.PageName) (Draft, error) {
	drafts, err := w.Drafts(ctx, did)
	if err != nil {
		return Draft{}, err
	}
	for _, old := range drafts {
		to, err := w.MovedTo(ctx, old.Path)
		if errors.Is(err, wiki.ErrNotFound) || err == nil && wiki.Key(to) != name.Key() {
			continue
		}
		if err != nil {
			return Draft{}, err
		}
		d, err := w.Draft(ctx, did, old.Path)
		if err != nil {
			return d, err
		}
		d.Path = to
		if err := w.SaveDraft(ctx, did, d); err != nil {
			return d, err
		}
		return d, w.DropDraft(ctx, did, old.Path)
	}
	return Draft{}, wiki.ErrNotFound
}

// similar finds pages that somebody may have meant instead of a new one: the
// one that had this name, the same last segment elsewhere, or a few letters
// apart.
func (s *Service) similar(ctx context.Context, w *content.Wiki, name wiki.PageName) ([]wiki.PageName, error) {
	d, err := s.directory(ctx, w)
	if err != nil {
		return nil, err
	}
	moved, err := d.movedTo(ctx, w, name.File())
	if err != nil {
		return nil, err
	}
	type candidate struct {
		name wiki.PageName
		far  int
	}
	var found []candidate
	want := wiki.Key(name.Title())
	for _, other := range pageNames(d.paths) {
		have := wiki.Key(other.Title())
		far := distance(want, have, 2)
		if far > 2 && len(want) >= 4 && (strings.Contains(have, want) || len(have) >= 4 && strings.Contains(want, have)) {
			far = 2
		}
		if other.File() == moved {
			far = -1
		}
		if far <= min(2, len(want)/3) {
			found = append(found, candidate{other, far})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(a.far, b.far) })
	var names []wiki.PageName
	for _, c := range found[:min(len(found), maxSimilar)] {
		names = append(names, c.name)
	}
	return names, nil
}

const maxSimilar = 5

// distance is the Levenshtein distance of two words, or limit+1 above the limit.
func distance(a, b string, limit int) int {
	x, y := []rune(a), []rune(b)
	if len(x)-len(y) > limit || len(y)-len(x) > limit {
		return limit + 1
	}
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j := range y {
			cost := diagonal
			if x[i] != y[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return min(row[len(y)], limit+1)
}

// SaveDraft keeps the caller's unsaved text.
func (s *Service) SaveDraft(ctx context.Context, a wiki.Access, name string, text []byte, message, base string) error {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return err
	}
	defer release()
	found, err := draftName(ctx, w, a, name)
	if err != nil {
		return err
	}
	if err := checkText(text, a.Site().Limits); err != nil {
		return err
	}
	if len(base) > 40 { // an id at most: no other room to keep things in
		return wiki.Problemf(wiki.ErrInvalid, "revision", "A revision is 7 to 40 hexadecimal digits.")
	}
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "")
	}
	return w.SaveDraft(ctx, a.Caller().User.DID, Draft{
		Path: found.File(), Text: []byte(edit.Normalize(text)), Message: message, Base: base, Modified: s.now(),
	})
}

// draftName is the page of a draft, as it is or would be spelled.
func draftName(ctx context.Context, w *content.Wiki, a wiki.Access, name string) (wiki.PageName, error) {
	if a.Caller().User.DID == "" {
		return "", wiki.Problemf(wiki.ErrDenied, "", "Drafts belong to people: sign in.")
	}
	found, _, err := lookup(ctx, w, name)
	if err != nil && !errors.Is(err, wiki.ErrNotFound) {
		return "", err
	}
	return found, nil
}

// DropDraft forgets it.
func (s *Service) DropDraft(ctx context.Context, a wiki.Access, name string) error {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return err
	}
	defer release()
	found, err := draftName(ctx, w, a, name)
	if err != nil {
		return err
	}
	return w.DropDraft(ctx, a.Caller().User.DID, found.File())
}

// Drafts lists the caller's drafts, newest first, without their text.
func (s *Service) Drafts(ctx context.Context, a wiki.Access) ([]Draft, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return nil, err
	}
	defer release()
	if a.Caller().User.DID == "" {
		return nil, nil
	}
	return w.Drafts(ctx, a.Caller().User.DID)
}
