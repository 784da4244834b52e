// Reading without JavaScript: every view works, is small, prints well and sends
// no request to other hosts.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { startService, launchBrowser, recordViolations, signIn } from "./service.mjs";

let service, chrome, ada, context, page, violations;
before(async () => {
  service = await startService();
  chrome = await launchBrowser();
  ada = service.wikiURL("ada");
  context = await chrome.newContext({ javaScriptEnabled: false, viewport: { width: 1280, height: 900 } });
  violations = recordViolations(context);
  page = await context.newPage();
});
after(async () => { await chrome?.close(); await service?.stop(); });

const currentPath = () => decodeURIComponent(new URL(page.url()).pathname);
const pageHeading = async () => (await page.locator("main h1").first().innerText()).replace(/\s*#$/, ""); // drop the anchor link

// assertNoViolations fails if the page has violated a rule since the last call.
const assertNoViolations = () => assert.deepEqual(violations.splice(0), []);

test("scripts don't run in this browser", async () => {
  await page.setContent("<p id=p>still</p><script>document.getElementById('p').textContent = 'ran'</script>");
  assert.equal(await page.locator("#p").innerText(), "still");
});

test("links, breadcrumbs, contents, backlinks and tags of a page work", async () => {
  await page.goto(ada + "/");
  assert.equal(await pageHeading(), "Ada's notebook");
  await page.locator("article").getByRole("link", { name: "Weather Station" }).click();
  assert.equal(currentPath(), "/Weather_Station");
  assert.match(await pageHeading(), /weather station/i);
  const entry = page.locator(".toc a").first();
  const target = (await entry.getAttribute("href")).slice(1);
  await entry.click();
  assert.equal(new URL(page.url()).hash, "#" + target);
  assert.equal(await page.locator(`[id="${target}"]`).count(), 1, `the table of contents links to ${target}`);
  await page.locator(".ends").getByRole("link", { name: "Home", exact: true }).click();
  assert.equal(currentPath(), "/Home");
  await page.goto(ada + "/Weather_Station/Firmware/Sleep");
  await page.locator(".crumbs").getByRole("link", { name: "Firmware" }).click();
  assert.equal(currentPath(), "/Weather_Station/Firmware");
  await page.goto(ada + "/Weather_Station");
  const tag = page.locator(".props a.tag").first();
  const name = await tag.innerText();
  await tag.click();
  assert.equal(await page.locator("#q").inputValue(), `tag:${name}`);
  assert.ok(await page.locator("main li a.name").count() > 0, `no page is tagged ${name}`);
  assertNoViolations();
});

test("a red link leads to a page that lists the pages linking to it", async () => {
  await page.goto(ada + "/-/index");
  const wanted = page.locator("#wanted a.red").first();
  const name = await wanted.innerText();
  await wanted.click();
  assert.equal(await pageHeading(), name);
  assert.match(await page.locator("main").innerText(), /Nobody has written this page yet/);
  await page.locator("main p", { hasText: "to it" }).getByRole("link").first().click();
  const red = page.locator("article a.red", { hasText: name.split("/").pop() }).first();
  assert.equal(await red.getAttribute("title"), "This page does not exist yet");
  const [response] = await Promise.all([page.waitForNavigation(), red.click()]);
  assert.equal(response.status(), 404, "readers aren't offered to create the page");
  assert.equal(await pageHeading(), name);
  assertNoViolations();
});

test("former names, other spellings and folders lead to pages", async () => {
  await page.goto(ada + "/Workshop/Range_Test");
  assert.equal(currentPath(), "/Workshop/LoRa_Range_Test");
  await page.goto(ada + "/weather station");
  assert.equal(currentPath(), "/Weather_Station");
  await page.goto(ada + "/Journal");
  await page.locator("main").getByRole("link", { name: "Journal/Weather" }).click();
  assert.equal(currentPath(), "/Journal/Weather");
  assertNoViolations();
});

test("the page tree is beside the page, and behind a button on a phone", async () => {
  await page.goto(ada + "/");
  await page.locator("nav.tree").getByRole("link", { name: /Weather Station/ }).click();
  assert.equal(currentPath(), "/Weather_Station");
  await page.locator("nav.tree").getByRole("link", { name: /Firmware/ }).click();
  assert.equal(currentPath(), "/Weather_Station/Firmware");
  assert.equal(await page.locator("nav.tree [aria-current=page]").innerText(), "Firmware");
  await page.setViewportSize({ width: 390, height: 844 });
  assert.equal(await page.locator("nav.tree").isVisible(), false, "the tree is hidden on a phone");
  await page.locator("button[popovertarget=pages]").click();
  assert.ok(await page.locator("nav.tree").isVisible(), "the button opens the tree without script");
  await page.setViewportSize({ width: 1280, height: 900 });
  assertNoViolations();
});

test("the index has a tree, an A to Z list and tags", async () => {
  await page.goto(ada + "/-/index");
  const section = (name) => page.locator(`.tabs > section[aria-label="${name}"]`);
  assert.ok(await section("Tree").isVisible());
  await page.locator(".tabs > label", { hasText: "A–Z" }).click();
  assert.deepEqual([await section("Tree").isVisible(), await section("A to Z").isVisible()], [false, true]);
  await section("A to Z").getByRole("link", { name: "Compost" }).click();
  assert.equal(currentPath(), "/Garden/Compost");
  await page.goto(ada + "/-/index");
  await page.locator(".tabs > label", { hasText: "Tags" }).click();
  await section("Tags").getByRole("link").first().click();
  assert.match(page.url(), /\/-\/search\?q=tag:/);
  assertNoViolations();
});

test("a search from the bar has a URL that can be shared", async () => {
  await page.goto(ada + "/");
  await page.locator("#find").fill("\"frost\" garden");
  await page.locator("#find").press("Enter");
  assert.equal(new URL(page.url()).searchParams.get("q"), "\"frost\" garden");
  const hit = page.locator("ol.rows a.name").first();
  assert.ok(await page.locator("ol.rows mark").count() > 0, "the search terms are marked");
  await hit.click();
  assert.match(currentPath(), /^\/(Garden|Home_Automation|Journal)/);
  await page.goto(ada + "/-/search?q=nothingmatchesthis");
  assert.match(await page.locator("main").innerText(), /0 pages found/);
  assertNoViolations();
});

test("history leads to diffs in both layouts and to old revisions with a banner", async () => {
  await page.goto(ada + "/Weather_Station");
  await page.locator(".views").getByRole("link", { name: "History" }).click();
  assert.ok(await page.locator("main li").count() > 5);
  const oldest = page.locator("a.mono[href*='revision=']").last();
  const revision = new URL(await oldest.getAttribute("href"), ada).searchParams.get("revision");
  await page.locator("input[name=rev_a]").last().check();
  await page.locator("input[name=rev_b]").first().check();
  await page.getByRole("button", { name: "Compare" }).click();
  assert.ok(currentPath().startsWith(`/Weather_Station/diff/${revision}/`), currentPath());
  assert.ok(await page.locator(".diff ins").count() > 0, "changed words are marked");
  // Side by side, removed text is to the left of its replacement.
  const isSideBySide = () => page.locator(".pair:has(.old):has(.new)").first().evaluate((pair) => {
    const [a, b] = [pair.querySelector(".old"), pair.querySelector(".new")].map((e) => e.getBoundingClientRect());
    return b.left >= a.right - 1;
  });
  assert.equal(await isSideBySide(), true);
  await page.getByText("Unified").click();
  assert.equal(await isSideBySide(), false);
  await page.goto(`${ada}/Weather_Station?revision=${revision}`);
  const banner = page.locator(".notice.warning");
  assert.match(await banner.innerText(), /This is an old version from .* by .*ada/s);
  await banner.getByRole("link", { name: "Newest version" }).click();
  assert.equal(page.url(), ada + "/Weather_Station");
  assert.equal(await page.locator(".notice.warning[role=note]", { hasText: "This is an old version" }).count(), 0);
  assertNoViolations();
});

test("changes can be filtered by agents and opened", async () => {
  await page.goto(ada + "/");
  await page.locator(".bar").getByRole("link", { name: "Changes" }).click();
  assert.equal(currentPath(), "/-/changelog");
  const all = await page.locator("main li").count();
  await page.getByRole("radio", { name: "Agents", exact: true }).check();
  await page.locator("main form").getByRole("button", { name: "Filter" }).click();
  assert.match(page.url(), /[?&]by=agents/);
  const agents = await page.locator("main li").count();
  assert.ok(agents > 0 && agents < all, `${agents} of ${all} changes are by agents`);
  await page.locator("main li a.name").first().click();
  assert.match(currentPath(), /^\/-\/commit\/[0-9a-f]{40}$/);
  assert.ok(await page.locator(".diff").count() > 0);
  assertNoViolations();
});

test("blame, source, Markdown and feeds show the page", async () => {
  await page.goto(ada + "/Weather_Station/blame");
  assert.match(await page.locator("main").innerText(), /ada/);
  await page.goto(ada + "/Weather_Station/source");
  const source = await page.locator("main pre").innerText();
  assert.equal(source.trim(), (await service.pageContent("ada", "Weather_Station")).trim());
  const markdown = await service.request("GET", ada + "/Weather_Station", { headers: { accept: "text/markdown" } });
  assert.match(markdown.headers["content-type"], /^text\/markdown/);
  assert.equal(markdown.text, (await service.request("GET", ada + "/Weather_Station.md")).text);
  for (const [feed, type] of [["atom", "application/atom+xml"], ["rss", "application/rss+xml"]]) {
    const response = await service.request("GET", `${ada}/-/changelog/feed.${feed}`);
    assert.equal(response.status, 200);
    assert.ok(response.headers["content-type"].startsWith(type), response.headers["content-type"]);
  }
  assertNoViolations();
});

test("a page with its stylesheet takes at most 30 KB compressed", async () => {
  for (const name of ["/", "/Weather_Station", "/Weather_Station/Firmware"]) {
    const get = (address) => service.request("GET", address, { headers: { "accept-encoding": "gzip" } });
    const html = await get(ada + name);
    assert.equal(html.headers["content-encoding"], "gzip");
    await page.goto(ada + name);
    const sheets = await page.locator("link[rel=stylesheet]").evaluateAll((links) => links.map((link) => link.href));
    assert.equal(sheets.length, 1, "the page has one stylesheet");
    const css = await get(sheets[0]);
    const total = html.bytes + css.bytes;
    console.log(`measured: ${name} ${html.bytes} + stylesheet ${css.bytes} = ${total} bytes`);
    assert.ok(total <= 30 * 1024, `${name}: ${html.bytes} + ${css.bytes} = ${total} bytes`);
  }
});

test("print shows only the article", async () => {
  await page.goto(ada + "/Weather_Station");
  await page.emulateMedia({ media: "print" });
  for (const part of [".bar", ".tree", ".views", ".toc", "footer.foot"]) {
    assert.equal(await page.locator(part).first().isVisible(), false, `${part} is printed`);
  }
  assert.ok(await page.locator("article.prose").isVisible());
  await page.emulateMedia({ media: null });
  assertNoViolations();
});

test("a signed-in person reads a private wiki without JavaScript", async () => {
  await signIn(page, service, "bob");
  await page.goto(service.wikiURL("bob") + "/Recipes");
  assert.match(await pageHeading(), /Recipes/);
  assertNoViolations();
});
