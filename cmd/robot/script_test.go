package main

import (
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"robot.wtf/internal/await"
	"robot.wtf/internal/slow"
)

func TestMain(m *testing.M) {
	testscript.Main(inMemory{tests{m}}, map[string]func(){"robot": main})
}

// TestScripts runs testdata/script/*.txtar with the real binary. In addition to
// testscript's commands there are
//
//	start NAME ARG...   starts "robot ARG...", waits until it is ready, and
//	                    sets $NAME_url, $NAME_data and, for serve, $NAME_port and $NAME_metrics
//	                    from its output, which is in NAME.out; its log is in NAME.log
//	zip DIR FILE        makes a zip of a directory
//	seeded DIR          creates the data directory of a development service that ran once
//	keys DIR            creates a data directory with only the keys of a service
//	shutdown NAME       sends SIGTERM; it must exit with 0 within 10 s
//	kill9 NAME          kills it
//	http METHOD URL STATUS [HEADER: VALUE]... [@BODYFILE]
//	                    sends a request to 127.0.0.1 with the URL's host and port. The
//	                    response is in the file "answer", its body in "body"
//	wikiurl NAME SLUG   sets $wiki to the wiki's origin
//	token FILE SLUG ROLE  sets $token from a dev.json
//	newwiki NAME PERSON   signs PERSON in at a development service and creates the wiki
//	mode FILE OCTAL     checks a file's permissions
//
// and the condition [slow], for scripts of the slow tier.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "../../testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Values[processes{}] = map[string]*exec.Cmd{}
			e.Setenv("TMPDIR", filepath.Join(e.WorkDir, "tmp"))
			return os.MkdirAll(filepath.Join(e.WorkDir, "tmp"), 0o700)
		},
		Condition: func(name string) (bool, error) {
			if name != "slow" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return slow.Enabled(), nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"until": until, "zip": zipFolder, "seeded": seeded, "keys": keys,
			"start": launch, "shutdown": shutdown, "kill9": kill9, "http": request, "wikiurl": wikiURL, "token": token, "mode": mode, "newwiki": newWiki,
		},
	})
}

// testscript's "stop" ends a script, so that the rest of it would test nothing.
func TestScriptsRunToTheirEnd(t *testing.T) {
	files, err := filepath.Glob("../../testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	early := regexp.MustCompile(`(?m)^(\[[^\]]*\] *)?stop\b`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if line := early.Find(text); line != nil {
			t.Errorf("%s ends at %q: shutdown ends a service", file, line)
		}
	}
}

// processes is the key for a script's running services.
type processes struct{}

func running(ts *testscript.TestScript) map[string]*exec.Cmd {
	return ts.Value(processes{}).(map[string]*exec.Cmd)
}

var printed = map[string]*regexp.Regexp{
	"_url":     regexp.MustCompile(`is ready at (\S+)`),
	"_data":    regexp.MustCompile(`(?m)^Data +(\S+)`),
	"_link":    regexp.MustCompile(`(?m)^Sign in (\S+)`),            // of home
	"_metrics": regexp.MustCompile(`(?m)^Metrics (\S+)`),            // of serve with --metrics
	"_port":    regexp.MustCompile(`(?m)^Listen +http://\S+:(\d+)`), // of serve
}

func launch(ts *testscript.TestScript, neg bool, args []string) {
	name := args[0]
	cmd := exec.Command("robot", args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "TMPDIR="+ts.Getenv("TMPDIR"))
	logged, err := os.OpenFile(ts.MkAbs(name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	ts.Check(err)
	ts.Defer(func() { logged.Close() })
	cmd.Stderr = io.MultiWriter(os.Stderr, logged)
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	running(ts)[name] = cmd
	said := make(chan string)
	go func() {
		var text strings.Builder
		for lines := bufio.NewScanner(out); lines.Scan(); {
			text.WriteString(lines.Text() + "\n")
			if printed["_data"].MatchString(text.String()) {
				said <- text.String()
				_, _ = io.Copy(io.Discard, out)
				return
			}
		}
		said <- text.String()
	}()
	var text string
	select {
	case text = <-said:
	case <-time.After(30 * time.Second):
		ts.Fatalf("%s does not become ready", name)
	}
	ts.Logf("%s", text)
	ts.Check(os.WriteFile(ts.MkAbs(name+".out"), []byte(text), 0o600))
	for what, pattern := range printed {
		m := pattern.FindStringSubmatch(text)
		if m == nil && what != "_url" && what != "_data" {
			continue
		}
		if m == nil {
			ts.Fatalf("%s did not print %s", name, pattern)
		}
		ts.Setenv(name+what, m[1])
	}
}

func seeded(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	ts.Check(copySeeded(dir))
}

func zipFolder(ts *testscript.TestScript, neg bool, args []string) {
	out, err := os.Create(ts.MkAbs(args[1]))
	ts.Check(err)
	z := zip.NewWriter(out)
	root := os.DirFS(ts.MkAbs(args[0]))
	ts.Check(fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store}) // as the service stores histories
		if err == nil {
			_, err = w.Write(data)
		}
		return err
	}))
	ts.Check(errors.Join(z.Close(), out.Close()))
}

