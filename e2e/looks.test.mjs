// How pages look with the script: the contents, the spacing of prose, wide and long things.
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

// visit opens a page in a new context, as a person or nobody.
async function visit(path, { as, ...options } = {}) {
  const context = await chrome.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce", ...options });
  const violations = recordViolations(context);
  const page = await context.newPage();
  if (as) await signIn(page, service, as);
  await page.goto(ada + path);
  return { page, close: async () => { await context.close(); assert.deepEqual(violations, []); } };
}

const filler = Array.from({ length: 40 }, (_, i) => `## Section ${i + 1}\n\n${"Words follow here. ".repeat(60)}`).join("\n\n");

test("the contents stay in view, mark the current heading and scroll by themselves", async () => {
  await service.writePage("ada", "Looks/Long", `- [ ] a task\n\n${filler}\n`);
  const { page, close } = await visit("/Looks/Long", { as: "ada" });
  const toc = page.locator("#contents"), current = toc.locator("[aria-current]");
  assert.equal(await current.innerText(), "Section 1");
  const box = await toc.boundingBox();
  assert.ok(box.x > 900 && box.y < 400, `beside the text: ${JSON.stringify(box)}`);
  for (const name of ["Section 20", "Section 40"]) {
    await page.getByRole("heading", { name }).evaluate((heading) => heading.scrollIntoView());
    await toc.locator("[aria-current]", { hasText: name }).waitFor();
    const [list, link] = [await toc.boundingBox(), await current.boundingBox()];
    assert.ok(list.y < 100 && list.y + list.height > 600, `in view: ${JSON.stringify(list)}`); // the foot pushes it up
    assert.ok(link.y >= Math.max(0, list.y) && link.y + link.height <= list.y + list.height + 1, `${name} is in the visible part of the contents`);
  }
  await close();
  const phone = await visit("/Looks/Long", { viewport: { width: 390, height: 844 } });
  assert.ok(await phone.page.locator("#contents").isHidden());
  await phone.page.getByRole("button", { name: "Contents" }).click();
  await phone.page.locator("#contents a", { hasText: "Section 9" }).click();
  await phone.page.waitForFunction(() => document.querySelector("#contents").matches(":not(:popover-open)") && location.hash.includes("section-9"));
  await phone.close();
});

test("blocks in quotes, items, alerts, folds and embeds have space, and nested tasks are indented", async () => {
  await service.writePage("ada", "Looks/Part", "One.\n\nTwo.\n");
  await service.writePage("ada", "Looks/Blocks", [
    "> one\n>\n> two", "- one\n\n  two\n\n- three", "> [!NOTE]\n> one\n>\n> two", "<details open><summary>Fold</summary>\n\none\n\ntwo\n\n</details>",
    "![[Looks/Part]]", "- [ ] outer\n  - [ ] inner", "Term\n: One.\n\n    Two.", "~~struck~~ <ins>put in</ins>", "```diff\n-old\n+new\n```",
  ].join("\n\n") + "\n");
  const { page, close } = await visit("/Looks/Blocks");
  const gaps = await page.evaluate(() => {
    const gap = (selector) => {
      const [a, b] = [...document.querySelectorAll(`article ${selector}`)].map((p) => p.getBoundingClientRect());
      return b.top - a.bottom;
    };
    return { quote: gap("blockquote > p"), item: gap("li > p"), alert: gap(".notice p:not(:has(> b))"), fold: gap("details > p"), embed: gap(".embed > p:not(:last-child)") };
  });
  for (const [where, gap] of Object.entries(gaps)) assert.ok(gap > 6 && gap < 30, `${where}: ${gap} px between paragraphs`);
  const left = (selector) => page.locator(selector).first().evaluate((e) => e.getBoundingClientRect().left);
  const [outer, inner] = [await left(".tasks .task > :first-child"), await left(".tasks .tasks .task > :first-child")];
  assert.ok(inner - outer > 15, `nested tasks are indented by ${inner - outer} px`);
  assert.ok(await left("dd") - await left("dt") > 15, "definitions are indented");
  const style = (selector, name) => page.locator(`article ${selector}`).first().evaluate((e, n) => getComputedStyle(e)[n], name);
  assert.equal(await style("dt", "fontWeight"), "700");
  for (const mark of ["del", "ins"]) assert.equal(await style(`p ${mark}`, "backgroundColor"), "rgba(0, 0, 0, 0)", `<${mark}> doesn't look like a diff`);
  const tints = [await style(".gd", "backgroundColor"), await style(".gi", "backgroundColor")];
  assert.ok(new Set([...tints, "rgba(0, 0, 0, 0)"]).size === 3, `diff code is coloured: ${tints}`);
  await close();
});

