package server

import (
	"crypto/subtle"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"robot.wtf/internal/background"
)

// Metrics holds the service's Prometheus metrics. They contain only counts and
// times: no slug, name or address. A nil Metrics records nothing.
type Metrics struct {
	registry   *prometheus.Registry
	requests   [len(routeNames)][6]prometheus.Observer // by class and first digit of the status
	saves      *prometheus.CounterVec
	stages     *prometheus.HistogramVec
	refusals   *prometheus.CounterVec
	oauth      *prometheus.CounterVec
	panics     *prometheus.CounterVec
	limited    *prometheus.CounterVec
	deliveries *prometheus.CounterVec

	answered, failed atomic.Uint64 // except health checks

	mu     sync.Mutex
	causes map[string]bool
}

// NewMetrics returns Metrics of the process.
func NewMetrics() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), causes: map[string]bool{}}
	requests := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "robot_request_seconds", Help: "Response time by route class and status class.",
		Buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30},
	}, []string{"route", "status"})
	for class, name := range routeNames {
		for digit := range m.requests[class] {
			m.requests[class][digit] = requests.WithLabelValues(name, strconv.Itoa(digit)+"xx")
		}
	}
	m.saves = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "robot_saves_total", Help: "Commits by outcome: written, merged, unchanged, replayed, conflict, refused, failed.",
	}, []string{"outcome"})
	m.stages = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "robot_save_seconds", Help: "Time of a commit's stages: prepare, wait for other writers, stage, sync to disk.",
		Buckets: []float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5},
	}, []string{"stage"})
	m.refusals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "robot_refusals_total", Help: "Refused requests of programs and agents, and failed sign-ins and grants, by cause.",
	}, []string{"cause"})
	m.oauth = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "robot_oauth_failures_total", Help: "Failures by cause: of agents at authorize, consent, token, revoke and register, of people at signin.",
	}, []string{"endpoint", "cause"})
	m.panics = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "robot_panics_total", Help: "Panics by kind of work, request among them. Each is a bug; the log has its stack.",
	}, []string{"work"})
	m.limited = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "robot_rate_limited_total", Help: "Answers with status 429 by route class.",
	}, []string{"route"})
	m.deliveries = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "robot_webhook_deliveries_total", Help: "Attempts to deliver messages to webhooks by outcome: delivered, failed.",
	}, []string{"outcome"})
	m.registry.MustRegister(requests, m.saves, m.stages, m.refusals, m.oauth, m.panics, m.limited, m.deliveries,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Gauge registers a value that is read at each scrape. read returns false while
// there is no value.
func (m *Metrics) Gauge(name, help string, read func() (value float64, ok bool)) {
	m.registry.MustRegister(readValue{prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue, read})
}

// Counter registers a count since the start that is read at each scrape. The labels
// are pairs of name and value.
func (m *Metrics) Counter(name, help string, read func() uint64, labels ...string) {
	constant := prometheus.Labels{}
	for i := 0; i+1 < len(labels); i += 2 {
		constant[labels[i]] = labels[i+1]
	}
	m.registry.MustRegister(readValue{prometheus.NewDesc(name, help, nil, constant), prometheus.CounterValue, func() (float64, bool) { return float64(read()), true }})
}

// Build registers the version of the program, as labels of a constant 1.
func (m *Metrics) Build(version, revision string) {
	one := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "robot_build_info", Help: "Always 1, with the version of the program.",
		ConstLabels: prometheus.Labels{"version": version, "revision": revision, "goversion": runtime.Version()},
	})
	one.Set(1)
	m.registry.MustRegister(one)
}

// readValue is a metric whose value is read at each scrape.
type readValue struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func() (float64, bool)
}

func (g readValue) Describe(to chan<- *prometheus.Desc) { to <- g.desc }

// Collect runs on a goroutine of the registry, where a panic would end the process.
// A value whose read panics is omitted.
func (g readValue) Collect(to chan<- prometheus.Metric) {
	var value float64
	var ok bool
	if background.Catch(func() { value, ok = g.read() }) == nil && ok {
		to <- prometheus.MustNewConstMetric(g.desc, g.kind, value)
	}
}

// Saved counts a commit by outcome.
func (m *Metrics) Saved(outcome string) {
	if m != nil {
		m.saves.WithLabelValues(outcome).Inc()
	}
}

// Stage records the duration of a commit's stage.
func (m *Metrics) Stage(name string, took time.Duration) {
	if m != nil {
		m.stages.WithLabelValues(name).Observe(took.Seconds())
	}
}

// maxCauses bounds the distinct causes, in case one ever contains input.
const maxCauses = 150

