// An exported website, opened from a folder and from a plain web server.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { startService, launchBrowser, signIn } from "./service.mjs";

let service, browser, dir;
before(async () => {
  [service, browser] = await Promise.all([startService({ args: ["--no-semantic-search"] }), launchBrowser()]);
  dir = mkdtempSync(join(tmpdir(), "robot-e2e-export-"));
  await service.writePage("ada", "Odd/100% #1, x&y", "# Odd\n\n[home](/Home) [[Weather Station#Instruments]] [[Nobody wrote this]] [out](https://example.com/) [log](/-/changelog)\n\n> [!TIP]\n> With an icon.\n\nhomardbleu #crustacean\n");
  await service.writePage("ada", "Ivrit", "---\ntags: [crustacean]\nlang: he\n---\n\nשלום עולם, זה דף.\n\nEnglish words too.\n");
  await service.writePage("ada", "Hostile", "<script>alert(1)</script><img src=x onerror=alert(1)> <a href=\"javascript:alert(1)\">x</a>\n\n![](https://example.com/tracker.png) [x](\\\\evil.example)\n");
  await service.writePage("ada", "Long", "Many words. ".repeat(200) + "Und zuletzt Quittenmus.\n");
  const page = await browser.newPage();
  await signIn(page, service, "ada");
  await page.goto(service.wikiURL("ada") + "/-/export");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "of the website" }).click()]);
  assert.equal(download.suggestedFilename(), "ada-site.zip");
  await download.saveAs(join(dir, "site.zip"));
  await page.close();
  execFileSync("unzip", ["-q", join(dir, "site.zip"), "-d", dir]);
});
after(async () => { await browser?.close(); await service?.stop(); if (dir) rmSync(dir, { recursive: true, force: true }); });

// open opens the site in a context that notes everything a site must not do.
async function open(base, options = {}) {
  const context = await browser.newContext(options);
  const faults = [];
  context.on("request", (r) => { if (!r.url().startsWith(base)) faults.push(`request to ${r.url()}`); });
  context.on("requestfailed", (r) => { if (r.failure()?.errorText !== "net::ERR_ABORTED") faults.push(`failed: ${r.url()}`); }); // aborted by leaving the page
  context.on("response", (r) => { if (r.status() >= 400) faults.push(`${r.status()} ${r.url()}`); });
  context.on("console", (m) => { if (m.type() === "error" || m.type() === "warning") faults.push(`console: ${m.text()}`); });
  context.on("weberror", (e) => faults.push(`script error: ${e.error().message}`));
  context.on("dialog", (d) => { faults.push(`dialog ${d.message()}`); d.dismiss(); });
  const page = await context.newPage();
  const go = (file) => page.goto(base + file);
  return { context, page, go, faults };
}