test("wide tables use the free width and show that they scroll; nothing else is wider than the window", async () => {
  const long = "L".repeat(120), row = (cell) => `|${cell.repeat(12)}\n`;
  await service.writePage("ada", long, "A long name.\n");
  await service.writePage("ada", "Looks/Wide", `${row(" heading |")}${row("---|")}${row(" a value |")}\n${long}\n`);
  for (const width of [1280, 390]) {
    const { page, close } = await visit("/Looks/Wide", { viewport: { width, height: 844 }, as: "ada" });
    const table = page.locator("article .scroll");
    assert.ok(await table.evaluate((e) => e.scrollWidth > e.clientWidth || e.clientWidth > 650), "wider than the text, or scrolls");
    assert.match(await table.evaluate((e) => getComputedStyle(e).backgroundImage), /gradient/);
    for (const path of ["/Looks/Wide", "/-/changelog", "/-/index", `/${long}`, `/${long}/history`, `/${long}/edit`, `/${long}/rename`, `/${long}/delete`, "/-/health", `/-/search?q=${long}`, "/-/trash"]) {
      await page.goto(ada + path);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= width, `${path.slice(0, 40)} is ${wide} px wide at ${width}`);
    }
    await close();
  }
});

test("right-to-left text runs from right to left, in its language, on the page and in the editor", async () => {
  await service.writePage("ada", "Looks/Arabic", "# محطة الطقس\n\nهذه محطة طقس في آخر الحديقة.\n\n- المستشعر: SHT45\n- Left to right.\n\n> اقتباس\n\n## الدقة\n\nنص\n\n## النهاية\n\nA line in English.\n");
  const { page, close } = await visit("/Looks/Arabic", { as: "ada" });
  const direction = (selector) => page.locator(selector).first().evaluate((e) => getComputedStyle(e).direction);
  for (const selector of ["h1", "article p", "article ul", "article blockquote", "article h2", "#contents ul"]) assert.equal(await direction(selector), "rtl", selector);
  assert.equal(await page.getByText("A line in English.").evaluate((e) => getComputedStyle(e).direction), "ltr");
  assert.equal(await page.locator("article").getAttribute("lang"), "ar");
  assert.equal(await page.locator("article").getAttribute("dir"), "rtl");
  assert.equal(await page.evaluate(() => document.querySelector("h1").closest("[lang]").lang), "ar");
  const bullet = await page.locator("article li").first().evaluate((li) => li.parentElement.getBoundingClientRect().right - li.getBoundingClientRect().right);
  assert.ok(bullet > 15, `the list hangs on the right: ${bullet}`);
  // A page can say its language; a paragraph in another runs in its own direction.
  await service.writePage("ada", "Looks/Declared", "---\nlang: fa\n---\nA line in English, (in brackets).\n\n1. One\n\n```\nx = (1)\n```\n");
  await page.goto(ada + "/Looks/Declared");
  assert.equal(await page.locator("article").evaluate((e) => `${e.lang} ${e.dir}`), "fa rtl");
  assert.ok(await page.locator("article p").evaluate((p) => {
    const range = document.createRange();
    range.selectNodeContents(p);
    return Math.abs(range.getBoundingClientRect().left - p.getBoundingClientRect().left) < 2;
  }), "English text begins on the left");
  assert.equal(await direction("article pre"), "ltr");
  assert.ok(await page.locator("article li").evaluate((li) => li.parentElement.getBoundingClientRect().right - li.getBoundingClientRect().right) > 15, "the list hangs on the right");
  await close();
  const phone = await visit("/Looks/Arabic/edit", { as: "ada", viewport: { width: 390, height: 844 } });
  assert.equal(await phone.page.locator("#text").evaluate((e) => getComputedStyle(e).direction), "rtl");
  await phone.close();
});

