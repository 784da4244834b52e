package search

import (
	"testing"

	"robot.wtf/internal/minilm"
	"robot.wtf/internal/wiki"
)

// The model knows English only. Pages, queries and new texts in other languages
// are compared by words alone, beside English ones that are compared by meaning.
func TestOtherLanguages(t *testing.T) {
	model, err := minilm.New()
	if err != nil {
		t.Fatal(err)
	}
	u := newWorld(t)
	pages := map[string]string{
		"Backup":            "Every night the server copies the database to another machine, and checks that the copy can be restored.",
		"Restore":           "How to bring back the data from the nightly copies after a disk has failed.",
		"Code":              "func (s *Service) Search(ctx context.Context, q Query) (Results, error) { x, release, err := s.acquireIndex(w.Slug()); if err != nil { return Results{}, err } }",
		"نسخ_احتياطي":       "يحتفظ الخادم الصغير في هلسنكي بنسخنا الاحتياطية. كل ليلة ينسخ قاعدة البيانات إلى جهاز آخر.",
		"وصفة":              "وصفة الخبز: طحين وماء وملح. اخلط المكونات جيدا ثم اتركها ساعة كاملة.",
		"バックアップ":            "毎晩三時にデータベースを別のマシンにコピーし、復元できることを確認します。",
		"Резервные_копии":   "Каждую ночь в три часа сервер копирует базу данных на другую машину и проверяет копию.",
		"Sicherung":         "Jede Nacht um drei kopiert der Server die Datenbank auf eine andere Maschine und prüft, ob sich die Kopie wiederherstellen lässt.",
		"Yedek":             "Her gece saat üçte sunucu veritabanını başka bir makineye kopyalar ve kopyanın geri yüklenebildiğini doğrular.",
		"Copia_de_respaldo": "Cada noche a las tres el servidor copia la base de datos a otra máquina y comprueba que la copia se puede restaurar.",
	}
	english := map[string]bool{"Backup": true, "Restore": true, "Code": true}
	for name, text := range pages {
		u.put(name, text+"\n")
	}
	u.s.Close()
	u.s = New(Options{Dir: u.dir, Model: model})
	if err := u.s.CatchUp(t.Context(), u.w); err != nil {
		t.Fatal(err)
	}
	if _, err := u.s.EmbedAll(t.Context(), "ada", 2); err != nil {
		t.Fatal(err)
	}
	if n := u.s.WikiBacklog("ada"); n != 0 {
		t.Errorf("%d sections wait for a vector", n)
	}
	for name, text := range pages {
		related, err := u.related(wiki.PageName(name), 10)
		if err != nil {
			t.Fatal(err)
		}
		similar, err := u.s.Similar(t.Context(), u.w, "New", text, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range append(related, similar...) {
			if !english[name] || !english[string(p.Page)] {
				t.Errorf("%s is similar to %s", p.Page, name)
			}
		}
		if english[name] && len(similar) == 0 {
			t.Errorf("nothing is similar to the text of %s", name)
		}
	}
	for query, want := range map[string]string{"saving data in case a disk fails": "Restore Backup", "قاعدة البيانات": "نسخ_احتياطي", "データベース": "バックアップ", "базу данных": "Резервные_копии", "prüft die Kopie": "Sicherung", "veritabanını": "Yedek", "máquina otra": "Copia_de_respaldo"} {
		found, err := u.s.Search(t.Context(), u.w, Query{Text: query, Limit: 2})
		if err != nil {
			t.Fatal(err)
		}
		if got := foundPages(found); got != want {
			t.Errorf("%s: %s (%s), want %s", query, got, found.Mode, want)
		}
		for _, h := range found.Hits {
			if h.ByMeaning && !english[string(h.Page)] {
				t.Errorf("%s: found %s by meaning", query, h.Page)
			}
		}
	}
	if pairs, err := u.s.NearDuplicates(t.Context(), u.w, 10); err != nil || len(pairs) > 0 {
		t.Errorf("near-duplicates: %v %v", pairs, err)
	}
}
