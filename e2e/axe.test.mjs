// On every page, at phone and desktop widths and in both themes, axe-core finds no
// violations, nothing overflows the window, and no rule of recordViolations is
// broken.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { startService, launchBrowser, recordViolations, signIn } from "./service.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let service, chrome, ada;
before(async () => {
  service = await startService();
  chrome = await launchBrowser();
  ada = service.wikiURL("ada");
});
after(async () => { await chrome?.close(); await service?.stop(); });

// newVisitor opens a tab, signed in if a name is given.
async function newVisitor(name, options = {}) {
  const context = await chrome.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const violations = recordViolations(context);
  const page = await context.newPage();
  if (name) await signIn(page, service, name);
  return { context, page, violations };
}

// openPage opens a URL and checks its status.
async function openPage(page, url, status = 200) {
  const response = await page.goto(url);
  assert.equal(response.status(), status, url);
}

const widths = [320, 390, 640, 1024, 1280, 1600];

// checkPage checks the page in a tab at all widths and in both themes.
async function checkPage({ page, violations }, where = page.url()) {
  const problems = [];
  for (const width of widths) {
    await page.setViewportSize({ width, height: 900 });
    const [content, view] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    if (content > view) problems.push(`${content} px wide at ${view} px: ${await overflowingElements(page)}`);
  }
  // The CSP forbids inline script, so axe is injected through the debugger.
  await page.evaluate(`if (!self.axe) { ${axe} }; 0`);
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 900 });
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const found = await page.evaluate(async () => {
        const result = await self.axe.run(document, { resultTypes: ["violations"] });
        return result.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.target} ${n.html.slice(0, 160)}`).join(" | ")}`);
      });
      problems.push(...found.map((text) => `${colorScheme}, ${width} px: ${text}`));
    }
  }
  problems.push(...violations.splice(0));
  assert.deepEqual(problems, [], where);
}

// overflowingElements names elements wider than the window, for error messages.
const overflowingElements = (page) => page.evaluate(() => [...document.querySelectorAll("body *")]
  .filter((e) => e.getBoundingClientRect().right > innerWidth + 1).slice(0, 4)
  .map((e) => `${e.tagName.toLowerCase()}.${e.className}`).join(", "));

async function checkPages(visitor, pages) {
  const failures = [];
  for (const [path, status] of pages) {
    try {
      await openPage(visitor.page, path, status);
      await checkPage(visitor);
    } catch (error) {
      failures.push(error.message);
    }
  }
  await visitor.context.close();
  assert.equal(failures.join("\n\n"), "");
}

test("checkPage finds overflow and missing alt text", async () => {
  const visitor = await newVisitor();
  await openPage(visitor.page, ada + "/");
  await visitor.page.evaluate(() => {
    const wide = document.createElement("canvas");
    wide.width = 5000;
    document.querySelector("main").append(wide, document.createElement("img"));
  });
  await assert.rejects(checkPage(visitor), /px wide at 320 px[^]*image-alt/);
  await visitor.context.close();
});

test("pages for a stranger are accessible", async () => {
  await checkPages(await newVisitor(), [
    [service.url + "/", 200], [service.url + "/auth/login", 200], [service.url + "/nothing-here", 404],
    [ada + "/", 200], [ada + "/Weather_Station", 200], [ada + "/Home/edit", 403], [ada + "/No_Such_Page", 404],
  ]);
});

test("personal and platform pages are accessible", async () => {
  const help = `http://help.robot.localhost:${service.port}`;
  await checkPages(await newVisitor("ada"), [
    [service.url + "/app/", 200], [service.url + "/app/account", 200], [ada + "/-/tokens", 200], [ada + "/-/links", 200], [ada + "/-/webhooks", 200], [ada + "/-/links?page=Weather_Station", 200], [ada + "/-/settings", 200],
    [ada + "/-/new", 200], [ada + "/-/changelog?group=sessions", 200],
    [service.url + "/limits", 200], [service.url + "/privacy", 200], [service.url + "/terms", 200], [help + "/", 200],
  ]);
});

