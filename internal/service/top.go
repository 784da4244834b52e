package service

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/pprof/profile"

	"robot.wtf/internal/background"
)

// A Cost is the work of one wiki during a sample.
type Cost struct {
	Wiki     string        // slug as it was asked for; "" for everything that belongs to no wiki
	CPU      time.Duration // of requests and background work
	Embedded time.Duration // the part of CPU that computed embeddings
	Requests int
	Saves    int
	Sent     int64 // bytes of answers
}

// maxCosts bounds the wikis in a sample, because anyone can send requests for wikis that don't exist.
const maxCosts = 10_000

// A meter counts what wikis cause while a sample is taken.
type meter struct {
	mu    sync.Mutex
	costs map[string]*Cost // nil while there is no sample
}

// count changes a wiki's cost, if a sample is being taken.
func (m *meter) count(slug string, change func(*Cost)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.costs == nil {
		return
	}
	if m.costs[slug] == nil && len(m.costs) >= maxCosts {
		slug = ""
	}
	if m.costs[slug] == nil {
		m.costs[slug] = &Cost{Wiki: slug}
	}
	change(m.costs[slug])
}

func (m *meter) start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.costs = map[string]*Cost{}
}

func (m *meter) stop() map[string]*Cost {
	m.mu.Lock()
	defer m.mu.Unlock()
	costs := m.costs
	m.costs = nil
	return costs
}

// served counts an answered request.
func (m *meter) served(slug string, sent int64) {
	m.count(slug, func(c *Cost) { c.Requests++; c.Sent += sent })
}

// SampleCosts returns what wikis cause within a time, the most expensive first.
// background.ErrSampling while another sample is taken.
func (s *Service) SampleCosts(ctx context.Context, during time.Duration) ([]Cost, error) {
	stop, err := s.startSample()
	if err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
	case <-time.After(during):
	}
	costs, err := stop()
	return costs, cmp.Or(ctx.Err(), err)
}

// startSample begins a sample. The caller must call stop.
func (s *Service) startSample() (stop func() ([]Cost, error), err error) {
	var out bytes.Buffer
	stopCPU, err := background.StartSample(&out)
	if err != nil {
		return nil, err
	}
	s.meter.start()
	return func() ([]Cost, error) {
		counted := s.meter.stop()
		stopCPU()
		if err := addCPU(counted, out.Bytes()); err != nil {
			return nil, fmt.Errorf("service: sample costs: %w", err)
		}
		var costs []Cost
		for _, c := range counted {
			costs = append(costs, *c)
		}
		slices.SortFunc(costs, func(a, b Cost) int {
			return cmp.Or(cmp.Compare(b.CPU, a.CPU), cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Wiki, b.Wiki))
		})
		return costs, nil
	}, nil
}

// addCPU adds the processor times of a profile to the costs.
func addCPU(costs map[string]*Cost, text []byte) error {
	p, err := profile.ParseData(text)
	if err != nil {
		return err
	}
	nanoseconds := slices.IndexFunc(p.SampleType, func(v *profile.ValueType) bool { return v.Unit == "nanoseconds" })
	if nanoseconds < 0 {
		return fmt.Errorf("the profile has no times")
	}
	label := func(s *profile.Sample, name string) string {
		if values := s.Label[name]; len(values) > 0 {
			return values[0]
		}
		return ""
	}
	for _, sample := range p.Sample {
		slug, took := label(sample, background.WikiLabel), time.Duration(sample.Value[nanoseconds])
		if costs[slug] == nil {
			costs[slug] = &Cost{Wiki: slug}
		}
		costs[slug].CPU += took
		if label(sample, background.WorkLabel) == "embed" {
			costs[slug].Embedded += took
		}
	}
	return nil
}
