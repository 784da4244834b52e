package main

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"robot.wtf/internal/config"
	"robot.wtf/internal/slow"
)

// A damaged or missing wiki is reported, and the others are checked all the same.
func TestCheckReportsDamage(t *testing.T) {
	slow.Test(t)
	dir, _ := killedData(t)
	file := filepath.Join(dir, "wikis", "bob", "wiki.db")
	for _, log := range []string{"-wal", "-shm"} {
		_ = os.Remove(file + log)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(text) / 2; i < len(text); i++ {
		text[i] = 'x'
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "wikis", "cleo", "wiki.db")); err != nil {
		t.Fatal(err)
	}
	cfg, origins := config.Offline(dir)
	s, err := openService(t.Context(), cfg, origins, discardLog())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var out bytes.Buffer
	err = checkWikis(t.Context(), s, url.Values{}, nil, &out)
	if err == nil || !strings.Contains(err.Error(), "wikis are damaged") {
		t.Errorf("%v", err)
	}
	for _, want := range []string{"ada: ok, ", "help: ok, ", "\nbob: "} {
		if !strings.Contains("\n"+out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "bob: ok") {
		t.Error("the damage of bob isn't noticed")
	}
	out.Reset()
	if err := checkWikis(t.Context(), s, url.Values{"wiki": {"ada"}}, nil, &out); err != nil || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("one wiki: %v\n%s", err, &out)
	}
}
