// Importing through the form, with and without script: the owner uploads a vault, a
// folder or a repository, sees what will happen, chooses which page to keep, and gets
// the pages. IMPORT_SHOTS names a folder for screenshots of each step at 1280 and
// 390 px, light and dark.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { startService, launchBrowser, recordViolations, signIn } from "./service.mjs";

const commitCount = 1500; // enough for the import to take a few seconds

let service, chrome, repository, headCommit;
before(async () => {
  service = await startService();
  chrome = await launchBrowser();
  repository = mkdtempSync(join(tmpdir(), "robot-e2e-import-"));
  const git = (args, input) => execFileSync("git", args, { cwd: repository, input, env: { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" } }).toString().trim();
  git(["init", "-q", "--bare", "-b", "main", "."]);
  let history = "";
  for (let i = 0; i < commitCount; i++) {
    const [name, text] = i ? [`Notes/Page_${i % 300}.md`, `# Page ${i % 300}\n\nChanged ${i} times.\n`.repeat(20)] : ["Home.md", "# Observatory\n\nFrom a repository.\n"];
    const message = `Change ${i}`;
    history += `commit refs/heads/main\ncommitter Grace Hopper <grace@example.org> ${1_700_000_000 + i} +0000\ndata ${message.length}\n${message}\nM 100644 inline ${name}\ndata ${text.length}\n${text}\n`;
  }
  git(["fast-import", "--quiet"], history);
  git(["bundle", "create", "-q", "wiki.bundle", "--all"]);
  headCommit = git(["rev-parse", "main"]);
});
after(async () => { await chrome?.close(); await service?.stop(); if (repository) rmSync(repository, { recursive: true, force: true }); });

for (const [person, javaScriptEnabled] of [["cleo", true], ["dan", false]]) {
  test(`an owner imports a repository, ${javaScriptEnabled ? "with" : "without"} script`, async () => {
    const context = await chrome.newContext({ viewport: { width: 390, height: 844 }, javaScriptEnabled });
    const violations = recordViolations(context);
    const page = await context.newPage();
    await signIn(page, service, person);
    await page.goto(service.url + "/app/create");
    await page.getByRole("main").getByRole("button").first().click();
    const wiki = service.wikiURL(person);
    await page.waitForURL(wiki + "/**");

    await page.goto(wiki + "/-/import");
    await page.getByLabel("Git bundle").check();
    await page.getByLabel("File", { exact: true }).setInputFiles(join(repository, "wiki.bundle"));
    await page.getByRole("button", { name: "See what will happen" }).click();
    await page.getByRole("heading", { name: "Ready to import" }).waitFor({ timeout: 60_000 });
    assert.match(await page.getByRole("main").innerText(), new RegExp(`Commits\\s+${commitCount}`));
    await page.getByRole("button", { name: /^Import \d+ pages/ }).click();
    await page.waitForURL(wiki + "/-/import");

    // The page shows the current step and its progress, and refreshes itself.
    const steps = new Set();
    for (const end = Date.now() + 120_000; Date.now() < end;) {
      const text = await page.getByRole("main").innerText().catch(() => ""); // between two page loads
      if (/commits imported/.test(text)) break;
      for (const item of await page.locator(".stages li").allInnerTexts().catch(() => [])) {
        const [, step, done, total] = /^(.+?)\s*(?:(\d+) of )?(\d+)?$/.exec(item.trim()) ?? [];
        if (step) steps.add(step);
        if (done) assert.ok(Number(done) <= Number(total), item);
      }
      await new Promise((done) => setTimeout(done, 50));
    }
    assert.match(await page.getByRole("main").innerText(), new RegExp(`${commitCount} commits imported, with 300 pages`.replace("300", "\\d+")));
    assert.ok(steps.size > 0, "the page showed no progress"); // on a fast machine, perhaps without numbers

    await page.goto(wiki + "/");
    assert.match(await page.getByRole("main").innerText(), /From a repository/);
    await page.goto(wiki + "/-/changelog");
    assert.match(await page.getByRole("main").innerText(), new RegExp(`Change ${commitCount - 1}`));
    assert.ok((await page.content()).includes(headCommit.slice(0, 7)), "commit ids are kept");
    assert.deepEqual(violations, []);
    await context.close();
  });
}

// zipOf makes a zip of files by path, without compression (APPNOTE.TXT, 4.3).
function zipOf(files) {
  const table = Array.from({ length: 256 }, (_, n) => { for (let i = 0; i < 8; i++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1; return n >>> 0; });
  const crc = (data) => { let c = 0xffffffff; for (const byte of data) c = table[(c ^ byte) & 0xff] ^ (c >>> 8); return (c ^ 0xffffffff) >>> 0; };
  const parts = [], list = [];
  let at = 0;
  for (const [path, text] of Object.entries(files)) {
    const name = Buffer.from(path), data = Buffer.from(text), facts = Buffer.alloc(26);
    facts.writeUInt16LE(20, 0); // version
    facts.writeUInt16LE(0x800, 2); // names are UTF-8
    facts.writeUInt32LE(crc(data), 10);
    facts.writeUInt32LE(data.length, 14);
    facts.writeUInt32LE(data.length, 18);
    facts.writeUInt16LE(name.length, 22);
    parts.push(Buffer.from("PK\x03\x04"), facts, name, data);
    const where = Buffer.alloc(14);
    where.writeUInt32LE(at, 10);
    list.push(Buffer.from("PK\x01\x02\x14\x00"), facts, where, name);
    at += 30 + name.length + data.length;
  }
  const directory = Buffer.concat(list), end = Buffer.alloc(18);
  end.writeUInt16LE(Object.keys(files).length, 4);
  end.writeUInt16LE(Object.keys(files).length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...parts, directory, Buffer.from("PK\x05\x06"), end]);
}

const vault = {
  "Vault/.obsidian/app.json": "{}",
  "Vault/Home.md": "# Home of the vault\n\n[[Allotment/Beds]], [[Allotment/history]]\n\n![[bed.png]]\n",
  "Vault/Allotment/Beds.md": "# Beds\n\nBack to [home](../Home.md), or [[Nowhere]]. #garden\n",
  "Vault/Allotment/history.md": "# History of the garden\n",
  "Vault/bed.png": Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64"),
};

// shoot takes screenshots of a step.
async function shoot(page, step) {
  if (!process.env.IMPORT_SHOTS) return;
  for (const width of [1280, 390]) for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    await page.screenshot({ path: join(process.env.IMPORT_SHOTS, `${step}-${width}-${colorScheme}.png`), fullPage: true });
  }
  await page.setViewportSize({ width: 390, height: 844 });
  await page.emulateMedia({ colorScheme: null });
}

// settled waits for the result of a step, whose page refreshes by itself.
async function settled(page, heading) {
  await page.getByRole("heading", { level: 1, name: heading }).waitFor({ timeout: 60_000 });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${heading}: ${wide} px too wide`);
}

for (const [person, javaScriptEnabled] of [["ada", true], ["bob", false]]) {
  test(`an owner imports a vault, ${javaScriptEnabled ? "with" : "without"} script`, async () => {
    const context = await chrome.newContext({ viewport: { width: 390, height: 844 }, javaScriptEnabled });
    const violations = recordViolations(context);
    const page = await context.newPage();
    await signIn(page, service, person);
    const wiki = service.wikiURL(person);
    await page.goto(wiki + "/-/settings");
    await page.getByRole("link", { name: "Import pages" }).click();
    await settled(page, "Import pages");
    await shoot(page, "form");

    // What will happen: one name is taken, one has no address, one link leads nowhere.
    const address = page.getByLabel("Address of a repository");
    assert.equal(await address.isVisible(), false, "an address for a file");
    await page.getByRole("radio", { name: "Git address" }).check();
    assert.ok(await address.isVisible());
    assert.equal(await page.getByLabel("File", { exact: true }).isVisible(), false, "a file for an address");
    await page.getByRole("radio", { name: "Folder of Markdown" }).check();
    await page.getByLabel("File", { exact: true }).setInputFiles({ name: "vault.zip", mimeType: "application/zip", buffer: zipOf(vault) });
    await page.getByRole("button", { name: "See what will happen" }).click();
    await settled(page, "Ready to import");
    const preview = await page.getByRole("main").innerText();
    for (const part of ["vault.zip, an Obsidian vault", "One name is taken", "1 file gets a new name", "1 link leads nowhere", "1 file is left out", "one commit by you"]) assert.ok(preview.includes(part), `${part}:\n${preview}`);
    for (const summary of await page.locator("summary").all()) await summary.click();
    await shoot(page, "preview");
    await page.getByRole("group", { name: "Home" }).getByText("Keep both").click();
    await page.getByRole("button", { name: "Import 2 pages" }).click();
    await settled(page, "3 pages imported");
    await shoot(page, "done");

    await page.goto(wiki + "/Home%20(2)");
    assert.match(await page.getByRole("main").innerText(), /Home of the vault/);
    await page.getByRole("link", { name: "Allotment/history" }).click();
    assert.match(await page.getByRole("main").innerText(), /History of the garden/);
    await page.goto(wiki + "/Allotment/Beds");
    await page.getByRole("link", { name: "home", exact: true }).click();
    assert.match(await page.getByRole("main").innerText(), /Home of the vault/);

    // Too much: a folder can be left out.
    const much = { "Start.md": "# Start\n" };
    for (let i = 0; i < 500; i++) much[`Daily notes/${i}.md`] = "x\n";
    await page.goto(wiki + "/-/import?new=1");
    await page.getByLabel("File", { exact: true }).setInputFiles({ name: "diary.zip", mimeType: "application/zip", buffer: zipOf(much) });
    await page.getByLabel("Folder", { exact: true }).fill("Diary");
    await page.getByRole("button", { name: "See what will happen" }).click();
    await settled(page, /This doesn.t fit/);
    await shoot(page, "refused");
    await page.getByLabel("Daily notes").check();
    await page.getByRole("button", { name: "Check again" }).click();
    await settled(page, "Ready to import");
    await page.getByRole("button", { name: "Choose another source" }).click();
    await settled(page, "Import pages");

    // A folder instead of a zip. Undoing an import takes all of it back.
    const folder = mkdtempSync(join(tmpdir(), "robot-e2e-vault-"));
    for (const [path, text] of Object.entries({ "Notes/One.md": "# One\n", "Notes/sub/Two.md": "# Two\n" })) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    await page.getByLabel("Or a folder").setInputFiles(join(folder, "Notes"));
    await page.getByRole("button", { name: "See what will happen" }).click();
    await settled(page, "Ready to import");
    await page.getByRole("button", { name: "Import 2 pages" }).click();
    await settled(page, "2 pages imported");
    rmSync(folder, { recursive: true, force: true });
    await page.goto(wiki + "/sub/Two");
    assert.match(await page.getByRole("main").innerText(), /Two/);
    await page.goto(wiki + "/-/import");
    await page.getByRole("link", { name: "Undo the import" }).click();
    await page.getByRole("main").getByRole("button", { name: /undo|revert/i }).first().click();
    await page.waitForLoadState();
    const answer = await page.goto(wiki + "/sub/Two");
    assert.equal(answer.status(), 404);
    assert.deepEqual(violations, []);
    await context.close();
  });
}

const dump = `<mediawiki><siteinfo><sitename>Birds</sitename><base>https://example.org/wiki/Main_Page</base></siteinfo>
<page><title>Main Page</title><ns>0</ns>
<revision><timestamp>2005-03-01T10:00:00Z</timestamp><contributor><username>Ann</username></contributor><comment>Begin</comment><text>See [[Dove]].</text></revision>
<revision><timestamp>2007-01-02T00:00:00Z</timestamp><contributor><username>Bob</username></contributor><minor /><comment>Say more</comment><text>'''Birds''' such as the [[dove]], [[Pigeon|pigeons]] and [[Eagle]]s. {{Stub}}</text></revision></page>
<page><title>Dove</title><ns>0</ns><revision><timestamp>2006-01-01T00:00:00Z</timestamp><contributor><username>Bob</username></contributor><text>[[File:Nest.png|thumb|The nest]]
Coo. [[Category:Birds of Europe]]</text></revision></page>
<page><title>Pigeon</title><ns>0</ns><redirect title="Dove" /><revision><timestamp>2006-03-01T00:00:00Z</timestamp><text>#REDIRECT [[Dove]]</text></revision></page>
<page><title>Talk:Dove</title><ns>1</ns><revision><timestamp>2006-03-01T00:00:00Z</timestamp><text>chat</text></revision></page>
</mediawiki>`;

test("an owner imports a MediaWiki export with its pictures and all versions", async () => {
  const own = await startService();
  const context = await chrome.newContext({ viewport: { width: 390, height: 844 } });
  const violations = recordViolations(context);
  try {
    const page = await context.newPage();
    await signIn(page, own, "cleo");
    await page.goto(own.url + "/app/create");
    await page.getByRole("main").getByRole("button").first().click();
    const wiki = own.wikiURL("cleo");
    await page.waitForURL(wiki + "/**");
    await page.goto(wiki + "/-/import");
    await page.getByRole("radio", { name: "MediaWiki" }).check();
    await shoot(page, "mediawiki-form");
    const zip = zipOf({ "wiki/dump.xml": dump, "wiki/images/a/ab/Nest.png": vault["Vault/bed.png"], "wiki/images/thumb/a/ab/Nest.png/20px-Nest.png": vault["Vault/bed.png"] });
    await page.getByLabel("File", { exact: true }).setInputFiles({ name: "birds.zip", mimeType: "application/zip", buffer: zip });
    await page.getByRole("button", { name: "See what will happen" }).click();
    await settled(page, "Ready to import");
    for (const summary of await page.locator("summary").all()) await summary.click();
    const preview = await page.getByRole("main").innerText();
    for (const part of ["birds.zip, a MediaWiki export", "1 older revision is left out", "one commit by you", "a redirect, becomes another name of Dove", "Talk:"]) assert.ok(preview.includes(part), `${part}:\n${preview}`);
    await shoot(page, "mediawiki-preview");
    await page.getByRole("button", { name: "Import all versions" }).click();
    await page.getByText("All versions of the pages become").waitFor({ timeout: 60_000 });
    assert.match(await page.getByRole("main").innerText(), /Commits\s+4/);
    await shoot(page, "mediawiki-versions");
    await page.getByRole("button", { name: "Import 2 pages" }).click();
    await settled(page, "2 pages imported");

    await page.goto(wiki + "/");
    assert.equal(await page.locator("article strong").innerText(), "Birds");
    await page.getByRole("link", { name: "pigeons" }).click();
    await page.waitForURL(wiki + "/Dove");
    assert.ok(await page.locator("article img").evaluate((img) => img.complete && img.naturalWidth > 0), "the picture is shown");
    await page.goto(wiki + "/Home/history");
    const history = await page.getByRole("main").innerText();
    for (const part of ["Say more", "Bob", "Begin", "Ann"]) assert.ok(history.includes(part), `${part}:\n${history}`);
    await page.goto(wiki + "/-/settings");
    await shoot(page, "imports-settings");
    assert.deepEqual(violations, []);
  } finally {
    await context.close();
    await own.stop();
  }
});
