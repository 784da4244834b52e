// Writing beyond the editor itself: saves, conflicts, drafts, renames, files and
// settings, with and without script.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { startService, launchBrowser, recordViolations, signIn } from "./service.mjs";

let service, chrome, ada, writer;
before(async () => {
  service = await startService();
  chrome = await launchBrowser();
  ada = service.wikiURL("ada");
  writer = await newVisitor("ada");
});
after(async () => { await chrome?.close(); await service?.stop(); });

async function newVisitor(name, options = {}) {
  const context = await chrome.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const violations = recordViolations(context);
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  if (name) await signIn(page, service, name);
  return { context, page, violations, assertNoViolations: () => assert.deepEqual(violations.splice(0), []) };
}

const png = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
const savePage = (page) => page.locator("#message").press("Enter");
const pageHistory = async (name) => (await service.callAPI("ada", "GET", `/pages/${name}/history`)).history;
const waitForPath = (page, path) => page.waitForURL((url) => decodeURIComponent(url.pathname) === path);

test("keys and red links create, edit and find pages", async () => {
  const { page, assertNoViolations } = writer;
  await page.goto(ada + "/Garden");
  await page.keyboard.press("c");
  await waitForPath(page, "/-/create");
  await page.locator("#pagename").fill("Sandbox/By Key");
  await page.keyboard.press("Enter");
  await waitForPath(page, "/Sandbox/By_Key/edit");
  await page.locator("#text").fill("See [[Sandbox/Not Yet]].\n");
  await page.locator("#message").fill("made by key");
  await savePage(page);
  await waitForPath(page, "/Sandbox/By_Key");
  assert.equal((await pageHistory("Sandbox/By_Key"))[0].message, "made by key");
  await page.locator("article a.red").click();
  await waitForPath(page, "/Sandbox/Not_Yet/edit");
  await page.locator("#text").fill("Now it is.\n");
  await page.getByRole("button", { name: "Create page" }).click();
  await waitForPath(page, "/Sandbox/Not_Yet");
  await page.locator(".ends").getByRole("link", { name: "Sandbox/By Key" }).click();
  await waitForPath(page, "/Sandbox/By_Key");
  assert.equal(await page.locator("article a.red").count(), 0);
  await page.keyboard.press("e");
  await waitForPath(page, "/Sandbox/By_Key/edit");
  await page.goto(ada + "/Garden");
  await page.keyboard.press("/");
  await page.keyboard.type("by key");
  await page.locator("#found [role=option]").first().waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await waitForPath(page, "/Sandbox/By_Key");
  assertNoViolations();
});

test("a save keeps line ends, byte-order mark and final newline, and doesn't commit without a change", async () => {
  const { page, assertNoViolations } = writer;
  for (const [i, text] of ["one\ntwo\n", "one\r\ntwo\r\n", "one\ntwo", "\uFEFFone\r\ntwo", "\n\none\n\n\n", "one\r\ntwo\nthree\r\n"].entries()) {
    const name = `Sandbox/Ends_${i}`;
    await service.writePage("ada", name, text);
    await page.goto(`${ada}/${name}/edit`);
    await savePage(page);
    await waitForPath(page, "/" + name);
    assert.match(await page.locator(".told").innerText(), /Nothing changed/, JSON.stringify(text));
    assert.equal((await pageHistory(name)).length, 1, JSON.stringify(text));
    assert.equal(new URL(page.url()).search, "", "a reload doesn't repeat the notice");
    await page.goto(`${ada}/${name}/edit`);
    await page.locator("#text").fill((await page.locator("#text").inputValue()).replace("one", "ONE"));
    await savePage(page);
    await waitForPath(page, "/" + name);
    assert.equal(await service.pageContent("ada", name), text.replace("one", "ONE"));
  }
  assertNoViolations();
});

