// Reading, editing, ticking and pasting in Firefox, driven by WebDriver BiDi.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import puppeteer from "puppeteer-core";
import { startService } from "./service.mjs";

const executablePath = process.env.FIREFOX ?? "/usr/bin/firefox-esr";
const skip = process.env.CI !== "true" && !existsSync(executablePath) && "Firefox is missing";

let service, firefox, ada;
before(async () => {
  if (skip) return;
  service = await startService();
  firefox = await puppeteer.launch({ browser: "firefox", executablePath, headless: true });
  ada = service.wikiURL("ada");
});
after(async () => { await firefox?.close(); await service?.stop(); });

// open opens a page in a new context, as a person or nobody. It collects what pages must
// not do: script errors, reports of the policy, and requests to other hosts.
async function open(path, { as, width = 1280, height = 900 } = {}) {
  const context = await firefox.createBrowserContext(), page = await context.newPage(), violations = [];
  page.on("pageerror", (error) => violations.push(`script error: ${error.message}`));
  page.on("console", (message) => { if (/Content.Security.Policy/.test(message.text())) violations.push(`policy: ${message.text()}`); });
  page.on("request", (request) => {
    if (!/^(https?:\/\/([\w-]+\.)*robot\.localhost[:/]|data:|blob:|about:)/.test(request.url())) violations.push(`request to ${request.url()}`);
  });
  await page.setViewport({ width, height });
  if (as) {
    await page.goto(`${service.url}/auth/login`);
    await Promise.all([page.waitForNavigation(), page.click(`button[name=username][value=${as}]`)]);
  }
  await page.goto(ada + path);
  return { page, close: async () => { await context.close(); assert.deepEqual(violations, []); } };
}

const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

// pastePicture pastes a picture into an element. Headless Firefox has no pictures in its
// clipboard, and lets no script put files into a ClipboardEvent.
const pastePicture = (element) => element.evaluate((target, data) => {
  const clipboardData = new DataTransfer();
  clipboardData.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], "image.png", { type: "image/png" }));
  const event = new Event("paste", { bubbles: true, composed: true, cancelable: true });
  target.dispatchEvent(Object.defineProperty(event, "clipboardData", { value: clipboardData }));
}, png);

// until waits for a condition; animation frames stop in windows that aren't in front.
const until = (page, condition) => page.waitForFunction(condition, { polling: 50 });

// control presses a key with Ctrl.
const control = async (page, key) => {
  await page.keyboard.down("Control");
  await page.keyboard.press(key);
  await page.keyboard.up("Control");
};
const save = (page) => Promise.all([page.waitForNavigation(), control(page, "s")]);

test("reading: text, formulas, diagrams, dark, a phone's width", { skip }, async () => {
  await service.writePage("ada", "Firefox/Read", "A first sentence.\n\n$x^2$\n\n```mermaid\ngraph TD\n  A --> B\n```\n\n## One\n\nText.\n\n## Two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n");
  for (const width of [1280, 390]) {
    for (const value of ["light", "dark"]) {
      const { page, close } = await open("/Firefox/Read", { width });
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value }]).catch(() => {}); // where BiDi can't, light is tested twice
      const shown = await page.evaluate(() => {
        const root = document.documentElement, math = document.querySelector("math").getBoundingClientRect();
        return { overflow: root.scrollWidth - innerWidth, math: math.width > 4 && math.height > 4, time: !/UTC$/.test(document.querySelector("time[datetime]").textContent), text: document.querySelector("article p").textContent };
      });
      assert.deepEqual({ ...shown, overflow: shown.overflow > 0 }, { overflow: false, math: true, time: true, text: "A first sentence." });
      await page.waitForSelector("article iframe");
      await until(page, () => document.querySelector("article iframe").getBoundingClientRect().height > 60);
      assert.equal((await page.$$("#contents a")).length, 2);
      await close();
    }
  }
});

test("the tree opens in place and the palette finds pages", { skip }, async () => {
  const { page, close } = await open("/Home");
  await page.click("#pages .branch .twist");
  await page.waitForSelector("#pages .branch ul a");
  await control(page, "k");
  await page.waitForSelector("dialog[open] input, [role=combobox]:focus");
  await page.keyboard.type("calib");
  await until(page, () => /Calibration/.test(document.querySelector("dialog[open]")?.innerText ?? ""));
  await page.keyboard.press("Enter");
  await until(page, () => location.pathname.endsWith("/Calibration"));
  await close();
});

test("editing and pasting in the source editor", { skip }, async () => {
  await service.writePage("ada", "Firefox/Code", "One.\n");
  const { page, close } = await open("/Firefox/Code/edit", { as: "ada" });
  const content = await page.waitForSelector(">>> .cm-content");
  await content.click();
  await control(page, "End");
  await page.keyboard.type("- first");
  await page.keyboard.press("Enter"); // the list continues
  await page.keyboard.type("second");
  await control(page, "a");
  await control(page, "c");
  await control(page, "End");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  await control(page, "v");
  await pastePicture(content);
  await until(page, () => /!\[pasted.*\]\(\.\/pasted.*png\)/.test(new FormData(document.querySelector("form[data-editor]")).get("content")));
  await save(page);
  const text = await service.pageContent("ada", "Firefox/Code");
  assert.match(text, /^One\.\n- first\n- second\n+One\.\n- first\n- second\n+!\[pasted-[\d-]+\]\(\.\/pasted-[\d-]+\.png\)\n$/);
  await until(page, () => document.querySelector("article img")?.naturalWidth === 1);
  await close();
});

test("editing and pasting in the plain field, with its preview", { skip }, async () => {
  const { page, close } = await open("/Firefox/Plain/edit", { as: "ada", width: 390, height: 844 });
  const area = await page.waitForSelector("#text");
  await area.click();
  await page.keyboard.type("# Plain\n\nSome *words*.\n");
  await pastePicture(area);
  await until(page, () => /\]\(\.\/pasted.*png\)/.test(document.querySelector("#text").value));
  await save(page);
  assert.match(await service.pageContent("ada", "Firefox/Plain"), /^# Plain\n\nSome \*words\*\.\n+!\[pasted-/);
  await until(page, () => document.querySelector("article img")?.naturalWidth === 1);
  await close();
});

test("ticking a task", { skip }, async () => {
  await service.writePage("ada", "Firefox/Tasks", "- [ ] Oil it\n- [ ] Paint it\n");
  const { page, close } = await open("/Firefox/Tasks", { as: "ada" });
  await page.click("article button.tick");
  await page.waitForSelector("article button.tick[aria-checked=true]");
  for (let i = 0; i < 300 && !/\[x\] Oil/.test(await service.pageContent("ada", "Firefox/Tasks")); i++) await new Promise((done) => setTimeout(done, 100));
  assert.equal(await service.pageContent("ada", "Firefox/Tasks"), "- [x] Oil it\n- [ ] Paint it\n");
  await close();
});
