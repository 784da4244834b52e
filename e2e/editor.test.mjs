// The editor in a real browser: the script's additions, and editing without it.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { startService, launchBrowser, signIn } from "./service.mjs";

let service, chrome, wiki;
before(async () => { service = await startService(); chrome = await launchBrowser(); wiki = service.wikiURL("ada"); });
after(async () => { await chrome?.close(); await service?.stop(); });

const waitForPage = (page, path) => page.waitForURL((url) => url.pathname === path);

const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

// openEditor opens a page's editor in a new browser context.
async function openEditor(path, options = {}) {
  const context = await chrome.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const violations = [];
  context.on("console", (message) => { if (/Content.Security.Policy/.test(message.text())) violations.push(message.text()); });
  context.on("weberror", (error) => violations.push(error.error().message));
  context.on("dialog", (dialog) => dialog.accept().catch(() => {})); // asked when leaving unsaved text
  const page = await context.newPage();
  await signIn(page, service, "ada");
  await page.goto(`${wiki}/${path}/edit`);
  const area = page.locator("#text");
  return {
    context, page, area,
    value: () => area.inputValue(),
    // set replaces the text and selects a range.
    set: async (text, from, to = from) => {
      await area.fill(text);
      await area.evaluate((a, [s, e]) => { a.focus(); a.setSelectionRange(s, e); }, [from, to]);
    },
    tool: (name) => page.locator(`[data-tool=${name}]`).click(),
    close: async () => {
      await context.close();
      assert.deepEqual(violations, []);
    },
  };
}

test("toolbar buttons toggle, and without a selection act on the current word", async () => {
  const editor = await openEditor("Toolbar");
  for (const [tool, text, from, to, expected] of [
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
    await editor.set(text, from, to);
    await editor.tool(tool);
    assert.equal(await editor.value(), expected, `${tool} on ${JSON.stringify(text)}`);
  }
  await editor.close();
});

test("Enter continues lists, Tab indents, Esc then Tab leaves, Ctrl-S saves", async () => {
  const editor = await openEditor("Keys");
  for (const [typed, expected] of [
    ["- one\ntwo\n\nthree", "- one\n- two\nthree"],
    ["1. a\nb", "1. a\n2. b"],
    ["- [x] a\nb", "- [x] a\n- [ ] b"],
    ["> a\nb", "> a\n> b"],
  ]) {
    await editor.set("", 0);
    await editor.page.keyboard.type(typed);
    assert.equal(await editor.value(), expected);
  }
  await editor.set("- a\n- b", 7);
  await editor.page.keyboard.press("Tab");
  assert.equal(await editor.value(), "- a\n    - b");
  await editor.page.keyboard.press("Escape");
  await editor.page.keyboard.press("Tab");
  assert.ok(!await editor.area.evaluate((a) => a === document.activeElement), "Esc, then Tab moves the focus out of the text");
  await editor.set("Saved by *key*.", 3);
  await editor.page.keyboard.press("Control+s");
  await waitForPage(editor.page, `/Keys`);
  assert.equal(await editor.page.locator("article em").innerText(), "key");
  await editor.close();
});

test("[[ completes page names, and the search box suggests pages", async () => {
  const editor = await openEditor("Completion");
  await editor.set("see ", 4);
  await editor.page.keyboard.type("[[Cal");
  await editor.page.locator("#complete [role=option]").first().waitFor();
  assert.equal(await editor.area.getAttribute("aria-activedescendant"), "complete-0");
  await editor.page.keyboard.press("Enter");
  assert.match(await editor.value(), /^see \[\[.*Cal.*\]\]$/);
  assert.ok(await editor.page.locator("#complete").isHidden());
  await editor.page.locator("#find").fill("cal");
  await editor.page.locator("#found [role=option]").first().waitFor();
  await editor.close();
});

test("the preview is beside the source, and replaces it on a phone", async () => {
  const editor = await openEditor("Preview");
  await editor.set("Some *text*.", 3);
  await editor.page.locator("[data-preview] em").waitFor();
  await editor.close();
  const phone = await openEditor("Preview", { viewport: { width: 390, height: 800 } });
  await phone.set("Phone *words*", 3);
  await phone.page.locator("label[for=pane-preview]").click();
  await phone.page.locator("[data-preview] em").waitFor();
  assert.ok(await phone.area.isHidden());
  await phone.close();
});

test("a pasted picture is uploaded and shown", async () => {
  const editor = await openEditor("Home");
  await editor.area.evaluate((a, data) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File([bytes], "image.png", { type: "image/png" }));
    a.focus();
    a.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, png);
  await editor.page.waitForFunction(() => /!\[pasted.*\]\(\.\/pasted.*png\)/.test(document.querySelector("#text").value));
  await editor.page.locator("[data-preview] img").last().waitFor();
  await editor.close();
});