for (const javaScriptEnabled of [true, false]) {
  const scriptMode = javaScriptEnabled ? "with script" : "without script";
  test(`two people's edits are merged, or both shown when they conflict, ${scriptMode}`, async () => {
    const name = `Sandbox/Two_${javaScriptEnabled}`;
    await service.writePage("ada", name, "# Two\n\nfirst\n\nmiddle\n\nlast\n");
    const mine = await newVisitor("ada", { javaScriptEnabled }), theirs = await newVisitor("bob", { javaScriptEnabled });
    const edit = async ({ page }, change) => {
      await page.goto(`${ada}/${name}/edit`);
      await page.locator("#text").fill(change(await page.locator("#text").inputValue()));
    };
    await edit(mine, (text) => text.replace("first", "first, by ada"));
    await edit(theirs, (text) => text.replace("last", "last, by bob"));
    await savePage(theirs.page);
    await waitForPath(theirs.page, "/" + name);
    await savePage(mine.page);
    await waitForPath(mine.page, "/" + name);
    assert.match(await mine.page.locator(".told").innerText(), /merged with changes that someone else saved/);
    assert.equal(await service.pageContent("ada", name), "# Two\n\nfirst, by ada\n\nmiddle\n\nlast, by bob\n");

    await edit(mine, (text) => text.replace("middle", "ada's middle"));
    await edit(theirs, (text) => text.replace("middle", "bob's middle"));
    await savePage(theirs.page);
    await waitForPath(theirs.page, "/" + name);
    await mine.page.locator("#message").fill("mine");
    await savePage(mine.page);
    const { page } = mine;
    await page.locator("h1", { hasText: "Two edits conflict in one place" }).waitFor();
    const conflict = await page.locator("form fieldset").first().innerText();
    for (const part of ["bob's middle", "ada's middle", "bob"]) assert.ok(conflict.includes(part), `${part} isn't shown in:\n${conflict}`);
    await page.locator("form fieldset summary").click();
    assert.ok((await page.locator("form fieldset details").innerText()).includes("middle"), "the common ancestor is shown");
    assert.ok(await page.locator("form fieldset ins").count() >= 2, "differences are marked");
    assert.equal(await page.locator("#text").inputValue(), "# Two\n\nfirst, by ada\n\nada's middle\n\nlast, by bob\n");
    assert.equal(await page.locator("#message").inputValue(), "mine");
    assert.equal(await service.pageContent("ada", name), "# Two\n\nfirst, by ada\n\nbob's middle\n\nlast, by bob\n", "a conflict saves nothing");
    await page.getByLabel("Keep theirs").check();
    if (javaScriptEnabled) await page.waitForFunction(() => document.querySelector("#text").value.includes("bob's"));
    else await page.getByRole("button", { name: "Preview" }).click();
    await page.locator("#text").fill((await page.locator("#text").inputValue()).replace("bob's middle", "our middle"));
    await savePage(page);
    await waitForPath(page, "/" + name);
    assert.equal(await service.pageContent("ada", name), "# Two\n\nfirst, by ada\n\nour middle\n\nlast, by bob\n");
    await page.goto(`${ada}/${name}/edit`);
    assert.equal(await page.getByText("You left a draft").count(), 0, "saving discards the draft");
    mine.assertNoViolations(); theirs.assertNoViolations();
    await mine.context.close(); await theirs.context.close();
  });
}

test("a writer keeps their text when the page is deleted meanwhile", async () => {
  const { page, assertNoViolations } = writer;
  await service.writePage("ada", "Sandbox/Gone", "old\n");
  await page.goto(ada + "/Sandbox/Gone/edit");
  await page.locator("#text").fill("new\n");
  const { revision } = await service.callAPI("ada", "GET", "/pages/Sandbox/Gone");
  await service.callAPI("ada", "DELETE", "/pages/Sandbox/Gone", { revision });
  await savePage(page);
  await page.locator("h1", { hasText: "This page was deleted" }).waitFor();
  assert.equal(await page.locator("#text").inputValue(), "new\n");
  await savePage(page);
  await waitForPath(page, "/Sandbox/Gone");
  assert.equal(await service.pageContent("ada", "Sandbox/Gone"), "new\n");
  assertNoViolations();
});

