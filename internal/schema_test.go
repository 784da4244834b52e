package internal

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

var (
	oldestSchema = regexp.MustCompile(`Oldest: (\d+)\}`)
	takesAway    = regexp.MustCompile(`(?im)^\s*(DROP|DELETE|UPDATE|ALTER TABLE \w+ (RENAME|DROP))\b`)
)

// A migration that takes something away raises the oldest schema that programs must
// know, so that older programs refuse the result.
func TestMigrationsThatTakeAwayRaiseTheOldestSchema(t *testing.T) {
	for dir, source := range map[string]string{"store": "store/store.go", "content": "content/pool.go"} {
		text, err := os.ReadFile(source)
		found := oldestSchema.FindSubmatch(text)
		if err != nil || found == nil {
			t.Fatalf("%s: %v", source, err)
		}
		oldest, _ := strconv.Atoi(string(found[1]))
		files, err := filepath.Glob(filepath.Join(dir, "migrations", "*.sql"))
		if err != nil || len(files) < 10 {
			t.Fatalf("%d migrations, %v", len(files), err)
		}
		number := 0
		for _, file := range files {
			if _, err := fmt.Sscanf(filepath.Base(file), "%d_", &number); err != nil {
				t.Fatal(err)
			}
			sql, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if takesAway.Match(sql) && number > oldest {
				t.Errorf("%s takes something away, and %s says that programs which know schema %d can use the result", file, source, oldest)
			}
		}
		if oldest > number { // the last one's
			t.Errorf("%s: schema %d doesn't exist", source, oldest)
		}
	}
}