test("times are local, with the zone in the title, relative when recent, and UTC without script", async () => {
  await service.writePage("ada", "Looks/Now", "Written just now.\n");
  const { page, close } = await visit("/-/changelog", { timezoneId: "Asia/Kolkata", locale: "de-DE" });
  const times = page.locator("main time");
  assert.match(await times.first().innerText(), /^just now$|^\d+ minutes? ago$|^this minute$/);
  const last = times.last(), utc = new Date(await last.getAttribute("datetime"));
  const local = new Date(+utc + 330 * 60_000).toISOString();
  assert.ok((await last.innerText()).includes(local.slice(11, 16)), `${await last.innerText()} is ${local} in India`);
  assert.match(await last.getAttribute("title"), /GMT\+5:30|India/);
  await page.goto(ada + "/Weather_Station");
  assert.match(await page.locator(".ends time").getAttribute("title"), /GMT\+5:30|India/);
  await close();
  const plain = await visit("/Looks/Now", { javaScriptEnabled: false });
  assert.match(await plain.page.locator(".ends time").innerText(), /^\d{1,2} \w{3} \d{4}, \d\d:\d\d UTC$/);
  await plain.page.goto(ada + "/-/changelog");
  assert.match(await plain.page.locator("main time").first().innerText(), /^\d\d:\d\d UTC$/);
  await plain.close();
});

