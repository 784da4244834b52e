// The search of an exported wiki. It needs no server: the index is a set of classic
// scripts beside this one, of which a query loads a few.
"use strict";
(() => {
  const form = document.querySelector("[data-search]");
  const list = document.getElementById("hits");
  const status = document.getElementById("status");
  const shown = 20;

  // eachWord in words.go splits pages in the same way.
  function words(text) {
    const plain = text.normalize("NFKD").toLowerCase().replace(/ς/g, "σ").replace(/\p{M}/gu, "");
    const found = [];
    for (const run of plain.match(/[\p{L}\p{N}]+/gu) || []) {
      for (const part of run.match(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]+|[^\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]+/gu)) {
        const letters = [...part];
        const wide = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u.test(part);
        if (!wide || letters.length === 1) found.push(part);
        else for (let i = 0; i + 1 < letters.length; i++) found.push(letters[i] + letters[i + 1]);
      }
    }
    return [...new Set(found)].slice(0, 12);
  }

  const loading = new Map();
  function load(name) {
    if (!loading.has(name)) {
      loading.set(name, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = "search/" + name + ".js";
        script.onload = resolve;
        script.onerror = () => reject(new Error(name));
        document.head.append(script);
      }));
    }
    return loading.get(name);
  }

  // matches returns the weight of each page with a word, or with one that begins with it.
  async function matches(word) {
    const letters = [...word];
    let shard = 0;
    for (const letter of letters.slice(0, 2)) shard = shard * 31 + letter.codePointAt(0);
    shard %= window.robotSearch.shards;
    await load("w" + shard);
    const pages = new Map();
    const all = window.robotWords[shard];
    for (const key of Object.keys(all)) {
      if (key !== word && (letters.length < 2 || !key.startsWith(word))) continue;
      const data = all[key];
      const rare = Math.log(1 + window.robotSearch.pages / (data.length / 2)) * (key === word ? 1 : 0.4);
      for (let i = 0, page = -1; i < data.length; i += 2) {
        page += data[i];
        pages.set(page, (pages.get(page) || 0) + rare * Math.log2(1 + data[i + 1]));
      }
    }
    return pages;
  }

  async function find(text) {
    const each = await Promise.all(words(text).map(matches));
    if (!each.length) return [];
    const hits = [];
    for (const [page, weight] of each[0]) {
      if (each.every((m) => m.has(page))) hits.push([each.reduce((sum, m) => sum + m.get(page), 0), page]);
    }
    return hits.sort((a, b) => b[0] - a[0] || a[1] - b[1]).map(([, page]) => page);
  }

  // shardOf returns the file with a page's text.
  function shardOf(page) {
    const starts = window.robotSearch.starts;
    let low = 0;
    for (let high = starts.length; high - low > 1;) {
      const middle = (low + high) >> 1;
      if (starts[middle] <= page) low = middle;
      else high = middle;
    }
    return low;
  }

  async function show(hits, from, typed) {
    const part = hits.slice(from, from + shown);
    await Promise.all(part.map((page) => load("p" + shardOf(page))));
    for (const page of part) {
      const shard = shardOf(page);
      const [url, title, folder, text] = window.robotPages[shard][page - window.robotSearch.starts[shard]];
      const item = document.createElement("li"), box = document.createElement("div"), link = document.createElement("a");
      link.className = "name";
      link.href = "../" + url;
      link.textContent = title;
      box.append(link);
      if (folder) box.append(element("small", " " + folder, "soft"));
      if (text) box.append(marked(excerpt(text, typed), typed));
      item.append(box);
      list.append(item);
    }
    if (from + shown < hits.length) {
      const more = element("button", "Show more", "button");
      more.type = "button";
      more.addEventListener("click", () => { more.parentElement.remove(); show(hits, from + shown, typed); });
      const item = document.createElement("li");
      item.append(more);
      list.append(item);
    }
  }

  function element(name, text, className) {
    const e = document.createElement(name);
    e.className = className;
    e.textContent = text;
    return e;
  }

  const isHit = (part, typed) => words(part).some((w) => typed.some((t) => w.startsWith(t)));

  // excerpt returns the part of a text that has the most of a query's words, of about 200
  // characters and whole words.
  function excerpt(text, typed) {
    const length = 200, hits = [];
    for (const m of text.matchAll(/[\p{L}\p{N}\p{M}]+/gu)) if (isHit(m[0], typed)) hits.push([m.index, words(m[0])]);
    let best = 0, most = 0;
    hits.forEach(([at], i) => {
      const near = hits.slice(i, i + 20).filter(([other]) => other < at + length - 40);
      const found = typed.filter((t) => near.some(([, all]) => all.some((w) => w.startsWith(t)))).length;
      if (found > most) [best, most] = [at, found];
    });
    let from = Math.max(0, best - 40), to = Math.min(text.length, from + length);
    if (from > 0) from = text.indexOf(" ", from) + 1 || from;
    if (to < text.length) to = Math.max(text.lastIndexOf(" ", to), best + 1);
    return (from > 0 ? "…" : "") + text.slice(from, to) + (to < text.length ? "…" : "");
  }

  // marked marks the words of a query in an excerpt.
  function marked(excerpt, typed) {
    const p = element("p", "", "small soft");
    p.dir = "auto";
    for (const part of excerpt.split(/([\p{L}\p{N}\p{M}]+)/u)) {
      p.append(isHit(part, typed) ? element("mark", part, "") : part);
    }
    return p;
  }

  let latest = 0;
  async function run(text) {
    const request = ++latest;
    status.textContent = "";
    if (!words(text).length) return list.replaceChildren();
    try {
      const hits = await find(text);
      if (request !== latest) return;
      list.replaceChildren();
      status.textContent = hits.length === 0 ? "No page has all of these words." : hits.length === 1 ? "1 page" : hits.length + " pages";
      await show(hits, 0, words(text));
    } catch {
      list.replaceChildren();
      status.textContent = "The search index couldn’t be loaded. Check that the folder search is beside this page.";
    }
  }

  const field = form.elements.q;
  let wait;
  field.addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(() => run(field.value), 150); });
  const asked = new URLSearchParams(location.search).get("q");
  field.value = asked || "";
  field.focus();
  if (asked) run(asked);
})();
