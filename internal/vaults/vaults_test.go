package vaults_test

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"robot.wtf/internal/slow"
	"robot.wtf/internal/testdisk"
	"robot.wtf/internal/vaults"
)

var update = flag.Bool("update", false, "rewrite testdata/misses.txt")

func TestMain(m *testing.M) { os.Exit(testdisk.Run(m)) }

// seed makes the vaults of the recorded misses.
const seed = 17

// A tally counts the links of one form.
type tally struct {
	links, right, misses int
	example              string // of a miss
}

// misses imports a vault, views its pages and compares where each link leads. The quick
// tier views the pages with the first links of each form.
func misses(t *testing.T, v *vaults.Vault) map[string]*tally {
	enough := 3
	if slow.Enabled() || *update {
		enough = math.MaxInt
	}
	l := open(t, v.Tool, v.Files)
	shown := map[string]map[string]lead{}
	forms := map[string]*tally{}
	for _, link := range v.Links {
		f := forms[link.Form]
		if f == nil {
			f = &tally{}
			forms[link.Form] = f
		}
		if shown[link.Page] == nil {
			if f.links >= enough {
				continue
			}
			shown[link.Page] = shownLeads(l.body(link.Page))
		}
		got := l.judge(link, shown[link.Page])
		f.links++
		f.misses += got.misses
		if got.misses == 0 {
			f.right++
		} else if f.example == "" {
			f.example = fmt.Sprintf("%s: %s: want %q: %s", link.Page, link.Written, link.Want, got.why)
		}
	}
	return forms
}

// Links of other tools' vaults lead where those tools lead them. The file lists the
// forms that still miss; it may only become shorter. In the share that is logged, a
// link that leads elsewhere counts as two misses.
func TestVaults(t *testing.T) {
	recorded := readMisses(t)
	now := map[string][]string{}
	for _, v := range vaults.All(seed) {
		t.Run(v.Tool, func(t *testing.T) {
			if n := len(v.Pages()); n < 50 || n > 200 {
				t.Errorf("%d pages, want 50 to 200", n)
			}
			forms := misses(t, v)
			links, missed := 0, 0
			for _, name := range slices.Sorted(maps.Keys(forms)) {
				f := forms[name]
				links, missed = links+f.links, missed+f.misses
				wrong := f.links - f.right
				if wrong > recorded[v.Tool][name] {
					t.Errorf("%s: %d of %d links miss, recorded are %d\n%s", name, wrong, f.links, recorded[v.Tool][name], f.example)
				}
				if wrong > 0 {
					now[v.Tool] = append(now[v.Tool], fmt.Sprintf("%d\t%s", wrong, name))
					t.Logf("%s: %d of %d right; %s", name, f.right, f.links, f.example)
				}
			}
			t.Logf("%s: %.1f %% of %d links", v.Tool, 100*float64(links-missed)/float64(links), links)
		})
	}
	if *update {
		writeMisses(t, now)
	}
}

const missesFile = "testdata/misses.txt"

// readMisses reads the recorded misses by tool and form.
func readMisses(t *testing.T) map[string]map[string]int {
	t.Helper()
	data, err := os.ReadFile(missesFile)
	if err != nil {
		t.Fatal(err)
	}
	list, tool := map[string]map[string]int{}, ""
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		var n int
		count, form, isForm := strings.Cut(line, "\t")
		switch {
		case strings.HasPrefix(line, "//"), line == "":
		case !isForm:
			tool = line
			list[tool] = map[string]int{}
		default:
			if _, err := fmt.Sscan(count, &n); err != nil {
				t.Fatalf("%s: %q: %v", missesFile, line, err)
			}
			list[tool][form] = n
		}
	}
	return list
}

func writeMisses(t *testing.T, misses map[string][]string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("// Forms of links that don't lead where their tool leads them, with the number of them.\n" +
		"// Only ever remove lines and lower numbers: go test ./internal/vaults -update\n")
	for _, tool := range slices.Sorted(maps.Keys(misses)) {
		fmt.Fprintf(&b, "\n%s\n%s\n", tool, strings.Join(misses[tool], "\n"))
	}
	if err := os.WriteFile(missesFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The same seed makes the same vaults, so that a recorded miss can be found again.
func TestVaultsAreReproducible(t *testing.T) {
	again := vaults.All(seed)
	for i, v := range vaults.All(seed) {
		if !maps.Equal(v.Files, again[i].Files) || !slices.Equal(v.Links, again[i].Links) {
			t.Errorf("%s differs", v.Tool)
		}
	}
}
