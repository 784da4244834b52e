// A writer's ways through the wiki, beyond the editor itself: what becomes of
// texts, pages, files and settings, with a script and without.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { start, browser, watch, signIn } from "./service.mjs";

let service, chrome, ada, writer;
before(async () => {
  service = await start();
  chrome = await browser();
  ada = service.wiki("ada");
  writer = await visitor("ada");
});
after(async () => { await chrome?.close(); await service?.stop(); });

async function visitor(name, options = {}) {
  const context = await chrome.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const seen = watch(context);
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  if (name) await signIn(page, service, name);
  return { context, page, seen, clean: () => assert.deepEqual(seen.splice(0), []) };
}

const png = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
const save = (page) => page.locator("#message").press("Enter");
const history = async (name) => (await service.api("ada", "GET", `/pages/${name}/history`)).history;
const at = (page, path) => page.waitForURL((url) => decodeURIComponent(url.pathname) === path);

test("create by key, from a red link, and by name; edit by key; search by key", async () => {
  const { page, clean } = writer;
  await page.goto(ada + "/Garden");
  await page.keyboard.press("c");
  await at(page, "/-/create");
  await page.locator("#pagename").fill("Sandbox/By Key");
  await page.keyboard.press("Enter");
  await at(page, "/Sandbox/By_Key/edit");
  await page.locator("#text").fill("See [[Sandbox/Not Yet]].\n");
  await page.locator("#message").fill("made by key");
  await save(page);
  await at(page, "/Sandbox/By_Key");
  assert.equal((await history("Sandbox/By_Key"))[0].message, "made by key");
  await page.locator("article a.red").click();
  await at(page, "/Sandbox/Not_Yet/edit");
  await page.locator("#text").fill("Now it is.\n");
  await page.getByRole("button", { name: "Create page" }).click();
  await at(page, "/Sandbox/Not_Yet");
  await page.locator(".ends").getByRole("link", { name: "Sandbox/By Key" }).click();
  await at(page, "/Sandbox/By_Key");
  assert.equal(await page.locator("article a.red").count(), 0);
  await page.keyboard.press("e");
  await at(page, "/Sandbox/By_Key/edit");
  await page.goto(ada + "/Garden");
  await page.keyboard.press("/");
  await page.keyboard.type("by key");
  await page.locator("#found [role=option]").first().waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await at(page, "/Sandbox/By_Key");
  clean();
});

