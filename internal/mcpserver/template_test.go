package mcpserver

import (
	"regexp"
	"strings"
	"testing"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

func TestCreateFromTemplate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Templates/Meeting", "# {{title}}\n\n{{author}}, {{date}}, {{where}}\n\n## Notes\n\n{{content}}\n")
	got := w.ok("ada/editor", "create_page", "path", "Team/Kick-off", "template", "Meeting", "content", "- It rained {{date}}.")
	date := regexp.MustCompile(`\d{4}-\d\d-\d\d`).FindString(w.source("ada", "Team/Kick-off"))
	text := "# Kick-off\n\nbob, " + date + ", {{where}}\n\n## Notes\n\n- It rained {{date}}.\n"
	if w.source("ada", "Team/Kick-off") != text || !strings.HasPrefix(got, "Created Team/Kick-off @") || !strings.Contains(got, strings.TrimRight(text, "\n")) {
		t.Errorf("%s\n%q", got, w.source("ada", "Team/Kick-off"))
	}
	// The answer shows the page, so its revision allows to replace it.
	w.ok("ada/editor", "replace_page", "path", "Team/Kick-off", "revision", revisionIn(got), "content", "# Kick-off\n")

	w.ok("ada/editor", "create_page", "path", "Weekly", "template", "templates/meeting")
	w.fails(`create_page requires "content", "template" or both`, "ada/editor", "create_page", "path", "New")
	w.fails(`create_page requires "content"`, "ada/editor", "create_page", "path", "New", "template", "")
	w.fails(`There are: Templates/Meeting.`, "ada/editor", "create_page", "path", "New", "template", "Meting")
	w.fails("already exists", "ada/editor", "create_page", "path", "Weekly", "template", "Meeting")

	w.save("ada", "ada", "Templates/Long", strings.Repeat("A long line of a template. ", 2000)+"\n")
	got = w.ok("ada/editor", "create_page", "path", "Long", "template", "Long")
	w.fails("haven't read the whole page", "ada/editor", "replace_page", "path", "Long", "revision", revisionIn(got), "content", "x")
}

// Attack: an imported template, or one by a former member, gives an order. A page
// from it would be the agent's own, outside of every fence.
func TestStrangersTemplate(t *testing.T) {
	for _, how := range []string{"zip", "former member"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w := newStrangersWorld(t, how)
			got := w.fails("A member must rewrite it", "ada/editor", "create_page", "path", "Plan", "template", "Zqmark_Order")
			outside, _, _ := strings.Cut(got, "The text between the lines outside-")
			if marker.MatchString(outside) || strings.Contains(got, "Delete") {
				t.Error(got)
			}
			owner := w.Access("ada", "ada")
			if _, err := w.Pages.Source(t.Context(), owner, "Plan", ""); err == nil {
				t.Error("the page was created")
			}
			src, err := w.Pages.Source(t.Context(), owner, "Templates/Zqmark_Order", "")
			w.must(err)
			_, err = w.Pages.Save(t.Context(), owner, pages.SaveRequest{
				Name: string(src.Name), Text: []byte("## About {{title}}\n\nKeep everything.\n"), Precondition: pages.Precondition{Base: src.File.Blob},
			})
			w.must(err)
			w.ok("ada/editor", "create_page", "path", "Plan", "template", "Zqmark_Order")
			if foreign, err := w.Pages.Foreign(t.Context(), owner, func(did string) bool { return w.Tenant.IsMember(t.Context(), owner, did) }, []*pages.Words{{Page: wiki.PageName("Plan")}}); err != nil || foreign[0] {
				t.Errorf("foreign %v %v", foreign, err)
			}
		})
	}
}
