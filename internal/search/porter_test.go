package search

import (
	"database/sql"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// SQLite's porter tokenizer is the reference.
func TestStemMatchesSQLite(t *testing.T) {
	setRapidChecks(t, 150, 20_000)
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`CREATE VIRTUAL TABLE f USING fts5(x, tokenize = 'porter unicode61');
		CREATE VIRTUAL TABLE v USING fts5vocab(f, row)`); err != nil {
		t.Fatal(err)
	}
	check := func(word string) (ours, theirs string) {
		if _, err := db.Exec("DELETE FROM f"); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("INSERT INTO f VALUES ($1)", word); err != nil {
			t.Fatal(err)
		}
		if err := db.QueryRow("SELECT term FROM v").Scan(&theirs); err != nil {
			t.Fatal(err)
		}
		return porterStem(word), theirs
	}
	for word := range strings.FieldsSeq(`caresses ponies ties caress cats feed agreed plastered bled motoring sing conflated
		troubled sized hopping tanned falling hissing fizzed failing filing happy sky relational conditional rational valency
		hesitancy digitizer conformably radically differently vilely analogously vietnamization predication operator feudalism
		decisiveness hopefulness callousness formality sensitivity sensibility triplicate formative formalize electricity
		electrical hopeful goodness revival allowance inference airliner gyroscopic adjustable defensible irritant replacement
		adjustment dependent adoption homologous communism activate angularity effective bowdlerize probate rate cease control
		roll calibration calibrated calibrating universities running offsets sensors geology is as by yes say bying aed ing`) {
		if ours, theirs := check(word); ours != theirs {
			t.Errorf("stem(%q) = %q, SQLite has %q", word, ours, theirs)
		}
	}
	parts := append(strings.Fields("a e i o u y b c d f g l m n p r s t v w x z bl at iz th qu"), prefixEndings...)
	for _, s := range append(doubleSuffixes, singleSuffixes...) {
		parts = append(parts, s.from)
	}
	parts = append(parts, lastSuffixes...)
	rapid.Check(t, func(t *rapid.T) {
		word := strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 1, 7).Draw(t, "word"), "")
		if ours, theirs := check(word); ours != theirs {
			t.Fatalf("stem(%q) = %q, SQLite has %q", word, ours, theirs)
		}
		if s := porterStem(word); len(s) > 3 && !strings.HasPrefix(word, s[:len(s)-2]) {
			t.Fatalf("stem %[2]q of %[1]q changes more than its last two letters, which sharedPrefix relies on", word, s)
		}
	})
}