test("what is typed is what is saved: line ends, byte-order mark, final newline, and no commit without a change", async () => {
  const { page, clean } = writer;
  for (const [i, text] of ["one\ntwo\n", "one\r\ntwo\r\n", "one\ntwo", "\uFEFFone\r\ntwo", "\n\none\n\n\n", "one\r\ntwo\nthree\r\n"].entries()) {
    const name = `Sandbox/Ends_${i}`;
    await service.write("ada", name, text);
    await page.goto(`${ada}/${name}/edit`);
    await save(page);
    await at(page, "/" + name);
    assert.match(await page.locator(".told").innerText(), /Nothing changed/, JSON.stringify(text));
    assert.equal((await history(name)).length, 1, JSON.stringify(text));
    assert.equal(new URL(page.url()).search, "", "a reload does not tell it again");
    await page.goto(`${ada}/${name}/edit`);
    await page.locator("#text").fill((await page.locator("#text").inputValue()).replace("one", "ONE"));
    await save(page);
    await at(page, "/" + name);
    assert.equal(await service.content("ada", name), text.replace("one", "ONE"));
  }
  clean();
});

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? "with a script" : "without a script";
  test(`two people's edits, ${how}: merged where they can be, else both are shown`, async () => {
    const name = `Sandbox/Two_${javaScriptEnabled}`;
    await service.write("ada", name, "# Two\n\nfirst\n\nmiddle\n\nlast\n");
    const mine = await visitor("ada", { javaScriptEnabled }), theirs = await visitor("bob", { javaScriptEnabled });
    const edit = async ({ page }, change) => {
      await page.goto(`${ada}/${name}/edit`);
      await page.locator("#text").fill(change(await page.locator("#text").inputValue()));
    };
    await edit(mine, (text) => text.replace("first", "first, by ada"));
    await edit(theirs, (text) => text.replace("last", "last, by bob"));
    await save(theirs.page);
    await at(theirs.page, "/" + name);
    await save(mine.page);
    await at(mine.page, "/" + name);
    assert.match(await mine.page.locator(".told").innerText(), /merged with changes that someone else saved/);
    assert.equal(await service.content("ada", name), "# Two\n\nfirst, by ada\n\nmiddle\n\nlast, by bob\n");

    await edit(mine, (text) => text.replace("middle", "ada's middle"));
    await edit(theirs, (text) => text.replace("middle", "bob's middle"));
    await save(theirs.page);
    await at(theirs.page, "/" + name);
    await mine.page.locator("#message").fill("mine");
    await save(mine.page);
    const { page } = mine;
    await page.locator("h1", { hasText: "Two edits met in one place" }).waitFor();
    const shown = await page.locator("form fieldset").first().innerText();
    for (const part of ["bob's middle", "ada's middle", "bob"]) assert.ok(shown.includes(part), `${part} is not shown in:\n${shown}`);
    await page.locator("form fieldset summary").click();
    assert.ok((await page.locator("form fieldset details").innerText()).includes("middle"), "the base is shown");
    assert.ok(await page.locator("form fieldset ins").count() >= 2, "what differs is marked");
    assert.equal(await page.locator("#text").inputValue(), "# Two\n\nfirst, by ada\n\nada's middle\n\nlast, by bob\n");
    assert.equal(await page.locator("#message").inputValue(), "mine");
    assert.equal(await service.content("ada", name), "# Two\n\nfirst, by ada\n\nbob's middle\n\nlast, by bob\n", "nothing is saved yet");
    await page.getByLabel("Keep theirs").check();
    if (javaScriptEnabled) await page.waitForFunction(() => document.querySelector("#text").value.includes("bob's"));
    else await page.getByRole("button", { name: "Preview" }).click();
    await page.locator("#text").fill((await page.locator("#text").inputValue()).replace("bob's middle", "our middle"));
    await save(page);
    await at(page, "/" + name);
    assert.equal(await service.content("ada", name), "# Two\n\nfirst, by ada\n\nour middle\n\nlast, by bob\n");
    await page.goto(`${ada}/${name}/edit`);
    assert.equal(await page.getByText("You left a draft").count(), 0, "the Draft discarded with the save");
    mine.clean(); theirs.clean();
    await mine.context.close(); await theirs.context.close();
  });
}

test("a page that is deleted while somebody writes does not take their text along", async () => {
  const { page, clean } = writer;
  await service.write("ada", "Sandbox/Gone", "old\n");
  await page.goto(ada + "/Sandbox/Gone/edit");
  await page.locator("#text").fill("new\n");
  const { revision } = await service.api("ada", "GET", "/pages/Sandbox/Gone");
  await service.api("ada", "DELETE", "/pages/Sandbox/Gone", { revision });
  await save(page);
  await page.locator("h1", { hasText: "This page was deleted" }).waitFor();
  assert.equal(await page.locator("#text").inputValue(), "new\n");
  await save(page);
  await at(page, "/Sandbox/Gone");
  assert.equal(await service.content("ada", "Sandbox/Gone"), "new\n");
  clean();
});