test("the connect page is accessible while it waits and after an agent has written", async () => {
  const visitor = await newVisitor("ada"), { page } = visitor;
  await openPage(page, ada + "/-/connect");
  for (const tab of ["Claude", "Claude Code", "Cursor", "VS Code", "Other"]) {
    await page.locator(".tabs > label", { hasText: new RegExp(`^${tab}$`) }).click();
    await checkPage(visitor, `connect, ${tab}`);
  }
  await service.request("POST", ada + "/mcp", { headers: { "content-type": "application/json" }, body: "{}" });
  await service.writePage("ada", "Sandbox/Connected", "Written by a program.\n");
  await page.getByRole("button", { name: "Keep" }).waitFor();
  await page.getByText("Nothing happening?").click();
  await checkPage(visitor, "connect, written");
  await openPage(page, ada + "/Sandbox/Connected");
  await page.locator(".mark").first().focus();
  await checkPage(visitor, "a focused mark of the author rail");
  await visitor.context.close();
});

test("pages for a reader are accessible", async () => {
  const visitor = await newVisitor("cleo");
  await checkPages(visitor, [
    [service.url + "/app/", 200], [ada + "/Weather_Station/edit", 403], [ada + "/-/settings", 403],
    [ada + "/Weather_Station", 200], [ada + "/Journal", 200], [ada + "/Journal/2026-11-22", 200], [ada + "/-/help", 200], [ada + "/-/health", 200], [ada + "/-/export", 200],
    [ada + "/Weather_Station/blame", 200], [ada + "/Weather_Station/source", 200], [ada + "/Weather_Station/attachments", 200],
    [ada + "/-/attachments", 200], [ada + "/-/search", 200], [ada + "/-/search?q=station", 200], [ada + "/-/search?q=station&mode=keyword&path=Design&tag=hardware&author=bob", 200], [ada + "/-/search?q=nothingmatchesthis", 200],
  ]);
});

test("pages for a writer are accessible", async () => {
  await checkPages(await newVisitor("ada"), [
    [service.url + "/", 200], [service.url + "/app/", 200], [ada + "/", 200],
    [ada + "/Weather_Station/edit", 200], [ada + "/No_Such_Page", 404], [ada + "/No_Such_Page/edit", 200], [ada + "/a//b", 422],
    [ada + "/Weather_Station/rename", 200], [ada + "/Weather_Station/delete", 200], [ada + "/Weather_Station/attachment/mast.png", 200],
    [ada + "/-/create", 200], [ada + "/-/settings", 200], [ada + "/-/search?q=nothingmatchesthis", 200], [ada + "/-/nothing", 404],
  ]);
});

