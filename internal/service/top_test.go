package service

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/hostile"
	"robot.wtf/internal/server"
)

// The processor time of a request counts for its wiki, and so do its bytes.
func TestSampleCosts(t *testing.T) {
	s := &Service{}
	busy := func(w http.ResponseWriter, _ *http.Request, slug string) {
		done := make(chan int)
		go func() { // labels pass on to goroutines
			n := 0
			for end := hostile.CPU() + 200*time.Millisecond; slug == "ada" && hostile.CPU() < end; n++ {
				n *= 3
			}
			done <- n
		}()
		<-done
		_, _ = w.Write([]byte(strings.Repeat("x", 1000)))
	}
	handler := server.New(server.Options{Host: "robot.test", Wiki: busy, Platform: http.NotFound, Served: s.meter.served, Log: slog.New(slog.DiscardHandler)})
	ask := func(host string) {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://"+host+"/Home", nil))
	}
	ask("ada.robot.test") // before the sample
	stop, err := s.startSample()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SampleCosts(t.Context(), time.Second); !errors.Is(err, background.ErrSampling) {
		t.Errorf("a second sample: %v", err)
	}
	s.meter.count("ada", func(c *Cost) { c.Saves++ })
	for range 3 {
		ask("ada.robot.test")
	}
	ask("bob.robot.test")
	list, err := stop()
	if err != nil {
		t.Fatal(err)
	}
	costs := map[string]Cost{}
	for _, c := range list {
		costs[c.Wiki] = c
	}
	ada, bob := costs["ada"], costs["bob"]
	if ada.Requests != 3 || ada.Sent != 3000 || ada.Saves != 1 || bob.Requests != 1 || bob.Sent != 1000 {
		t.Errorf("counted %+v and %+v", ada, bob)
	}
	if ada.CPU < 20*time.Millisecond || ada.CPU < 2*bob.CPU {
		t.Errorf("%s of ada, %s of bob", ada.CPU, bob.CPU)
	}
	if ask("ada.robot.test"); s.meter.costs != nil {
		t.Error("counts after the sample")
	}
}

func TestCostsAreBounded(t *testing.T) {
	var m meter
	m.start()
	for i := range maxCosts + 10 {
		m.served(strings.Repeat("x", i%100)+string(rune('a'+i%26))+time.Duration(i).String(), 1)
	}
	if n := len(m.stop()); n > maxCosts+1 {
		t.Errorf("%d wikis", n)
	}
}
