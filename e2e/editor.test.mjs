// The editor in a real browser: what the script adds, and that nothing needs it.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { start, browser, signIn } from "./service.mjs";

let service, chrome, wiki;
before(async () => { service = await start(); chrome = await browser(); wiki = service.wiki("ada"); });
after(async () => { await chrome?.close(); await service?.stop(); });

const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

// editor opens a page's editor in a browser of its own.
async function editor(path, options = {}) {
  const context = await chrome.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const seen = [];
  context.on("console", (message) => { if (/Content.Security.Policy/.test(message.text())) seen.push(message.text()); });
  context.on("weberror", (error) => seen.push(error.error().message));
  context.on("dialog", (dialog) => dialog.accept().catch(() => {})); // leaving with unsaved text
  const page = await context.newPage();
  await signIn(page, service, "ada");
  await page.goto(`${wiki}/${path}/edit`);
  const area = page.locator("#text");
  return {
    context, page, area,
    value: () => area.inputValue(),
    // set fills the text and selects a part of it.
    set: async (text, from, to = from) => {
      await area.fill(text);
      await area.evaluate((a, [s, e]) => { a.focus(); a.setSelectionRange(s, e); }, [from, to]);
    },
    tool: (name) => page.locator(`[data-tool=${name}]`).click(),
    close: async () => {
      await context.close();
      assert.deepEqual(seen, []);
    },
  };
}

test("toolbar: buttons toggle, and act on the word without a selection", async () => {
  const e = await editor("Toolbar");
  for (const [tool, text, from, to, want] of [
    ["bold", "one two three", 5, 5, "one **two** three"],
    ["bold", "one **two** three", 7, 7, "one two three"],
    ["italic", "one two", 4, 7, "one *two*"],
    ["italic", "one ***two***", 7, 10, "one **two**"],
    ["list", "a\nb\nc", 0, 3, "- a\n- b\nc"],
    ["list", "- a\n- b\nc", 0, 7, "a\nb\nc"],
    ["tasks", "- a\n- b", 0, 7, "- [ ] a\n- [ ] b"],
    ["quote", "a\nb", 0, 3, "> a\n> b"],
    ["heading", "## a", 2, 2, "### a"],
    ["heading", "#### a", 2, 2, "a"],
    ["code", "a\nb", 0, 3, "```\na\nb\n```\n"],
    ["link", "see docs", 4, 8, "see [docs](https://)"],
    ["table", "| a | bb |\n|--|:-:|\n| [[x|y]] | c |", 3, 3, "| a       | bb  |\n| ------- | :-: |\n| [[x|y]] | c   |"],
  ]) {
    await e.set(text, from, to);
    await e.tool(tool);
    assert.equal(await e.value(), want, `${tool} on ${JSON.stringify(text)}`);
  }
  await e.close();
});

test("keys: lists go on, Tab indents and can be escaped, Ctrl-S saves", async () => {
  const e = await editor("Keys");
  for (const [typed, want] of [
    ["- one\ntwo\n\nthree", "- one\n- two\nthree"],
    ["1. a\nb", "1. a\n2. b"],
    ["- [x] a\nb", "- [x] a\n- [ ] b"],
    ["> a\nb", "> a\n> b"],
  ]) {
    await e.set("", 0);
    await e.page.keyboard.type(typed);
    assert.equal(await e.value(), want);
  }
  await e.set("- a\n- b", 7);
  await e.page.keyboard.press("Tab");
  assert.equal(await e.value(), "- a\n    - b");
  await e.page.keyboard.press("Escape");
  await e.page.keyboard.press("Tab");
  assert.ok(!await e.area.evaluate((a) => a === document.activeElement), "Esc, then Tab leaves the text");
  await e.set("Saved by *key*.", 3);
  await e.page.keyboard.press("Control+s");
  await e.page.waitForURL(`${wiki}/Keys`);
  assert.equal(await e.page.locator("article em").innerText(), "key");
  await e.close();
});

test("completion of [[ and search as you type", async () => {
  const e = await editor("Completion");
  await e.set("see ", 4);
  await e.page.keyboard.type("[[Cal");
  await e.page.locator("#complete [role=option]").first().waitFor();
  assert.equal(await e.area.getAttribute("aria-activedescendant"), "complete-0");
  await e.page.keyboard.press("Enter");
  assert.match(await e.value(), /^see \[\[.*Cal.*\]\]$/);
  assert.ok(await e.page.locator("#complete").isHidden());
  await e.page.locator("#find").fill("cal");
  await e.page.locator("#found [role=option]").first().waitFor();
  await e.close();
});

test("preview beside the source, and in its place on a phone", async () => {
  const e = await editor("Preview");
  await e.set("Some *text*.", 3);
  await e.page.locator("[data-preview] em").waitFor();
  await e.close();
  const phone = await editor("Preview", { viewport: { width: 390, height: 800 } });
  await phone.set("Phone *words*", 3);
  await phone.page.locator("label[for=pane-preview]").click();
  await phone.page.locator("[data-preview] em").waitFor();
  assert.ok(await phone.area.isHidden());
  await phone.close();
});

