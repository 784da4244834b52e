// The editor: a text field with tools, drafts, preview and uploads. On wide screens the
// source editor takes the field's place. Editing works without this file.

import { Choices, debounce, folder, localTimes, parse, spaced, suggestPages, wide } from "./app.js";

const bullet = /^(\s*)(?:[-*+] (?:\[[ xX]\] )?|\d{1,9}[.)] |> )?/;
const day = 86_400_000;

class Editor {
  constructor(form) {
    this.form = form;
    this.field = form.elements.content;
    this.area = this.field; // or the source editor that replaces it
    this.status = form.querySelector("[data-status]");
    this.pane = form.querySelector("[data-preview]");
    this.toc = [];
    this.savedDraft = this.area.value;
    const list = form.querySelector("#complete");
    if (list) this.choices = new Choices(this.area, list, { first: true });
    this.setUpTools();
    this.setUpCode();
    const picker = form.querySelector("[data-picker]");
    if (picker) this.picker = new Picker(picker, form.dataset.page, (file) => this.insertFile(file));
    this.follow();
    this.countSoon = debounce(700, () => this.countWords());
    this.countWords();
    this.offerCopy();
    this.saveSoon = debounce(6000, () => this.saveDraft());
    this.copySoon = debounce(2000, () => this.keepCopy());
    this.previewSoon = debounce(400, () => this.preview());
    this.completeSoon = debounce(60, () => this.completeLink());
    const on = (target, type, act) => target.addEventListener(type, act.bind(this));
    on(this.area, "input", this.changed);
    on(this.area, "keydown", this.handleKey);
    on(this.area, "paste", this.paste);
    on(this.area, "dragover", (event) => { if (event.dataTransfer.types.includes("Files")) event.preventDefault(); });
    on(this.area, "drop", this.drop);
    on(form, "submit", this.submit);
    on(form, "change", this.chooseSide);
    on(window, "keydown", this.handleFormKey);
    on(document, "visibilitychange", () => { if (document.visibilityState === "hidden") this.leave(); });
    on(window, "pagehide", this.leave);
    on(window, "pageshow", () => { this.sent = false; });
    on(window, "beforeunload", (event) => { if (this.dirty && !this.sent) event.preventDefault(); });
  }

  get dirty() { return "unsaved" in this.form.dataset || this.area.value !== this.area.defaultValue; }

  announce(message) { if (this.status) this.status.textContent = message; }

  // replace replaces a range of the text, undoably, and then selects from..to.
  replace(start, end, text, from = start + text.length, to = from) {
    this.area.focus();
    if (this.area !== this.field) return this.area.replaceRange(start, end, text, from, to);
    this.area.setSelectionRange(start, end);
    const done = text ? document.execCommand("insertText", false, text) : start === end || document.execCommand("delete");
    if (!done) {
      this.area.setRangeText(text, start, end);
      this.area.dispatchEvent(new Event("input", { bubbles: true }));
    }
    this.area.setSelectionRange(from, to);
  }

  // replaceText replaces the first occurrence of a text, wherever it is now. The
  // caret and the focus stay where they are.
  replaceText(old, text) {
    const start = this.area.value.indexOf(old);
    if (start < 0) return;
    const focused = document.activeElement;
    const moved = (p) => p <= start ? p : Math.max(start + text.length, p + text.length - old.length);
    const { selectionStart, selectionEnd } = this.area;
    this.replace(start, start + old.length, text, moved(selectionStart), moved(selectionEnd));
    if (focused !== this.area) focused?.focus?.();
  }

  // selectedLines is the range of whole lines that the selection touches.
  selectedLines() {
    const { value, selectionStart, selectionEnd } = this.area;
    const start = value.lastIndexOf("\n", selectionStart - 1) + (selectionStart ? 1 : 0);
    const end = value.indexOf("\n", selectionEnd);
    return { start: Math.max(start, 0), end: end < 0 ? value.length : end };
  }