test("closing the tab leaves a draft on the server that can be restored or discarded", async () => {
  const { context, assertNoViolations } = writer;
  await service.writePage("ada", "Sandbox/Closed", "saved\n");
  const tab = await context.newPage();
  await tab.goto(ada + "/Sandbox/Closed/edit");
  await tab.locator("#text").fill("half a thought\n");
  await tab.close({ runBeforeUnload: true });
  const otherBrowser = await newVisitor("ada"); // a different browser, without local copies
  let text;
  for (let i = 0; i < 40 && text !== "half a thought\n"; i++) {
    await otherBrowser.page.goto(ada + "/Sandbox/Closed/edit");
    text = await otherBrowser.page.locator("#text").inputValue();
  }
  assert.equal(text, "half a thought\n");
  assert.match(await otherBrowser.page.locator(".notice").first().innerText(), /You left a draft/);
  await otherBrowser.page.locator(".notice summary").click();
  assert.ok(await otherBrowser.page.locator(".notice ins").count() > 0, "the difference is shown");
  await otherBrowser.page.getByRole("button", { name: "Discard draft" }).click();
  await otherBrowser.page.locator(".told", { hasText: "Draft discarded" }).waitFor();
  assert.equal(await otherBrowser.page.locator("#text").inputValue(), "saved\n");
  otherBrowser.assertNoViolations(); assertNoViolations();
  await otherBrowser.context.close();
});

test("completion works by pointer, offers new pages and closes on Esc", async () => {
  const { page, assertNoViolations } = writer;
  await page.goto(ada + "/Sandbox/Complete/edit");
  const area = page.locator("#text"), list = page.locator("#complete");
  await area.pressSequentially("See [[Seed Cal");
  await list.locator("[role=option]", { hasText: "Seed Calendar" }).click();
  assert.equal(await area.inputValue(), "See [[Garden/Seed Calendar]]");
  await area.pressSequentially(" and [[Quite New");
  await list.locator("[role=option]", { hasText: "New page" }).click();
  assert.equal(await area.inputValue(), "See [[Garden/Seed Calendar]] and [[Quite New]]");
  await area.pressSequentially(" [[Gar");
  await list.locator("[role=option]").first().waitFor();
  await page.keyboard.press("Escape");
  assert.ok(await list.isHidden());
  await area.fill("");
  assertNoViolations();
});

test("undo reverts each toolbar button", async () => {
  const { page, assertNoViolations } = writer;
  await page.goto(ada + "/Sandbox/Undo/edit");
  const area = page.locator("#text");
  const tools = await page.locator("[data-tool]").evaluateAll((buttons) => buttons.map((b) => b.dataset.tool).filter((t) => !["attach", "files", "undo", "redo"].includes(t)));
  assert.ok(tools.length >= 11, tools.join());
  for (const tool of tools) {
    await area.fill("some words\n\n");
    await area.pressSequentially("here");
    await area.evaluate((a) => a.setSelectionRange(5, 10));
    const before = await area.inputValue();
    await page.locator(`[data-tool=${tool}]`).click();
    assert.notEqual(await area.inputValue(), before, `${tool} changes the text`);
    await page.keyboard.press("Escape");
    for (let i = 0; i < 3 && await area.inputValue() !== before; i++) await page.keyboard.press("Control+z");
    assert.equal(await area.inputValue(), before, `undo reverts ${tool}`);
  }
  await area.fill("");
  assertNoViolations();
});