test("closing the tab leaves a draft on the server, which is offered back and can be discarded", async () => {
  const { context, clean } = writer;
  await service.write("ada", "Sandbox/Closed", "saved\n");
  const tab = await context.newPage();
  await tab.goto(ada + "/Sandbox/Closed/edit");
  await tab.locator("#text").fill("half a thought\n");
  await tab.close({ runBeforeUnload: true });
  const elsewhere = await visitor("ada"); // another browser: nothing is kept in it
  let text;
  for (let i = 0; i < 40 && text !== "half a thought\n"; i++) {
    await elsewhere.page.goto(ada + "/Sandbox/Closed/edit");
    text = await elsewhere.page.locator("#text").inputValue();
  }
  assert.equal(text, "half a thought\n");
  assert.match(await elsewhere.page.locator(".notice").first().innerText(), /You left a draft/);
  await elsewhere.page.locator(".notice summary").click();
  assert.ok(await elsewhere.page.locator(".notice ins").count() > 0, "the difference is shown");
  await elsewhere.page.getByRole("button", { name: "Discard draft" }).click();
  await elsewhere.page.locator(".told", { hasText: "Draft discarded" }).waitFor();
  assert.equal(await elsewhere.page.locator("#text").inputValue(), "saved\n");
  elsewhere.clean(); clean();
  await elsewhere.context.close();
});

test("completion by the pointer, in a name that does not exist yet, and closed by Esc", async () => {
  const { page, clean } = writer;
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
  clean();
});

test("each button of the toolbar is taken back by undo", async () => {
  const { page, clean } = writer;
  await page.goto(ada + "/Sandbox/Undo/edit");
  const area = page.locator("#text");
  const tools = await page.locator("[data-tool]").evaluateAll((buttons) => buttons.map((b) => b.dataset.tool).filter((t) => t !== "attach"));
  assert.ok(tools.length >= 11, tools.join());
  for (const tool of tools) {
    await area.fill("some words\n\n");
    await area.pressSequentially("here");
    await area.evaluate((a) => a.setSelectionRange(5, 10));
    const before = await area.inputValue();
    await page.locator(`[data-tool=${tool}]`).click();
    assert.notEqual(await area.inputValue(), before, `${tool} does something`);
    await page.keyboard.press("Escape");
    for (let i = 0; i < 3 && await area.inputValue() !== before; i++) await page.keyboard.press("Control+z");
    assert.equal(await area.inputValue(), before, `${tool} is taken back`);
  }
  await area.fill("");
  clean();
});

test("an address pasted over words is a link; a file dropped is a placeholder, then attached", async () => {
  const { page, context, clean } = writer;
  await service.write("ada", "Sandbox/Drop", "read the manual first\n");
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
  let go;
  const held = new Promise((done) => { go = done; });
  await context.route("**/inline_attachment", async (route) => { await held; await route.continue(); });
  await area.evaluate((a, bytes) => {
    a.setSelectionRange(a.value.length, a.value.length);
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([Uint8Array.from(bytes)], "dot.png", { type: "image/png" }));
    a.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
  }, [...png]);
  await page.waitForFunction(() => document.querySelector("#text").value.includes("![Uploading dot.png"));
  await area.evaluate((a) => a.setSelectionRange(0, 0));
  await page.keyboard.type("Do ");
  go();
  await page.waitForFunction(() => document.querySelector("#text").value.includes("](./dot.png)"));
  assert.equal(await area.inputValue(), "Do read the [manual](https://example.org/a%28b%29) first\n![dot](./dot.png)\n");
  await context.unroute("**/inline_attachment");
  await save(page);
  await at(page, "/Sandbox/Drop");
  assert.ok(await page.locator("article img").evaluate((img) => img.decode().then(() => img.naturalWidth)) > 0, "the picture is shown");
  clean();
});

