package tenant

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// MovePeople adds people of another service that the operator moves here. They find
// their account at their first sign-in.
func (s *Service) MovePeople(ctx context.Context, caller wiki.Caller, people []store.MovedPerson) error {
	if !caller.Operator {
		return errOperator
	}
	for i, p := range people {
		if p.Username != "" && wiki.CheckSlug(p.Username) != nil {
			people[i].Username = ""
		}
		people[i].Name = fitLine(p.Name, 200)
	}
	return s.store.MovePeople(ctx, people, s.holderHash)
}

// MoveSite adds a wiki of another service, whose owner and members have been added
// with MovePeople, or brings it up to date; see store.MoveSite. Its history is moved
// with pages.Import. It fails with ErrExists if the name is another person's here.
func (s *Service) MoveSite(ctx context.Context, caller wiki.Caller, m store.MovedSite) (store.Moved, error) {
	if !caller.Operator {
		return "", errOperator
	}
	if err := wiki.CheckSlug(m.Slug); err != nil {
		return "", err
	}
	m.Title, m.Description = fitLine(m.Title, 80), fitLine(m.Description, 300)
	home, err := parseHome(m.Home)
	if err != nil {
		m.Changes = append(m.Changes, fmt.Sprintf("The home page %q can't be shown at /. Choose one in the settings.", fitLine(m.Home, 80)))
	}
	m.Home = home
	if m.Created.IsZero() {
		m.Created = s.now()
	}
	done, err := s.store.MoveSite(ctx, m, s.holderHash(m.OwnerDID))
	if errors.Is(err, wiki.ErrGone) {
		return "", wiki.Problemf(wiki.ErrGone, "", "The wiki %s, or its owner's account, was deleted here.", m.Slug)
	}
	if errors.Is(err, wiki.ErrExists) {
		return "", wiki.Problemf(wiki.ErrExists, "", "The name %s is another person's here.", m.Slug)
	}
	if err != nil {
		return "", fmt.Errorf("tenant: %w", err)
	}
	if err := s.content.Create(ctx, m.Slug); err != nil && !errors.Is(err, wiki.ErrExists) {
		return "", fmt.Errorf("tenant: move %s: %w", m.Slug, err) // the next run tries again
	}
	return done, nil
}

// FitLimits raises the limits of a moved wiki that exceeds them, so that its pages can
// still be edited. Nothing can be added beyond them.
func (s *Service) FitLimits(ctx context.Context, a wiki.Access, has wiki.Limits) error {
	if !a.Caller().Operator {
		return errOperator
	}
	own, err := s.OwnLimits(ctx, a)
	if err != nil {
		return err
	}
	now, fit := a.Site().Limits, own
	if has.Pages > now.Pages {
		fit.Pages = has.Pages
	}
	if has.Files > now.Files {
		fit.Files = has.Files
	}
	for _, l := range []struct{ has, now, fit *int64 }{
		{&has.CurrentBytes, &now.CurrentBytes, &fit.CurrentBytes}, {&has.HistoryBytes, &now.HistoryBytes, &fit.HistoryBytes},
		{&has.PageBytes, &now.PageBytes, &fit.PageBytes}, {&has.AttachmentBytes, &now.AttachmentBytes, &fit.AttachmentBytes},
	} {
		if *l.has > *l.now {
			*l.fit = *l.has
		}
	}
	if fit == own {
		return nil
	}
	return s.store.SetLimits(ctx, store.Operator, a.Site().Slug, fit)
}

// fitLine makes a line of at most max characters of any text.
func fitLine(text string, max int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	runes := []rune(strings.Join(strings.Fields(text), " "))
	return strings.TrimSpace(string(runes[:min(len(runes), max)]))
}

// movedNotices lists what a move changed for a wiki's owner, for some time after it.
func (s *Service) movedNotices(ctx context.Context, slug string) ([]Notice, error) {
	moved, err := s.store.MovedRow(ctx, slug)
	if errors.Is(err, wiki.ErrNotFound) || err == nil && s.now().Sub(moved.Time) > noticePeriod {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list := []Notice{{moved.Time, slug + " has moved here, with its history. Clones, tokens and links keep working. Agents ask for your consent again."}}
	for _, text := range moved.Changes {
		list = append(list, Notice{moved.Time, slug + ": " + text})
	}
	return list, nil
}
