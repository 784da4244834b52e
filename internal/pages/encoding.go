package pages

import (
	"bytes"
	"context"

	"robot.wtf/internal/wiki"
)

// pageText decodes a stored text. It returns binary files as they are.
func pageText(data []byte) []byte {
	if isBinary(data) && !bytes.HasPrefix(data, []byte{0xff, 0xfe}) && !bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return data
	}
	text, _ := wiki.DecodeText(data)
	return text
}

// ConvertToUTF8 saves a page that is stored in another encoding as UTF-8. base is
// the revision whose text the caller has seen.
func (s *Service) ConvertToUTF8(ctx context.Context, a wiki.Access, name, base string) (Saved, error) {
	if err := a.Allow(wiki.Edit); err != nil {
		return Saved{}, err
	}
	p, err := s.Page(ctx, a, name, "")
	switch {
	case err != nil:
		return Saved{}, err
	case p.Stored == "":
		return Saved{Name: p.Name, Path: p.File.Path, Revision: p.File.Blob, Unchanged: true}, nil
	case p.File.Blob != base:
		return Saved{}, staleRevision(string(p.Name))
	}
	return s.Save(ctx, a, SaveRequest{
		Name: string(p.Name), Text: p.Source, Exact: true,
		Write:        Write{Message: "Convert " + string(p.Name) + " from " + string(p.Stored) + " to UTF-8"},
		Precondition: Precondition{Base: base, Strict: true},
	})
}
