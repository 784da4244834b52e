package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// importPage is the form for a repository and the progress of an import.
type importPage struct {
	Frame
	failure
	Reasons []string // why an import was refused
	Fresh   bool     // the wiki is new enough for an import
	Running bool
	Step    pages.ImportStep
	Done    *pages.ImportResult
	Limits  wiki.Limits
}

// An importJob is one import running in the background.
type importJob struct {
	mu     sync.Mutex
	step   pages.ImportStep
	begun  bool // the file was received
	ended  bool
	result pages.ImportResult
	err    error
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

// start registers a job for a wiki, unless one is running.
func (j *importJobs) start(slug string) (*importJob, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if now := j.last[slug]; now != nil && !now.snapshot().ended {
		return nil, wiki.Problemf(wiki.ErrExists, "file", "An import is already running. Wait until it ends.")
	}
	job := &importJob{step: pages.ImportStep{What: "Receiving the file"}}
	if j.last == nil {
		j.last = map[string]*importJob{}
	}
	j.last[slug] = job
	return job, nil
}

// dropUnlessImporting forgets a job whose file wasn't received.
func (j *importJobs) dropUnlessImporting(slug string, job *importJob) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !job.isBegun() && j.last[slug] == job {
		delete(j.last, slug)
	}
}

func (j *importJob) isBegun() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.begun
}

// begin records that the file was received.
func (j *importJob) begin() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.begun, j.step = true, pages.ImportStep{What: "Starting"}
}

// importState is a snapshot of a job.
type importState struct {
	step   pages.ImportStep
	ended  bool
	result pages.ImportResult
	err    error
}

func (j *importJob) snapshot() importState {
	j.mu.Lock()
	defer j.mu.Unlock()
	return importState{j.step, j.ended, j.result, j.err}
}

func (j *importJob) setStep(step pages.ImportStep) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.step = step
}

func (j *importJob) finish(r pages.ImportResult, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended, j.result, j.err = true, r, err
}

// showImport shows the form, or the state of a running import. While an import
// runs, the page refreshes by itself, without a script.
func (h *Handler) showImport(v *visit) error {
	var p importPage
	if job := h.imports.job(v.slug); job != nil {
		s := job.snapshot()
		p.Running, p.Step = !s.ended, s.step
		switch {
		case p.Running:
			v.w.Header().Set("Refresh", "1")
		case s.err == nil:
			p.Done = &s.result
		default:
			p.failure, _ = h.formFailure(v, s.err)
			p.Reasons = pages.ImportProblems(s.err)
		}
	}
	return h.renderImport(v, http.StatusOK, &p)
}

func (h *Handler) renderImport(v *visit, status int, p *importPage) error {
	p.Frame = h.frame(v, "Import")
	p.NoIndex, p.Limits = true, v.a.Site().Limits
	v.w.Header().Set("Cache-Control", "no-store")
	var err error
	if p.Fresh, err = h.o.Pages.CanImport(v.ctx(), v.a); err != nil {
		return err
	}
	return h.render(v, status, "import", p)
}

// startImport receives a repository and starts importing it.
func (h *Handler) startImport(v *visit) error {
	err := h.receiveImport(v)
	if err == nil {
		return h.redirect(v, "/-/import")
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	return h.renderImport(v, wrong.Status, &importPage{failure: wrong})
}

// receiveImport stores the uploaded file and starts the import. The wiki's job
// begins before the file is read, so a second upload isn't.
func (h *Handler) receiveImport(v *visit) error {
	parts, err := v.r.MultipartReader()
	if err != nil {
		return wiki.Problemf(wiki.ErrInvalid, "file", "Choose a file: a git bundle, or a zip of a repository.")
	}
	job, err := h.imports.start(v.slug)
	if err != nil {
		return err
	}
	defer h.imports.dropUnlessImporting(v.slug, job)
	body := &pacedReader{control: http.NewResponseController(v.w), began: time.Now()}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) || err == nil && part.FormName() == "file" && part.FileName() == "" {
			return wiki.Problemf(wiki.ErrInvalid, "file", "Choose a file: a git bundle, or a zip of a repository.")
		}
		if err != nil {
			return uploadError(err)
		}
		if part.FormName() != "file" {
			continue
		}
		body.in = part
		upload, err := h.o.Pages.Receive(v.ctx(), v.a, body, body.interrupt)
		_ = body.control.SetWriteDeadline(time.Now().Add(uploadWait)) // the old one counts from the request's start
		if err != nil {
			return uploadError(err)
		}
		job.begin()
		// The import continues if the browser disconnects; it ends with the service.
		ctx := context.WithoutCancel(v.ctx())
		h.o.Background.Go(background.Job{Work: "finish-import", Wiki: v.slug}, func() { h.runImport(ctx, v.a, upload, job) })
		return nil
	}
}

func (h *Handler) runImport(ctx context.Context, a wiki.Access, upload *pages.Upload, job *importJob) {
	var result pages.ImportResult
	err := h.o.Background.Try(background.Job{Work: "import", Wiki: a.Site().Slug}, func() (err error) {
		result, err = h.o.Pages.Import(ctx, a, upload, false, job.setStep)
		return err
	})
	if errors.As(err, new(*background.Panic)) {
		err = wiki.Problemf(wiki.ErrInvalid, "file", "Nothing was imported: this repository runs into a bug on our side. The operator gets a notice. You can import another one meanwhile.")
	}
	if cerr := upload.Close(); cerr != nil {
		h.o.Log.Warn("removing the upload failed", "wiki", a.Site().Slug, "err", cerr)
	}
	job.finish(result, err)
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