test("a draft is kept on the server, and a local copy survives a crash", async () => {
  const editor = await openEditor("Drafts");
  await editor.area.fill("Half a thought");
  await editor.page.waitForFunction(() => /Draft saved/.test(document.querySelector("[data-status]").textContent), null, { timeout: 15_000 });
  await editor.page.goto(`${wiki}/Drafts/edit`);
  assert.match(await editor.page.locator("main").innerText(), /You left a draft/);
  await editor.page.getByRole("button", { name: "Discard draft" }).click();
  await editor.page.waitForFunction(() => !/You left a draft/.test(document.body.textContent));
  await editor.area.fill("Typed before the crash");
  await editor.page.waitForFunction(() => Object.values(localStorage).some((v) => v.includes("before the crash")));
  const session = await editor.context.newCDPSession(editor.page);
  session.send("Page.crash").catch(() => {});
  const next = await editor.context.newPage();
  await next.goto(`${wiki}/Drafts/edit`);
  await next.getByRole("button", { name: "Restore it" }).click();
  assert.equal(await next.locator("#text").inputValue(), "Typed before the crash");
  await editor.close();
});

for (const javaScriptEnabled of [true, false]) {
  test(`a conflict is resolved ${javaScriptEnabled ? "with" : "without"} script`, async () => {
    const name = `Conflict_${javaScriptEnabled}`;
    const editor = await openEditor(name, { javaScriptEnabled });
    const save = (page) => page.locator("#message").press("Enter");
    await editor.area.fill("One.\n\nTwo.\n");
    await save(editor.page);
    await waitForPage(editor.page, `/${name}`);
    await editor.page.goto(`${wiki}/${name}/edit`);
    const other = await editor.context.newPage();
    await other.goto(`${wiki}/${name}/edit`);
    await other.locator("#text").fill("One.\n\nTwo of theirs.\n");
    await save(other);
    await waitForPage(other, `/${name}`);
    await editor.area.fill("One.\n\nTwo of mine.\n");
    await save(editor.page);
    await editor.page.locator("h1", { hasText: "Two edits conflict" }).waitFor();
    assert.equal(await editor.value(), "One.\n\nTwo of mine.\n");
    await editor.page.getByLabel("Keep both, one after the other").check();
    if (javaScriptEnabled) await editor.page.waitForFunction(() => document.querySelector("#text").value.includes("theirs"));
    else await editor.page.getByRole("button", { name: "Preview" }).click();
    assert.equal(await editor.value(), "One.\n\nTwo of theirs.\nTwo of mine.\n");
    await save(editor.page);
    await waitForPage(editor.page, `/${name}`);
    await editor.close();
  });
}

test("creating, previewing, drafting, uploading, renaming, deleting and undoing work without script", async () => {
  const editor = await openEditor("Home", { javaScriptEnabled: false });
  const { page, area } = editor;
  const noticeText = () => page.locator(".told").innerText();
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
  await waitForPage(page, `/No_Script`);
  await page.goto(`${wiki}/No_Script/edit`);
  await area.fill("Draft words");
  await page.getByRole("button", { name: "Save draft" }).click();
  assert.match(await noticeText(), /Draft saved/);
  await page.getByRole("button", { name: "Discard draft" }).click();
  assert.equal(await area.inputValue(), "Some *words*.\n");
  await page.locator("#message").press("Enter");
  assert.match(await noticeText(), /Nothing changed/);
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
  await editor.close();
});
