// Secret links to a private wiki's feeds and to one page, as their readers see them.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { startService, launchBrowser, openContext, looks as scripted } from "./service.mjs";

const axe = readFileSync(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
let service, chrome, bob;
before(async () => {
  service = await startService();
  chrome = await launchBrowser();
  bob = service.wikiURL("bob");
  await service.writePage("bob", "Secret", "canary\n");
  await service.writePage("bob", "Trip", "x\n");
  const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  await service.callAPI("bob", "POST", "/pages/Trip/attachments", { filename: "map.png", content: png });
  await service.writePage("bob", "Trip", "# The trip\n\nTo the coast, with [[Secret]] and ![map](map.png).\n\n![[Secret]]\n\n::: pages folder: /\n\n```mermaid\nflowchart LR\n  A --> B\n```\n");
});
after(async () => { await chrome?.close(); await service?.stop(); });

const open = (options = {}, who = "") => openContext(chrome, service, options, who);

const looks = [...scripted, { name: "no script", options: { javaScriptEnabled: false } }];

test("an editor shares one page; its readers see the page, its picture and nothing else", async () => {
  for (const { name, options } of looks) {
    const maker = await open(options, "bob");
    if (options.javaScriptEnabled === false) await maker.page.goto(bob + "/-/links?page=Trip");
    else {
      await maker.page.goto(bob + "/Trip");
      await maker.page.getByRole("button", { name: "More about this page" }).click();
      await maker.page.getByRole("link", { name: "Share by link" }).click();
    }
    await maker.page.getByRole("button", { name: "Create a link" }).click();
    assert.match(await maker.page.locator(".told").innerText(), /Created\. Copy the link below\./);
    const address = await maker.page.locator(".copy code").first().innerText();
    assert.match(address, /\/-\/shared\/[\w-]{38}$/);
    assert.ok(await maker.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), name);

    const reader = await open(options);
    const asked = [];
    reader.page.on("request", (request) => asked.push(request));
    assert.equal((await reader.page.goto(address)).status(), 200);
    assert.equal(await reader.page.locator("h1").innerText().then((text) => text.replace(/\s*#$/, "")), "The trip");
    await reader.page.locator("article img").scrollIntoViewIfNeeded();
    await reader.page.waitForFunction(() => document.querySelector("article img").naturalWidth === 1).catch(() => {});
    assert.equal(await reader.page.locator("article img").evaluate((img) => img.naturalWidth), 1, name);
    if (options.javaScriptEnabled !== false) for (const { page } of [maker, reader]) {
      await page.evaluate(axe);
      const result = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
      assert.deepEqual(result.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join("; ")}`), [], `${name}, ${page.url().slice(0, 40)}`);
    }
    const shown = await reader.page.content();
    assert.doesNotMatch(shown, /canary|class="red"|\/-\/changelog|Trip<\/a>/);
    const links = await reader.page.locator("main a, main form, main iframe").evaluateAll((list) => list.map((a) => a.getAttribute("href") ?? a.outerHTML));
    assert.deepEqual(links.filter((href) => !href.startsWith("#")), [], name);
    assert.deepEqual(await reader.context.cookies(), []);
    for (const request of asked.slice(1)) assert.equal((await request.allHeaders()).referer, undefined, request.url());
    assert.ok(await reader.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), name);
    assert.deepEqual([...maker.violations, ...reader.violations], [], name);

    await maker.page.getByRole("button", { name: /^Revoke/ }).first().click();
    assert.match(await maker.page.locator(".told").innerText(), /Revoked\. The link no longer works\./);
    assert.equal((await reader.page.goto(address)).status(), 404);
    assert.match(await reader.page.locator("main").innerText(), /This link doesn't work, or it was revoked/);
    await maker.context.close();
    await reader.context.close();
  }
});

test("a feed address shows changes with their text, until it is revoked", async () => {
  for (const { name, options } of [looks[0], looks[3]]) {
    const { page, violations, context } = await open(options, "bob");
    await page.goto(bob + "/-/links");
    await page.getByRole("button", { name: "Create a feed address" }).click();
    const address = await page.locator("#feeds .copy code").first().innerText();
    const feed = await service.request("GET", address + "?page=Secret");
    assert.equal(feed.status, 200);
    assert.match(feed.text, /\+ canary/);
    const parsed = await page.evaluate((xml) => {
      const doc = new DOMParser().parseFromString(xml, "text/xml");
      return [doc.querySelector("parsererror")?.textContent, doc.querySelectorAll("entry").length];
    }, feed.text);
    assert.deepEqual(parsed, [undefined, 1], name);
    await page.reload();
    assert.match(await page.locator("#feeds").innerText(), /last used/);
    await page.locator("#feeds").getByRole("button", { name: /^Revoke/ }).first().click();
    assert.equal((await service.request("GET", address)).status, 404);
    assert.deepEqual(violations, [], name);
    await context.close();
  }
});
