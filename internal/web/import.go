package web

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// An importPhase is how far an import has got.
type importPhase string

const (
	receivingFile importPhase = "receiving"
	fetchingFile  importPhase = "fetching" // from another server
	examiningFile importPhase = "examining"
	awaitingOwner importPhase = "ready" // the preview is shown, and nothing is written yet
	writingImport importPhase = "writing"
	endedImport   importPhase = "ended"
)

// previewWait is how long an upload waits for its owner's decision.
const previewWait = 15 * time.Minute

// An importJob is one import, from the upload to its result. It runs in the
// background.
type importJob struct {
	id string // in the preview's form, so that an older preview decides nothing
	a  wiki.Access

	mu      sync.Mutex
	phase   importPhase
	name    string // of the uploaded file or the repository
	form    importForm
	request pages.ImportRequest
	upload  *pages.Upload // nil before it is received, and once it is removed
	steps   []pages.ImportStep
	preview *pages.ImportPreview
	result  pages.ImportResult
	err     error
	expires *time.Timer
	began   time.Time // of writing
	took    time.Duration
}

// importJobs holds the last import of each wiki since the service started.
type importJobs struct {
	mu   sync.Mutex
	last map[string]*importJob // by slug
}

func (j *importJobs) job(slug string) *importJob {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last[slug]
}

// start registers a job for a wiki, unless one is running. A preview that waits for
// its owner makes room.
func (j *importJobs) start(a wiki.Access) (*importJob, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	slug := a.Site().Slug
	if now := j.last[slug]; now != nil {
		if now.isBusy() {
			return nil, wiki.Problemf(wiki.ErrExists, "file", "An import is already running. Wait until it ends.")
		}
		if err := now.expire(nil); err != nil {
			return nil, err
		}
	}
	job := &importJob{id: rand.Text(), a: a, phase: receivingFile, steps: []pages.ImportStep{{What: "Receiving the file"}}}
	if j.last == nil {
		j.last = map[string]*importJob{}
	}
	j.last[slug] = job
	return job, nil
}

// drop forgets a job.
func (j *importJobs) drop(job *importJob) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if slug := job.a.Site().Slug; j.last[slug] == job {
		delete(j.last, slug)
	}
}

// isBusy reports whether the job works, rather than waits for its owner.
func (j *importJob) isBusy() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.phase != awaitingOwner && j.phase != endedImport
}

// setStep records the progress: a new step, or another number of the current one.
func (j *importJob) setStep(step pages.ImportStep) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if last := len(j.steps) - 1; last >= 0 && j.steps[last].What == step.What {
		j.steps[last] = step
		return
	}
	j.steps = append(j.steps, step)
}

// begin starts a phase that works on the upload, after a change of the request if any, unless
// the job is in another phase than expected, or its upload has to make room for another
// wiki's.
func (j *importJob) begin(from, to importPhase, change func(*pages.ImportRequest)) (pages.ImportRequest, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.phase != from || from == awaitingOwner && !j.upload.Resume() {
		return pages.ImportRequest{}, false
	}
	if change != nil {
		change(&j.request)
	}
	if j.expires != nil {
		j.expires.Stop()
	}
	j.phase, j.err, j.began, j.steps = to, nil, time.Now(), nil
	return j.request, true
}

// expire ends a job that waits for its owner.
func (j *importJob) expire(why error) error {
	j.mu.Lock()
	waits := j.phase == awaitingOwner
	if waits {
		j.phase = endedImport
	}
	j.mu.Unlock()
	if !waits {
		return nil
	}
	return j.end(pages.ImportResult{}, why)
}

// end ends the job with its result, and removes the upload.
func (j *importJob) end(r pages.ImportResult, err error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.expires != nil {
		j.expires.Stop()
	}
	j.phase, j.result, j.err, j.took = endedImport, r, err, time.Since(j.began)
	j.preview, j.request, j.steps = nil, pages.ImportRequest{}, nil // they can be large, and the job stays
	if j.upload == nil {
		return nil
	}
	upload := j.upload
	j.upload = nil
	return upload.Close()
}

// An importState is a copy of a job's state.
type importState struct {
	phase   importPhase
	name    string
	form    importForm
	steps   []pages.ImportStep
	preview *pages.ImportPreview
	result  pages.ImportResult
	err     error
	took    time.Duration
}

