package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"robot.wtf/internal/config"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/wiki"
)

// manyWikis is more wikis than can be open with fewFiles file descriptors.
const (
	manyWikis = 60
	fewFiles  = 150
)

// With too few file descriptors for all wikis in use, idle ones are closed: no request
// fails, and a limit that others have used up only makes them slower.
func TestFewFileDescriptors(t *testing.T) {
	slow.Test(t)
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l := startLiveIn(t, dir, false)
	for i := range manyWikis {
		slug := fmt.Sprintf("many%d", i)
		owner := wiki.User{DID: "did:plc:" + slug, Handle: slug + ".test", Username: slug}
		if _, err := l.Tenant.Create(t.Context(), owner, slug); err != nil {
			t.Fatal(err)
		}
		l.must(l.Store.UpdateSite(t.Context(), owner.DID, wiki.Site{Slug: slug, OwnerDID: owner.DID, Title: slug, Public: true}))
	}
	l.must(l.Service.Close())
	u, address := newUnit(t, dir)
	u.limit = fewFiles
	if err := os.Remove(filepath.Join(dir, "dev.json")); err != nil {
		t.Fatal(err)
	}
	u.start()
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DialContext: dialTo(address), MaxConnsPerHost: 2}}
	var failed atomic.Int64
	var first sync.Once
	var askers sync.WaitGroup
	asked := 0
	for part := range 4 {
		for i := part; i < manyWikis; i += 4 {
			asked += 4
		}
		askers.Go(func() {
			for range 2 {
				for i := part; i < manyWikis; i += 4 {
					for _, path := range []string{"/-/index", "/-/search?q=word"} {
						answer, err := client.Get(fmt.Sprintf("http://many%d.%s%s", i, config.DevHost, path))
						if err == nil {
							answer.Body.Close()
						}
						if err != nil || answer.StatusCode != http.StatusOK {
							failed.Add(1)
							first.Do(func() { t.Errorf("%s: %v %v", path, answer, err) })
						}
					}
				}
			}
		})
	}
	askers.Wait()
	t.Logf("measured: %d of %d requests to %d wikis failed with %d file descriptors", failed.Load(), asked, manyWikis, fewFiles)
	if failed.Load() > 0 && !strings.Contains(u.log.String(), "request") {
		t.Log(u.log.String())
	}
}