test("c and e put the caret where one types, ? lists the keys, and a filter applies at once", async () => {
  await service.writePage("ada", "Looks/Keys", "Words.\n");
  for (const width of [1280, 390]) {
    const { page, close } = await visit("/Looks/Keys", { as: "ada", viewport: { width, height: 844 } });
    await page.keyboard.press("e");
    await page.waitForURL(/\/edit$/);
    await page.waitForFunction(() => document.activeElement.matches("#text") || document.activeElement.shadowRoot?.activeElement);
    await page.keyboard.type("Typed. ");
    await page.waitForFunction(() => document.querySelector("#text").value.includes("Typed. "));
    page.on("dialog", (dialog) => dialog.accept().catch(() => {}));
    await page.goto(ada + "/Looks/Keys");
    await page.keyboard.press("c");
    await page.waitForURL(/create/);
    await page.waitForFunction(() => document.activeElement.id === "pagename");
    await page.keyboard.type("Next");
    assert.equal(await page.locator("#pagename").inputValue(), "Looks/Next");
    await page.goto(ada + "/-/changelog");
    await page.keyboard.press("?");
    await page.waitForURL(/\/-\/help#keys$/);
    assert.match(await page.locator("#keys + dl").innerText(), /edit this page/);
    await page.goto(ada + "/-/changelog");
    await page.getByRole("radio", { name: "Agents", exact: true }).check();
    await page.waitForURL(/by=agents/);
    await close();
  }
});

test("pictures have their size before they load, and large ones are shown in a smaller copy", async () => {
  await service.writePage("ada", "Looks/Picture", "![wide](./wide.png)\n\nBelow.\n");
  const source = await chrome.newPage();
  const bytes = await source.evaluate(async () => {
    const canvas = new OffscreenCanvas(2400, 1200);
    canvas.getContext("2d").fillRect(0, 0, 900, 900);
    return [...new Uint8Array(await (await canvas.convertToBlob({ type: "image/png" })).arrayBuffer())];
  });
  await source.close();
  await service.callAPI("ada", "POST", "/pages/Looks/Picture/attachments", { filename: "wide.png", content: Buffer.from(bytes).toString("base64") });
  const { page, close } = await visit("/");
  let release;
  const released = new Promise((done) => { release = done; });
  await page.context().route("**/wide.png*", async (route) => { await released; await route.continue(); });
  await page.goto(ada + "/Looks/Picture", { waitUntil: "commit" });
  const top = () => page.getByText("Below.").evaluate((p) => p.getBoundingClientRect().top);
  await page.getByText("Below.").waitFor();
  const before = await top(), image = page.locator("article img");
  release();
  assert.equal(await image.evaluate((img) => img.decode().then(() => img.naturalWidth)), 1600);
  assert.equal(await top(), before, "the text below doesn't move");
  const { width, height } = await image.boundingBox();
  assert.ok(Math.abs(width / height - 2) < 0.02, `${width} by ${height}`);
  await close();
});

test("a wiki has its own icon, accent color and footer, on each page and in dark", async () => {
  const { page, close } = await visit("/-/settings", { as: "ada" });
  const pixel = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==", "base64");
  await page.setInputFiles("#icon-file", { name: "icon.png", mimeType: "image/png", buffer: pixel });
  await page.getByRole("button", { name: "Upload" }).click();
  await page.locator(".brand img").waitFor();
  await page.getByLabel("Another", { exact: true }).check();
  await page.getByLabel("Another color").fill("#ffdd00");
  await page.getByLabel("Footer").fill("Written by [Ada](/About).\n\n- [[Contact]]");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("Saved").first().waitFor();
  for (const path of ["/Home", "/-/index", "/Home/history"]) {
    for (const scheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme: scheme });
      await page.goto(ada + path);
      const shown = await page.evaluate(() => ({
        color: getComputedStyle(document.querySelector(".skip")).color,
        icon: document.querySelector(".brand img").naturalWidth,
        footer: document.querySelector(".foot.own").innerText.replace(/\s+/g, " ").trim(),
      }));
      assert.equal(shown.icon, 1, "the icon is loaded");
      assert.equal(shown.footer, "Written by Ada. Contact");
      if (scheme === "dark") assert.equal(shown.color, "rgb(255, 221, 0)");
      else assert.notEqual(shown.color, "rgb(255, 221, 0)", "yellow can't be read on white");
      await page.evaluate(`if (!self.axe) { ${axe} }; 0`);
      const wrong = await page.evaluate(async () => (await self.axe.run(document)).violations.map((v) => `${v.id}: ${v.nodes[0].html}`));
      assert.deepEqual(wrong, [], `${path}, ${scheme}`);
    }
  }
  await page.goto(ada + "/-/settings");
  await page.getByRole("button", { name: "Remove the icon" }).click();
  await page.locator(".brand .icon").waitFor();
  await close();
});

test("a newcomer lands on their wiki, with three ways to begin side by side", async () => {
  for (const options of [{}, { javaScriptEnabled: false }]) {
    const context = await chrome.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const violations = recordViolations(context);
    const page = await context.newPage();
    const who = options.javaScriptEnabled === false ? "cleo" : "dan";
    await signIn(page, service, who);
    await page.goto(service.url + "/app/create");
    await page.getByRole("button", { name: "Create the wiki" }).click();
    await page.getByRole("heading", { name: "Your wiki is ready" }).waitFor();
    assert.equal(new URL(page.url()).host.split(".")[0], who);
    const doors = page.locator(".doors section");
    assert.deepEqual(await doors.locator("h2").allInnerTexts(), ["Write", "Import", "Connect an agent"]);
    const tops = await doors.evaluateAll((list) => list.map((e) => e.getBoundingClientRect().top));
    assert.equal(new Set(tops).size, 1, `side by side: ${tops}`);
    await page.setViewportSize({ width: 390, height: 664 }); // of a phone, without the browser's bars
    const lead = await page.locator(".lead").boundingBox();
    assert.ok(lead.y + lead.height < 664, "the sentence is in the first screen");
    await page.getByRole("link", { name: "Write the first page" }).click();
    await page.getByLabel("Name").fill("Ideas");
    await page.getByRole("button", { name: "Write it" }).click();
    await page.locator("#text").waitFor();
    assert.deepEqual(violations, []);
    await context.close();
  }
});

