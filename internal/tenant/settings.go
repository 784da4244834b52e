package tenant

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"robot.wtf/internal/wiki"
)

// Settings are the settings of a site that its owner can change.
type Settings struct {
	Title       string // at most 80 characters
	Description string // at most 300
	Public      bool
	Home        string // page name, or a path on the wiki that begins with /-/
	Wikilinks   wiki.LinkOrder
	Lang        string    // language of pages that don't say another (BCP 47), or ""
	Accent      string    // color of links and buttons, as #2038c4, or ""
	Footer      string    // Markdown below each page, at most MaxFooter bytes
	Agents      wiki.Mode // the most that agents and tokens may do; "" for wiki.ModeEdit
	AsHandle    bool      // the host serves as the owner's ATProto handle, even if the wiki is private
}

// SettingsOf returns a site's settings.
func SettingsOf(site wiki.Site) Settings {
	return Settings{Title: site.Title, Description: site.Description, Public: site.Public, Home: site.Home, Wikilinks: site.Wikilinks, Lang: site.Lang, Accent: site.Accent, Footer: site.Footer, Agents: site.Agents, AsHandle: site.AsHandle}
}

// Configure changes the settings. A Problem names the invalid field.
func (s *Service) Configure(ctx context.Context, a wiki.Access, set Settings) error {
	if err := a.Allow(wiki.Configure); err != nil {
		return err
	}
	site := a.Site()
	var err error
	if site.Title, err = cleanLine("title", "A title", set.Title, 80); err != nil {
		return err
	}
	if site.Description, err = cleanLine("description", "A description", set.Description, 300); err != nil {
		return err
	}
	if site.Home, err = parseHome(set.Home); err != nil {
		return err
	}
	if site.Wikilinks, err = wiki.ParseLinkOrder(set.Wikilinks.String()); err != nil {
		return err
	}
	if site.Lang, err = wiki.ParseLanguage(set.Lang); err != nil {
		return err
	}
	if site.Accent, err = wiki.ParseAccent(set.Accent); err != nil {
		return err
	}
	if site.Footer, err = cleanFooter(set.Footer); err != nil {
		return err
	}
	switch set.Agents {
	case wiki.ModeEdit, "":
		site.Agents = ""
	case wiki.ModeRead, wiki.ModePropose:
		site.Agents = set.Agents
	default:
		return wiki.Problemf(wiki.ErrInvalid, "agents", "Choose the most that agents may do: read, propose or edit.")
	}
	site.Public, site.AsHandle = set.Public, set.AsHandle
	if err := s.store.UpdateSite(ctx, actor(a), site); err != nil {
		return fmt.Errorf("tenant: configure: %w", err)
	}
	return nil
}

// ChooseWikilinks sets the order of wikilinks, as an import found it, unless the owner
// has chosen one.
func (s *Service) ChooseWikilinks(ctx context.Context, a wiki.Access, order wiki.LinkOrder) error {
	if err := a.Allow(wiki.Configure); err != nil {
		return err
	}
	if err := s.store.ChooseWikilinks(ctx, actor(a), a.Site().Slug, order); err != nil {
		return fmt.Errorf("tenant: choose wikilinks: %w", err)
	}
	return nil
}

// HandleDID returns the DID for which a wiki's host serves as a handle
// (atproto.com/specs/handle), even if the wiki is private. It fails with
// ErrNotFound if the owner hasn't enabled that or the wiki doesn't exist.
func (s *Service) HandleDID(ctx context.Context, slug string) (string, error) {
	row, err := s.store.Site(ctx, slug)
	switch {
	case err != nil:
		return "", fmt.Errorf("tenant: handle: %w", err)
	case !row.AsHandle || !row.PurgeAt.IsZero() || !row.Suspended.IsZero():
		return "", wiki.ErrNotFound
	}
	return row.OwnerDID, nil
}

