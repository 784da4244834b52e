package tenant

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// A Report is a reader's complaint about a page.
type Report struct {
	Page   string // path on the wiki's host
	Reason string // the key of one of Reasons
	Words  string // at most 2,000 characters
}

// A Reason is a reason to report a page.
type Reason struct{ Key, Text string }

// Reasons are the choices in the report form.
var Reasons = []Reason{
	{"spam", "Spam or deception"},
	{"abuse", "It attacks or threatens someone"},
	{"private", "It reveals someone's private data"},
	{"rights", "It uses my work, or someone else's, without permission (copyright)"},
	{"illegal", "It is illegal in another way"},
	{"other", "Something else"},
}

// Report adds a report to the operator's queue, from anyone who can read the
// wiki.
func (s *Service) Report(ctx context.Context, a wiki.Access, r Report) error {
	if err := a.Allow(wiki.Read); err != nil {
		return err
	}
	known := false
	for _, reason := range Reasons {
		known = known || reason.Key == r.Reason
	}
	r.Page, r.Words = strings.TrimSpace(r.Page), strings.TrimSpace(r.Words)
	switch {
	case !known:
		return wiki.Problemf(wiki.ErrInvalid, "reason", "Choose what is wrong with the page.")
	case r.Page == "" || len(r.Page) > 600 || !utf8.ValidString(r.Page):
		return wiki.Problemf(wiki.ErrInvalid, "page", "The page is required.")
	case !utf8.ValidString(r.Words) || utf8.RuneCountInString(r.Words) > 2000:
		return wiki.Problemf(wiki.ErrInvalid, "words", "Use at most 2,000 characters.")
	}
	err := s.store.AddReport(ctx, store.Report{Slug: a.Site().Slug, Page: r.Page, Reason: r.Reason, Words: r.Words, Sender: a.Caller().User.DID})
	if err != nil {
		return fmt.Errorf("tenant: report: %w", err)
	}
	s.reported(a.Site().Slug, r.Reason)
	return nil
}
