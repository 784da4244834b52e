// Attack: somebody who may write puts script into everything that the service
// stores or repeats: page text, names, messages, tags, front matter, file names
// and files, titles, queries, drafts. Whoever looks at any of it, in a real
// browser, must run none of it; nothing may even reach the policy's guard.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { start, browser, watch, signIn } from "./service.mjs";
import { vectors } from "./vectors.mjs";

const list = new URL("../internal/markdown/testdata/xss.txt", import.meta.url);
const given = existsSync(list) ? readFileSync(list, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line)) : [];
const own = vectors();
const step = Math.max(1, Math.ceil(given.length / Math.max(285, 500 - own.length)));
// 500 and a few by default, all that there are in a long run.
const payloads = [...new Set(process.env.ROBOT_LONG ? [...given, ...own]
  : [...given.filter((_, i) => i % step === 0), ...own.filter((_, i) => given.length < 250 || i % 2 === 0)])];

let service, chrome, ada, writer, stranger;
before(async () => {
  service = await start();
  chrome = await browser();
  ada = service.wiki("ada");
  writer = await visitor("ada");
  stranger = await visitor();
  // The pages that tests need: hostile names come near to the limit of a wiki.
  for (const name of ["Files", "Hostile_Met_0", "Hostile_Met_1"]) await service.write("ada", name, "Harmless.\n");
});
after(async () => { await chrome?.close(); await service?.stop(); });

// visitor is a tab that reports what must not happen: script from the wiki
// calling anything, policy reports, script errors, requests to others.
async function visitor(name) {
  const context = await chrome.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: false });
  const seen = watch(context);
  await context.exposeBinding("reportToTest", (_, what) => { seen.push(what); });
  await context.addInitScript(() => {
    const tell = self.reportToTest;
    for (const call of ["alert", "confirm", "prompt", "print"]) {
      self[call] = (...args) => { tell(`${call}(${args}) in ${location}`); };
    }
    addEventListener("securitypolicyviolation", (event) => tell(
      `policy: ${event.effectiveDirective} blocked ${event.blockedURI} (${event.sample}) in ${location}`));
  });
  const page = await context.newPage();
  if (name) await signIn(page, service, name);
  return { name: name ?? "a stranger", context, page, seen };
}