func keys(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(copyKeys(ts.MkAbs(args[0])))
}

// shutdown isn't called "stop": testscript's own command of that name ends a script,
// and takes precedence.
func shutdown(ts *testscript.TestScript, neg bool, args []string) {
	cmd := running(ts)[args[0]]
	ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	late := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	ts.Check(cmd.Wait())
}

func kill9(ts *testscript.TestScript, neg bool, args []string) {
	cmd := running(ts)[args[0]]
	ts.Check(cmd.Process.Kill())
	_ = cmd.Wait()
}

func request(ts *testscript.TestScript, neg bool, args []string) {
	var body io.Reader
	var header []string
	for _, arg := range args[3:] {
		if file, ok := strings.CutPrefix(arg, "@"); ok {
			body = strings.NewReader(ts.ReadFile(file))
		} else {
			header = append(header, arg)
		}
	}
	r, err := http.NewRequest(args[0], args[1], body)
	ts.Check(err)
	host := r.URL.Host
	_, port, err := net.SplitHostPort(host)
	ts.Check(err)
	r.URL.Host, r.Host = net.JoinHostPort("127.0.0.1", port), host
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	answer, err := (&http.Transport{DisableKeepAlives: true, DisableCompression: true}).RoundTrip(r)
	ts.Check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	var all strings.Builder
	fmt.Fprintf(&all, "%s\n", answer.Status)
	ts.Check(answer.Header.Write(&all))
	fmt.Fprintf(&all, "\n%s", text)
	ts.Check(os.WriteFile(ts.MkAbs("answer"), []byte(all.String()), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("body"), text, 0o600))
	if strconv.Itoa(answer.StatusCode) != args[2] {
		ts.Fatalf("%s %s: %s, want %s\n%.2000s", args[0], args[1], answer.Status, args[2], all.String())
	}
}

// until repeats a request until the response matches a pattern or, with "!", no longer
// does. It is for work that follows a save.
func until(ts *testscript.TestScript, neg bool, args []string) {
	pattern := regexp.MustCompile(args[1])
	matches := func() bool {
		request(ts, false, append([]string{http.MethodGet, args[0], "200"}, args[2:]...))
		return pattern.MatchString(ts.ReadFile("body")) != neg
	}
	if !await.Within(20*time.Second, matches) {
		ts.Fatalf("GET %s: the answer stays\n%.2000s", args[0], ts.ReadFile("body"))
	}
}

func wikiURL(ts *testscript.TestScript, neg bool, args []string) {
	ts.Setenv("wiki", strings.Replace(ts.Getenv(args[0]+"_url"), "://", "://"+args[1]+".", 1))
}

func token(ts *testscript.TestScript, neg bool, args []string) {
	facts, err := readDevFile(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, w := range facts.Wikis {
		for _, t := range w.Tokens.list() {
			if w.Slug == args[1] && t.role == args[2] {
				ts.Setenv("token", t.secret)
				return
			}
		}
	}
	ts.Fatalf("no token of %s's %s", args[1], args[2])
}

func mode(ts *testscript.TestScript, neg bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
	}
}

// newWiki signs a person in at a development service and creates their wiki.
func newWiki(ts *testscript.TestScript, neg bool, args []string) {
	jar, err := cookiejar.New(nil)
	ts.Check(err)
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		}}}
	for _, step := range []struct {
		path string
		form url.Values
	}{{"/auth/dev", url.Values{"username": {args[1]}}}, {"/app/create", url.Values{"slug": {args[1]}}}} {
		answer, err := client.PostForm(ts.Getenv(args[0]+"_url")+step.path, step.form)
		ts.Check(err)
		answer.Body.Close()
		if answer.StatusCode != http.StatusSeeOther {
			ts.Fatalf("%s: %s", step.path, answer.Status)
		}
	}
}