func (j *importJob) state() importState {
	j.mu.Lock()
	defer j.mu.Unlock()
	return importState{j.phase, j.name, j.form, slices.Clone(j.steps), j.preview, j.result, j.err, j.took}
}

// importPage shows an import: the form, its progress, what will happen, and what
// happened.
type importPage struct {
	Frame
	failure
	Reasons []string // why an import was refused
	Form    importForm
	Fresh   bool // the wiki has only its initial pages; like Stats and Limits, only for the form
	Stats   pages.Stats
	Limits  wiki.Limits
	ID      string
	Name    string
	Running bool
	Steps   []pages.ImportStep // of a running import; the last one is going on
	Preview *pages.ImportPreview
	Done    *pages.ImportResult
	Seconds int
}

// IsLast reports whether a step is the one that is going on.
func (p *importPage) IsLast(i int) bool { return i == len(p.Steps)-1 }

// An importForm is the part of the import form besides the file.
type importForm struct {
	Source  string // "folder", "notion", "bundle" or "git"
	Address string // of a repository
	Into    string
}

// showImport shows the form, or the state of the import. While one runs, the page
// refreshes by itself, without a script.
func (h *Handler) showImport(v *visit) error {
	job := h.imports.job(v.slug)
	if job == nil || v.query("new") != "" && !job.isBusy() {
		return h.renderImport(v, http.StatusOK, &importPage{})
	}
	return h.renderJob(v, job)
}

// renderJob shows the state of an import.
func (h *Handler) renderJob(v *visit, job *importJob) error {
	s := job.state()
	p := &importPage{ID: job.id, Name: s.name}
	switch s.phase {
	case awaitingOwner:
		p.Preview = s.preview
	case endedImport:
		p.Seconds = int(s.took.Seconds() + 0.5)
		if s.err == nil {
			p.Done = &s.result
			break
		}
		p.Form = s.form
		p.failure, _ = h.formFailure(v, s.err)
		p.Reasons = pages.ImportProblems(s.err)
	default:
		p.Running, p.Steps = true, s.steps
		v.w.Header().Set("Refresh", "1")
	}
	return h.renderImport(v, http.StatusOK, p)
}

func (h *Handler) renderImport(v *visit, status int, p *importPage) error {
	title := "Import pages"
	switch {
	case p.Running:
		title = "Importing"
	case p.Preview != nil:
		title = "Check the import"
	case p.Done == nil:
		if err := h.fillImportForm(v, p); err != nil {
			return err
		}
	}
	p.Frame = h.frame(v, title)
	p.NoIndex = true
	v.w.Header().Set("Cache-Control", "no-store")
	return h.render(v, status, "import", p)
}

// fillImportForm adds the facts about the wiki that the form mentions.
func (h *Handler) fillImportForm(v *visit, p *importPage) (err error) {
	p.Limits = v.a.Site().Limits
	p.Form.Source = cmp.Or(p.Form.Source, "folder")
	if p.Fresh, err = h.o.Pages.IsFresh(v.ctx(), v.a); err != nil {
		return err
	}
	p.Stats, err = h.o.Pages.Stats(v.ctx(), v.a)
	return err
}

// startImport receives a file or a folder and starts to examine it.
func (h *Handler) startImport(v *visit) error {
	var form importForm
	err := h.receiveImport(v, &form)
	if err == nil {
		return h.redirect(v, "/-/import")
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	return h.renderImport(v, wrong.Status, &importPage{failure: wrong, Form: form})
}

var errNoImportFile = wiki.Problemf(wiki.ErrInvalid, "file", "Choose a zip of Markdown or a git bundle, or enter the address of a repository.")

// receiveImport stores the uploaded file and starts the import. The wiki's job
// begins before the file is read, so a second upload isn't.
func (h *Handler) receiveImport(v *visit, form *importForm) error {
	parts, err := v.r.MultipartReader()
	if err != nil {
		return errNoImportFile
	}
	job, err := h.imports.start(v.a)
	if err != nil {
		return err
	}
	files := &importParts{parts: parts, form: form}
	body := &pacedReader{control: http.NewResponseController(v.w), began: time.Now()}
	upload, err := h.receiveParts(v, files, body)
	_ = body.control.SetWriteDeadline(time.Now().Add(uploadWait)) // the old one counts from the request's start
	if err != nil && !errors.Is(err, errRemote) {
		h.imports.drop(job)
		return uploadError(err)
	}
	job.mu.Lock()
	job.form, job.request = *form, pages.ImportRequest{AsFolder: form.Source == "folder" || form.Source == "notion", Into: form.Into}
	job.mu.Unlock()
	if errors.Is(err, errRemote) {
		return h.fetchImport(v, job)
	}
	job.setUpload(upload)
	h.examineImport(v, job, receivingFile, nil)
	return nil
}

// setUpload records that the upload was received.
func (j *importJob) setUpload(u *pages.Upload) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.upload, j.name = u, u.Name
}

