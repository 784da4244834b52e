package background

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// recovered returns what f panics with.
func recovered(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

func explode() { panic(io.ErrUnexpectedEOF) }

// Waiting for a function passes its panic on, with the stack of the goroutine that panicked.
func TestWaitPassesPanicsOn(t *testing.T) {
	call := Start(func() int { explode(); return 1 })
	<-call.Done()
	var group Group
	group.Go(func() {})
	group.Go(explode)
	outer := Start(func() int { return Start(func() int { explode(); return 1 }).Wait() })
	for name, wait := range map[string]func(){
		"call": func() { call.Wait() }, "again": func() { call.Wait() }, "group": group.Wait, "nested": func() { outer.Wait() },
	} {
		p, ok := recovered(wait).(*Panic)
		if !ok || !errors.Is(p, io.ErrUnexpectedEOF) || !strings.Contains(string(p.Stack), "background.explode") {
			t.Errorf("%s: panicked with %v", name, p)
		}
	}
	if v := recovered(group.Wait); v != nil {
		t.Errorf("a group passes its panic on twice: %v", v)
	}
}

func TestWaitReturns(t *testing.T) {
	if got := Start(func() int { return 7 }).Wait(); got != 7 {
		t.Errorf("got %d", got)
	}
	Start(func() int { runtime.Goexit(); return 1 }).Wait() // returns
}

// testWorkers returns Workers, their log and the jobs that panicked.
func testWorkers(t *testing.T) (w *Workers, log *bytes.Buffer, panicked *[]Job) {
	log, panicked = &bytes.Buffer{}, &[]Job{}
	w = New(Options{Log: slog.New(slog.NewTextHandler(log, nil)), Panicked: func(p *Panic) { *panicked = append(*panicked, p.Job) }})
	return w, log, panicked
}

// A panic is logged with its stack and reported, and its input isn't processed again.
func TestTrySetsAside(t *testing.T) {
	w, log, panicked := testWorkers(t)
	job := Job{"index", "ada", "Home 1234"}
	err := w.Try(job, func() error { explode(); return nil })
	var p *Panic
	if !errors.As(err, &p) || p.Job != job {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"work=index", "wiki=ada", "Home 1234", "background.explode", "unexpected EOF"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, log)
		}
	}
	if len(*panicked) != 1 || (*panicked)[0] != job {
		t.Errorf("reported %v", *panicked)
	}
	if err := w.Try(job, func() error { t.Error("met again"); return nil }); !errors.Is(err, ErrSetAside) {
		t.Errorf("got %v", err)
	}
	for _, other := range []Job{{"index", "ada", "Home 5678"}, {"index", "bob", "Home 1234"}, {"embed", "ada", "Home 1234"}} {
		if err := w.Try(other, func() error { return io.EOF }); err != io.EOF {
			t.Errorf("%v: got %v", other, err)
		}
	}
	// The next process knows about it too.
	next := New(Options{})
	next.SetAside(job)
	if !next.IsAside(job) {
		t.Error("not set aside")
	}
	next.Clear("bob")
	if !next.IsAside(job) {
		t.Error("cleared with another wiki")
	}
	next.Clear("ada")
	if next.IsAside(job) {
		t.Error("still set aside")
	}
}

func TestAsideIsBounded(t *testing.T) {
	w := New(Options{})
	w.SetAside(Job{"index", "bob", "a"})
	for i := range 3 * maxAside {
		w.SetAside(Job{"index", "ada", fmt.Sprint(i)})
	}
	w.SetAside(Job{"index", "ada", ""})
	if n := len(w.aside[Job{Work: "index", Wiki: "ada"}]); n != maxAside {
		t.Errorf("%d items set aside", n)
	}
	if !w.IsAside(Job{"index", "bob", "a"}) {
		t.Error("one wiki's items displace another's")
	}
}

func TestGoAndAfterFuncRecover(t *testing.T) {
	panicked := make(chan string, 2)
	w := New(Options{Log: slog.New(slog.DiscardHandler), Panicked: func(p *Panic) { panicked <- p.Work }})
	w.Go(Job{Work: "import", Wiki: "ada"}, explode)()
	if got := <-panicked; got != "import" {
		t.Errorf("reported %s", got)
	}
	w.AfterFunc(Job{Work: "spool"}, 0, explode)
	if got := <-panicked; got != "spool" {
		t.Errorf("reported %s", got)
	}
	var none *Workers
	none.Go(Job{Work: "import"}, explode)()
}

// A loop that panics is restarted after a pause, until its context ends.
func TestLoopRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, panicked := testWorkers(t)
		ctx, cancel := context.WithCancel(t.Context())
		var runs atomic.Int32
		wait := w.Loop(ctx, "index", func(ctx context.Context) {
			if runs.Add(1) < 3 {
				explode()
			}
			<-ctx.Done()
		})
		time.Sleep(restartAfter - time.Millisecond)
		if n := runs.Load(); n != 1 {
			t.Errorf("ran %d times without a pause", n)
		}
		time.Sleep(3 * restartAfter)
		if n := runs.Load(); n != 3 || len(*panicked) != 2 {
			t.Errorf("ran %d times with %d panics", n, len(*panicked))
		}
		cancel()
		wait()
	})
}

// A failing report doesn't end the process either.
func TestPanicInReport(t *testing.T) {
	var log bytes.Buffer
	w := New(Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Panicked: func(*Panic) { panic("report") }})
	if err := w.Try(Job{Work: "index"}, func() error { explode(); return nil }); err == nil {
		t.Error("no error")
	}
	if !strings.Contains(log.String(), "reporting a panic panicked") {
		t.Errorf("log: %s", &log)
	}
}