// Refused counts a refusal by cause.
func (m *Metrics) Refused(cause string) {
	if m == nil || cause == "" {
		return
	}
	m.refusals.WithLabelValues(m.boundCause("", cause)).Inc()
}

// OAuthFailed counts a failure to connect an agent or to sign in.
func (m *Metrics) OAuthFailed(endpoint, cause string) {
	if m != nil {
		m.oauth.WithLabelValues(endpoint, m.boundCause(endpoint, cause)).Inc()
	}
}

// Delivered counts an attempt to deliver a message to a webhook.
func (m *Metrics) Delivered(ok bool) {
	switch {
	case m == nil:
	case ok:
		m.deliveries.WithLabelValues("delivered").Inc()
	default:
		m.deliveries.WithLabelValues("failed").Inc()
	}
}

// Panicked counts a panic by the kind of work.
func (m *Metrics) Panicked(work string) {
	if m != nil {
		m.panics.WithLabelValues(work).Inc()
	}
}

func (m *Metrics) boundCause(endpoint, cause string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := endpoint + "\x00" + cause
	if !m.causes[key] && len(m.causes) >= maxCauses {
		return "other"
	}
	m.causes[key] = true
	return cause
}

func (m *Metrics) observeRequest(class routeClass, status int, took time.Duration) {
	if m == nil || status >= 600 {
		return
	}
	m.requests[class][status/100].Observe(took.Seconds())
	if status == http.StatusTooManyRequests {
		m.limited.WithLabelValues(class.String()).Inc()
	}
	if class == routeHealth {
		return
	}
	m.answered.Add(1)
	if status >= 500 {
		m.failed.Add(1)
	}
}

// Answered returns how many requests were answered since the start, without health
// checks, and how many of them with a status of 500 or more.
func (m *Metrics) Answered() (all, failed uint64) { return m.answered.Load(), m.failed.Load() }

// Handler serves the metrics at /metrics. Unless token is "", requests need it
// as a bearer token.
func (m *Metrics) Handler(token string) http.Handler {
	show := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		sent := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if token != "" && subtle.ConstantTimeCompare([]byte(sent), []byte(token)) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "The metrics token is required.", http.StatusUnauthorized)
			return
		}
		show.ServeHTTP(w, r)
	})
	return mux
}

// A routeClass is the kind of a request for metrics and logs. It is too coarse
// to reveal anything about a person.
type routeClass int

// The route classes.
const (
	routeOther routeClass = iota
	routeHealth
	routeStatic
	routePlatform
	routeAuth
	routeOAuth
	routeManage
	routePage
	routePageWrite
	routeTool
	routeToolWrite
	routeFile
	routeAPIRead
	routeAPIWrite
	routeMCP
	routeGit
)

var routeNames = [...]string{
	routeOther: "other", routeHealth: "health", routeStatic: "static", routePlatform: "platform", routeAuth: "auth",
	routeOAuth: "oauth", routeManage: "manage", routePage: "page", routePageWrite: "page_write", routeTool: "tool",
	routeToolWrite: "tool_write", routeFile: "file", routeAPIRead: "api_read", routeAPIWrite: "api_write", routeMCP: "mcp", routeGit: "git",
}

func (c routeClass) String() string { return routeNames[c] }

// classify returns the class of a request to a wiki's host or the platform's.
func classify(r *http.Request, onWiki bool) routeClass {
	path := r.URL.Path
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	pick := func(read, write routeClass) routeClass {
		if reads {
			return read
		}
		return write
	}
	switch {
	case path == "/health" || path == "/ready" || path == "/-/healthz":
		return routeHealth
	case strings.HasPrefix(path, "/-/static/"):
		return routeStatic
	case path == "/authorize" || path == "/token" || path == "/register" || strings.HasPrefix(path, "/auth/oauth/") || strings.HasPrefix(path, "/.well-known/oauth-"):
		return routeOAuth
	case !onWiki && isAPI(path):
		return routeManage
	case !onWiki && strings.HasPrefix(path, "/auth/"):
		return routeAuth
	case !onWiki:
		return routePlatform
	case isAPI(path):
		return pick(routeAPIRead, routeAPIWrite)
	case path == "/mcp" || strings.HasPrefix(path, "/mcp/"):
		return routeMCP
	case strings.HasPrefix(path, gitPath), path == formerGitPath, strings.HasPrefix(path, formerGitPath+"/"):
		return routeGit
	case strings.HasPrefix(path, "/-/"):
		return pick(routeTool, routeToolWrite)
	case strings.Contains(path, "/a/") || strings.Contains(path, "/t/"):
		return pick(routeFile, routePageWrite)
	}
	return pick(routePage, routePageWrite)
}
