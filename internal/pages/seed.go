package pages

import (
	"context"
	"embed"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

//go:embed seed/*.md
var seeds embed.FS

// Seeded reports whether a revision is that of a page which came with the wiki. Its
// author owns the wiki, but hasn't written it.
func Seeded(r wiki.Revision) bool {
	return r.Seq == 1 && r.Message == content.SeedMessage && !r.Author.Imported
}

// Seed creates a new wiki's seed pages (Home, Getting Started, AGENTS) in one
// commit. It is idempotent.
func (s *Service) Seed(ctx context.Context, a wiki.Access) error {
	w, release, err := s.open(ctx, a, wiki.Configure)
	if err != nil {
		return err
	}
	defer release()
	if seq, _ := w.Head(); seq > 0 {
		return nil
	}
	var edits []content.Edit
	for _, name := range []string{"Home", "Getting_Started", "AGENTS"} {
		text, err := seeds.ReadFile("seed/" + name + ".md")
		if err != nil {
			return err
		}
		text = []byte(strings.ReplaceAll(string(text), "{wiki}", a.Site().Slug))
		edits = append(edits, content.Edit{Op: content.Put, Path: name + ".md", Data: text, Strict: true})
	}
	_, err = s.commit(ctx, w, a, Write{}, content.Request{Message: content.SeedMessage, Edits: edits})
	return err
}
