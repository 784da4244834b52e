// Attack: a writer puts script into everything that the service stores or echoes:
// page text, names, messages, tags, front matter, file names and contents, titles,
// queries, drafts. None of it may run in a reader's browser, and none may even
// get far enough to be blocked by the CSP.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { startService, launchBrowser, recordViolations, signIn } from "./service.mjs";
import { xssVectors } from "./vectors.mjs";

const vectorFile = new URL("../internal/markdown/testdata/xss.txt", import.meta.url);
const fileVectors = existsSync(vectorFile) ? readFileSync(vectorFile, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line)) : [];
const ownVectors = xssVectors();
const stride = Math.max(1, Math.ceil(fileVectors.length / Math.max(285, 500 - ownVectors.length)));
// About 500 by default, all in a long run.
const payloads = [...new Set(process.env.ROBOT_LONG ? [...fileVectors, ...ownVectors]
  : [...fileVectors.filter((_, i) => i % stride === 0), ...ownVectors.filter((_, i) => fileVectors.length < 250 || i % 2 === 0)])];

let service, chrome, ada, writer, stranger;
before(async () => {
  service = await startService();
  chrome = await launchBrowser();
  ada = service.wikiURL("ada");
  writer = await newVisitor("ada");
  stranger = await newVisitor();
  // Create the pages that tests need first: hostile names nearly use up the wiki's page limit.
  for (const name of ["Files", "Hostile_Met_0", "Hostile_Met_1"]) await service.writePage("ada", name, "Harmless.\n");
});
after(async () => { await chrome?.close(); await service?.stop(); });

// newVisitor opens a tab that records script calls made by wiki content, in
// addition to what recordViolations records.
async function newVisitor(name) {
  const context = await chrome.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: false });
  const violations = recordViolations(context);
  await context.exposeBinding("reportToTest", (_, what) => { violations.push(what); });
  await context.addInitScript(() => {
    const report = self.reportToTest;
    for (const call of ["alert", "confirm", "prompt", "print"]) {
      self[call] = (...args) => { report(`${call}(${args}) in ${location}`); };
    }
    addEventListener("securitypolicyviolation", (event) => report(
      `policy: ${event.effectiveDirective} blocked ${event.blockedURI} (${event.sample}) in ${location}`));
  });
  const page = await context.newPage();
  if (name) await signIn(page, service, name);
  return { name: name ?? "a stranger", context, page, violations };
}

