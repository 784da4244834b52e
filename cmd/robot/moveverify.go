package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"path/filepath"

	"robot.wtf/internal/content"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/original"
	"robot.wtf/internal/service"
	"robot.wtf/internal/wiki"
)

// A movedWiki is what the original has of a wiki, to compare.
type movedWiki struct {
	Slug, Owner, Head string
	Blobs             map[string]int // files of the newest commit, by blob
	Bytes             int64          // of all of them
	Members           int            // that can have access
	Token             bool
}

// verify compares every wiki with the original.
func (m *move) verify(ctx context.Context) error {
	wrong := 0
	for _, w := range m.plan.Wikis {
		slug := m.plan.name(w)
		if w.Problem != "" {
			fmt.Fprintf(m.out, "%s: not moved: %s\n", printable(slug), printable(w.Problem))
			continue
		}
		has, err := m.describe(ctx, w)
		if err != nil {
			return fmt.Errorf("%s: %w", slug, err)
		}
		var answer bytes.Buffer
		if err := m.send(ctx, "move-in-verify", has, &answer); err != nil {
			return err
		}
		var differences []string
		if err := json.Unmarshal(answer.Bytes(), &differences); err != nil {
			return err
		}
		if len(differences) == 0 {
			fmt.Fprintf(m.out, "%s: equal: %s, %d bytes\n", slug, countOf(len(has.Blobs), "file"), has.Bytes)
			continue
		}
		wrong++
		for _, text := range differences {
			fmt.Fprintf(m.out, "%s: %s\n", slug, printable(text))
		}
	}
	var answer bytes.Buffer
	if err := m.send(ctx, "move-in-verify-people", m.plan, &answer); err != nil {
		return err
	}
	missing := 0
	if err := json.Unmarshal(answer.Bytes(), &missing); err != nil {
		return err
	}
	fmt.Fprintf(m.out, "people: %d, of whom %d are missing here\n", len(m.plan.People), missing)
	if wrong+missing > 0 {
		return fmt.Errorf("%s and %d people differ from the original", countOf(wrong, "wiki"), missing)
	}
	return nil
}

// describe reads what the original has of a wiki.
func (m *move) describe(ctx context.Context, w original.Wiki) (movedWiki, error) {
	has := movedWiki{Slug: m.plan.name(w), Owner: w.Owner, Head: w.Head, Blobs: map[string]int{}, Token: w.Token != ""}
	for _, member := range w.Members {
		if member.Problem == "" && member.DID != w.Owner {
			has.Members++
		}
	}
	if w.Head == "" {
		return has, nil
	}
	bundle, err := m.bundle(ctx, w)
	if err != nil {
		return has, err
	}
	defer bundle.Close()
	git, err := gitrepo.Find()
	if err != nil {
		return has, err
	}
	dir := filepath.Join(m.scratch, "compared.git")
	defer os.RemoveAll(dir)
	received, err := git.Unpack(ctx, dir, bundle, math.MaxInt64)
	if err != nil {
		return has, err
	}
	files, err := received.HeadFiles(ctx)
	for _, f := range files {
		if f.IsRegular() && !wiki.Hidden(f.Path) {
			has.Blobs[f.ID]++
			has.Bytes += f.Size
		}
	}
	return has, err
}

// moveInVerify is the operation that prints, as JSON, how a wiki differs from the
// original's.
func moveInVerify(ctx context.Context, s *service.Service, _ url.Values, in io.Reader, out io.Writer) error {
	var has movedWiki
	if err := json.NewDecoder(in).Decode(&has); err != nil {
		return err
	}
	differences, err := compareMoved(ctx, s, has)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(differences)
}

func compareMoved(ctx context.Context, s *service.Service, has movedWiki) (differences []string, err error) {
	site, err := s.Store.Site(ctx, has.Slug)
	if errors.Is(err, wiki.ErrNotFound) {
		return []string{"it isn't here"}, nil
	}
	if err != nil {
		return nil, err
	}
	w, release, err := s.Content.Open(ctx, has.Slug)
	if err != nil {
		return nil, err
	}
	defer release()
	origin, err := w.MoveState(ctx)
	if err != nil {
		return nil, err
	}
	if origin.Head != has.Head {
		return []string{fmt.Sprintf("its newest commit is %.10s there; %.10q was moved", has.Head, origin.Head)}, nil
	}
	if site.OwnerDID != has.Owner {
		differences = append(differences, "its owner here is "+site.OwnerDID)
	}
	if members := len(site.Roles) - 1; members > has.Members {
		differences = append(differences, fmt.Sprintf("it has %d members here, %d there", members, has.Members))
	}
	tokens, err := s.Store.Tokens(ctx, has.Slug, has.Owner)
	if err != nil {
		return nil, err
	}
	if has.Token && len(tokens) == 0 {
		differences = append(differences, "its token isn't here")
	}
	if origin.Edited {
		return append(differences, "it was edited here since: its pages weren't compared"), nil
	}
	return append(differences, comparePages(ctx, w, has)...), nil
}

// comparePages reads every file of the newest moved commit here.
func comparePages(ctx context.Context, w *content.Wiki, has movedWiki) (differences []string) {
	files, err := w.List(ctx, "")
	if err != nil {
		return []string{err.Error()}
	}
	bytes := int64(0)
	for _, f := range files {
		text, err := w.Blob(ctx, f.Blob)
		switch {
		case err != nil:
			differences = append(differences, err.Error())
		case gitrepo.ObjectID("blob", text) != f.Blob || has.Blobs[f.Blob] == 0:
			differences = append(differences, f.Path+" has another content than there")
		}
		has.Blobs[f.Blob]--
		bytes += int64(len(text))
	}
	if bytes != has.Bytes {
		differences = append(differences, fmt.Sprintf("its files have %d bytes here, %d there", bytes, has.Bytes))
	}
	return differences
}

// moveInVerifyPeople is the operation that prints how many people of the original have
// no account here.
func moveInVerifyPeople(ctx context.Context, s *service.Service, _ url.Values, in io.Reader, out io.Writer) error {
	var plan moveInPlan
	if err := json.NewDecoder(in).Decode(&plan); err != nil {
		return err
	}
	missing := 0
	for _, p := range plan.People {
		_, err := s.Store.User(ctx, p.DID)
		if err != nil && !errors.Is(err, wiki.ErrNotFound) {
			return err
		}
		if err != nil {
			missing++
		}
	}
	return json.NewEncoder(out).Encode(missing)
}
