package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

// Any body of a form is read or rejected with an error for people, and leaves no
// file behind.
func FuzzForm(f *testing.F) {
	const multipart = "multipart/form-data; boundary=x"
	f.Add("application/x-www-form-urlencoded", "a=b&content=%ff&a=%zz")
	f.Add("application/x-www-form-urlencoded", strings.Repeat("a&", 100))
	f.Add(multipart, "--x\r\nContent-Disposition: form-data; name=\"content\"\r\n\r\ntext\r\n--x--\r\n")
	f.Add(multipart, "--x\r\nContent-Disposition: form-data; name=file; filename=\"../a.png\"\r\nContent-Type: image/png\r\n\r\nx\r\n--x--")
	f.Add(multipart, "--x\r\n\r\n--x")
	f.Add("multipart/form-data", "x")
	f.Add("multipart/mixed; boundary=", "--\r\n")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		r.Body = http.MaxBytesReader(httptest.NewRecorder(), r.Body, 1<<20)
		if err := parseForm(r); err != nil && wiki.Status(err) >= 500 {
			t.Errorf("status %d: %v", wiki.Status(err), err)
		}
		if r.MultipartForm == nil {
			return
		}
		for _, files := range r.MultipartForm.File {
			for _, file := range files {
				if opened, err := file.Open(); err == nil {
					if onDisk, ok := opened.(*os.File); ok {
						t.Errorf("%s is on the disk", onDisk.Name())
					}
					opened.Close()
				}
			}
		}
	})
}

// The paging parameter of the changelog and histories is the number of a commit, or 0.
func FuzzBefore(f *testing.F) {
	for _, query := range []string{"", "before=1", "before=-1", "before=9223372036854775807", "before=99999999999999999999", "before=%00", "before=1&before=2", "before=;", "%zz=1"} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		v := &visit{r: &http.Request{URL: &url.URL{RawQuery: query}}}
		n := beforeSeq(v)
		if n < 0 {
			t.Errorf("%q is %d", query, n)
		}
	})
}
