// Package gitremote fetches public git repositories from other servers. It speaks
// git's protocol version 2 over https (gitprotocol-http(5), gitprotocol-v2(5)) itself,
// so git never opens a socket, and the client of package outbound, which reaches only
// public addresses, is the only way out. It knows no other protocol, sends no
// credentials, and fetches no submodules.
//
// Everything that a server sends is untrusted. This package bounds its size and
// duration and reads its framing; it doesn't look into packs, which package gitrepo
// verifies.
package gitremote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/outbound"
	"robot.wtf/internal/wiki"
)

// Bounds of a fetch.
const (
	maxTime          = 10 * time.Minute
	maxSilence       = 30 * time.Second
	maxCapabilityLen = 64 << 10 // bytes of a capability advertisement
	maxRefsLen       = 8 << 20  // bytes of a list of refs
	maxTransfer      = 8 << 30  // bytes of an answer, with its framing
	// A pack must arrive at slowestPack on average after slowPack.
	slowestPack = 64 << 10 // bytes a second
	slowPack    = 30 * time.Second
)

// agent is what servers log.
const agent = "git/robot.wtf" // some proxies admit only clients called git

// A Client fetches repositories.
type Client struct {
	http *http.Client
	now  func() time.Time
}

// New returns a Client whose requests have the given options.
func New(o outbound.Options) *Client {
	o.Timeout, o.MaxBody, o.Idle = maxTime, maxTransfer, maxSilence
	return &Client{http: outbound.New(o), now: time.Now}
}

// Newest fetches the files of the newest commit of one branch, without the history, and
// writes them to out as a git bundle whose commit has parents that aren't in it. If the
// server can't send less than the history, it is Bundle, and shallow is false.
func (c *Client) Newest(ctx context.Context, a Address, max int64, out io.Writer, progress func(bytes int64)) (shallow bool, err error) {
	return c.fetch(ctx, a, max, true, out, progress)
}

// Bundle fetches the commits and tags of one branch and writes them to out as a git
// bundle (gitformat-bundle(5)), whose HEAD is that branch. The bundle names the other
// branches and tags too, without their objects. It fails when its pack is larger than
// max bytes. progress is called with the number of bytes so far. Errors are Problems
// with the field "address", or those of ctx and out.
func (c *Client) Bundle(ctx context.Context, a Address, max int64, out io.Writer, progress func(bytes int64)) error {
	_, err := c.fetch(ctx, a, max, false, out, progress)
	return err
}

func (c *Client) fetch(ctx context.Context, a Address, max int64, newest bool, out io.Writer, progress func(bytes int64)) (shallow bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, maxTime, errTime)
	defer cancel()
	f := &fetch{client: c, address: a}
	head, err := f.prepare(ctx)
	f.newest = newest && f.capabilities.canDeepen()
	if err == nil {
		err = f.bundle(ctx, head, &packWriter{out: out, left: max, progress: progress, now: c.now})
	}
	if errors.Is(context.Cause(ctx), errTime) {
		err = errTime
	}
	return f.newest, f.explain(err)
}

var errTime = errors.New("gitremote: fetch took too long")

// A fetch is one conversation with a server.
type fetch struct {
	client       *Client
	address      Address
	newest       bool   // fetch only the newest commit
	base         string // the repository's URL, after redirects
	capabilities capabilities
	refs         refs
}

// prepare learns what the server can do and has, and returns the commit to fetch.
func (f *fetch) prepare(ctx context.Context) (head string, err error) {
	if err := f.discover(ctx); err != nil {
		return "", err
	}
	body, err := f.post(ctx, f.capabilities.command("ls-refs", listRefs...))
	if err != nil {
		return "", err
	}
	defer body.Close()
	if f.refs, err = readRefs(newPacketReader(body, maxRefsLen)); err != nil {
		return "", err
	}
	head, folder := f.refs.choose(f.address.Ref)
	switch {
	case len(f.refs.ids) == 0:
		return "", problemf("The repository %s is empty.", f.address)
	case head == "" && f.address.Ref != "":
		return "", problemf("%s has no such branch or tag.", f.address)
	case head == "":
		return "", problemf("Can't tell which branch of %s to import. Add it to the address: /tree/BRANCH", f.address)
	case folder != "":
		return "", problemf("This address is that of the folder or file %s. Only whole repositories can be imported: remove the end of the address.", quoted(folder))
	}
	return head, nil
}

