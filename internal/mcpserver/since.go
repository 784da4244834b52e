package mcpserver

import (
	"context"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// overviewNews bounds the commits that the overview looks through.
const overviewNews = 50

// changesSinceLast lists the commits of others since the caller's grant last asked for
// them, oldest first, and moves the grant's mark to the newest commit listed.
func (h *Handler) changesSinceLast(ctx context.Context, c *client, a arguments, limit int) (*reply, error) {
	for _, name := range []string{"path", "author", "cursor"} {
		if a[name] != nil {
			return nil, wiki.Problemf(wiki.ErrInvalid, name, "since \"last\" is about the whole wiki. Leave out %q, or name a date.", wiki.Own(name))
		}
	}
	mark, err := h.o.Tenant.Looked(ctx, c.access)
	if err != nil {
		return nil, err
	}
	news, err := h.o.Pages.News(ctx, c.access, mark, limit)
	if err != nil {
		return nil, err
	}
	r := &reply{}
	n, upTo := 0, news.UpTo
	meter := a.listMeter()
	for i, commit := range news.Commits {
		l := commitLine(commit)
		if !meter.takes(l) {
			news.More, upTo = true, news.Commits[i-1].Seq
			break
		}
		r.addLine(l)
		n++
	}
	when := ours("since you last asked")
	if mark == 0 {
		when = "lately (you ask for the first time)"
	}
	r.setHead("%s by others %s, oldest first: time, commit, who, message, pages", count(n, "change"), constant(when))
	describeOwn(&r.tail, news)
	if news.More {
		r.addTail("More: call changes with since \"last\" again.")
	}
	if err := h.addProposals(ctx, c, r); err != nil {
		return nil, err
	}
	return r, h.o.Tenant.RecordLook(ctx, c.access, upTo)
}

// describeOwn says what became of the grant's own changes.
func describeOwn(lines *[]line, news pages.News) {
	if len(news.Undone) > 0 {
		l := say("Of your changes, undone: ")
		for i, commit := range news.Undone {
			if i > 0 {
				l.add("; ")
			}
			l.add("%s %s", hash(commit.ID), saidBy(commit.Author, subjectLine(commit.Message)))
		}
		*lines = append(*lines, l)
	}
	if len(news.Edited) > 0 {
		*lines = append(*lines, append(say("Changed after you: "), names(news.Edited)...))
	}
}

// addNews summarizes, for the overview, the commits of others since the grant last
// asked. It doesn't move the mark.
func (h *Handler) addNews(ctx context.Context, c *client, r *reply) error {
	mark, err := h.o.Tenant.Looked(ctx, c.access)
	if err != nil || mark == 0 {
		return err
	}
	news, err := h.o.Pages.News(ctx, c.access, mark, overviewNews)
	if err != nil {
		return err
	}
	if len(news.Commits) == 0 {
		r.addTail("Nothing by others since you last asked.")
		return nil
	}
	over := ours("")
	if news.More {
		over = "Over "
	}
	r.addTail("%s%s by others since you last asked: changes with since \"last\".", constant(over), count(len(news.Commits), "change"))
	describeOwn(&r.tail, news)
	return nil
}
