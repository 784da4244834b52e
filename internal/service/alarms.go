package service

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/outbound"
	"robot.wtf/internal/watch"
)

// maxLag is how far the search index and the git exports may be behind the saves.
const maxLag = 10 * time.Minute

// checkLag reports derived data that doesn't catch up with the saves.
func (s *Service) checkLag(context.Context) []watch.Condition {
	index, _ := s.indexer.lag.seconds()
	found := lagCondition("index-lag", "search index", time.Duration(index*float64(time.Second)))
	if s.Exports != nil {
		found = append(found, lagCondition("export-lag", "git repository", s.Exports.Lag())...)
	}
	return found
}

func lagCondition(key, what string, behind time.Duration) []watch.Condition {
	if behind < maxLag {
		return nil
	}
	return []watch.Condition{{Key: key, Text: fmt.Sprintf(
		"A save made %d minutes ago isn't in its wiki's %s yet. Nothing is lost, but searches or clones don't include it. Look for errors in the log, and check whether the machine is overloaded.", int(behind.Minutes()), what)}}
}

// fullDescriptors is the share of the limit on open files that raises an alarm.
const fullDescriptors = 0.8

// checkDescriptors reports that the process has nearly as many files open as its limit allows.
func checkDescriptors(context.Context) []watch.Condition {
	var limit syscall.Rlimit
	open, err := os.ReadDir("/dev/fd") // one entry for each, on Linux and macOS
	if err != nil || syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return nil
	}
	return descriptorsCondition(len(open), limit.Cur)
}

func descriptorsCondition(open int, limit uint64) []watch.Condition {
	if float64(open) < fullDescriptors*float64(limit) {
		return nil
	}
	return []watch.Condition{{Key: "descriptors", Text: fmt.Sprintf(
		"%d files and connections are open, and the limit is %d. When it is reached, connections are refused: raise it with LimitNOFILE= in the unit.", open, limit)}}
}

// An errorRate watches which share of the answers are errors of the service.
type errorRate struct {
	answered func() (all, failed uint64) // since the start
	last     [][2]uint64                 // of the last rounds, oldest first
}

// An alarm is raised if, over the last rounds, the number of errors and their share of
// all answers both reach these.
const (
	errorRounds   = 5
	alarmingCount = 20
	alarmingRate  = 0.05
)

func (e *errorRate) check(context.Context) []watch.Condition {
	all, failed := e.answered()
	e.last = append(e.last, [2]uint64{all, failed})
	if len(e.last) > errorRounds+1 {
		e.last = e.last[1:]
	}
	all, failed = all-e.last[0][0], failed-e.last[0][1]
	if failed < alarmingCount || float64(failed) < alarmingRate*float64(all) {
		return nil
	}
	return []watch.Condition{{Key: "errors", Text: fmt.Sprintf("%d of the last %d answers were errors of the service (status 500 or more). The log has their causes.", failed, all)}}
}

// The certificate is checked every certificateEvery, and after a failure again after
// certificateRetry. Two failures in a row are reported.
const (
	certificateEvery = 6 * time.Hour
	certificateRetry = 10 * time.Minute
	certificateDays  = 14
)

// A certificateCheck connects to the public addresses as a stranger would.
type certificateCheck struct {
	addresses  []string
	client     *http.Client
	background *background.Workers
	now        func() time.Time

	mu       sync.Mutex
	next     time.Time // when to look again
	running  bool
	failures int // in a row
	found    []watch.Condition
}

// check returns the conditions found last, and looks again in the background when that is due.
func (c *certificateCheck) check(ctx context.Context) []watch.Condition {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.running && !c.now().Before(c.next) {
		c.running = true
		c.background.Go(background.Job{Work: "certificate"}, func() { c.look(ctx) })
	}
	return c.found
}

// look connects to each address. It reports a failure when it happens twice in a row.
func (c *certificateCheck) look(ctx context.Context) {
	text := ""
	for _, address := range c.addresses {
		if text = c.problem(ctx, address); text != "" {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = false
	c.next = c.now().Add(certificateEvery)
	if text == "" {
		c.failures, c.found = 0, nil
		return
	}
	c.failures++
	c.next = c.now().Add(certificateRetry)
	if c.failures > 1 {
		c.found = []watch.Condition{{Key: "certificate", Text: text}}
	}
}

// problem connects to one address, and describes its fault, if it has one.
func (c *certificateCheck) problem(ctx context.Context, address string) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/health", nil)
	if err != nil {
		return err.Error()
	}
	answer, err := c.client.Do(request)
	var invalid *tls.CertificateVerificationError
	switch {
	case errors.As(err, &invalid):
		return fmt.Sprintf("Browsers refuse the certificate of %s: %v.", address, invalid.Err)
	case errors.Is(err, outbound.ErrRefused):
		return fmt.Sprintf("The certificate of %s can't be checked, because its name leads to a private address here. If that is intended, use --no-check-certificate.", address)
	case err != nil:
		return fmt.Sprintf("The service can't reach itself at %s: %v. If others can, use --no-check-certificate.", address, err)
	}
	defer answer.Body.Close()
	if answer.TLS == nil || len(answer.TLS.PeerCertificates) == 0 {
		return ""
	}
	end := answer.TLS.PeerCertificates[0].NotAfter
	if left := end.Sub(c.now()); left < certificateDays*24*time.Hour {
		return fmt.Sprintf("The certificate of %s expires on %s, in %d days, and hasn't been renewed. Look at the proxy's log.", address, end.UTC().Format(time.DateOnly), int(left.Hours()/24))
	}
	return ""
}

// offsiteAge is the age of the last copy of the backups elsewhere that raises an alarm.
const offsiteAge = 26 * time.Hour

// checkOffsite reports that the job which copies backups elsewhere hasn't touched its
// file lately.
func checkOffsite(file string, now func() time.Time) watch.Check {
	return func(context.Context) []watch.Condition {
		info, err := os.Stat(file)
		switch {
		case err != nil:
			return []watch.Condition{{Key: "offsite", Text: fmt.Sprintf("Can't tell when the backups were last copied elsewhere: %v.", err)}}
		case now().Sub(info.ModTime()) > offsiteAge:
			return []watch.Condition{{Key: "offsite", Text: fmt.Sprintf("The backups haven't been copied elsewhere for %d hours: %s was last touched at %s.", int(now().Sub(info.ModTime()).Hours()), file, info.ModTime().UTC().Format(time.RFC3339))}}
		}
		return nil
	}
}