test("on a phone, the first sentence of a page is in the first screen", async () => {
  for (const path of ["/Home", "/Weather_Station", "/Weather_Station/Calibration", "/Journal/2026-11-20"]) {
    const { page, close } = await visit(path, { as: "ada", viewport: { width: 390, height: 664 } });
    const first = page.locator("article p").filter({ hasText: /\w/ }).first();
    if (await first.count()) {
      const lines = await first.evaluate((p) => { const r = document.createRange(); r.selectNodeContents(p); return r.getClientRects()[0].bottom; });
      assert.ok(lines < 600, `${path}: the first line ends at ${lines} px`);
    }
    await close();
  }
});

test("the tree opens in place, remembers, pins pages and can be hidden", async () => {
  const { page, close } = await visit("/Home", { as: "ada" });
  const tree = page.locator("#pages"), link = (name) => tree.locator("ul > li").getByRole("link", { name: new RegExp(`^${name}( \\d+ pages)?$`) });
  const twist = tree.getByRole("button", { name: "Pages in Weather Station" });
  assert.equal(await link("Calibration").count(), 0);
  await twist.click();
  await link("Calibration").waitFor();
  await tree.getByRole("button", { name: "Pages in Sensors" }).click();
  const inner = tree.locator("li.branch li.branch li").first();
  await inner.waitFor();
  assert.equal(new URL(page.url()).pathname, "/Home");
  await page.reload();
  await inner.waitFor(); // both folders are open again
  await twist.click();
  assert.ok(await link("Calibration").isHidden());
  await page.reload();
  await tree.getByRole("button", { name: "Pages in Weather Station", expanded: false }).waitFor();

  await page.goto(ada + "/Weather_Station/Calibration");
  await page.locator(".views [popovertarget=more]").click();
  await page.getByRole("button", { name: "Pin to the sidebar" }).click();
  await page.goto(ada + "/Journal");
  assert.deepEqual(await tree.locator("[data-list=Pinned] a").allInnerTexts(), ["Calibration"]);
  assert.ok((await tree.locator("[data-list=Recent] a").allInnerTexts()).length > 0);

  await page.keyboard.press("[");
  assert.ok(await tree.isHidden());
  await page.goto(ada + "/Home");
  assert.ok(await tree.isHidden(), "it stays hidden");
  await page.locator(".bar .open").click();
  assert.ok(await tree.isVisible());
  await tree.getByRole("button", { name: "Hide" }).click();
  assert.ok(await tree.isHidden());
  await page.setViewportSize({ width: 390, height: 844 });
  await page.locator(".bar .open").click();
  assert.ok(await tree.isVisible(), "on a phone it opens as before");
  await close();
  const plain = await visit("/Weather_Station", { javaScriptEnabled: false });
  assert.ok(await plain.page.locator("#pages").getByRole("link", { name: "Calibration" }).isVisible(), "without script, the page's own folder is open");
  await plain.close();
});

test("a sidebar page orders the tree", async () => {
  await service.writePage("bob", "Sidebar", "- [[Getting Started]]\n- [[AGENTS]]\n");
  const context = await chrome.newContext(), page = await context.newPage();
  await signIn(page, service, "bob");
  await page.goto(service.wikiURL("bob") + "/Home");
  const names = await page.locator("#pages > ul > li > a").evaluateAll((list) => list.map((a) => a.firstChild.textContent.trim()));
  assert.deepEqual(names.slice(0, 3), ["Home", "Getting Started", "AGENTS"]);
  await context.close();
});
