package backup

import (
	"errors"
	"log/slog"
	"testing"

	"robot.wtf/internal/background"
)

// A wiki that makes the backup panic keeps its previous copy; the others are backed up.
func TestPanicCostsOneWiki(t *testing.T) {
	p := newDataDir(t, "ada", "bob")
	r := p.repository()
	p.backUp(r)
	before, err := r.readNewestSnapshot()
	p.must(err)
	r.background = background.New(background.Options{Log: slog.New(slog.DiscardHandler), Before: func(j background.Job) {
		if j.Wiki == "ada" {
			panic("copy")
		}
	}})
	p.save("ada", "Home", "later")
	p.save("bob", "Home", "later")
	p.now = p.now.Add(3600e9)
	report, err := r.Take(t.Context(), p.data, nil, false)
	if !errors.As(err, new(*background.Panic)) || report.Wikis != 2 || report.Copied != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	after, err := r.readNewestSnapshot()
	p.must(err)
	if after.Wikis["ada"] != before.Wikis["ada"] || after.Wikis["bob"] == before.Wikis["bob"] || after.Stale["ada"].IsZero() {
		t.Errorf("before %+v, after %+v", before, after)
	}
}
