// Every page, at phone and desktop width, in both themes: axe-core finds
// nothing, nothing overflows, the policy reports nothing.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { start, browser, watch, signIn } from "./service.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let service, chrome;
before(async () => { service = await start(); chrome = await browser(); });
after(async () => { await chrome?.close(); await service?.stop(); });

const wikiPages = [
  "/", "/Weather_Station", "/Weather_Station/edit", "/Weather_Station/history", "/Weather_Station/blame", "/Weather_Station/source",
  "/Weather_Station/rename", "/Weather_Station/delete", "/Weather_Station/attachments", "/No_Such_Page", "/No_Such_Page/edit",
  "/-/index", "/-/changelog", "/-/search?q=station", "/-/search?q=nothingmatchesthis", "/-/create", "/-/settings",
];

async function inspect(page, url, seen, where) {
  const response = await page.goto(url);
  assert.ok(response.status() < 500, `${url}: ${response.status()}`);
  const width = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(width[0] <= width[1], `${where} ${url}: ${width[0]} px wide in ${width[1]}`);
  // The policy forbids inline script; the tool is put in through the debugger.
  const violations = await page.evaluate(`(() => { ${axe}; return axe.run(document, { resultTypes: ["violations"] }); })()`)
    .then((result) => result.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`));
  assert.deepEqual(violations, [], `${where} ${url}`);
  assert.deepEqual(seen.splice(0), [], `${where} ${url}`);
}

for (const theme of ["light", "dark"]) {
  for (const width of [390, 1280]) {
    test(`axe: ${theme} at ${width} px`, async () => {
      const context = await chrome.newContext({ viewport: { width, height: 900 }, colorScheme: theme });
      const seen = watch(context);
      const page = await context.newPage();
      await inspect(page, `${service.url}/`, seen, "signed out");
      await inspect(page, `${service.url}/auth/login`, seen, "signed out");
      await inspect(page, `${service.wiki("ada")}/`, seen, "signed out");
      await signIn(page, service, "ada");
      await inspect(page, `${service.url}/app/`, seen, "ada");
      for (const path of wikiPages) await inspect(page, service.wiki("ada") + path, seen, "ada");
      await page.goto(service.wiki("ada") + "/-/changelog");
      const commits = await page.locator("a[href*='/-/commit/']").first().getAttribute("href");
      if (commits) await inspect(page, new URL(commits, service.wiki("ada")).href, seen, "ada");
      await page.goto(service.wiki("ada") + "/Weather_Station/history");
      const diff = await page.locator("a[href*='/diff/']").first().getAttribute("href").catch(() => null);
      if (diff) await inspect(page, new URL(diff, page.url()).href, seen, "ada");
      await context.close();
    });
  }
}

test("narrow and wide pages do not overflow", async () => {
  for (const width of [320, 640, 1024, 1600]) {
    const context = await chrome.newContext({ viewport: { width, height: 900 } });
    const page = await context.newPage();
    for (const path of ["/", "/Weather_Station", "/-/index", "/-/changelog", "/-/search?q=station"]) {
      await page.goto(service.wiki("ada") + path);
      const [content, view] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(content <= view, `${path} at ${width} px is ${content} px wide`);
    }
    await context.close();
  }
});
