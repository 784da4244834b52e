package minilm

import "testing"

func TestUnderstands(t *testing.T) {
	m, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		// English, also with much jargon, and code.
		"The small server in Helsinki hosts our backups. Every night at three it copies the database to another machine and verifies that the copy can be restored.":                 true,
		"Kubernetes ingress with nginx: install cert-manager via Helm, annotate the ingress, and let ACME issue the TLS certificate. Postgres runs in a StatefulSet with pgbouncer.": true,
		"Sourdough: autolyse 45 minutes, bulk fermentation 4 hours, shape, proof overnight, bake at 240 C.":                                                                          true,
		"func (s *Service) Search(ctx context.Context, w *content.Wiki, q Query) (Results, error) { x, release, err := s.acquireIndex(w.Slug()); if err != nil { return err } }":     true,
		"const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length; export default function render(props) { return document.createElement('div'); }":                      true,
		"SELECT id, name, created_at FROM users WHERE email = $1 AND deleted_at IS NULL ORDER BY created_at DESC LIMIT 20":                                                           true,
		"services:\n  web:\n    image: nginx:latest\n    ports:\n      - \"80:80\"\n    environment:\n      DATABASE_URL: postgres://db:5432":                                        true,
		"日本語のページ with some English words about the server and the backup of the database.":                                                                                           true,
		"The café in Zürich is run by Françoise and her naïve brother.":                                                                                                              true,
		// Queries.
		"boats at sea": true, "kubernetes ingress": true, "zfs snapshot": true, "invoice 2026": true, "café": true, "2026-11-30": true, "": true, "???": true,
		"tomaten pflanzen":           true, // too short to tell
		"wie pflanze ich tomaten":    false,
		"cómo reiniciar el servidor": false, "wo ist der schlüssel": false, "sunucu nasıl yedeklenir": false, "резервная копия": false, "نسخة احتياطية": false, "バックアップ": false, "备份": false, "백업": false,
		// Other languages.
		"Der kleine Server in Helsinki speichert unsere Sicherungen. Jede Nacht um drei kopiert er die Datenbank auf eine andere Maschine und prüft, ob sich die Kopie wiederherstellen lässt.": false,
		"El pequeño servidor de Helsinki guarda nuestras copias de seguridad. Cada noche a las tres copia la base de datos a otra máquina y comprueba que la copia se puede restaurar.":         false,
		"La casa de mi abuela está en un pueblo pequeño cerca del mar. En verano vamos a la playa y comemos pescado con arroz.":                                                                 false,
		"Le petit serveur à Helsinki conserve nos sauvegardes. Chaque nuit à trois heures, il copie la base de données sur une autre machine et vérifie que la copie peut être restaurée.":      false,
		"Il piccolo server di Helsinki conserva i nostri backup. Ogni notte alle tre copia il database su un'altra macchina e verifica che la copia possa essere ripristinata.":                 false,
		"O pequeno servidor em Helsinki guarda as nossas cópias de segurança. Todas as noites às três copia a base de dados para outra máquina.":                                                false,
		"De kleine server in Helsinki bewaart onze back-ups. Elke nacht om drie uur kopieert hij de database naar een andere machine.":                                                          false,
		"Helsinki'deki küçük sunucu yedeklerimizi saklar. Her gece saat üçte veritabanını başka bir makineye kopyalar ve kopyanın geri yüklenebildiğini doğrular.":                              false,
		"Mały serwer w Helsinkach przechowuje nasze kopie zapasowe. Każdej nocy o trzeciej kopiuje bazę danych na inną maszynę.":                                                                false,
		"Небольшой сервер в Хельсинки хранит наши резервные копии. Каждую ночь в три часа он копирует базу данных на другую машину и проверяет, что копию можно восстановить.":                  false,
		"يحتفظ الخادم الصغير في هلسنكي بنسخنا الاحتياطية. كل ليلة في الساعة الثالثة ينسخ قاعدة البيانات إلى جهاز آخر ويتحقق من إمكانية استعادة النسخة.":                                         false,
		"ヘルシンキの小さなサーバーにバックアップを保存しています。毎晩三時にデータベースを別のマシンにコピーし、復元できることを確認します。":                                                                                                                    false,
		"赫尔辛基的小服务器保存我们的备份。每天凌晨三点，它把数据库复制到另一台机器，并检查副本是否可以恢复。":                                                                                                                                    false,
		"헬싱키의 작은 서버에 백업을 보관합니다. 매일 밤 세 시에 데이터베이스를 다른 컴퓨터로 복사합니다.":                                                                                                                               false,
	} {
		if got := Understands(text, m.Tokens(text)); got != want {
			t.Errorf("%.60s: %t", text, got)
		}
	}
}