test("an upload that fails says why, and leaves the text as it was", async () => {
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
  const how = javaScriptEnabled ? "with a script" : "without a script";
  test(`rename, delete, restore and revert, ${how}`, async () => {
    const { page, context, clean } = await visitor("ada", { javaScriptEnabled });
    const dir = `Sandbox_${javaScriptEnabled}`;
    await service.write("ada", `${dir}/Old`, "First words.\n");
    await service.write("ada", `${dir}/Old`, "Second words.\n");
    await service.write("ada", `${dir}/Old/Below`, "Below.\n");
    await service.write("ada", `${dir}/Linker`, `[[${dir}/Old]] and [[${dir}/Old/Below|below]], not \`[[${dir}/Old]]\`.\n`);
    await page.goto(`${ada}/${dir}/Old/edit`);
    await page.getByRole("link", { name: "Rename this page" }).click();
    await page.locator("#new").fill(`${dir}/New`);
    await page.getByRole("button", { name: "Rename", exact: true }).click();
    await at(page, `/${dir}/New`);
    assert.match(await page.locator(".told").innerText(), /Renamed/);
    assert.equal(await service.content("ada", `${dir}/Linker`), `[[${dir}/New]] and [[${dir}/New/Below|below]], not \`[[${dir}/Old]]\`.\n`);
    for (const below of ["", "/Below"]) {
      await page.goto(`${ada}/${dir}/Old${below}`);
      assert.equal(new URL(page.url()).pathname, `/${dir}/New${below}`);
    }
    const moved = (await history(`${dir}/New`))[0].commit;
    assert.deepEqual(new Set((await history(`${dir}/Linker`)).map((h) => h.commit)).has(moved), true, "it is one commit");

    await page.goto(`${ada}/${dir}/New/history`);
    await page.locator("a.mono[href*='revision=']").last().click();
    assert.match(await page.locator("article").innerText(), /First words/);
    await page.getByRole("button", { name: "Restore this version" }).click();
    await page.waitForURL((url) => url.pathname === `/${dir}/New` && !url.searchParams.has("revision"));
    assert.equal(await service.content("ada", `${dir}/New`), "First words.\n");

    await page.goto(`${ada}/${dir}/New/delete`);
    assert.match(await page.locator("main").innerText(), /1 page links here/);
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await at(page, "/-/changelog");
    assert.match(await page.locator(".told").innerText(), /Deleted/);
    // The page is gone; its folder is still one.
    await page.goto(`${ada}/${dir}/New/Below`);
    assert.match(await page.locator("article").innerText(), /Below/);
    await page.goto(`${ada}/${dir}/New/history`);
    assert.match(await page.locator("main").innerText(), /was deleted/);
    await page.locator("a.mono[href*='revision=']").first().click();
    await page.getByRole("button", { name: "Restore this version" }).click();
    await page.waitForURL((url) => url.pathname === `/${dir}/New` && !url.searchParams.has("revision"));
    assert.match(await page.locator("article").innerText(), /First words/);

    // Undo the rename, all of it.
    await page.goto(`${ada}/-/commit/${moved}`);
    await page.getByRole("link", { name: "Undo this change" }).click();
    await page.getByRole("button", { name: "Undo it" }).click();
    await page.waitForLoadState();
    const told = await page.locator("main").innerText();
    if (/can’t be undone/.test(told)) assert.match(told, /Nothing was changed/);
    else assert.match(await service.content("ada", `${dir}/Linker`), new RegExp(`^\\[\\[${dir}/Old\\]\\]`));
    clean();
    await context.close();
  });

  test(`a change is undone, or nothing is, ${how}`, async () => {
    const { page, context, clean } = await visitor("ada", { javaScriptEnabled });
    const name = `Revert_${javaScriptEnabled}`;
    await service.write("ada", name, "a\n\nb\n\nc\n");
    await service.write("ada", name, "A\n\nb\n\nc\n");
    const change = (await history(name))[0].commit;
    await service.write("ada", name, "A\n\nb\n\nC\n");
    await page.goto(`${ada}/-/revert/${change}`);
    await page.locator("#message").fill("It was wrong");
    await page.getByRole("button", { name: "Undo it" }).click();
    await page.locator(".told", { hasText: "Undone" }).waitFor();
    assert.equal(await service.content("ada", name), "a\n\nb\n\nC\n");
    await service.write("ada", name, "AA\n\nb\n\nC\n");
    const before = (await history(name)).length;
    await page.goto(`${ada}/-/revert/${change}`);
    await page.getByRole("button", { name: "Undo it" }).click();
    await page.locator("h1", { hasText: "can’t be undone" }).waitFor();
    assert.equal((await history(name)).length, before);
    clean();
    await context.close();
  });

  test(`files: upload, replace, rename, go back, delete, ${how}`, async () => {
    const { page, context, clean } = await visitor("ada", { javaScriptEnabled });
    const name = `Files_${javaScriptEnabled}`;
    await service.write("ada", name, "![[note.txt]]\n");
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
    await at(page, `/${name}/attachment/renamed.txt`);
    assert.equal(await service.content("ada", name), "![[renamed.txt]]\n");
    await page.getByRole("button", { name: "Delete this file" }).click();
    await at(page, `/${name}/attachments`);
    assert.equal(await page.locator("tbody tr").count(), 1);
    assert.equal((await service.request("GET", `${ada}/${name}/renamed.txt`)).status, 404);
    clean();
    await context.close();
  });

  test(`who may read is switched, ${how}`, async () => {
    const { page, context, clean } = await visitor("ada", { javaScriptEnabled });
    const stranger = await visitor(null, { javaScriptEnabled });
    const set = async (visibility, title) => {
      await page.goto(ada + "/-/settings");
      await page.locator(`input[name=visibility][value=${visibility}]`).check();
      await page.getByLabel("Name").fill(title);
      await page.getByRole("button", { name: "Save" }).click();
      await page.locator(".told", { hasText: "Saved" }).waitFor();
    };
    await stranger.page.goto(ada + "/Garden");
    assert.equal(await stranger.page.locator("article").count(), 1);
    try {
      await set("private", "Ada's own");
      assert.match(await page.locator(".bar .brand").innerText(), /Ada's own/);
      assert.match(await page.locator("footer.foot").innerText(), /private/);
      await stranger.page.goto(ada + "/Garden");
      assert.equal(new URL(stranger.page.url()).pathname, "/auth/login", "a stranger is asked to sign in");
      assert.doesNotMatch(await stranger.page.content(), /Ada's own/);
    } finally {
      await set("public", "Ada's notebook");
    }
    await stranger.page.goto(ada + "/Garden");
    assert.equal(await stranger.page.locator("article").count(), 1);
    clean(); stranger.clean();
    await context.close(); await stranger.context.close();
  });
}

test("a session that ends does not end the text: drafts say so, and saving gives it back", async () => {
  const { page, context } = await visitor("ada");
  await page.goto(ada + "/Sandbox/Expired/edit");
  await context.clearCookies();
  await page.locator("#text").fill("an hour's work\n");
  await page.locator("[data-status]", { hasText: "only kept in this browser" }).waitFor();
  await page.locator("#message").fill("why");
  await save(page);
  await page.locator("h1", { hasText: "Not saved" }).waitFor();
  assert.equal(await page.locator("textarea").inputValue(), "an hour's work\n");
  const tab = await context.newPage();
  await signIn(tab, service, "ada");
  await page.getByRole("button", { name: "Send again" }).click();
  // The wiki's own session is not there yet; the text still is.
  if (await page.locator("h1", { hasText: "Not saved" }).count()) {
    await tab.goto(ada + "/");
    await page.getByRole("button", { name: "Send again" }).click();
  }
  await at(page, "/Sandbox/Expired");
  assert.equal((await history("Sandbox/Expired"))[0].message, "why");
  await context.close();
});

test("a text that is too large, or a name that is taken meanwhile, comes back", async () => {
  const { page, clean } = await visitor("ada", { javaScriptEnabled: false });
  await page.goto(ada + "/Sandbox/Large/edit");
  const large = "0123456789abcdef ".repeat(64 * 1024);
  await page.locator("#text").fill(large);
  await save(page);
  await page.locator(".notice.warning", { hasText: "Not saved" }).waitFor();
  assert.equal((await page.locator("#text").inputValue()).length, large.length);
  await page.goto(ada + "/Sandbox/Taken/edit");
  await service.write("ada", "Sandbox/Taken", "theirs\n");
  await page.locator("#text").fill("mine\n");
  await save(page);
  await page.waitForLoadState();
  assert.match(await page.locator("main").innerText(), /Two edits met|exists|Not saved/);
  assert.match(await page.locator("#text").inputValue(), /mine/);
  assert.equal(await service.content("ada", "Sandbox/Taken"), "theirs\n");
  clean();
});