  // mapLines rewrites each line of the selection.
  mapLines(change) {
    const { start, end } = this.selectedLines();
    const { value, selectionStart, selectionEnd } = this.area;
    const text = value.slice(start, end).split("\n").map(change).join("\n");
    const caret = Math.max(start, selectionStart + text.length - (end - start));
    if (text === value.slice(start, end)) return;
    if (selectionStart === selectionEnd) this.replace(start, end, text, caret);
    else this.replace(start, end, text, start, start + text.length);
  }

  // toggleWrap adds or removes marks around the selection, or the word at the caret.
  toggleWrap(mark) {
    const { value, selectionStart, selectionEnd } = this.area;
    let s = selectionStart, e = selectionEnd;
    const caret = s === e;
    if (caret) {
      while (/[\p{L}\p{N}_'’-]/u.test(value[s - 1] ?? "")) s--;
      while (/[\p{L}\p{N}_'’-]/u.test(value[e] ?? "")) e++;
    }
    while (s < e && /\s/.test(value[s])) s++;
    while (e > s && /\s/.test(value[e - 1])) e--;
    const c = mark[0], n = mark.length;
    while (e - s > 1 && value[s] === c && value[e - 1] === c) { s++; e--; }
    let run = 0;
    while (value[s - run - 1] === c && value[e + run] === c) run++;
    const on = c === "*" && n === 1 ? run % 2 === 1 : run >= n;
    const by = on ? -n : n, text = value.slice(s, e);
    const [from, to] = caret ? [selectionStart + by, selectionStart + by] : [s + by, e + by];
    if (on) this.replace(s - n, e + n, text, from, to);
    else this.replace(s, e, mark + text + mark, from, to);
  }

  // togglePrefix adds or removes a list or quote mark before each line.
  togglePrefix(mark) {
    const { start, end } = this.selectedLines();
    const bare = (line) => mark === "> " ? line.replace(/^(\s*)> ?/, "$1") : line.replace(bullet, "$1");
    const all = this.area.value.slice(start, end).split("\n").filter((line) => line.trim());
    const numbers = mark === "1. ";
    const on = all.length && all.every((line) => numbers ? /^\s*\d+[.)] /.test(line) : line.trimStart().startsWith(mark));
    let number = 0;
    this.mapLines((line) => {
      if (on || !line.trim() && all.length) return bare(line);
      const rest = mark === "> " ? line : bare(line);
      const indent = /^\s*/.exec(rest)[0];
      return indent + (numbers ? `${++number}. ` : mark) + rest.slice(indent.length);
    });
  }

  cycleHeading() {
    const { start } = this.selectedLines();
    const level = /^#*/.exec(this.area.value.slice(start))[0].length;
    this.area.setSelectionRange(this.area.selectionEnd, this.area.selectionEnd);
    this.mapLines((line) => (level < 4 ? "#".repeat(level + 1) + " " : "") + line.replace(/^#* ?/, ""));
  }

  // insertBlock inserts a separate paragraph at the caret and selects part of it.
  insertBlock(text, from = text.length, to = from) {
    const { value, selectionStart: s, selectionEnd: e } = this.area;
    const before = value.slice(0, s), rest = value.slice(e);
    const lead = !before || before.endsWith("\n\n") ? "" : before.endsWith("\n") ? "\n" : "\n\n";
    const tail = !rest ? "\n" : rest.startsWith("\n\n") ? "" : rest.startsWith("\n") ? "\n" : "\n\n";
    const start = s + lead.length;
    this.replace(s, e, lead + text + tail, start + from, start + to);
  }

  insertCode() {
    const { value, selectionStart: s, selectionEnd: e } = this.area;
    const text = value.slice(s, e);
    if (text.includes("\n")) this.insertBlock("```\n" + text.replace(/\n$/, "") + "\n```", 3);
    else this.toggleWrap("`");
  }

  toggleWikilink() {
    const { value, selectionStart: s, selectionEnd: e } = this.area;
    if (value.slice(s - 2, s) === "[[" && value.slice(e, e + 2) === "]]") {
      this.replace(s - 2, e + 2, value.slice(s, e), s - 2, e - 2);
      return;
    }
    this.replace(s, e, `[[${value.slice(s, e)}]]`, s + 2, e + 2);
    this.completeLink();
  }

  insertLink() {
    const { value, selectionStart: s, selectionEnd: e } = this.area;
    const text = value.slice(s, e);
    if (/^\w+:\/\/\S+$/.test(text)) this.replace(s, e, `[](${text})`, s + 1);
    else if (text) this.replace(s, e, `[${text}](https://)`, e + 3, e + 11);
    else this.replace(s, e, "[](https://)", s + 1);
  }

  // insertFootnote inserts a mark with the next free number, and its note at the end,
  // which is where the caret goes.
  insertFootnote() {
    const { value, selectionEnd: e } = this.area;
    const taken = [...value.matchAll(/\[\^(\d+)\]/g)].map((m) => +m[1]);
    const mark = `[^${Math.max(0, ...taken) + 1}]`;
    this.replace(e, e, mark);
    const text = this.area.value, body = text.trimEnd();
    const gap = /\n\[\^[^\]\n]+\]:[^\n]*$/.test(body) ? "\n" : "\n\n";
    this.replace(body.length, text.length, `${gap}${mark}: \n`, body.length + gap.length + mark.length + 2);
  }

  // ---- others: who else has the page open, and what they save

  follow() {
    const place = this.form.querySelector("[data-shown-others]");
    if (!place) return;
    place.addEventListener("click", (event) => { if (event.target.closest("[data-merge]")) this.mergeOthers(); });
    this.listen = () => {
      clearTimeout(this.listenAgain);
      this.events?.close();
      this.events = new EventSource(`${this.form.dataset.others}?${this.opened()}`);
      this.events.addEventListener("others", (event) => this.showOthers(place, event.data));
      this.events.addEventListener("error", () => {
        if (this.events.readyState === EventSource.CLOSED) this.listenAgain = setTimeout(this.listen, 60_000);
      });
    };
    this.listen();
  }

  // opened names the page and the revision that the text is based on.
  opened() { return new URLSearchParams({ page: this.form.dataset.page, revision: this.form.elements.revision.value }); }

  showOthers(place, html) {
    const open = place.querySelector("details")?.open;
    place.innerHTML = html; // rendered by the service
    localTimes(place);
    const details = place.querySelector("details"), merge = place.querySelector("[data-merge]");
    if (details && open) details.open = true;
    if (merge && this.form.elements.lines) merge.hidden = true; // a section is merged when it is saved
    const news = place.querySelector("[data-saved]")?.textContent ?? place.querySelector("[data-people]")?.textContent;
    this.form.querySelector("[data-news]").textContent = news?.trim() ?? ""; // read out if it changed
  }

  // mergeOthers merges what others saved into the open text.
  async mergeOthers() {
    const fields = this.fields();
    for (const [name, value] of this.opened()) fields.set(name, value);
    const text = this.area.value;
    try {
      const merged = await this.post(this.form.dataset.others, fields);
      if (this.area.value !== text) return this.announce("You typed while the text was merged. Try again.");
      if (merged.conflicts) return this.announce("You changed the same lines. Save to see both versions and choose.");
      this.form.elements.revision.value = merged.revision;
      this.replaceChanged(merged.text);
      this.announce("Merged. Your text now has both changes.");
      this.listen();
      this.saveSoon();
    } catch (error) {
      this.announce(`Not merged: ${error.message}`);
    }
  }

  // replaceChanged replaces the part of the text in which another text differs.
  replaceChanged(text) {
    const { value, selectionStart } = this.area;
    let start = 0, end = 0;
    const most = Math.min(value.length, text.length);
    while (start < most && value[start] === text[start]) start++;
    while (end < most - start && value[value.length - 1 - end] === text[text.length - 1 - end]) end++;
    const moved = selectionStart <= start ? selectionStart : Math.max(start, selectionStart + text.length - value.length);
    if (value !== text) this.replace(start, value.length - end, text.slice(start, text.length - end), moved);
  }

  // insertFile inserts a link to a file, or a picture.
  insertFile({ name, address }) {
    const picture = /\.(?:png|jpe?g|gif|webp|avif|svg)$/i.test(name);
    const label = picture ? name.replace(/\.\w+$/, "").replaceAll("_", " ") : name;
    const { selectionStart: s, selectionEnd: e } = this.area;
    this.replace(s, e, `${picture ? "!" : ""}[${label.replace(/[[\]]/g, "\\$&")}](${address})`);
  }

  countWords() {
    const place = this.form.querySelector("[data-words]");
    if (!place) return;
    const count = this.area.value.match(/[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}]|[\p{L}\p{N}]+(?:['’.,-][\p{L}\p{N}]+)*/gu)?.length ?? 0;
    place.textContent = count === 1 ? "1 word" : `${count.toLocaleString("en")} words`;
  }

  // revise undoes or redoes a change.
  revise(command) {
    if (this.area !== this.field) this.area[command]();
    else document.execCommand(command);
    this.area.focus();
  }

  // alignTable aligns the table at the caret, or inserts a new one.
  alignTable() {
    if (this.area !== this.field && this.area.alignTable()) return;
    const row = /^\s*\|.*\|\s*$/;
    const { value, selectionStart: s } = this.area;
    const all = value.split("\n");
    const current = value.slice(0, s).split("\n").length - 1;
    if (!row.test(all[current])) {
      this.insertBlock("| Column | Column |\n| ------ | ------ |\n|        |        |", 2, 8);
      return;
    }
    let first = current, last = current;
    while (first > 0 && row.test(all[first - 1])) first--;
    while (row.test(all[last + 1] ?? "")) last++;
    const start = all.slice(0, first).join("\n").length + (first ? 1 : 0);
    const old = all.slice(first, last + 1).join("\n");
    const text = alignCells(old);
    if (text !== old) this.replace(start, start + old.length, text, Math.min(s, start + text.length));
  }

  setUpTools() {
    const act = {
      heading: () => this.cycleHeading(),
      bold: () => this.toggleWrap("**"),
      italic: () => this.toggleWrap("*"),
      strike: () => this.toggleWrap("~~"),
      code: () => this.insertCode(),
      wikilink: () => this.toggleWikilink(),
      link: () => this.insertLink(),
      list: () => this.togglePrefix("- "),
      tasks: () => this.togglePrefix("- [ ] "),
      quote: () => this.togglePrefix("> "),
      table: () => this.alignTable(),
      numbers: () => this.togglePrefix("1. "),
      footnote: () => this.insertFootnote(),
      rule: () => this.insertBlock("---"),
      undo: () => this.revise("undo"),
      redo: () => this.revise("redo"),
      alert: () => this.insertBlock("> [!NOTE]\n> Your note", 12, 21),
      files: () => this.picker?.open(),
      attach: () => this.form.querySelector("[data-files]").click(),
    };
    this.act = act;
    const bar = this.form.querySelector("[data-tools]");
    if (!bar) return;
    bar.hidden = false;
    bar.addEventListener("mousedown", (event) => event.preventDefault()); // keep the selection in the text
    bar.addEventListener("click", (event) => act[event.target.closest("[data-tool]")?.dataset.tool]?.());
    this.form.querySelector("[data-files]")?.addEventListener("change", (event) => {
      this.upload(event.target.files);
      event.target.value = "";
    });
  }

  // setUpCode replaces the field with the source editor on wide screens, unless the
  // writer has switched it off.
  setUpCode() {
    const plain = this.form.querySelector("#plain");
    if (!plain || !wide.matches) return;
    plain.closest("[hidden]").hidden = false;
    plain.checked = localStorage.getItem("plain") === "on";
    plain.addEventListener("change", () => {
      localStorage.setItem("plain", plain.checked ? "on" : "off");
      this.chooseArea(plain.checked);
    });
    if (!plain.checked) this.chooseArea(false);
  }

  // chooseArea shows the field or the source editor.
  async chooseArea(plain) {
    const focused = document.activeElement === this.field || this.area !== this.field;
    if (plain) {
      if (this.area === this.field) return;
      this.area.unmount();
      this.area = this.field;
      return this.area.focus();
    }
    let code;
    try {
      code = await import(this.form.dataset.code);
    } catch {
      return this.announce("The source editor couldn’t be loaded. You can write in this field.");
    }
    if (this.area !== this.field || this.form.querySelector("#plain").checked) return;
    this.choices?.show([]);
    this.area = code.mount(this.field, {
      changed: () => this.changed(),
      keydown: (event) => this.handleKey(event),
      paste: (event) => this.paste(event),
      drop: (event) => this.drop(event),
      page: this.form.dataset.page,
      title: this.form.dataset.title,
      author: this.form.dataset.author,
      actions: [["Picture or file", "upload", () => this.act.attach()], ["File of this wiki", "choose", () => this.act.files()]],
      failed: (message) => this.announce(message),
    });
    if (focused) this.area.focus();
  }

  handleKey(event) {
    if (this.choices?.handleKey(event) || event.isComposing) return;
    const mod = event.ctrlKey || event.metaKey;
    if (event.key === "Escape") this.tabLeaves = true; // the next Tab moves the focus
    else if (event.key === "Tab" && !mod && !event.altKey && !this.tabLeaves) this.indent(event);
    else if (event.key === "Enter" && !mod && !event.shiftKey) this.continueList(event);
    else if (event.key !== "Shift" && event.key !== "Tab") this.tabLeaves = false;
    const tool = { b: "bold", i: "italic", k: "link", j: "table" }[event.key.toLowerCase()];
    const strike = event.shiftKey && event.key.toLowerCase() === "s";
    if (!mod || event.altKey || !tool && !strike || event.shiftKey && !strike) return;
    event.preventDefault();
    this.act[strike ? "strike" : tool]();
  }

  handleFormKey(event) {
    if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
    if (event.key === "s") this.form.requestSubmit(this.form.querySelector("[data-save]"));
    else if (event.key === "p" && this.pane) this.togglePreview();
    else return;
    event.preventDefault();
  }

  indent(event) {
    event.preventDefault();
    const { value, selectionStart: s, selectionEnd: e } = this.area;
    const { start } = this.selectedLines();
    if (event.shiftKey) this.mapLines((line) => line.replace(/^(?: {1,4}|\t)/, ""));
    else if (s !== e || bullet.exec(value.slice(start))[0].trim()) this.mapLines((line) => line && "    " + line);
    else this.replace(s, e, "    ");
  }

  // continueList continues the list or quote, or ends it on an empty item.
  continueList(event) {
    const { value, selectionStart: s, selectionEnd: e } = this.area;
    const { start, end } = this.selectedLines();
    const line = value.slice(start, s);
    const m = /^(\s*(?:> ?)*)(?:([-*+]) (\[[ xX]\] )?|(\d{1,9})([.)]) )?/.exec(line);
    if (s !== e || !m[2] && !m[4] && !m[1].includes(">")) return;
    event.preventDefault();
    if (line === m[0] && end === s) return this.replace(start, s, "");
    const mark = m[2] ? `${m[2]} ${m[3] ? "[ ] " : ""}` : m[4] ? `${+m[4] + 1}${m[5]} ` : "";
    this.replace(s, e, "\n" + m[1] + mark);
  }

  // ---- completion after [[

  async completeLink() {
    if (this.area !== this.field) return this.area.complete();
    if (!this.choices) return;
    const { value, selectionStart: s, selectionEnd: e } = this.area;
    const [, bar, typed] = s === e && /\[\[([^[\]|#\n]{1,80}\|)?([^[\]|#\n]{0,80})$/.exec(value.slice(Math.max(0, s - 170), s)) || [];
    if (typeof typed !== "string") return this.choices.show([]);
    const answer = await suggestPages(typed, this.form.dataset.page);
    if (!answer || this.area.selectionStart !== s || this.area.value !== value) return;
    if (bar && !answer.textFirst) return this.choices.show([]);
    const found = answer.pages;
    const insert = (name) => {
      const close = value.startsWith("]]", s) ? 2 : 0;
      this.replace(s - typed.length, s + close, name + "]]");
    };
    const items = found.slice(0, 10).map((page) => ({
      label: spaced(page.name.split("/").pop()), hint: folder(page.name), choose: () => insert(page.link),
    }));
    const named = (page) => spaced(page.name).toLowerCase() === spaced(typed.trim()).toLowerCase();
    if (typed.trim() && !found.some(named)) items.push({ label: `New page “${typed.trim()}”`, choose: () => insert(typed.trim()) });
    if (items.length && !this.choices.open) this.announce("Press Enter to insert a page, Esc to close the list.");
    this.choices.show(items, typed);
    if (items.length) this.placeChoices(s - typed.length);
  }

  // placeChoices moves the list below an offset of the text, measured in a hidden
  // copy of the field.
  placeChoices(offset) {
    const mirror = document.createElement("div"), marker = document.createElement("span"), style = getComputedStyle(this.area);
    for (const name of ["font", "letterSpacing", "lineHeight", "padding", "border", "boxSizing", "tabSize"]) mirror.style[name] = style[name];
    Object.assign(mirror.style, { position: "absolute", visibility: "hidden", whiteSpace: "pre-wrap", overflowWrap: "break-word", width: this.area.clientWidth + "px" });
    mirror.textContent = this.area.value.slice(0, offset);
    marker.textContent = "[";
    mirror.append(marker);
    this.area.after(mirror);
    const list = this.choices.list;
    const top = this.area.offsetTop + marker.offsetTop - this.area.scrollTop + parseFloat(style.lineHeight) + 4;
    list.style.top = top + "px";
    list.style.left = Math.max(0, Math.min(this.area.offsetLeft + marker.offsetLeft, this.area.clientWidth - list.offsetWidth)) + "px";
    mirror.remove();
  }

  // ---- paste, drop, upload

  paste(event) {
    const data = event.clipboardData, text = data.getData("text/plain");
    if (data.files.length && !text) {
      event.preventDefault();
      this.upload(data.files);
      return;
    }
    const { value, selectionStart: s, selectionEnd: e } = this.area;
    const chosen = value.slice(s, e), address = text.trim();
    if (!chosen || /\n|^\w+:\/\//.test(chosen) || !/^(?:https?:\/\/|mailto:)\S+$/.test(address)) return;
    event.preventDefault();
    this.replace(s, e, `[${chosen}](${address.replaceAll("(", "%28").replaceAll(")", "%29")})`);
  }

  drop(event) {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    this.upload(event.dataTransfer.files);
  }

  // insertParagraph inserts a separate paragraph, outside of a list, and puts the
  // caret after it. It replaces an empty list item.
  insertParagraph(text) {
    const { start } = this.selectedLines();
    const { value, selectionStart: s, selectionEnd: e } = this.area;
    if (bullet.exec(value.slice(start, s))[0].length === s - start) this.area.setSelectionRange(start, e);
    this.insertBlock(text);
    const end = this.area.selectionEnd, rest = this.area.value.slice(end);
    this.open = rest === "" || rest === "\n"; // a blank line at the end, for what is typed next
    if (this.open) this.replace(end, end + rest.length, "\n\n");
    else this.area.setSelectionRange(end + 2, end + 2);
  }

  async upload(files) {
    for (const file of [...files]) {
      const name = /^image\.\w+$/.test(file.name) ? file.name.replace("image", "pasted-" + stamp()) : file.name;
      const placeholder = `![Uploading ${name}…]()`;
      this.insertParagraph(placeholder);
      const body = new FormData();
      body.set("file", file, name);
      try {
        const uploaded = await this.post(this.form.dataset.upload, body);
        this.replaceText(placeholder, uploaded.markdown);
        this.announce(`${uploaded.name} is attached.`);
      } catch (error) {
        this.replaceText(placeholder + "\n\n", "");
        this.announce(`${name} wasn’t attached: ${error.message}`);
      }
    }
  }

  // post sends a form and returns the JSON response. It throws an Error with a
  // message for people.
  async post(url, body) {
    let response;
    try {
      response = await fetch(url, { method: "POST", body, headers: { Accept: "application/json" } });
    } catch {
      throw new Error("the service can’t be reached.");
    }
    const result = await response.json().catch(() => ({}));
    if (response.ok) return result;
    const reasons = { 401: "you’re no longer signed in.", 403: "you’re no longer signed in, or you can’t edit here.", 413: "it’s too large." };
    throw new Error(result.message ?? reasons[response.status] ?? `the service returned an error (${response.status}).`);
  }

  fields() { return new URLSearchParams([...new FormData(this.form)].filter(([, value]) => typeof value === "string")); }

  // ---- preview

  get shown() { return this.pane && (wide.matches || document.getElementById("pane-preview")?.checked); }

  async preview() {
    if (!this.shown) return;
    const text = this.area.value;
    if (this.previewed === text) return this.scrollPreview();
    try {
      const rendered = await this.post(this.form.dataset.previewUrl, this.fields());
      if (this.area.value !== text) return;
      this.previewed = text;
      this.toc = rendered.toc;
      this.pane.innerHTML = rendered.html; // sanitized like the page itself
      this.pane.dispatchEvent(new Event("rendered")); // page.js draws its diagrams
      this.scrollPreview();
    } catch (error) {
      this.announce(`Preview failed: ${error.message}`);
    }
  }

  // scrollPreview scrolls the preview to the section of the caret.
  scrollPreview() {
    const line = this.area.value.slice(0, this.area.selectionStart).split("\n").length;
    const top = (h) => document.getElementById(h.id)?.offsetTop ?? 0;
    const i = this.toc.findLastIndex((h) => h.line <= line);
    const from = this.toc[i], to = this.toc[i + 1];
    const y0 = from ? top(from) : 0, y1 = to ? top(to) : this.pane.scrollHeight;
    const l0 = from?.line ?? 1, l1 = to?.line ?? this.area.value.split("\n").length + 1;
    this.pane.scrollTop = y0 + (y1 - y0) * (line - l0) / Math.max(1, l1 - l0) - this.pane.clientHeight / 3;
  }

  // togglePreview switches between source and preview on a narrow screen.
  togglePreview() {
    const [write, preview] = ["pane-write", "pane-preview"].map((id) => document.getElementById(id));
    if (!wide.matches) (preview.checked ? write : preview).checked = true;
    this.previewed = null;
    this.preview();
    if (wide.matches || write.checked) this.area.focus();
  }

  // chooseSide applies the choice between two sides of a conflict. Other changes
  // of the form may have shown the preview.
  async chooseSide(event) {
    if (!event.target.name?.startsWith("pick-")) return this.preview();
    try {
      const rendered = await this.post(this.form.dataset.previewUrl, this.fields());
      const pick = event.target;
      if (rendered.content === this.area.value) return;
      this.replace(0, this.area.value.length, rendered.content, 0);
      this.form.elements[pick.name.replace("pick", "now")].value = pick.value;
      pick.focus();
    } catch (error) {
      this.announce(error.message);
    }
  }

  submit(event) {
    if (this.pane && event.submitter?.matches("[data-toggle-preview]")) {
      event.preventDefault();
      this.togglePreview();
      return;
    }
    if (this.open) this.area.value = this.area.value.replace(/\n\n$/, "\n");
    this.sent = true;
    this.keepCopy(true);
  }

  // ---- drafts: on the server, and a copy in this browser

  changed() {
    if (this.area === this.field) this.completeSoon();
    this.previewSoon();
    this.countSoon();
    this.saveSoon();
    this.copySoon();
  }

  async saveDraft() {
    const text = this.area.value;
    if (this.sent || text === this.savedDraft) return;
    try {
      await this.post(this.form.dataset.draft, this.fields());
      this.savedDraft = text;
      this.announce(`Draft saved at ${new Date().toLocaleTimeString([], { timeStyle: "short" })}.`);
    } catch (error) {
      this.announce(`Your text is only kept in this browser: ${error.message}`);
    }
  }

  // leave sends the unsaved draft while the page is being closed.
  leave() {
    if (this.sent || this.area.value === this.savedDraft) return;
    this.keepCopy();
    if (navigator.sendBeacon(this.form.dataset.draft, this.fields())) this.savedDraft = this.area.value;
  }

  get draftKey() { return "draft:" + this.form.dataset.keep; }

  keepCopy(sent = false) {
    if (!this.dirty) return;
    const copy = { text: this.area.value, base: this.form.elements.revision.value, time: Date.now(), sent };
    try { localStorage.setItem(this.draftKey, JSON.stringify(copy)); } catch { /* storage is full or blocked */ }
  }

  // offerCopy offers text left behind by a crash or a failed save.
  offerCopy() {
    for (const key of Object.keys(localStorage).filter((k) => k.startsWith("draft:"))) {
      if (!(parse(localStorage.getItem(key))?.time > Date.now() - 30 * day)) localStorage.removeItem(key);
    }
    const copy = parse(localStorage.getItem(this.draftKey));
    const notice = this.form.querySelector("[data-copy-found]");
    if (!copy) return;
    const saved = copy.sent && copy.base !== this.form.elements.revision.value;
    if (!notice || saved || copy.text === this.area.value) return localStorage.removeItem(this.draftKey);
    notice.hidden = false;
    notice.querySelector("time").textContent = new Date(copy.time).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
    notice.addEventListener("click", (event) => {
      const pressed = event.target.closest("button");
      if (!pressed) return;
      if ("restore" in pressed.dataset) this.replace(0, this.area.value.length, copy.text, 0);
      else localStorage.removeItem(this.draftKey);
      notice.hidden = true;
      this.area.focus();
    });
  }
}

// Picker is a dialog to choose one of the wiki's files, those of the page first.
class Picker {
  constructor(dialog, page, choose) {
    Object.assign(this, { dialog, page, choose });
    this.search = dialog.querySelector("input");
    this.list = dialog.querySelector("ul");
    this.search.addEventListener("input", debounce(150, () => this.show()));
    this.search.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault(); // it would save the page
      this.list.querySelector("button")?.click();
    });
    dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  }

  open() {
    this.dialog.showModal();
    this.show();
  }

  async show() {
    const typed = this.search.value;
    const response = await fetch(`/-/suggest/files?${new URLSearchParams({ q: typed, page: this.page })}`).catch(() => null);
    const items = response?.ok ? (await response.json()).items : [];
    if (this.search.value !== typed) return;
    this.dialog.querySelector("[role=status]").textContent = !response?.ok ? "The files couldn’t be loaded." : items.length ? "" : "No files found.";
    this.list.replaceChildren(...items.map((item) => {
      const row = document.createElement("li"), button = document.createElement("button"), where = document.createElement("small");
      Object.assign(button, { type: "button", textContent: item.text });
      where.textContent = item.hint.startsWith("./") ? "this page" : decodeURI(item.hint).split("/").slice(1, -1).join("/");
      button.append(" ", where);
      button.addEventListener("click", () => {
        this.dialog.close();
        this.choose({ name: item.text, address: item.hint });
      });
      row.append(button);
      return row;
    }));
  }
}

const stamp = () => new Date().toISOString().slice(0, 19).replace(/\D/g, "").replace(/^(\d{8})/, "$1-");

// alignCells pads the cells of a Markdown table. Pipes in [[links]] and after a
// backslash don't separate cells.
function alignCells(source) {
  const rows = source.split("\n").map((row) => row.trim().slice(1, -1).split(/(?<!\\)\|(?![^[]*\]\])/).map((cell) => cell.trim()));
  const rule = /^(:?)-+(:?)$/;
  const widths = [];
  for (const row of rows) row.forEach((cell, i) => { widths[i] = Math.max(widths[i] ?? 3, rule.test(cell) ? 3 : [...cell].length); });
  return rows.map((row) => "| " + row.map((cell, i) => {
    const m = rule.exec(cell);
    return m ? m[1] + "-".repeat(widths[i] - m[1].length - m[2].length) + m[2] : cell + " ".repeat(widths[i] - [...cell].length);
  }).join(" | ") + " |").join("\n");
}

for (const form of document.querySelectorAll("form[data-editor]")) {
  if (sessionStorage.getItem("write")) form.elements.content.focus();
  sessionStorage.removeItem("write");
  new Editor(form);
}
