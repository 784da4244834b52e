package main

import (
	"database/sql"
	"regexp"
	"slices"
	"strings"

	_ "modernc.org/sqlite"
)

// plainWords runs the same queries with SQLite's full-text search, as most people
// use it. It shows whether a low figure is due to the set or to our search.
func plainWords(docs, asked []pair) (t tally, err error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return t, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // each connection has its own memory
	if _, err := db.Exec("CREATE VIRTUAL TABLE texts USING fts5 (word UNINDEXED, entry, tokenize = 'porter unicode61')"); err != nil {
		return t, err
	}
	for _, d := range docs {
		if _, err := db.Exec("INSERT INTO texts VALUES ($1, $2)", d.word, d.entry); err != nil {
			return t, err
		}
	}
	words := regexp.MustCompile(`[\pL\pN]+`)
	for _, q := range asked {
		anyWord := `"` + strings.Join(words.FindAllString(q.query, -1), `" OR "`) + `"`
		rows, err := db.Query("SELECT word FROM texts WHERE texts MATCH $1 ORDER BY bm25(texts) LIMIT 10", anyWord)
		if err != nil {
			return t, err
		}
		var found []string
		for rows.Next() {
			var word string
			if err := rows.Scan(&word); err != nil {
				return t, err
			}
			found = append(found, word)
		}
		if err := rows.Err(); err != nil {
			return t, err
		}
		t.add(q, 1+slices.Index(found, q.word))
	}
	return t, nil
}