// findHarmfulElements lists elements and attributes that could run script, load
// resources or pass for our own controls. It is injected through the debugger, so
// it inspects the DOM that the reader's browser built.
function findHarmfulElements() {
  const found = [];
  const flag = (element, why) => found.push(`${why}: ${element.outerHTML.slice(0, 200)}`);
  // The editor and the settings have their own formaction buttons, and the editor's script positions the completion list.
  const isOurs = (name, element) => name === "formaction" && (element.closest("form[data-editor]") || element.matches('main > * button[formaction="/-/handle"]') && location.pathname === "/-/settings") || name === "style" && element.id === "complete";
  for (const element of document.querySelectorAll("*")) {
    for (const { name, value } of element.attributes) {
      if (/^on|^style$|^srcdoc$|^ping$|^formaction$/i.test(name) && !isOurs(name, element)) flag(element, name);
      if (/^(href|src|action|formaction|xlink:href|data|poster|background|srcset)$/i.test(name)) {
        let url;
        try { url = new URL(value, location.href); } catch { continue; }
        if (!["http:", "https:", "mailto:"].includes(url.protocol)) flag(element, `${name} with ${url.protocol}`);
      }
    }
    // The controls that page.js adds, and tasks; content can have no button or frame.
    if (element.matches(".listing > button.tiny[type=button], .diagram > figcaption > button.plainly, button.tick[role=checkbox][form=tasks], .diagram > iframe[sandbox=allow-scripts]")) continue;
    if (/^(iframe|frame|object|embed|applet|base|style|template|portal|marquee)$/i.test(element.localName)) flag(element, "element");
    if (element.localName === "script" && !/^\/-\/static\//.test(new URL(element.src || "about:blank", location.href).pathname)) flag(element, "script");
    if (element.localName === "meta" && element.httpEquiv) flag(element, "meta");
    if (element.closest("article.prose, .preview") && /^(form|button|textarea|select|link)$/.test(element.localName)) flag(element, "control in a page");
    if (element.closest("article.prose") && element.id && !/^user-content-/.test(element.id)) flag(element, "id without prefix");
  }
  return found.slice(0, 10);
}

// openAndAssertInert opens a page and asserts that nothing in it is harmful.
async function openAndAssertInert(visitor, path, { status } = {}) {
  const response = await visitor.page.goto(ada + path);
  if (status) assert.equal(response.status(), status, path);
  await assertInert(visitor, path);
}

async function assertInert(visitor, where) {
  const problems = (await visitor.page.evaluate(`(${findHarmfulElements})()`)).concat(visitor.violations.splice(0));
  assert.deepEqual(problems, [], `${visitor.name} at ${where}`);
}

// visitBoth opens pages as the writer and as a stranger, in parallel.
const visitBoth = (paths) => visitInParallel([writer, paths], [stranger, paths]);

async function visitInParallel(...visits) {
  const outcomes = await Promise.allSettled(visits.map(async ([visitor, paths]) => { for (const path of paths) await openAndAssertInert(visitor, path); }));
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}

// packPayloads joins payloads into texts of at most the given number of bytes.
function packPayloads(bytes, clean = (text) => text, by = " ") {
  const out = [];
  for (const payload of payloads.map(clean)) {
    const longer = out.length && out.at(-1) + by + payload;
    if (longer && Buffer.byteLength(longer) <= bytes) out[out.length - 1] = longer;
    else if (Buffer.byteLength(payload) <= bytes) out.push(payload);
  }
  return out;
}

// hostileTexts returns page texts with 25 payloads each, placed in every construct
// that can hold text. Whatever a payload leaves open is closed before the next.
function hostileTexts() {
  const out = [];
  const oneLine = (text) => text.replace(/[\r\n]+/g, " ");
  for (let i = 0; i < payloads.length; i += 25) {
    const batch = payloads.slice(i, i + 25).map((p) => p.replaceAll("\0", "")); // pages can't contain NUL
    const front = ["---", `title: ${JSON.stringify(batch[0])}`, `tags: ${JSON.stringify(batch)}`, `category: ${JSON.stringify(batch[1])}`,
      ...batch.map((p, n) => `${JSON.stringify(`${n} ${oneLine(p)}`)}: [${JSON.stringify(p)}]`), "---", ""].join("\n");
    const body = batch.map((p) => [
      p, `## ${oneLine(p)}`, `a ${oneLine(p)} b [t](<${oneLine(p)}>) [t](${oneLine(p)}) ![t](${oneLine(p)} "${oneLine(p)}") <${oneLine(p)}>`,
      `[[${oneLine(p)}]] [[Home|${oneLine(p)}]] [[Home#${oneLine(p)}]] ![[${oneLine(p)}]] #${oneLine(p)} ==${oneLine(p)}== \`${oneLine(p)}\``,
      `| a | ${oneLine(p)} |\n|---|---|\n| ${oneLine(p)} | b |`, `::: info ${oneLine(p)}\n> [!NOTE] ${oneLine(p)}\n:::`,
      `::: pages where: title exists and title != "${oneLine(p)}", show: title, category, ${oneLine(p)}`,
      `\`\`\`${oneLine(p)}\n${p}\n\`\`\``, `note[^n]\n\n[^n]: ${oneLine(p)}\n\n[r]\n\n[r]: ${oneLine(p)}`, "-->", "]]>", "?>", "</script></style></textarea></title></pre>", "```\n```", "~~~\n~~~",
    ].join("\n\n"));
    out.push(front + "\n" + body.join("\n\n") + "\n");
  }
  return out;
}

test("the hooks detect script, handlers and javascript: links", async () => {
  const probe = await newVisitor();
  await probe.page.goto(ada + "/");
  await probe.page.evaluate(() => {
    alert("probe");
    const link = document.createElement("a");
    link.href = "javascript:alert(1)";
    link.setAttribute("onclick", "alert(1)");
    document.querySelector("article").append(link);
  });
  await assert.rejects(assertInert(probe, "probe"), ({ actual }) => ["onclick: ", "href with javascript: ", "alert(probe)", "policy: script-src-attr"]
    .every((what) => actual.some((line) => line.startsWith(what.trim()))));
  await probe.context.close();
});

test("hostile page text, tags, front matter and drafts are inert in every view", async () => {
  const texts = hostileTexts();
  console.log(`measured: ${payloads.length} payloads in ${texts.length} pages`);
  for (const [i, text] of texts.entries()) {
    const name = `Hostile_${i}`;
    await service.writePage("ada", name, "Harmless.\n");
    await service.writePage("ada", name, text);
    const [newest, first] = (await service.callAPI("ada", "GET", `/pages/${name}/history`)).history;
    const diff = `/diff/${first.commit}/${newest.commit}`;
    const beside = ["/history", "/blame", "/source", "/attachments", diff, `?revision=${newest.commit}`].map((view) => `/${name}${view}`);
    // Both visitors open each page and a quarter of its other views; in a long
    // run they open all of them.
    const share = (n) => ["/" + name, ...[...beside, `/-/commit/${newest.commit}`].filter((_, k) => process.env.ROBOT_LONG || (i + k) % 4 === n)];
    await visitInParallel([writer, share(0)], [stranger, share(1)]);
    // The editor, with a draft and the preview that the script inserts.
    const { page } = writer;
    await page.goto(`${ada}/${name}/edit`);
    assert.equal(await page.evaluate(async (text) => (await fetch("draft", {
      method: "POST", body: new URLSearchParams({ content: text + "\nMore.\n", revision: document.querySelector("[name=revision]").value }),
      headers: { accept: "application/json" },
    })).status, text), 200);
    await openAndAssertInert(writer, `/${name}/edit`, { status: 200 });
    await page.locator("#text").evaluate((area) => { area.value += "And more.\n"; area.dispatchEvent(new Event("input")); });
    await page.waitForResponse((response) => response.url().endsWith("/preview"));
    await page.waitForTimeout(20);
    await assertInert(writer, `${name}, preview`);
    if (i % 5 === 0) for (const view of ["rename", "delete"]) await openAndAssertInert(writer, `/${name}/${view}`);
    if (i % 5 === 0) await openAndAssertInert(writer, `/-/revert/${newest.commit}`);
  }
});

test("a conflict of hostile texts is inert", async () => {
  const texts = hostileTexts();
  for (const i of [0, 1]) {
    const name = `Hostile_Met_${i}`;
    await service.writePage("ada", name, "one\n");
    await writer.page.goto(`${ada}/${name}/edit`);
    await service.writePage("ada", name, texts[i]);
    await writer.page.locator("#text").evaluate((area, text) => { area.value = text; }, texts[i + 2]);
    await Promise.all([writer.page.waitForNavigation(), writer.page.locator("#message").press("Enter")]);
    assert.match(await writer.page.locator("h1").innerText(), /Two edits conflict/);
    await assertInert(writer, "conflict");
  }
});

test("hostile page names and commit messages are inert in pages, lists, feeds and completion", async () => {
  const names = packPayloads(180, (p) => p.replaceAll("\\", "/").replace(/\p{C}|\p{Zl}|\p{Zp}/gu, " ").replace(/\/(?=\/)|^\/+|\/+$/g, "").replace(/(^|\/) *\.+/g, "$1"));
  const messages = packPayloads(450);
  const accepted = [];
  for (const [i, name] of names.entries()) {
    const response = await service.callAPI("ada", "PUT", "/pages/" + name.split("/").map(encodeURIComponent).join("/"),
      { content: `Page ${i} #tag${i}\n`, commit_message: messages[i % messages.length] }, { expect: [200, 201, 400, 403, 422, 404, 412, 428] });
    if (response.code === "quota") break;
    if (response.path) accepted.push(response.path);
  }
  console.log(`measured: ${accepted.length} of ${names.length} hostile names are accepted, ${messages.length} messages`);
  assert.ok(accepted.length > Math.min(names.length, 300) / 2, `only ${accepted.length} of ${names.length} names are accepted`);
  const encoded = accepted.map((path) => "/" + path.replace(/\.md$/, "").split("/").map(encodeURIComponent).join("/"));
  await visitBoth(["/", "/-/index", "/-/changelog", "/-/changelog?by=people", "/-/search?q=page", "/-/search?q=tag7"]);
  await visitBoth(encoded.filter((_, i) => i % 4 === 0));
  for (const path of encoded.filter((_, i) => i % 25 === 0)) {
    for (const view of ["edit", "history", "rename", "delete", "attachments", "blame"]) await openAndAssertInert(writer, `${path}/${view}`, { status: 200 });
  }
  const { page } = writer;
  await openAndAssertInert(writer, "/-/changelog");
  for (let older; (older = await page.getByRole("link", { name: "Older", exact: true }).getAttribute("href", { timeout: 500 }).catch(() => null));) await openAndAssertInert(writer, older);
  for (const typed of ["<", "\"", "alert", "javascript:"]) {
    await openAndAssertInert(writer, "/Hostile_Completion/edit");
    await page.locator("#text").pressSequentially(`[[${typed}`);
    await page.locator("#complete [role=option]").first().waitFor();
    await assertInert(writer, `completion of ${typed}`);
    await page.keyboard.press("Enter");
    await page.locator("#find").fill(typed);
    await page.waitForResponse((response) => response.url().includes("/-/suggest"));
    await page.waitForTimeout(50);
    await assertInert(writer, `suggestions for ${typed}`);
  }
  for (const feed of ["/-/changelog/feed.atom", "/-/changelog/feed.rss", "/sitemap.xml", "/llms.txt"]) {
    for (const visitor of [writer, stranger]) {
      await visitor.page.goto(ada + feed).catch((error) => { assert.match(error.message, /Download|ERR_ABORTED/); });
      // Chromium wraps XML in a viewer page whose inline style our CSP blocks.
      assert.deepEqual(visitor.violations.splice(0).filter((line) => !/^policy: (Applying inline style|style-src-elem blocked inline)/.test(line)), [], feed);
    }
    // The feed is well-formed, so hostile text can't break out of its element.
    const text = (await service.request("GET", ada + feed)).text;
    await stranger.page.goto(ada + "/");
    if (feed !== "/llms.txt") {
      const parseError = await stranger.page.evaluate((xml) => new DOMParser().parseFromString(xml, "text/xml").querySelector("parsererror")?.textContent, text);
      assert.equal(parseError, undefined, feed);
    }
  }
});

test("hostile file names and contents are inert, opened directly or embedded in a page", async () => {
  await service.writePage("ada", "Files", "Harmless.\n");
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
  const names = ["file", ...packPayloads(150, (p) => p.replace(/[\\/]/g, "").replace(/\p{C}|\p{Zl}|\p{Zp}/gu, " ").replace(/^[ .]+/, ""))];
  const accepted = [];
  for (const [i, name] of [...kinds.map((kind) => `plain-${kind}`), ...names].entries()) {
    const kind = kinds[i % kinds.length];
    const response = await service.callAPI("ada", "POST", "/pages/Files/attachments",
      { filename: kind ? `${name}.${kind}` : name, content: Buffer.from(contents[kind], "latin1").toString("base64") }, { expect: [200, 201, 400, 404, 422, 428] });
    if (response.url) accepted.push({ kind, url: new URL(response.url, ada).pathname, path: response.path });
  }
  console.log(`measured: ${accepted.length} of ${names.length + kinds.length} files are accepted`);
  assert.ok(accepted.length > names.length / 2);
  for (const { kind, url } of accepted) {
    const { status, headers } = await service.request("GET", ada + url);
    // A name that contains "%2e%2e" or an encoded control character has no URL.
    if (status === 400 && /%25/.test(url)) continue;
    assert.equal(status, 200, url);
    assert.equal(headers["x-content-type-options"], "nosniff", url);
    assert.match(headers["content-security-policy"], /^sandbox; default-src 'none'/, url);
    assert.doesNotMatch(headers["content-type"], /html|javascript|text\/xml|application\/xml/, url);
    if (!["txt", "json", "csv", "png", "gif", "pdf"].includes(kind) && headers["content-type"] !== "text/plain; charset=utf-8") {
      assert.match(headers["content-disposition"], /^attachment/, url);
    }
  }
  const opened = accepted.filter((_, i) => i < 2 * kinds.length || i % 8 === 0);
  for (const visitor of [writer, stranger]) {
    for (const { url } of opened) {
      await visitor.page.goto(ada + url).catch((error) => { assert.match(error.message, /Download|ERR_ABORTED/, url); });
      await visitor.page.waitForTimeout(5);
      // Chromium's image viewer has an inline style that the file's CSP blocks.
      const violations = visitor.violations.splice(0).filter((line) => !/^policy: Applying inline style/.test(line));
      assert.deepEqual(violations, [], `${visitor.name} opens ${url}`);
    }
  }
  const references = accepted.map(({ path }) => { const name = path.split("/").pop(); return `![x](<./${encodeURIComponent(name)}>) ![[${name}]] [${name}](<./${name}>)`; });
  await service.writePage("ada", "Files", references.join("\n\n") + "\n");
  await visitBoth(["/Files", "/Files/attachments", "/-/attachments", "/-/changelog", "/-/commit/" + (await service.callAPI("ada", "GET", "/pages/Files/history")).history[0].commit]);
  for (const { path } of accepted.filter((_, i) => i % 8 === 0)) await openAndAssertInert(writer, "/Files/attachment/" + encodeURIComponent(path.split("/").pop()), { status: 200 });
  await openAndAssertInert(writer, "/Files/edit");
});

test("hostile searches, page names and parameters in a URL are inert", async () => {
  const texts = packPayloads(400), paths = packPayloads(150, (p) => p.replace(/[\\/]/g, ""));
  await visitBoth(texts.map((text) => "/-/search?q=" + encodeURIComponent(text)));
  await visitBoth(paths.filter((_, i) => i % 2 === 0).map((text) => "/" + encodeURIComponent(text)));
  for (const [i, text] of texts.entries()) {
    const q = encodeURIComponent(text);
    const path = [`/-/create?pagename=${q}`, `/?notice=${q}`, `/-/changelog?by=${q}&author=${q}`, `/Home/history?before=${q}`, `/Home?revision=${q}`,
      `/Home/diff/${encodeURIComponent(text.slice(0, 60).toWellFormed())}`, `/-/attachments?file=${q}`, `/-/commit/${encodeURIComponent(text.slice(0, 60).toWellFormed())}`, `/-/index?${q}`, `/-/login?to=${q}`][i % 10];
    await openAndAssertInert(writer, path);
  }
  for (const [i, text] of paths.entries()) {
    if (i % 6 === 0) await openAndAssertInert(writer, `/${encodeURIComponent(text)}/edit`);
  }
});

test("a hostile wiki title and description are inert", async () => {
  const titles = packPayloads(79, (p) => p.replace(/\p{C}/gu, " ")), descriptions = packPayloads(290, (p) => p.replace(/\p{C}/gu, " "))
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
    await visitBoth(i % 8 ? ["/"] : ["/", "/-/search?q=x", "/No_Such_Page", "/Home/history"]);
    if (i % 8 === 0) {
      await openAndAssertInert(writer, "/-/settings");
      await writer.page.goto(service.url + "/app/");
      await assertInert(writer, "dashboard");
      await stranger.page.goto(service.url + "/");
      await assertInert(stranger, "landing");
    }
  }
  console.log(`measured: ${accepted} of ${descriptions.length} titles and descriptions are accepted`);
  assert.ok(accepted > descriptions.length / 2);
});