// discover asks for the capabilities.
func (f *fetch) discover(ctx context.Context) error {
	const infoRefs = "/info/refs"
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.address.URL()+infoRefs+"?service=git-upload-pack", nil)
	if err != nil {
		return problemf("This address isn't valid.")
	}
	body, final, err := f.send(r, "advertisement")
	if err != nil {
		return err
	}
	defer body.Close()
	base, ok := strings.CutSuffix(final.Path, infoRefs)
	if !ok {
		return errMalformed // redirected to another page, such as one to sign in
	}
	f.base = (&url.URL{Scheme: final.Scheme, Host: final.Host, Path: base}).String()
	f.capabilities, err = readCapabilities(newPacketReader(body, maxCapabilityLen))
	return err
}

// post sends a command.
func (f *fetch) post(ctx context.Context, command string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, f.base+"/git-upload-pack", strings.NewReader(command))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-git-upload-pack-request")
	body, _, err := f.send(r, "result")
	return body, err
}

// send sends a request and checks that git answers it.
func (f *fetch) send(r *http.Request, kind string) (body io.ReadCloser, final *url.URL, err error) {
	want := "application/x-git-upload-pack-" + kind
	r.Header.Set("Accept", want)
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Set("Git-Protocol", "version=2")
	r.Header.Set("User-Agent", agent)
	response, err := f.client.http.Do(r)
	if err != nil {
		return nil, nil, err
	}
	got, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	switch {
	case response.StatusCode != http.StatusOK:
		err = statusError(response.StatusCode)
	case got == "text/plain" && kind == "advertisement":
		err = errOldProtocol // a directory of files, which old clients read one by one
	case got != want || response.Header.Get("Content-Encoding") != "":
		err = errMalformed
	}
	if err != nil {
		response.Body.Close()
		return nil, nil, err
	}
	return response.Body, response.Request.URL, nil
}

// bundle fetches the pack of a commit and writes it as a bundle.
func (f *fetch) bundle(ctx context.Context, head string, out *packWriter) error {
	arguments := []string{"no-progress", "ofs-delta", "want " + head}
	if f.newest {
		arguments = append(arguments, "deepen 1")
	} else {
		arguments = append(arguments, "include-tag")
	}
	body, err := f.post(ctx, f.capabilities.command("fetch", append(arguments, "done")...))
	if err != nil {
		return err
	}
	defer body.Close()
	in := newPacketReader(body, -1)
	if f.newest {
		err = startNewest(in, head)
	} else {
		err = startPack(in)
	}
	if err != nil {
		return err
	}
	var header strings.Builder
	fmt.Fprintf(&header, "# v2 git bundle\n%s HEAD\n", head)
	for _, name := range slices.Sorted(maps.Keys(f.refs.ids)) {
		if name != "HEAD" && !f.newest {
			fmt.Fprintf(&header, "%s %s\n", f.refs.ids[name], name)
		}
	}
	if _, err := io.WriteString(out.out, header.String()+"\n"); err != nil {
		return &writeError{err}
	}
	out.began = out.now()
	return copyPack(in, out)
}

// startPack reads the answer to fetch up to the pack. Other sections answer what we
// don't ask for; a shallow repository's server sends one without being asked.
func startPack(in *packetReader) error {
	kind, line, err := in.line()
	switch {
	case err != nil:
		return err
	case kind == dataPacket && line == "shallow-info":
		return errShallow
	case kind != dataPacket || line != "packfile":
		return errMalformed
	}
	return nil
}

// startNewest reads the answer to a fetch of one commit up to the pack. It begins with
// the commits whose parents are missing: this one, unless it has none.
func startNewest(in *packetReader, head string) error {
	kind, line, err := in.line()
	if err == nil && kind == dataPacket && line == "shallow-info" {
		for kind, line, err = in.line(); err == nil && kind == dataPacket; kind, line, err = in.line() {
			if line != "shallow "+head {
				return errMalformed
			}
		}
		if err == nil && kind == delimiterPacket {
			kind, line, err = in.line()
		}
	}
	if err == nil && (kind != dataPacket || line != "packfile") {
		err = errMalformed
	}
	return err
}

var (
	errShallow = errors.New("gitremote: repository is shallow")
	errTooSlow = errors.New("gitremote: pack arrives too slowly")
)

// maxChatter bounds the bytes of progress messages and empty packets.
const maxChatter = 16 << 20

// copyPack copies the pack from its side band (gitprotocol-pack(5)).
func copyPack(in *packetReader, out *packWriter) error {
	chatter := 0
	for {
		kind, data, err := in.next()
		switch {
		case err != nil:
			return err
		case kind == flushPacket && out.written > 0:
			return nil
		case kind != dataPacket || len(data) == 0:
			return errMalformed
		}
		switch band, data := data[0], data[1:]; {
		case band == 1 && len(data) > 0:
			err = out.write(data)
		case band == 1 || band == 2:
			if chatter += 5 + len(data); chatter > maxChatter {
				err = errMalformed
			}
		case band == 3:
			err = &serverError{strings.TrimSpace(string(data))}
		default:
			err = errMalformed
		}
		if err = cmp.Or(err, out.checkPace()); err != nil {
			return err
		}
	}
}

