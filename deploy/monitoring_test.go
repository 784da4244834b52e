package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"robot.wtf/internal/slow"
)

var metricName = regexp.MustCompile(`robot_[a-z_]+`)

// registeredMetrics are the names in the source that registers metrics.
func registeredMetrics(t *testing.T) []string {
	t.Helper()
	names := map[string]bool{}
	for _, pattern := range []string{"../internal/server/metrics.go", "../internal/service/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			for _, quoted := range regexp.MustCompile(`"robot_[a-z_]+"`).FindAllString(readFile(t, file), -1) {
				names[strings.Trim(quoted, `"`)] = true
			}
		}
	}
	if len(names) < 20 {
		t.Fatalf("found %d metrics", len(names))
	}
	return slices.Sorted(maps.Keys(names))
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every metric is documented, counters are named as such, and the rules and the
// dashboard use only metrics that exist.
func TestMetricsAreDocumented(t *testing.T) {
	metrics := registeredMetrics(t)
	documented := metricName.FindAllString(readFile(t, "../docs/operate.md"), -1)
	for _, name := range metrics {
		if !slices.Contains(documented, name) {
			t.Errorf("docs/operate.md lacks %s", name)
		}
	}
	base := func(name string) string { // of a histogram's series
		for _, suffix := range []string{"_count", "_bucket", "_sum"} {
			name = strings.TrimSuffix(name, suffix)
		}
		return name
	}
	for _, file := range []string{"monitoring/alerts.yml", "monitoring/alerts.test.yml", "monitoring/dashboard.json", "../docs/operate.md"} {
		for _, name := range metricName.FindAllString(readFile(t, file), -1) {
			if !slices.Contains(metrics, base(name)) {
				t.Errorf("%s names %s, which isn't registered", file, name)
			}
		}
	}
}

// The dashboard has queries that Prometheus can parse.
func TestDashboard(t *testing.T) {
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, "monitoring/dashboard.json")), &dashboard); err != nil || len(dashboard.Panels) < 10 {
		t.Fatalf("%d panels, %v", len(dashboard.Panels), err)
	}
	rules := "groups: [{name: dashboard, rules: [\n"
	for _, panel := range dashboard.Panels {
		if panel.Title == "" || len(panel.Targets) == 0 {
			t.Errorf("%+v is empty", panel)
		}
		for _, target := range panel.Targets {
			rules += fmt.Sprintf("{record: x, labels: {n: '%d'}, expr: %q},\n", len(rules), target.Expr)
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		needs(t, "promtool (apt-get install prometheus)")
	}
	file := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(file, []byte(rules+"]}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(promtool, "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Each alert fires on its fault, and none on a healthy service.
func TestAlertRules(t *testing.T) {
	slow.Test(t) // promtool evaluates 28 hours
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		needs(t, "promtool (apt-get install prometheus)")
	}
	if out, err := exec.Command(promtool, "test", "rules", "monitoring/alerts.test.yml").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	rules := regexp.MustCompile(`(?m)alert: (\w+)`).FindAllStringSubmatch(readFile(t, "monitoring/alerts.yml"), -1)
	for _, rule := range rules {
		if !strings.Contains(readFile(t, "monitoring/alerts.test.yml"), "alertname: "+rule[1]+",") {
			t.Errorf("%s isn't tested on a healthy service", rule[1])
		}
	}
}