// errRemote says that the form names a repository on another server.
var errRemote = errors.New("web: no file but an address to import from")

// fetchImport fetches the repository at the form's address in the background, and then
// examines it.
func (h *Handler) fetchImport(v *visit, job *importJob) error {
	name, err := h.o.Pages.CheckRemote(job.form.Address)
	if err != nil {
		h.imports.drop(job)
		return err
	}
	job.mu.Lock()
	job.name, job.request.AsFolder = name, false
	job.mu.Unlock()
	if _, ok := job.begin(receivingFile, fetchingFile, nil); !ok {
		return nil
	}
	ctx := context.WithoutCancel(v.ctx())
	h.o.Background.Go(background.Job{Work: "finish-import", Wiki: v.slug}, func() {
		var upload *pages.Upload
		err := h.tryImport(job, func() (err error) {
			upload, err = h.o.Pages.ReceiveRemote(ctx, job.a, job.form.Address, job.request, job.setStep)
			return err
		})
		if err != nil {
			h.endImport(job, pages.ImportResult{}, err)
			return
		}
		job.setUpload(upload)
		if request, ok := job.begin(fetchingFile, examiningFile, nil); ok {
			h.examine(ctx, job.a, job, request)
		}
	})
	return nil
}

// receiveParts stores the form's file, or all files of its folder. It fails with
// errRemote if the form has an address instead.
func (h *Handler) receiveParts(v *visit, files *importParts, body *pacedReader) (*pages.Upload, error) {
	name, part, err := files.next()
	if errors.Is(err, io.EOF) {
		err = errNoImportFile
		if files.form.Source == "git" || files.form.Address != "" {
			err = errRemote
		}
	}
	if err == nil && files.form.Source == "git" {
		err = errRemote // a file that was chosen before stays in the form
	}
	if err == nil || errors.Is(err, errRemote) {
		if _, invalid := pages.ImportFolder(files.form.Into); invalid != nil {
			err = invalid
		}
	}
	if err != nil {
		return nil, err
	}
	body.in = part
	if part.FormName() == "file" {
		upload, err := h.o.Pages.Receive(v.ctx(), v.a, body, body.interrupt)
		if err == nil {
			upload.Name = wiki.VisibleName(name)
		}
		return upload, err
	}
	first := true
	return h.o.Pages.ReceiveFolder(v.ctx(), v.a, func() (string, io.Reader, error) {
		if first {
			first = false
			return name, body, nil
		}
		name, part, err := files.next()
		body.in = part
		return name, body, err
	}, body.interrupt)
}

// importParts reads the parts of the import form: small fields, then files.
type importParts struct {
	parts *multipart.Reader
	form  *importForm
	empty int // parts without a file
}

// next returns the next file with its name: for a file of a folder, its path.
// It fails with io.EOF at the end.
func (p *importParts) next() (string, *multipart.Part, error) {
	for {
		part, err := p.parts.NextPart()
		if err != nil {
			return "", nil, err
		}
		if part.FormName() == "file" || part.FormName() == "folder" {
			if name := partPath(part); name != "" {
				return name, part, nil
			}
			continue
		}
		if p.empty++; p.empty > 20 {
			return "", nil, wiki.Problemf(wiki.ErrMalformed, "", "This form has too many fields. Open the page and try again from there.")
		}
		value, err := io.ReadAll(io.LimitReader(part, maxImportField))
		if err != nil {
			return "", nil, err
		}
		switch text := strings.ToValidUTF8(string(value), ""); part.FormName() {
		case "source":
			p.form.Source = text
		case "address":
			p.form.Address = text
		case "into":
			p.form.Into = text
		}
	}
}

