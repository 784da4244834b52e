package search

import (
	"log/slog"
	"strings"
	"testing"

	"robot.wtf/internal/background"
	"robot.wtf/internal/minilm"
)

// A brittleModel panics on two words: one while a page is read, the other while a
// section is embedded.
type brittleModel struct {
	fakeModel
	met []string // texts with these words
}

func (m *brittleModel) Tokens(text string) []minilm.Token {
	m.breakOn(text, "xyzzy")
	return m.fakeModel.Tokens(text)
}

func (m *brittleModel) Embed(text string) []float32 {
	m.breakOn(text, "plugh")
	return m.fakeModel.Embed(text)
}

func (m *brittleModel) breakOn(text, word string) {
	if strings.Contains(text, word) {
		m.met = append(m.met, word)
		panic("a bug")
	}
}

// A page that makes the indexer panic is found by its name, and a section that
// makes the embedder panic by its words. Everything else is found by both, and the
// next process doesn't meet these texts again.
func TestPanicsAreSetAside(t *testing.T) {
	u := newWorld(t)
	model := &brittleModel{}
	var aside []background.Job
	start := func() (stop func()) {
		t.Helper()
		if err := u.s.Close(); err != nil {
			t.Fatal(err)
		}
		workers := background.New(background.Options{Log: slog.New(slog.DiscardHandler), Panicked: func(p *background.Panic) { aside = append(aside, p.Job) }})
		for _, j := range aside {
			workers.SetAside(j)
		}
		u.s = New(Options{Dir: u.dir, Model: model, Background: workers, Log: u.s.opts.Log})
		return u.startEmbedder()
	}
	stop := start()
	u.put("Broken Page", "# Frost\n\nxyzzy copper\n", "Broken Section", "# Wind\n\nplugh copper\n", "Whole", "# Rain\n\nThe automobile is copper.\n")
	u.waitEmbedded()
	check := func() {
		t.Helper()
		u.wantPages("copper", "Whole Broken Section")
		u.wantPages("broken", "Broken Page Broken Section")
		u.wantPages("car", "Whole")
	}
	check()
	if got := strings.Join(model.met, " "); got != "xyzzy plugh" || len(aside) != 2 {
		t.Errorf("met %q, set aside %v", got, aside)
	}
	stop()

	// After a restart the whole index is rebuilt.
	stop = start()
	if err := u.s.Reset("ada"); err != nil {
		t.Fatal(err)
	}
	u.waitEmbedded()
	check()
	if got := strings.Join(model.met, " "); got != "xyzzy plugh" {
		t.Errorf("met again: %q", got)
	}
	stop()

	// A repaired page is read again.
	stop = start()
	defer stop()
	u.put("Broken Page", "# Frost\n\nOf copper, too.\n")
	u.waitEmbedded()
	u.wantPages("frost", "Broken Page")
}