// A packWriter writes a pack within bounds.
type packWriter struct {
	out      io.Writer
	left     int64
	written  int64
	began    time.Time
	now      func() time.Time
	progress func(bytes int64)
}

// A writeError is an error of the caller's writer.
type writeError struct{ error }

func (e *writeError) Unwrap() error { return e.error }

var errPackTooLarge = errors.New("gitremote: pack is too large")

func (w *packWriter) write(data []byte) error {
	const magic = "PACK"
	if w.written == 0 && !strings.HasPrefix(magic, string(data[:min(len(data), len(magic))])) {
		return errMalformed
	}
	if w.left -= int64(len(data)); w.left < 0 {
		return errPackTooLarge
	}
	if _, err := w.out.Write(data); err != nil {
		return &writeError{err}
	}
	const step = 256 << 10
	before := w.written / step
	w.written += int64(len(data))
	if w.progress != nil && w.written/step > before {
		w.progress(w.written)
	}
	return nil
}

// checkPace fails if a started pack arrives too slowly. Before it starts, servers
// count objects, which takes a while.
func (w *packWriter) checkPace() error {
	if w.written == 0 {
		w.began = w.now()
		return nil
	}
	if took := w.now().Sub(w.began); took > slowPack && w.written < int64(took.Seconds()*slowestPack) {
		return errTooSlow
	}
	return nil
}

// A statusError is an HTTP status other than 200.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("gitremote: status %d", int(e)) }

// explain turns an error into a Problem that says what to do.
func (f *fetch) explain(err error) error {
	var status statusError
	var refusal *serverError
	var written *writeError
	var network *url.Error
	a := f.address
	switch {
	case err == nil, errors.As(err, new(*wiki.Problem)), errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &written):
		return written.error
	case errors.As(err, &status):
		return status.explain(a)
	case errors.As(err, &refusal):
		return problemf("%s refused: %s", a.Host, quoted(refusal.message))
	case errors.Is(err, outbound.ErrRefused):
		return problemf("%s leads to an address that isn't on the public internet or isn't https. Only public repositories can be imported.", a)
	case errors.Is(err, errOldProtocol):
		return problemf("%s speaks only old versions of git's protocol. Clone it, make a bundle with git bundle create wiki.bundle --all, and upload that.", a.Host)
	case errors.Is(err, errSHA256):
		return problemf("%s has SHA-256 ids. Only SHA-1 is supported.", a)
	case errors.Is(err, errShallow):
		return problemf("%s is a shallow clone, without the older history. Import the original.", a)
	case errors.Is(err, errTooLong):
		return wiki.Problemf(wiki.ErrTooLarge, "address", "%s has too many branches and tags: the limit is %d.", a, maxRefs)
	case errors.Is(err, errPackTooLarge), errors.Is(err, outbound.ErrTooLarge):
		return wiki.Problemf(wiki.ErrTooLarge, "address", "%s is larger than this wiki's limit for a history. Import its newest files as a zip, or ask the operator for more room.", a)
	case errors.Is(err, errTooSlow), errors.Is(err, errTime), isTimeout(err):
		return unavailablef("%s was too slow. Try again later, or upload a bundle instead.", a.Host)
	case errors.Is(err, errMalformed):
		return problemf("There's no git repository at %s. Check the address.", a)
	case errors.As(err, &network):
		return unavailablef("%s can't be reached. Check the address, or try again later.", a.Host)
	}
	return unavailablef("The connection to %s broke. Try again.", a.Host)
}

func unavailablef(format string, args ...any) error {
	return wiki.Problemf(wiki.ErrUnavailable, "address", format, args...)
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

// explain returns the Problem for a status. Servers answer 401 for repositories that
// don't exist, to hide which private ones do.
func (e statusError) explain(a Address) error {
	switch {
	case e == http.StatusTooManyRequests || e >= 500:
		return unavailablef("%s is busy (it answered %d). Try again in a few minutes.", a.Host, int(e))
	case e >= 300 && e < 400:
		return problemf("There's no git repository at %s. Check the address.", a)
	case strings.HasSuffix(a.Path, ".wiki.git"):
		return problemf("%s doesn't exist, is private, or has no pages yet. Only public wikis can be imported.", a)
	}
	return problemf("%s doesn't exist or is private. Check the address; only public repositories can be imported.", a)
}