test("a pasted picture is uploaded and shown", async () => {
  const e = await editor("Home");
  await e.area.evaluate((a, data) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File([bytes], "image.png", { type: "image/png" }));
    a.focus();
    a.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, png);
  await e.page.waitForFunction(() => /!\[pasted.*\]\(\.\/pasted.*png\)/.test(document.querySelector("#text").value));
  await e.page.locator("[data-preview] img").last().waitFor();
  await e.close();
});

test("a draft is kept on the server, and a copy outlives a crash", async () => {
  const e = await editor("Drafts");
  await e.area.fill("Half a thought");
  await e.page.waitForFunction(() => /Draft saved/.test(document.querySelector("[data-status]").textContent), null, { timeout: 15_000 });
  await e.page.goto(`${wiki}/Drafts/edit`);
  assert.match(await e.page.locator("main").innerText(), /You left a draft/);
  await e.page.getByRole("button", { name: "Discard draft" }).click();
  await e.page.waitForFunction(() => !/You left a draft/.test(document.body.textContent));
  await e.area.fill("Typed before the crash");
  await e.page.waitForFunction(() => Object.values(localStorage).some((v) => v.includes("before the crash")));
  const session = await e.context.newCDPSession(e.page);
  session.send("Page.crash").catch(() => {});
  const next = await e.context.newPage();
  await next.goto(`${wiki}/Drafts/edit`);
  await next.getByRole("button", { name: "Restore it" }).click();
  assert.equal(await next.locator("#text").inputValue(), "Typed before the crash");
  await e.close();
});

for (const javaScriptEnabled of [true, false]) {
  test(`a conflict is decided ${javaScriptEnabled ? "with" : "without"} a script`, async () => {
    const name = `Conflict_${javaScriptEnabled}`;
    const e = await editor(name, { javaScriptEnabled });
    const save = (page) => page.locator("#message").press("Enter");
    await e.area.fill("One.\n\nTwo.\n");
    await save(e.page);
    await e.page.waitForURL(`${wiki}/${name}`);
    await e.page.goto(`${wiki}/${name}/edit`);
    const other = await e.context.newPage();
    await other.goto(`${wiki}/${name}/edit`);
    await other.locator("#text").fill("One.\n\nTwo of theirs.\n");
    await save(other);
    await other.waitForURL(`${wiki}/${name}`);
    await e.area.fill("One.\n\nTwo of mine.\n");
    await save(e.page);
    await e.page.locator("h1", { hasText: "Two edits met" }).waitFor();
    assert.equal(await e.value(), "One.\n\nTwo of mine.\n");
    await e.page.getByLabel("Keep both, one after the other").check();
    if (javaScriptEnabled) await e.page.waitForFunction(() => document.querySelector("#text").value.includes("theirs"));
    else await e.page.getByRole("button", { name: "Preview" }).click();
    assert.equal(await e.value(), "One.\n\nTwo of theirs.\nTwo of mine.\n");
    await save(e.page);
    await e.page.waitForURL(`${wiki}/${name}`);
    await e.close();
  });
}

test("without a script: create, preview, draft, upload, rename, delete, undo", async () => {
  const e = await editor("Home", { javaScriptEnabled: false });
  const { page, area } = e;
  const told = () => page.locator(".told").innerText();
  await page.goto(`${wiki}/-/create`);
  await page.fill("#pagename", "No Script.md");
  await page.locator("main form button").click();
  assert.match(await page.locator("main").innerText(), /It will be called/);
  await page.locator("main form button").click();
  await page.waitForURL(/No_Script\/edit$/);
  await area.fill("Some *words*.\n");
  await page.fill("#message", "made without");
  await page.getByRole("button", { name: "Preview" }).click();
  assert.equal(await page.locator(".preview em").innerText(), "words");
  assert.equal(await page.inputValue("#message"), "made without");
  await page.getByRole("button", { name: "Create page" }).click();
  await page.waitForURL(`${wiki}/No_Script`);
  await page.goto(`${wiki}/No_Script/edit`);
  await area.fill("Draft words");
  await page.getByRole("button", { name: "Save draft" }).click();
  assert.match(await told(), /Draft saved/);
  await page.getByRole("button", { name: "Discard draft" }).click();
  assert.equal(await area.inputValue(), "Some *words*.\n");
  await page.locator("#message").press("Enter");
  assert.match(await told(), /Nothing changed/);
  await page.goto(`${wiki}/No_Script/attachments`);
  await page.setInputFiles("#file", { name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("hello") });
  await page.getByRole("button", { name: "Upload" }).click();
  assert.match(await page.locator("table").innerText(), /a\.txt/);
  await page.goto(`${wiki}/No_Script/rename`);
  await page.fill("#new", "Without Script");
  await page.getByRole("button", { name: "Rename" }).click();
  await page.waitForURL(/Without_Script/);
  await page.goto(`${wiki}/Without_Script/delete`);
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.waitForURL(/changelog/);
  await page.locator("a[href^='/-/commit/']").first().click();
  await page.getByRole("link", { name: "Undo this change" }).click();
  await page.getByRole("button", { name: "Undo it" }).click();
  await page.goto(`${wiki}/Without_Script`);
  assert.match(await page.locator("article").innerText(), /Some words/);
  await e.close();
});