// maxImportField bounds a field of the import form, in bytes.
const maxImportField = 4 << 10

// partPath returns the name of a part's file with its folder, which browsers send
// for the files of a folder, and package multipart cuts off.
func partPath(part *multipart.Part) string {
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil {
		return part.FileName()
	}
	return params["filename"]
}

// examineImport looks at an upload in the background. The import continues if the
// browser disconnects; it ends with the service.
func (h *Handler) examineImport(v *visit, job *importJob, from importPhase, change func(*pages.ImportRequest)) {
	request, ok := job.begin(from, examiningFile, change)
	if !ok {
		return
	}
	ctx, a := context.WithoutCancel(v.ctx()), v.a
	h.o.Background.Go(background.Job{Work: "finish-import", Wiki: v.slug}, func() { h.examine(ctx, a, job, request) })
}

func (h *Handler) examine(ctx context.Context, a wiki.Access, job *importJob, request pages.ImportRequest) {
	var preview *pages.ImportPreview
	err := h.tryImport(job, func() (err error) {
		preview, err = h.o.Pages.Examine(ctx, a, job.upload, request, job.setStep)
		return err
	})
	if err != nil {
		h.endImport(job, pages.ImportResult{}, err)
		return
	}
	h.awaitOwner(job, preview)
}

// awaitOwner shows the preview until its owner decides, another wiki needs the room,
// or previewWait is over.
func (h *Handler) awaitOwner(job *importJob, preview *pages.ImportPreview) {
	expire := func(why error) { h.warnUpload(job, job.expire(why)) }
	job.mu.Lock()
	defer job.mu.Unlock()
	job.phase, job.preview, job.steps = awaitingOwner, preview, nil
	job.upload.Pause(func() {
		h.o.Background.Go(background.Job{Work: "finish-import", Wiki: job.a.Site().Slug}, func() { expire(errPreviewYielded) })
	})
	job.expires = h.o.Background.AfterFunc(background.Job{Work: "finish-import", Wiki: job.a.Site().Slug}, previewWait, func() { expire(errPreviewExpired) })
}

var (
	errPreviewExpired = wiki.Problemf(wiki.ErrUnavailable, "file", "Nothing was imported: nobody confirmed it within %d minutes, so the upload was removed. Start again.", int(previewWait.Minutes()))
	errPreviewYielded = wiki.Problemf(wiki.ErrUnavailable, "file", "Nothing was imported: another wiki was waiting to import, so the upload was removed. Start again in a few minutes.")
)

// tryImport runs a part of an import. A panic becomes a Problem.
func (h *Handler) tryImport(job *importJob, f func() error) error {
	err := h.o.Background.Try(background.Job{Work: "import", Wiki: job.a.Site().Slug}, f)
	if errors.As(err, new(*background.Panic)) {
		err = wiki.Problemf(wiki.ErrInvalid, "file", "Nothing was imported: it ran into a bug on our side, and the operator was notified. You can import something else meanwhile.")
	}
	return err
}

func (h *Handler) endImport(job *importJob, r pages.ImportResult, err error) {
	h.warnUpload(job, job.end(r, err))
}

func (h *Handler) warnUpload(job *importJob, err error) {
	if err != nil {
		h.o.Log.Warn("removing the upload failed", "wiki", job.a.Site().Slug, "err", err)
	}
}

// decideImport is the form of the preview: import, check again without some folders,
// or cancel.
func (h *Handler) decideImport(v *visit) error {
	form, err := h.readForm(v, smallForm)
	if err != nil {
		return err
	}
	job := h.imports.job(v.slug)
	if job == nil || job.id != form.Get("id") {
		return h.redirect(v, "/-/import") // an older preview
	}
	now := job.state()
	if now.phase != awaitingOwner { // a second click
		return h.redirect(v, "/-/import")
	}
	switch form.Get("do") {
	case "cancel":
		h.imports.drop(job)
		h.warnUpload(job, job.expire(nil))
	case "check":
		h.examineImport(v, job, awaitingOwner, func(r *pages.ImportRequest) { r.Without = form["without"] })
	case "versions", "newest":
		h.examineImport(v, job, awaitingOwner, func(r *pages.ImportRequest) { r.Versions = form.Get("do") == "versions" })
	default:
		if len(now.preview.Problems) == 0 {
			h.writeImport(v, job, func(r *pages.ImportRequest) {
				r.Choices, r.Own = chosen(form, now.preview.Clashes), form.Get("own") == "on"
				if form.Get("wikilinks") == "on" {
					r.Wikilinks = now.preview.Wikilinks
				}
			})
		}
	}
	return h.redirect(v, "/-/import")
}