// serve serves the site like any web host, in a folder of it.
async function serve() {
  const kinds = { html: "text/html", css: "text/css", js: "text/javascript", svg: "image/svg+xml", png: "image/png" };
  const server = createServer((request, response) => {
    try {
      const file = decodeURIComponent(new URL(request.url, "http://x").pathname).replace("/notes/", "/");
      const data = readFileSync(join(dir, "ada", file.endsWith("/") ? file + "index.html" : file));
      response.writeHead(200, { "content-type": kinds[file.split(".").pop()] ?? "text/html" }).end(data);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { base: `http://127.0.0.1:${server.address().port}/notes/`, close: () => server.close() };
}

async function readSite(base) {
  const { context, page, go, faults } = await open(base);
  await go("index.html");
  assert.match(await page.title(), /Ada.s notebook/);
  assert.equal(await page.locator(".tree").isVisible(), true);
  await page.locator(".tree").getByRole("link", { name: "Weather Station" }).click();
  await page.waitForURL(base + "Weather_Station.html");
  assert.equal(await page.getByRole("heading", { level: 1 }).innerText().then((t) => t.startsWith("Weather Station")), true);
  for (const img of await page.locator(".prose img").all()) assert.ok(await img.evaluate((i) => i.complete || i.decode().then(() => true)) && await img.evaluate((i) => i.naturalWidth > 0 || i.loading === "lazy"));

  // A name that needs escaping, a heading, a missing page, another host, the wiki's host.
  await go("Odd/100%25_%231,_x%26y.html");
  assert.equal(await page.locator(".prose .red").innerText(), "Nobody wrote this");
  assert.equal(await page.locator(".prose .red").evaluate((e) => e.tagName), "SPAN");
  assert.equal(await page.getByRole("link", { name: "out" }).getAttribute("href"), "https://example.com/");
  assert.equal(await page.getByRole("link", { name: "log" }).getAttribute("href"), service.wikiURL("ada") + "/-/changelog");
  assert.equal(await page.locator(".notice .icon").evaluate((e) => e.querySelector("svg") !== null && e.getBoundingClientRect().width === 16), true);
  await page.locator(".prose").getByRole("link", { name: "Weather Station" }).click();
  await page.waitForURL(/Weather_Station\.html#user-content-instruments$/);

  // Tags, folders, the index.
  await go("Odd/100%25_%231,_x%26y.html");
  await page.locator(".props .tag", { hasText: "crustacean" }).click();
  assert.deepEqual(await page.locator(".columns a").allInnerTexts(), ["100% #1, x&y", "Ivrit"]);
  await page.locator(".columns a", { hasText: "100%" }).click();
  await page.locator(".crumbs").getByRole("link", { name: "Odd" }).click();
  assert.equal(await page.locator(".columns a").count(), 1);
  await page.locator(".bar").getByRole("link", { name: "Index" }).click();
  assert.ok(await page.locator(".columns a").count() > 20);

  // The search: words, beginnings of words, several words, nothing.
  await page.locator("#find").fill("homardb");
  await page.locator("#find").press("Enter");
  await page.waitForURL(/search\.html\?q=homardb$/);
  await page.getByText("1 page").waitFor();
  assert.equal(await page.locator("#hits mark").innerText(), "homardbleu");
  for (const [words, found] of [["icon HOMARDBLEU", 1], ["עולם", 1], ["homardbleu nowhere", 0], ["weather", 5]]) {
    await page.locator("#q").fill(words);
    await page.waitForFunction((n) => n === 0 ? /No page/.test(document.getElementById("status").textContent) : document.querySelectorAll("#hits a").length >= n, found);
  }
  // An excerpt is the part of the page with the words.
  await page.locator("#q").fill("quittenmus zuletzt");
  await page.locator("#hits mark", { hasText: "Quittenmus" }).waitFor();
  assert.match(await page.locator("#hits p").innerText(), /^….*zuletzt Quittenmus\.$/);
  await page.locator("#q").fill("weather");
  await page.locator("#hits a", { hasText: "Weather Station" }).first().click();
  await page.waitForURL(/Weather/);

  // Strangers' HTML runs nothing and loads nothing.
  await go("Hostile.html");
  assert.equal(await page.locator("article script, article [onerror], article a[href^=javascript], article img[src^=http]").count(), 0);
  assert.deepEqual(faults, []);
  await context.close();
}

test("a site works from a folder, with no request to the network", () => readSite(pathToFileURL(join(dir, "ada")).href + "/"));

test("a site works on a web host, in any folder of it", async () => {
  const { base, close } = await serve();
  try { await readSite(base); } finally { close(); }
});

test("a site fits on a phone, is dark if wanted, and reads from right to left", async () => {
  const base = pathToFileURL(join(dir, "ada")).href + "/";
  const { context, page, go, faults } = await open(base, { viewport: { width: 390, height: 800 }, colorScheme: "dark" });
  for (const file of ["index.html", "Weather_Station.html", "-/index.html", "-/search.html?q=weather", "-/tags.html"]) {
    await go(file);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${file} is too wide`);
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(21, 23, 27)", file);
  }
  await go("Weather_Station.html");
  assert.equal(await page.locator("#pages").isVisible(), false);
  await page.getByRole("button", { name: "Pages" }).click();
  assert.equal(await page.locator("#pages").isVisible(), true);
  await go("Ivrit.html");
  assert.deepEqual(await page.locator("article > p").evaluateAll((list) => list.map((e) => getComputedStyle(e).direction)), ["rtl", "ltr"]);
  assert.equal(await page.locator("article").getAttribute("lang"), "he");
  assert.deepEqual(faults, []);
  await context.close();
});

test("axe-core finds nothing wrong with a site, in both themes and at both widths", async () => {
  const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  const base = pathToFileURL(join(dir, "ada")).href + "/";
  const { context, page, go } = await open(base);
  for (const file of ["Weather_Station.html", "-/index.html", "-/tags.html", "-/search.html?q=weather", "Ivrit.html"]) {
    for (const [width, colorScheme] of [[1280, "light"], [390, "dark"]]) {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await go(file);
      await page.evaluate(`if (!self.axe) { ${axe} }; 0`);
      const found = await page.evaluate(async () => (await self.axe.run(document, { resultTypes: ["violations"] })).violations.map((v) => `${v.id}: ${v.nodes[0].html.slice(0, 200)}`));
      assert.deepEqual(found, [], `${file}, ${width} px, ${colorScheme}`);
    }
  }
  await context.close();
});

test("a site can be read without script", async () => {
  const base = pathToFileURL(join(dir, "ada")).href + "/";
  const { context, page, go, faults } = await open(base, { javaScriptEnabled: false });
  await go("index.html");
  await page.locator(".bar").getByRole("link", { name: "Index" }).click();
  await page.locator(".columns a", { hasText: "Power Budget" }).click();
  assert.match(await page.locator("main").innerText(), /Power Budget/);
  await go("-/search.html");
  assert.match(await page.locator("main").innerText(), /Search needs JavaScript/);
  assert.deepEqual(faults, []);
  await context.close();
});

test("no page of a site has a script or a style of its own", () => {
  for (const file of readdirSync(join(dir, "ada"), { recursive: true }).filter((f) => f.endsWith(".html"))) {
    const html = readFileSync(join(dir, "ada", file), "utf8");
    assert.match(html, /<meta http-equiv="Content-Security-Policy" content="default-src 'none';/, file);
    assert.doesNotMatch(html, /<style|\sstyle=|\son[a-z]+=|<script>/, file);
    for (const [, address] of html.matchAll(/\s(?:src|href)="([^"]*)"/g)) {
      assert.doesNotMatch(address, /^\/|^javascript:|^file:/, `${file}: ${address}`);
    }
  }
});

test("a page prints black on white, without menus, and with the addresses of links", async () => {
  const context = await browser.newContext({ colorScheme: "dark" });
  const page = await context.newPage();
  await page.goto(service.wikiURL("ada") + "/Odd/100%25_%231,_x%26y");
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  for (const hidden of [".bar", ".tree", ".head", ".foot", ".switch"]) {
    for (const e of await page.locator(hidden).all()) assert.equal(await e.isVisible(), false, hidden);
  }
  const style = (selector, property, pseudo) => page.locator(selector).first().evaluate((e, [p, after]) => getComputedStyle(e, after)[p], [property, pseudo]);
  assert.equal(await style("body", "backgroundColor"), "rgb(255, 255, 255)");
  assert.equal(await style("article", "color"), "rgb(0, 0, 0)");
  assert.equal(await style("h1", "breakAfter"), "avoid");
  assert.match(await style("article a.out", "content", "::after"), /href|https:\/\/example\.com/);
  const pdf = await page.pdf({ format: "A4" });
  assert.equal(pdf.toString("latin1").match(/\/Type \/Page\b/g).length, 1);
  await context.close();
});

test("a page's Markdown can be copied and downloaded", async () => {
  const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"] });
  const page = await context.newPage();
  await page.goto(service.wikiURL("ada") + "/Ivrit");
  await page.getByRole("button", { name: "More about this page" }).click();
  await page.getByRole("button", { name: "Copy Markdown" }).click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  const source = await service.pageContent("ada", "Ivrit");
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), source);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download .md" }).click()]);
  assert.equal(download.suggestedFilename(), "Ivrit.md");
  assert.equal(readFileSync(await download.path(), "utf8"), source);
  await context.close();
});
