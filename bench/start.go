package main

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// start measures the start-up time of a service with 1,000 wikis, and its memory
// when idle after one page view.
func (b *bench) start() error {
	const wikis = 1000
	data := filepath.Join(b.dir, "start")
	s, err := b.startService(data)
	if err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	if err := multiply(data, wikis); err != nil {
		return err
	}
	var ready []time.Duration
	var memory []float64
	for range b.rounds {
		s, err := b.startService(data)
		if err != nil {
			return err
		}
		ready = append(ready, s.ready)
		if _, err := s.do("GET", "ada", "/", nil); err != nil {
			return err
		}
		time.Sleep(500 * time.Millisecond)
		memory = append(memory, float64(resident(s.cmd.Process.Pid))/(1<<20))
		if err := s.stop(); err != nil {
			return err
		}
	}
	took := median(ready)
	b.add("start with 1,000 wikis, until the first output line", ms(took), took.Seconds(), 0.3, "s")
	mb := median(memory)
	b.add("memory when idle with 1,000 wikis, after one view", fmt.Sprintf("%.0f MB resident", mb), mb, 60, "MB")
	return b.startMany(data, 10_000)
}

// startMany measures the start of both commands with many wikis.
func (b *bench) startMany(data string, wikis int) error {
	if err := crowd(data, wikis); err != nil {
		return err
	}
	rounds := min(b.rounds, 3)
	var dev, serve []time.Duration
	for range rounds {
		s, err := b.startService(data)
		if err != nil {
			return err
		}
		dev = append(dev, s.ready)
		if err := s.stop(); err != nil {
			return err
		}
	}
	if err := os.Remove(filepath.Join(data, "dev.json")); err != nil { // robot serve refuses the directory with it
		return err
	}
	for range rounds {
		took, err := b.startServe(data)
		if err != nil {
			return err
		}
		serve = append(serve, took)
	}
	for _, m := range []struct {
		command string
		took    time.Duration
	}{{"robot dev", median(dev)}, {"robot serve", median(serve)}} {
		b.add("start of `"+m.command+"` with 10,000 wikis, until ready", ms(m.took)+fmt.Sprintf(" (%d rounds)", rounds), m.took.Seconds(), 1, "s")
	}
	return nil
}

// startServe returns the time until robot serve says that it is ready.
func (b *bench) startServe(data string) (time.Duration, error) {
	cmd := exec.Command(b.binary, "serve", "--public-url", "https://robot.internal", "--listen", "127.0.0.1:0", "--data", data, "--no-check-certificate")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	cmd.Stderr = os.Stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	_, err = stdout.Read(make([]byte, 4096))
	took := time.Since(began)
	cmd.Process.Signal(syscall.SIGTERM)
	if stopped := cmd.Wait(); err == nil {
		err = stopped
	}
	return took, err
}

// crowd adds wikis until there are n. They are never opened; their files are hard
// links to bob's.
func crowd(data string, n int) error {
	platform, err := sql.Open("sqlite", filepath.Join(data, "robot.db"))
	if err != nil {
		return err
	}
	defer platform.Close()
	var there int
	if err := platform.QueryRow("SELECT count(*) FROM sites").Scan(&there); err != nil {
		return err
	}
	tx, err := platform.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	from := filepath.Join(data, "wikis", "bob")
	for i := there; i < n; i++ {
		slug := fmt.Sprintf("crowd-%d", i)
		to := filepath.Join(data, "wikis", slug)
		if err := os.Mkdir(to, 0o700); err != nil {
			return err
		}
		if err := os.Link(filepath.Join(from, "wiki.db"), filepath.Join(to, "wiki.db")); err != nil {
			return err
		}
		if _, err := tx.Exec("INSERT INTO sites (slug, owner, created) SELECT $1, owner, created FROM sites WHERE slug = 'bob'", slug); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// multiply copies the seeded wiki bob to many slugs: it copies the directory,
// changes the slug in the database, and adds a row to the platform database.
func multiply(data string, n int) error {
	platform, err := sql.Open("sqlite", filepath.Join(data, "robot.db"))
	if err != nil {
		return err
	}
	defer platform.Close()
	for i := range n {
		slug := fmt.Sprintf("copy-%d", i)
		to := filepath.Join(data, "wikis", slug)
		if err := os.CopyFS(to, os.DirFS(filepath.Join(data, "wikis", "bob"))); err != nil {
			return err
		}
		// Drop pending embeddings: these wikis must be idle.
		if err := os.Remove(filepath.Join(to, "index.behind")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := renameWiki(filepath.Join(to, "wiki.db"), slug); err != nil {
			return err
		}
		if _, err := platform.Exec("INSERT INTO sites (slug, owner, created) SELECT $1, owner, created FROM sites WHERE slug = 'bob'", slug); err != nil {
			return err
		}
	}
	return nil
}

// renameWiki changes the slug in each row of a wiki's database.
func renameWiki(file, slug string) error {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	defer db.Close()
	rows, err := db.Query("SELECT m.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = 'wiki'")
	if err != nil {
		return err
	}
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		tables = append(tables, name)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, name := range tables {
		if _, err := db.Exec(`UPDATE "`+name+`" SET wiki = $1`, slug); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