// chosen reads the decisions about clashes: one for each, or one for all.
func chosen(form url.Values, clashes []pages.Clash) map[string]pages.Choice {
	choices := map[string]pages.Choice{}
	for i, c := range clashes {
		decision := pages.Decision(form.Get(fmt.Sprintf("choice-%d", i)))
		if all := pages.Decision(form.Get("all")); all != "" {
			decision = all
		}
		switch decision {
		case pages.TakeTheirs, pages.KeepBoth:
			choices[c.Path] = pages.Choice{Decision: decision, Revision: c.Mine.Blob}
		}
	}
	return choices
}

// writeImport imports an examined upload in the background, as the person who decided.
func (h *Handler) writeImport(v *visit, job *importJob, change func(*pages.ImportRequest)) {
	request, ok := job.begin(awaitingOwner, writingImport, change)
	if !ok {
		return
	}
	ctx, a := context.WithoutCancel(v.ctx()), v.a
	h.o.Background.Go(background.Job{Work: "finish-import", Wiki: v.slug}, func() {
		var result pages.ImportResult
		err := h.tryImport(job, func() (err error) {
			result, err = h.o.Pages.Import(ctx, a, job.upload, request, job.setStep)
			if err == nil && request.Own {
				err = h.o.Tenant.RecordVouching(ctx, a, result.Head, false)
			}
			if err == nil && request.Wikilinks != "" {
				err = h.o.Tenant.ChooseWikilinks(ctx, a, request.Wikilinks)
			}
			return err
		})
		h.endImport(job, result, err)
	})
}

// uploadError returns the error for an incomplete upload.
func uploadError(err error) error {
	var tooLarge *http.MaxBytesError
	var problem *wiki.Problem
	switch {
	case errors.As(err, &tooLarge):
		return wiki.Problemf(wiki.ErrTooLarge, "file", "This file is too large. The limit is %d MB.", tooLarge.Limit>>20)
	case errors.As(err, &problem), errors.Is(err, wiki.ErrStorage):
		return err
	}
	return wiki.Problemf(wiki.ErrMalformed, "file", "The upload was incomplete. Send the file again.")
}

const (
	// uploadWait is how long an upload may stall.
	uploadWait = time.Minute
	// A repository must arrive at slowestUpload on average after slowUpload: while
	// it does, only one other wiki can import.
	slowestUpload = 64 << 10 // bytes a second
	slowUpload    = 30 * time.Second
)

// pacedReader reads an upload of any duration that never stalls for uploadWait and
// isn't slower than slowestUpload.
type pacedReader struct {
	in      io.Reader
	control *http.ResponseController
	began   time.Time
	read    int64

	mu          sync.Mutex
	interrupted bool
}

// interrupt makes the current read and all later ones fail.
func (p *pacedReader) interrupt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.interrupted = true
	_ = p.control.SetReadDeadline(time.Now()) // not supported by every server
}

// extendDeadline gives the next read uploadWait, unless it was interrupted.
func (p *pacedReader) extendDeadline() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.interrupted {
		return os.ErrDeadlineExceeded
	}
	_ = p.control.SetReadDeadline(time.Now().Add(uploadWait)) // not supported by every server
	return nil
}

func (p *pacedReader) Read(buf []byte) (int, error) {
	if took := time.Since(p.began); took > slowUpload && p.read < int64(took.Seconds()*slowestUpload) {
		return 0, wiki.Problemf(wiki.ErrMalformed, "file", "The upload was too slow: less than %d KB a second. Nothing was changed. Try again over a faster connection.", slowestUpload>>10)
	}
	if err := p.extendDeadline(); err != nil {
		return 0, err
	}
	n, err := p.in.Read(buf)
	p.read += int64(n)
	return n, err
}