test("a URL pasted over words becomes a link, and a dropped file is attached", async () => {
  const { page, context, assertNoViolations } = writer;
  await service.writePage("ada", "Sandbox/Drop", "read the manual first\n");
  await page.goto(ada + "/Sandbox/Drop/edit");
  const area = page.locator("#text");
  await area.evaluate((a) => {
    a.focus();
    a.setSelectionRange(9, 15);
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", "https://example.org/a(b)");
    a.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  });
  assert.equal(await area.inputValue(), "read the [manual](https://example.org/a%28b%29) first\n");
  let releaseUpload;
  const uploadReleased = new Promise((done) => { releaseUpload = done; });
  await context.route("**/inline_attachment", async (route) => { await uploadReleased; await route.continue(); });
  await area.evaluate((a, bytes) => {
    a.setSelectionRange(a.value.length, a.value.length);
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([Uint8Array.from(bytes)], "dot.png", { type: "image/png" }));
    a.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
  }, [...png]);
  await page.waitForFunction(() => document.querySelector("#text").value.includes("![Uploading dot.png"));
  await area.evaluate((a) => a.setSelectionRange(0, 0));
  await page.keyboard.type("Do ");
  releaseUpload();
  await page.waitForFunction(() => document.querySelector("#text").value.includes("](./dot.png)"));
  assert.equal(await area.inputValue(), "Do read the [manual](https://example.org/a%28b%29) first\n\n![dot](./dot.png)\n\n");
  await context.unroute("**/inline_attachment");
  await savePage(page);
  await waitForPath(page, "/Sandbox/Drop");
  assert.ok(await page.locator("article img").evaluate((img) => img.decode().then(() => img.naturalWidth)) > 0, "the picture is shown");
  assert.equal(await service.pageContent("ada", "Sandbox/Drop"), "Do read the [manual](https://example.org/a%28b%29) first\n\n![dot](./dot.png)\n");
  assertNoViolations();
});

// paste pastes a picture at the end of the text.
const paste = (area, bytes) => area.evaluate((a, data) => {
  a.focus();
  a.setSelectionRange(a.value.length, a.value.length);
  const clipboardData = new DataTransfer();
  clipboardData.items.add(new File([Uint8Array.from(data)], "image.png", { type: "image/png" }));
  a.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
}, [...bytes]);

test("files pasted, dropped and chosen on a new page are kept with the draft, and saved with the page", async () => {
  const { page, assertNoViolations } = writer;
  await page.goto(ada + "/Sandbox/Fresh/edit");
  const area = page.locator("#text");
  await area.fill("- one\n- ");
  await paste(area, png);
  await page.waitForFunction(() => /\]\(\.\/pasted.*png\)/.test(document.querySelector("#text").value));
  await page.locator("[data-files]").setInputFiles({ name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("notes") });
  await page.waitForFunction(() => document.querySelector("#text").value.includes("[notes.txt](./notes.txt)"));
  await page.keyboard.type("After.");
  assert.match(await area.inputValue(), /^- one\n\n!\[pasted-[\d-]+\]\(\.\/pasted-[\d-]+\.png\)\n\n\[notes\.txt\]\(\.\/notes\.txt\)\n\nAfter\.$/);
  const shown = page.locator("[data-preview] p > img");
  await shown.waitFor();
  assert.ok(await shown.evaluate((img) => img.decode().then(() => img.naturalWidth)) > 0, "the preview shows the picture");
  await page.locator("[data-status]", { hasText: "Draft saved" }).waitFor({ timeout: 15_000 });
  await page.reload();
  await page.getByText("Saving also attaches").waitFor();
  await page.getByRole("button", { name: "Create page" }).click();
  await waitForPath(page, "/Sandbox/Fresh");
  assert.ok(await page.locator("article img").evaluate((img) => img.decode().then(() => img.naturalWidth)) > 0, "the page shows the picture");
  await page.goto(ada + "/-/commit/" + (await pageHistory("Sandbox/Fresh"))[0].commit);
  for (const name of ["Sandbox/Fresh", "notes.txt", ".png"]) assert.match(await page.locator("main").innerText(), new RegExp(name), "one commit");
  assertNoViolations();
});