// CheckHandle checks that the owner's account uses the wiki's host as its handle, and
// records that. The host names the account; this checks the other direction. Errors
// for the owner are Problems.
func (s *Service) CheckHandle(ctx context.Context, a wiki.Access, host string) error {
	if err := a.Allow(wiki.Configure); err != nil {
		return err
	}
	did, err := s.HandleDID(ctx, a.Site().Slug)
	if errors.Is(err, wiki.ErrNotFound) {
		return wiki.Problemf(wiki.ErrInvalid, "as_handle", "Do step 1 first: tick the box and save.")
	}
	if err != nil {
		return err
	}
	if s.people == nil {
		return wiki.Problemf(wiki.ErrUnavailable, "as_handle", "Accounts can't be looked up right now. Try again in a few minutes.")
	}
	declared, err := s.people.Declared(ctx, a.Caller().User.DID, did)
	switch {
	case err != nil:
		return fmt.Errorf("tenant: check handle: %w", err)
	case declared == "":
		return wiki.Problemf(wiki.ErrInvalid, "as_handle", "Your account has no handle now. Do step 2, then check again.")
	case declared != host:
		return wiki.Problemf(wiki.ErrInvalid, "as_handle", "Your account still has the handle %s. Do step 2, then check again.", declared)
	}
	if err := s.store.SetHandle(ctx, did, host); err != nil {
		return fmt.Errorf("tenant: check handle: %w", err)
	}
	return nil
}

// RecordErasure writes to the audit log that the caller erased something from the
// wiki's history, but not what.
func (s *Service) RecordErasure(ctx context.Context, a wiki.Access) error {
	if err := a.Allow(wiki.Configure); err != nil {
		return err
	}
	if err := s.store.RecordErasure(ctx, actor(a), a.Site().Slug); err != nil {
		return fmt.Errorf("tenant: record an erasure: %w", err)
	}
	return nil
}

// RecordVouching writes to the audit log that the caller vouches for the text of an
// import, named by its last commit, or takes that back.
func (s *Service) RecordVouching(ctx context.Context, a wiki.Access, commit string, withdraw bool) error {
	if err := a.Allow(wiki.Configure); err != nil {
		return err
	}
	if err := s.store.RecordVouching(ctx, actor(a), a.Site().Slug, commit, withdraw); err != nil {
		return fmt.Errorf("tenant: record who vouches for an import: %w", err)
	}
	return nil
}

// actor is the name for the audit log.
func actor(a wiki.Access) string {
	if a.Caller().Operator {
		return wiki.OperatorName
	}
	return a.Caller().User.DID
}

// cleanLine normalizes a one-line text and rejects invalid ones.
func cleanLine(field, what, text string, max int) (string, error) {
	if !utf8.ValidString(text) {
		return "", wiki.Problemf(wiki.ErrInvalid, field, "%s must be valid UTF-8.", what)
	}
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) > max {
		return "", wiki.Problemf(wiki.ErrInvalid, field, "%s can have at most %d characters; this one has %d.", what, max, utf8.RuneCountInString(text))
	}
	for _, r := range text {
		if unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Bidi_Control, r) {
			return "", wiki.Problemf(wiki.ErrInvalid, field, "%s can't contain control characters.", what)
		}
	}
	return text, nil
}

// MaxFooter is the size of a footer's Markdown, in bytes.
const MaxFooter = 1000

// cleanFooter normalizes the source of a footer. Its elements are checked by
// pages.CheckFooter.
func cleanFooter(text string) (string, error) {
	if !utf8.ValidString(text) {
		return "", wiki.Problemf(wiki.ErrInvalid, "footer", "A footer must be valid UTF-8.")
	}
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	if len(text) > MaxFooter {
		return "", wiki.Problemf(wiki.ErrInvalid, "footer", "A footer can have at most %d bytes; this one has %d.", MaxFooter, len(text))
	}
	return text, nil
}

// parseHome parses the target of /: a page, which might not exist yet, or one
// of the wiki's own lists.
func parseHome(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", nil
	}
	if !strings.HasPrefix(text, "/") {
		name, err := wiki.ParsePageName(text)
		if err != nil {
			return "", wiki.Problemf(wiki.ErrInvalid, "home", "%s", err)
		}
		return string(name), nil
	}
	rest, ok := strings.CutPrefix(text, "/-/")
	if !ok || rest == "" || len(text) > wiki.MaxNameBytes || strings.Contains(rest, "..") || strings.ContainsFunc(rest, isInvalidPathRune) {
		return "", wiki.Problemf(wiki.ErrInvalid, "home", "The home page must be the name of a page, or one of the wiki's lists, for example /-/index or /-/changelog.")
	}
	return text, nil
}

// isInvalidPathRune reports characters that no path of the wiki's own lists
// contains.
func isInvalidPathRune(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./", r))
}