// harmful names what in a document could run, or load, or be taken for ours. It
// is put in through the debugger: it sees what a reader's browser made of it.
function harmful() {
  const found = [];
  const bad = (element, why) => found.push(`${why}: ${element.outerHTML.slice(0, 200)}`);
  // The editor has buttons of its own, and its script sets the list of pages below the caret.
  const ours = (name, element) => name === "formaction" && element.closest("form[data-editor]") || name === "style" && element.id === "complete";
  for (const element of document.querySelectorAll("*")) {
    for (const { name, value } of element.attributes) {
      if (/^on|^style$|^srcdoc$|^ping$|^formaction$/i.test(name) && !ours(name, element)) bad(element, name);
      if (/^(href|src|action|formaction|xlink:href|data|poster|background|srcset)$/i.test(name)) {
        let at;
        try { at = new URL(value, location.href); } catch { continue; }
        if (!["http:", "https:", "mailto:"].includes(at.protocol)) bad(element, `${name} with ${at.protocol}`);
      }
    }
    if (/^(iframe|frame|object|embed|applet|base|style|math|template|portal|marquee)$/i.test(element.localName)) bad(element, "element");
    if (element.localName === "script" && !/^\/-\/static\//.test(new URL(element.src || "about:blank", location.href).pathname)) bad(element, "script");
    if (element.localName === "meta" && element.httpEquiv) bad(element, "meta");
    if (element.closest("article.prose, .preview") && /^(form|button|textarea|select|link)$/.test(element.localName)) bad(element, "control in a page");
    if (element.closest("article.prose") && element.id && !/^user-content-/.test(element.id)) bad(element, "id of a page's own");
  }
  return found.slice(0, 10);
}

// look opens an address and insists that nothing came of it.
async function look(who, path, { status } = {}) {
  const response = await who.page.goto(ada + path);
  if (status) assert.equal(response.status(), status, path);
  await inert(who, path);
}

async function inert(who, where) {
  const wrong = (await who.page.evaluate(`(${harmful})()`)).concat(who.seen.splice(0));
  assert.deepEqual(wrong, [], `${who.name} at ${where}`);
}

// both lets the writer and a stranger look, at the same time.
const both = (paths) => together([writer, paths], [stranger, paths]);

async function together(...tours) {
  const ends = await Promise.allSettled(tours.map(async ([who, paths]) => { for (const path of paths) await look(who, path); }));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}

// chunks joins as many payloads as fit into a text of some bytes.
function chunks(bytes, clean = (text) => text, by = " ") {
  const out = [];
  for (const payload of payloads.map(clean)) {
    const longer = out.length && out.at(-1) + by + payload;
    if (longer && Buffer.byteLength(longer) <= bytes) out[out.length - 1] = longer;
    else if (Buffer.byteLength(payload) <= bytes) out.push(payload);
  }
  return out;
}

// batches are the texts of pages with 25 payloads each, at every place of a
// page where text can stand. What one leaves open is closed before the next.
function batches() {
  const out = [];
  const line = (text) => text.replace(/[\r\n]+/g, " ");
  for (let i = 0; i < payloads.length; i += 25) {
    const some = payloads.slice(i, i + 25).map((p) => p.replaceAll("\0", "")); // no page holds a NUL
    const front = ["---", `title: ${JSON.stringify(some[0])}`, `tags: ${JSON.stringify(some)}`, `category: ${JSON.stringify(some[1])}`,
      ...some.map((p, n) => `${JSON.stringify(`${n} ${line(p)}`)}: [${JSON.stringify(p)}]`), "---", ""].join("\n");
    const body = some.map((p) => [
      p, `## ${line(p)}`, `a ${line(p)} b [t](<${line(p)}>) [t](${line(p)}) ![t](${line(p)} "${line(p)}") <${line(p)}>`,
      `[[${line(p)}]] [[Home|${line(p)}]] [[Home#${line(p)}]] ![[${line(p)}]] #${line(p)} ==${line(p)}== \`${line(p)}\``,
      `| a | ${line(p)} |\n|---|---|\n| ${line(p)} | b |`, `::: info ${line(p)}\n> [!NOTE] ${line(p)}\n:::`,
      `\`\`\`${line(p)}\n${p}\n\`\`\``, `note[^n]\n\n[^n]: ${line(p)}\n\n[r]\n\n[r]: ${line(p)}`, "-->", "]]>", "?>", "</script></style></textarea></title></pre>", "```\n```", "~~~\n~~~",
    ].join("\n\n"));
    out.push(front + "\n" + body.join("\n\n") + "\n");
  }
  return out;
}

test("the hooks report what happens", async () => {
  const probe = await visitor();
  await probe.page.goto(ada + "/");
  await probe.page.evaluate(() => {
    alert("probe");
    const link = document.createElement("a");
    link.href = "javascript:alert(1)";
    link.setAttribute("onclick", "alert(1)");
    document.querySelector("article").append(link);
  });
  await assert.rejects(inert(probe, "probe"), ({ actual }) => ["onclick: ", "href with javascript: ", "alert(probe)", "policy: script-src-attr"]
    .every((what) => actual.some((line) => line.startsWith(what.trim()))));
  await probe.context.close();
});

test("page text, tags, front matter, drafts: every view of the page", async () => {
  const texts = batches();
  console.log(`measured: ${payloads.length} payloads in ${texts.length} pages`);
  for (const [i, text] of texts.entries()) {
    const name = `Hostile_${i}`;
    await service.write("ada", name, "Harmless.\n");
    await service.write("ada", name, text);
    const [newest, first] = (await service.api("ada", "GET", `/pages/${name}/history`)).history;
    const diff = `/diff/${first.commit}/${newest.commit}`;
    const beside = ["/history", "/blame", "/source", "/attachments", diff, `?revision=${newest.commit}`].map((view) => `/${name}${view}`);
    // Both read each page; of the views that show its source one of them reads
    // every other, in a long run both read all.
    const share = (n) => ["/" + name, ...[...beside, `/-/commit/${newest.commit}`].filter((_, k) => process.env.ROBOT_LONG || (i + k) % 4 === n)];
    await together([writer, share(0)], [stranger, share(1)]);
    // The editor, with a draft and the preview that the script puts in.
    const { page } = writer;
    await page.goto(`${ada}/${name}/edit`);
    assert.equal(await page.evaluate(async (text) => (await fetch("draft", {
      method: "POST", body: new URLSearchParams({ content: text + "\nMore.\n", revision: document.querySelector("[name=revision]").value }),
      headers: { accept: "application/json" },
    })).status, text), 200);
    await look(writer, `/${name}/edit`, { status: 200 });
    await page.locator("#text").evaluate((area) => { area.value += "And more.\n"; area.dispatchEvent(new Event("input")); });
    await page.waitForResponse((response) => response.url().endsWith("/preview"));
    await page.waitForTimeout(20);
    await inert(writer, `${name}, preview`);
    if (i % 5 === 0) for (const view of ["rename", "delete"]) await look(writer, `/${name}/${view}`);
    if (i % 5 === 0) await look(writer, `/-/revert/${newest.commit}`);
  }
});

test("a conflict of hostile texts", async () => {
  const texts = batches();
  for (const i of [0, 1]) {
    const name = `Hostile_Met_${i}`;
    await service.write("ada", name, "one\n");
    await writer.page.goto(`${ada}/${name}/edit`);
    await service.write("ada", name, texts[i]);
    await writer.page.locator("#text").evaluate((area, text) => { area.value = text; }, texts[i + 2]);
    await Promise.all([writer.page.waitForNavigation(), writer.page.locator("#message").press("Enter")]);
    assert.match(await writer.page.locator("h1").innerText(), /Two edits met/);
    await inert(writer, "conflict");
  }
});

test("page names and commit messages: pages, lists, feeds, completion", async () => {
  const names = chunks(180, (p) => p.replaceAll("\\", "/").replace(/\p{C}|\p{Zl}|\p{Zp}/gu, " ").replace(/\/(?=\/)|^\/+|\/+$/g, "").replace(/(^|\/) *\.+/g, "$1"));
  const messages = chunks(450);
  const made = [];
  for (const [i, name] of names.entries()) {
    const answer = await service.api("ada", "PUT", "/pages/" + name.split("/").map(encodeURIComponent).join("/"),
      { content: `Page ${i} #tag${i}\n`, commit_message: messages[i % messages.length] }, { expect: [200, 201, 400, 403, 422, 404, 412, 428] });
    if (answer.code === "quota") break;
    if (answer.path) made.push(answer.path);
  }
  console.log(`measured: ${made.length} of ${names.length} hostile names are accepted, ${messages.length} messages`);
  assert.ok(made.length > Math.min(names.length, 300) / 2, `only ${made.length} of ${names.length} names are accepted`);
  const encoded = made.map((path) => "/" + path.replace(/\.md$/, "").split("/").map(encodeURIComponent).join("/"));
  await both(["/", "/-/index", "/-/changelog", "/-/changelog?by=people", "/-/search?q=page", "/-/search?q=tag7"]);
  await both(encoded.filter((_, i) => i % 4 === 0));
  for (const path of encoded.filter((_, i) => i % 25 === 0)) {
    for (const view of ["edit", "history", "rename", "delete", "attachments", "blame"]) await look(writer, `${path}/${view}`, { status: 200 });
  }
  const { page } = writer;
  await look(writer, "/-/changelog");
  for (let older; (older = await page.getByRole("link", { name: "Older" }).getAttribute("href", { timeout: 500 }).catch(() => null));) await look(writer, older);
  for (const typed of ["<", "\"", "alert", "javascript:"]) {
    await look(writer, "/Hostile_Completion/edit");
    await page.locator("#text").pressSequentially(`[[${typed}`);
    await page.locator("#complete [role=option]").first().waitFor();
    await inert(writer, `completion of ${typed}`);
    await page.keyboard.press("Enter");
    await page.locator("#find").fill(typed);
    await page.waitForResponse((response) => response.url().includes("/-/suggest"));
    await page.waitForTimeout(50);
    await inert(writer, `suggestions for ${typed}`);
  }
  for (const feed of ["/-/changelog/feed.atom", "/-/changelog/feed.rss", "/sitemap.xml", "/llms.txt"]) {
    for (const who of [writer, stranger]) {
      await who.page.goto(ada + feed).catch((error) => { assert.match(error.message, /Download|ERR_ABORTED/); });
      // Chromium shows XML in a page of its own, whose style our policy refuses.
      assert.deepEqual(who.seen.splice(0).filter((line) => !/^policy: (Applying inline style|style-src-elem blocked inline)/.test(line)), [], feed);
    }
    // Well-formed: what was written cannot leave its element.
    const text = (await service.request("GET", ada + feed)).text;
    await stranger.page.goto(ada + "/");
    if (feed !== "/llms.txt") {
      const wrong = await stranger.page.evaluate((xml) => new DOMParser().parseFromString(xml, "text/xml").querySelector("parsererror")?.textContent, text);
      assert.equal(wrong, undefined, feed);
    }
  }
});

test("files: names and contents, opened by themselves and in a page", async () => {
  await service.write("ada", "Files", "Harmless.\n");
  const script = "alert(document.domain)";
  const contents = {
    svg: `<svg xmlns="http://www.w3.org/2000/svg" onload="${script}"><script>${script}</script><a href="javascript:${script}"><text y="9">x</text></a><foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><script>${script}</script></body></foreignObject></svg>`,
    html: `<!doctype html><script>${script}</script><img src=x onerror="${script}"><iframe srcdoc="<script>${script}</script>"></iframe>`,
    xhtml: `<html xmlns="http://www.w3.org/1999/xhtml"><script>${script}</script></html>`,
    xml: `<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="data:text/xml,x"?><x:script xmlns:x="http://www.w3.org/1999/xhtml">${script}</x:script>`,
    js: script, css: `@import "http://elsewhere.example/";`, txt: `<script>${script}</script>`, json: `{"a":"<script>${script}</script>"}`, csv: `=1+1,<script>${script}</script>`,
    png: `\x89PNG\r\n\x1a\n<script>${script}</script>`, gif: `GIF89a=1;${script}//<script>${script}</script>`, pdf: `%PDF-1.4\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n<script>${script}</script>`,
    "": `<script>${script}</script>`, mhtml: `MIME-Version: 1.0\nContent-Type: text/html\n\n<script>${script}</script>`, htc: `<script>${script}</script>`, swf: "FWS",
  };
  const kinds = Object.keys(contents);
  const names = ["file", ...chunks(150, (p) => p.replace(/[\\/]/g, "").replace(/\p{C}|\p{Zl}|\p{Zp}/gu, " ").replace(/^[ .]+/, ""))];
  const made = [];
  for (const [i, name] of [...kinds.map((kind) => `plain-${kind}`), ...names].entries()) {
    const kind = kinds[i % kinds.length];
    const answer = await service.api("ada", "POST", "/pages/Files/attachments",
      { filename: kind ? `${name}.${kind}` : name, content: Buffer.from(contents[kind], "latin1").toString("base64") }, { expect: [200, 201, 400, 404, 422, 428] });
    if (answer.url) made.push({ kind, url: new URL(answer.url, ada).pathname, path: answer.path });
  }
  console.log(`measured: ${made.length} of ${names.length + kinds.length} files are accepted`);
  assert.ok(made.length > names.length / 2);
  for (const { kind, url } of made) {
    const { status, headers } = await service.request("GET", ada + url);
    // A name that hides "%2e%2e" or a control character has no address.
    if (status === 400 && /%25/.test(url)) continue;
    assert.equal(status, 200, url);
    assert.equal(headers["x-content-type-options"], "nosniff", url);
    assert.match(headers["content-security-policy"], /^sandbox; default-src 'none'/, url);
    assert.doesNotMatch(headers["content-type"], /html|javascript|text\/xml|application\/xml/, url);
    if (!["txt", "json", "csv", "png", "gif", "pdf"].includes(kind) && headers["content-type"] !== "text/plain; charset=utf-8") {
      assert.match(headers["content-disposition"], /^attachment/, url);
    }
  }
  const opened = made.filter((_, i) => i < 2 * kinds.length || i % 8 === 0);
  for (const who of [writer, stranger]) {
    for (const { url } of opened) {
      await who.page.goto(ada + url).catch((error) => { assert.match(error.message, /Download|ERR_ABORTED/, url); });
      await who.page.waitForTimeout(5);
      // Chromium dresses a picture with a style of its own, which the file's
      // policy refuses as well.
      const seen = who.seen.splice(0).filter((line) => !/^policy: Applying inline style/.test(line));
      assert.deepEqual(seen, [], `${who.name} opens ${url}`);
    }
  }
  const links = made.map(({ path }) => { const name = path.split("/").pop(); return `![x](<./${encodeURIComponent(name)}>) ![[${name}]] [${name}](<./${name}>)`; });
  await service.write("ada", "Files", links.join("\n\n") + "\n");
  await both(["/Files", "/Files/attachments", "/-/attachments", "/-/changelog", "/-/commit/" + (await service.api("ada", "GET", "/pages/Files/history")).history[0].commit]);
  for (const { path } of made.filter((_, i) => i % 8 === 0)) await look(writer, "/Files/attachment/" + encodeURIComponent(path.split("/").pop()), { status: 200 });
  await look(writer, "/Files/edit");
});

test("what an address repeats: searches, missing pages, parameters", async () => {
  const texts = chunks(400), paths = chunks(150, (p) => p.replace(/[\\/]/g, ""));
  await both(texts.map((text) => "/-/search?q=" + encodeURIComponent(text)));
  await both(paths.filter((_, i) => i % 2 === 0).map((text) => "/" + encodeURIComponent(text)));
  for (const [i, text] of texts.entries()) {
    const q = encodeURIComponent(text);
    const path = [`/-/create?pagename=${q}`, `/?notice=${q}`, `/-/changelog?by=${q}&author=${q}`, `/Home/history?before=${q}`, `/Home?revision=${q}`,
      `/Home/diff/${encodeURIComponent(text.slice(0, 60).toWellFormed())}`, `/-/attachments?file=${q}`, `/-/commit/${encodeURIComponent(text.slice(0, 60).toWellFormed())}`, `/-/index?${q}`, `/-/login?to=${q}`][i % 10];
    await look(writer, path);
  }
  for (const [i, text] of paths.entries()) {
    if (i % 6 === 0) await look(writer, `/${encodeURIComponent(text)}/edit`);
  }
});

test("a wiki's title and description", async () => {
  const titles = chunks(79, (p) => p.replace(/\p{C}/gu, " ")), descriptions = chunks(290, (p) => p.replace(/\p{C}/gu, " "))
    .filter((_, i) => process.env.ROBOT_LONG || i % 4 === 0);
  const { page } = writer;
  let accepted = 0;
  for (const [i, description] of descriptions.entries()) {
    const title = titles[i * 3 % titles.length];
    await page.goto(ada + "/-/settings");
    const status = await page.evaluate(async (fields) => (await fetch("/-/settings", { method: "POST", body: new URLSearchParams(fields) })).status,
      { title, description, visibility: "public", home: "" });
    assert.ok([200, 422].includes(status), `settings answered ${status} to ${title} and ${description}`);
    if (status === 200) accepted++;
    await both(i % 8 ? ["/"] : ["/", "/-/search?q=x", "/No_Such_Page", "/Home/history"]);
    if (i % 8 === 0) {
      await look(writer, "/-/settings");
      await writer.page.goto(service.url + "/app/");
      await inert(writer, "dashboard");
      await stranger.page.goto(service.url + "/");
      await inert(stranger, "landing");
    }
  }
  console.log(`measured: ${accepted} of ${descriptions.length} titles and descriptions are accepted`);
  assert.ok(accepted > descriptions.length / 2);
});