test("a failed upload shows an error and leaves the text unchanged", async () => {
  const { page, context } = writer;
  await page.goto(ada + "/Sandbox/Drop/edit");
  const before = await page.locator("#text").inputValue();
  await context.route("**/inline_attachment", (route) => route.abort());
  await page.locator("[data-files]").setInputFiles({ name: "lost.png", mimeType: "image/png", buffer: png });
  await page.locator("[data-status]", { hasText: "lost.png wasn’t attached" }).waitFor();
  assert.equal((await page.locator("#text").inputValue()).trim(), before.trim());
  await context.unroute("**/inline_attachment");
});

for (const javaScriptEnabled of [true, false]) {
  const scriptMode = javaScriptEnabled ? "with script" : "without script";
  test(`a page is renamed, deleted, restored and reverted, ${scriptMode}`, async () => {
    const { page, context, assertNoViolations } = await newVisitor("ada", { javaScriptEnabled });
    const dir = `Sandbox_${javaScriptEnabled}`;
    await service.writePage("ada", `${dir}/Old`, "First words.\n");
    await service.writePage("ada", `${dir}/Old`, "Second words.\n");
    await service.writePage("ada", `${dir}/Old/Below`, "Below.\n");
    await service.writePage("ada", `${dir}/Linker`, `[[${dir}/Old]] and [[${dir}/Old/Below|below]], not \`[[${dir}/Old]]\`.\n`);
    await page.goto(`${ada}/${dir}/Old/edit`);
    await page.getByRole("button", { name: "More about this page" }).click();
    await page.getByRole("link", { name: "Rename or move" }).click();
    await page.locator("#new").fill(`${dir}/New`);
    await page.getByRole("button", { name: "Rename", exact: true }).click();
    await waitForPath(page, `/${dir}/New`);
    assert.match(await page.locator(".told").innerText(), /Renamed/);
    assert.equal(await service.pageContent("ada", `${dir}/Linker`), `[[${dir}/New]] and [[${dir}/New/Below|below]], not \`[[${dir}/Old]]\`.\n`);
    for (const below of ["", "/Below"]) {
      await page.goto(`${ada}/${dir}/Old${below}`);
      assert.equal(new URL(page.url()).pathname, `/${dir}/New${below}`);
    }
    const renameCommit = (await pageHistory(`${dir}/New`))[0].commit;
    assert.deepEqual(new Set((await pageHistory(`${dir}/Linker`)).map((h) => h.commit)).has(renameCommit), true, "the rename and the link updates are one commit");

    await page.goto(`${ada}/${dir}/New/history`);
    await page.locator("a.mono[href*='revision=']").last().click();
    assert.match(await page.locator("article").innerText(), /First words/);
    await page.getByRole("button", { name: "Restore this version" }).click();
    await page.waitForURL((url) => url.pathname === `/${dir}/New` && !url.searchParams.has("revision"));
    assert.equal(await service.pageContent("ada", `${dir}/New`), "First words.\n");

    await page.goto(`${ada}/${dir}/New/delete`);
    assert.match(await page.locator("main").innerText(), /1 page links here/);
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await waitForPath(page, "/-/changelog");
    assert.match(await page.locator(".told").innerText(), /Deleted/);
    // The page is deleted; pages in its folder remain.
    await page.goto(`${ada}/${dir}/New/Below`);
    assert.match(await page.locator("article").innerText(), /Below/);
    await page.goto(`${ada}/${dir}/New/history`);
    assert.match(await page.locator("main").innerText(), /was deleted/);
    await page.locator("a.mono[href*='revision=']").first().click();
    await page.getByRole("button", { name: "Restore this version" }).click();
    await page.waitForURL((url) => url.pathname === `/${dir}/New` && !url.searchParams.has("revision"));
    assert.match(await page.locator("article").innerText(), /First words/);

    // Undo the whole rename.
    await page.goto(`${ada}/-/commit/${renameCommit}`);
    await page.getByRole("link", { name: "Undo this change" }).click();
    await page.getByRole("button", { name: "Undo it" }).click();
    await page.waitForLoadState();
    const result = await page.locator("main").innerText();
    if (/can’t be undone/.test(result)) assert.match(result, /Nothing was changed/);
    else assert.match(await service.pageContent("ada", `${dir}/Linker`), new RegExp(`^\\[\\[${dir}/Old\\]\\]`));
    assertNoViolations();
    await context.close();
  });

  test(`a change is undone completely or not at all, ${scriptMode}`, async () => {
    const { page, context, assertNoViolations } = await newVisitor("ada", { javaScriptEnabled });
    const name = `Revert_${javaScriptEnabled}`;
    await service.writePage("ada", name, "a\n\nb\n\nc\n");
    await service.writePage("ada", name, "A\n\nb\n\nc\n");
    const change = (await pageHistory(name))[0].commit;
    await service.writePage("ada", name, "A\n\nb\n\nC\n");
    await page.goto(`${ada}/-/revert/${change}`);
    await page.locator("#message").fill("It was wrong");
    await page.getByRole("button", { name: "Undo it" }).click();
    await page.locator(".told", { hasText: "Undone" }).waitFor();
    assert.equal(await service.pageContent("ada", name), "a\n\nb\n\nC\n");
    await service.writePage("ada", name, "AA\n\nb\n\nC\n");
    const before = (await pageHistory(name)).length;
    await page.goto(`${ada}/-/revert/${change}`);
    await page.getByRole("button", { name: "Undo it" }).click();
    await page.locator("h1", { hasText: "can’t be undone" }).waitFor();
    assert.equal((await pageHistory(name)).length, before);
    assertNoViolations();
    await context.close();
  });

  test(`a file is uploaded, replaced, restored, renamed and deleted, ${scriptMode}`, async () => {
    const { page, context, assertNoViolations } = await newVisitor("ada", { javaScriptEnabled });
    const name = `Files_${javaScriptEnabled}`;
    await service.writePage("ada", name, "![[note.txt]]\n");
    const file = (text, name = "note.txt") => ({ name, mimeType: "text/plain", buffer: Buffer.from(text) });
    const served = async (name) => (await service.request("GET", `${ada}/${name}`)).text;
    await page.goto(`${ada}/${name}/attachments`);
    await page.locator("#file").setInputFiles([file("one"), file("two", "second note.txt")]);
    await page.getByRole("button", { name: "Upload" }).click();
    await page.locator(".told", { hasText: "Uploaded" }).waitFor();
    assert.equal(await page.locator("tbody tr").count(), 2);
    assert.equal(await served(`${name}/note.txt`), "one");
    await page.getByRole("link", { name: "Manage note.txt", exact: true }).click();
    await page.locator("#file").setInputFiles(file("three", "another name.txt"));
    await page.getByRole("button", { name: "Replace", exact: true }).click();
    await page.waitForFunction(() => document.querySelectorAll("main ul.rows li").length === 2);
    assert.equal(await served(`${name}/note.txt`), "three");
    await page.getByRole("button", { name: /Restore/ }).click();
    await page.waitForFunction(() => document.querySelectorAll("main ul.rows li").length === 3);
    assert.equal(await served(`${name}/note.txt`), "one");
    await page.locator("#new").fill("renamed.txt");
    await page.getByRole("button", { name: "Rename", exact: true }).click();
    await waitForPath(page, `/${name}/attachment/renamed.txt`);
    assert.equal(await service.pageContent("ada", name), "![[renamed.txt]]\n");
    await page.getByRole("button", { name: "Delete this file" }).click();
    await waitForPath(page, `/${name}/attachments`);
    assert.equal(await page.locator("tbody tr").count(), 1);
    assert.equal((await service.request("GET", `${ada}/${name}/renamed.txt`)).status, 404);
    assertNoViolations();
    await context.close();
  });

  test(`a wiki becomes private and public again, ${scriptMode}`, async () => {
    const { page, context, assertNoViolations } = await newVisitor("ada", { javaScriptEnabled });
    const stranger = await newVisitor(null, { javaScriptEnabled });
    const saveSettings = async (visibility, title) => {
      await page.goto(ada + "/-/settings");
      await page.locator(`input[name=visibility][value=${visibility}]`).check();
      await page.getByLabel("Name").fill(title);
      await page.getByRole("button", { name: "Save" }).click();
      await page.locator(".told", { hasText: "Saved" }).waitFor();
    };
    await stranger.page.goto(ada + "/Garden");
    assert.equal(await stranger.page.locator("article").count(), 1);
    try {
      await saveSettings("private", "Ada's own");
      assert.match(await page.locator(".bar .brand").innerText(), /Ada's own/);
      assert.match(await page.locator("footer.foot").innerText(), /private/);
      await stranger.page.goto(ada + "/Garden");
      assert.equal(new URL(stranger.page.url()).pathname, "/auth/login", "a stranger is asked to sign in");
      assert.doesNotMatch(await stranger.page.content(), /Ada's own/);
    } finally {
      await saveSettings("public", "Ada's notebook");
    }
    await stranger.page.goto(ada + "/Garden");
    assert.equal(await stranger.page.locator("article").count(), 1);
    assertNoViolations(); stranger.assertNoViolations();
    await context.close(); await stranger.context.close();
  });
}

test("an expired session loses no text: the page warns, and the save can be sent again", async () => {
  const { page, context } = await newVisitor("ada");
  await page.goto(ada + "/Sandbox/Expired/edit");
  await context.clearCookies();
  await page.locator("#text").fill("an hour's work\n");
  await page.locator("[data-status]", { hasText: "only kept in this browser" }).waitFor();
  await page.locator("#message").fill("why");
  await savePage(page);
  await page.locator("h1", { hasText: "Not saved" }).waitFor();
  assert.equal(await page.locator("textarea").inputValue(), "an hour's work\n");
  const tab = await context.newPage();
  await signIn(tab, service, "ada");
  await page.getByRole("button", { name: "Send again" }).click();
  // The wiki's own session may not exist yet; the text is still there.
  if (await page.locator("h1", { hasText: "Not saved" }).count()) {
    await tab.goto(ada + "/");
    await page.getByRole("button", { name: "Send again" }).click();
  }
  await waitForPath(page, "/Sandbox/Expired");
  assert.equal((await pageHistory("Sandbox/Expired"))[0].message, "why");
  await context.close();
});

test("a save that is refused because of size or a taken name keeps the text", async () => {
  const { page, assertNoViolations } = await newVisitor("ada", { javaScriptEnabled: false });
  await page.goto(ada + "/Sandbox/Large/edit");
  const large = "0123456789abcdef ".repeat(64 * 1024);
  await page.locator("#text").fill(large);
  await savePage(page);
  await page.locator(".notice.warning", { hasText: "Not saved" }).waitFor();
  assert.equal((await page.locator("#text").inputValue()).length, large.length);
  await page.goto(ada + "/Sandbox/Taken/edit");
  await service.writePage("ada", "Sandbox/Taken", "theirs\n");
  await page.locator("#text").fill("mine\n");
  await savePage(page);
  await page.waitForLoadState();
  assert.match(await page.locator("main").innerText(), /Two edits conflict|exists|Not saved/);
  assert.match(await page.locator("#text").inputValue(), /mine/);
  assert.equal(await service.pageContent("ada", "Sandbox/Taken"), "theirs\n");
  assertNoViolations();
});
