// Since you last looked: keys, forms in place, and undoing a session with a later line kept.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { signIn, launchBrowser, startService } from "./service.mjs";

let service, browser, page, ada;
before(async () => {
  service = await startService();
  browser = await launchBrowser();
  ada = service.wikiURL("ada");
  page = await browser.newPage();
  await signIn(page, service, "ada");
});
after(async () => { await browser?.close(); await service?.stop(); });

// write saves pages with a token, whose commits are one agent's session.
async function write(role, ...pages) {
  for (const [name, text] of pages) await service.writePage("ada", name, text, role);
}

const patches = () => page.locator("[data-patch] h3").allInnerTexts();
const count = () => page.locator(".review .count").innerText().then((t) => parseInt(t, 10));

test("keys move, keep and undo, and the page stays where it is", async () => {
  await service.callAPI("ada", "GET", "/pages");
  await page.goto(ada + "/-/new");
  await page.getByRole("button", { name: "Keep all" }).click();
  await page.getByText("nobody else changed anything").waitFor();
  await write("editor", ["Review/A", "One, two, three.\n"], ["Review/B", "Words.\n"], ["Review/C", "More words.\n"]);
  await page.goto(ada + "/-/new");
  assert.deepEqual((await patches()).map((t) => t.slice(0, 8)), ["Review/A", "Review/B", "Review/C"]);
  assert.equal(await count(), 3);
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("x");
  await page.waitForFunction(() => document.querySelectorAll("[data-patch]").length === 2);
  assert.equal(await count(), 2);
  await page.keyboard.press("u"); // the one after it is current
  await page.waitForFunction(() => document.querySelectorAll("[data-patch]").length === 1);
  assert.equal((await page.goto(ada + "/Review/C")).status(), 404);
  assert.equal((await page.goto(ada + "/Review/B")).status(), 200);
  await page.goto(ada + "/-/new");
  assert.deepEqual((await patches()).map((t) => t.slice(0, 8)), ["Review/A"]);
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL(/Review\/A/);
});

test("a session is undone with a later good line kept", async () => {
  await write("owner", ["Review/Kept", "one\n\ntwo\n\nthree\n"]);
  await page.goto(ada + "/-/new");
  await page.getByRole("button", { name: "Keep all" }).click();
  await write("editor", ["Review/Kept", "one\n\nTWO\n\nthree\n"]);
  await write("owner", ["Review/Kept", "one\n\nTWO\n\nthree\n\na good line\n"]);
  await page.goto(ada + "/-/new");
  await page.locator("[data-patch] ins", { hasText: "TWO" }).first().waitFor();
  await page.getByRole("button", { name: "Undo session" }).first().click();
  await page.waitForFunction(() => !document.querySelector("[data-session]") || document.querySelectorAll("[data-session]").length < 2);
  assert.match(await service.pageContent("ada", "Review/Kept"), /a good line/);
});

test("sessions load their pages when they are opened, and without a script", async () => {
  await write("editor", ...Array.from({ length: 12 }, (_, i) => [`Review/Many ${i}`, `Text ${i}.\n`]));
  await page.goto(ada + "/-/new");
  const link = page.locator("[data-open-session]").first();
  const address = await link.getAttribute("href");
  await link.click();
  await page.locator("[data-patch]", { hasText: "Many 11" }).waitFor();
  assert.match(page.url(), /\/-\/new$/);
  const plain = await browser.newContext({ javaScriptEnabled: false, storageState: await page.context().storageState() });
  const bare = await plain.newPage();
  await bare.goto(ada + address);
  await bare.locator("[data-patch]", { hasText: "Many 11" }).getByRole("button", { name: "Keep" }).click();
  await bare.getByText("Kept.").waitFor();
  await bare.locator("[data-patch]", { hasText: "Many 0" }).getByRole("button", { name: "Undo" }).click();
  await bare.getByText("Undone, in a new revision.").waitFor();
  await plain.close();
});