test("history, diffs and old revisions are accessible", async () => {
  const visitor = await newVisitor("ada"), { page } = visitor;
  await openPage(page, ada + "/Weather_Station/history");
  await checkPage(visitor);
  const old = await page.locator("a.mono[href*='revision=']").last().getAttribute("href");
  await page.getByRole("button", { name: "Compare" }).click();
  await page.waitForURL(/\/diff\//);
  await checkPage(visitor, "diff, side by side");
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.getByText("Unified").click();
  assert.ok(await page.getByLabel("Unified").isChecked(), "unified is selected");
  await checkPage(visitor, "diff, unified");
  await openPage(page, ada + old);
  await checkPage(visitor, "old revision");
  await openPage(page, ada + "/-/changelog");
  await checkPage(visitor);
  const commit = await page.locator("a[href*='/-/commit/']").first().getAttribute("href");
  await openPage(page, ada + commit);
  await checkPage(visitor);
  await openPage(page, ada + commit.replace("commit", "revert"));
  await checkPage(visitor);
  for (let i = 0; i < 70; i++) await service.writePage("ada", "Sandbox/Counter", `Count: ${i}\n`);
  await openPage(page, ada + "/-/changelog");
  await page.getByRole("link", { name: "Older" }).click();
  await page.waitForURL(/before=/);
  await checkPage(visitor, "changelog, page 2");
  await visitor.context.close();
});

test("forms shown again after an error are accessible", async () => {
  const visitor = await newVisitor("ada"), { page } = visitor;
  const submit = async (status, button) => {
    const [response] = await Promise.all([page.waitForResponse((r) => r.request().isNavigationRequest() && r.request().method() === "POST"), button.click()]);
    assert.equal(response.status(), status, response.url());
    await page.waitForLoadState();
  };
  await service.writePage("ada", "Sandbox/Met", "one\ntwo\nthree\n");
  await openPage(page, ada + "/Sandbox/Met/edit");
  await service.writePage("ada", "Sandbox/Met", "one\nTWO\nthree\n");
  await page.locator("#text").fill("one\n2\nthree\n");
  await submit(409, page.getByRole("button", { name: "Save page" }).last());
  await checkPage(visitor, "conflict");
  await openPage(page, ada + "/Sandbox/Met/edit");
  assert.equal(await page.getByText("You left a draft").count(), 1, "the conflict left a draft");
  await page.locator(".notice details", { hasText: "Compare with the saved page" }).evaluate((details) => { details.open = true; });
  await checkPage(visitor, "an offer to restore a draft");
  await openPage(page, ada + "/Sandbox/Met/edit");
  await page.locator("#text").fill("x".repeat(1.2 * 1024 * 1024));
  await page.evaluate(() => { document.querySelector("form[data-editor]").dataset.unsaved = ""; });
  await submit(413, page.getByRole("button", { name: "Save page" }).last());
  await page.locator("#text").fill("A text of a moderate size.\n"); // axe is slow on large pages
  await checkPage(visitor, "a page that is too large");
  await openPage(page, ada + "/-/create");
  await page.getByLabel("Name").fill("one//two");
  await submit(422, page.getByRole("button", { name: "Write it" }));
  await checkPage(visitor, "an invalid name");
  await page.getByLabel("Name").fill("weather station");
  await submit(409, page.getByRole("button", { name: "Write it" }));
  await checkPage(visitor, "a taken name");
  await openPage(page, ada + "/-/settings");
  await page.getByLabel("Home page").fill("../up");
  await submit(422, page.getByRole("button", { name: "Save" }));
  await checkPage(visitor, "invalid settings");
  const first = (await service.callAPI("ada", "GET", "/pages/Sandbox/Met/history")).history;
  await openPage(page, `${ada}/-/revert/${first[1].commit}`);
  await submit(409, page.getByRole("button", { name: "Undo it" }));
  await checkPage(visitor, "a revert that conflicts");
  await visitor.context.close();
});

test("open menus and lists are accessible", async () => {
  const visitor = await newVisitor("ada"), { page } = visitor;
  await openPage(page, ada + "/Weather_Station");
  await page.getByRole("button", { name: "Account of" }).click();
  await checkPage(visitor, "the account menu");
  await page.keyboard.press("Escape");
  await page.setViewportSize({ width: 390, height: 900 });
  await page.locator("button[popovertarget=pages]").click();
  assert.ok(await page.locator("#pages").isVisible(), "the button opens the tree on a phone");
  await checkPage(visitor, "the tree on a phone");
  await openPage(page, ada + "/Weather_Station");
  await page.locator("#find").pressSequentially("gar");
  await page.locator("#found [role=option]").first().waitFor();
  await checkPage(visitor, "suggestions");
  await openPage(page, ada + "/-/index");
  for (const tab of ["Tree", "A–Z", "Tags"]) {
    await page.locator(".tabs > label", { hasText: tab }).click();
    await checkPage(visitor, `index, ${tab}`);
  }
  await openPage(page, ada + "/Sandbox/Menus/edit");
  await page.locator("#text").pressSequentially("[[gar");
  await page.locator("#complete [role=option]").first().waitFor();
  await checkPage(visitor, "completion");
  await visitor.context.close();
});
