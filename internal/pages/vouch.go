package pages

import (
	"context"
	"errors"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// An ImportRecord is one import of a wiki.
type ImportRecord = content.ImportRecord

// maxImportsShown bounds a list of imports.
const maxImportsShown = 20

// Imports lists the wiki's newest imports, at most 20, and the number of all. Only
// the owner sees them.
func (s *Service) Imports(ctx context.Context, a wiki.Access) ([]ImportRecord, int, error) {
	if a.Role() != wiki.Owner {
		return nil, 0, a.Allow(wiki.Configure)
	}
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, 0, err
	}
	defer release()
	return w.Imports(ctx, maxImportsShown)
}

// A Vouching is the owner's word for the text of an import, or its withdrawal.
type Vouching struct {
	Commit   string // last one of the import
	Earlier  bool   // also for the imports before it
	Withdraw bool   // takes the word back
}

// Vouch records that the owner or the operator vouches for the text of an import, or
// takes that back. Agents read such text as a member's. It returns the number of
// imports for which that is new.
func (s *Service) Vouch(ctx context.Context, a wiki.Access, v Vouching) (int, error) {
	w, release, err := s.open(ctx, a, wiki.Configure)
	if err != nil {
		return 0, err
	}
	defer release()
	by := voucher(a)
	if v.Withdraw {
		by = ""
	}
	n, err := w.Vouch(ctx, content.Vouching{By: by, Commit: v.Commit, Earlier: v.Earlier})
	if errors.Is(err, wiki.ErrNotFound) {
		return 0, wiki.Problemf(wiki.ErrNotFound, "commit", "No import ends with that commit. Settings lists the imports.")
	}
	return n, err
}

// voucher is the name of a person who vouches for text.
func voucher(a wiki.Access) string {
	if a.Caller().Operator {
		return wiki.OperatorName
	}
	return a.Caller().User.DID
}

// origin says where the files of an import are from.
func (i *importRun) origin() content.Origin {
	from := content.Origin{Source: wiki.VisibleName(i.u.Name)}
	if i.request.Own {
		from.VouchedBy = voucher(i.a)
	}
	return from
}
