// Importing a repository through the form, as its owner sees it: the file is sent,
// the page says how far it is, and the wiki is the repository; with script and
// without. IMPORT_SHOT names a file for a picture of the progress at 390 px.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { start, browser, watch, signIn } from "./service.mjs";

const commits = 1500; // so many that it takes some seconds

let service, chrome, dir, head;
before(async () => {
  service = await start();
  chrome = await browser();
  dir = mkdtempSync(join(tmpdir(), "robot-e2e-import-"));
  const git = (args, input) => execFileSync("git", args, { cwd: dir, input, env: { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" } }).toString().trim();
  git(["init", "-q", "--bare", "-b", "main", "."]);
  let history = "";
  for (let i = 0; i < commits; i++) {
    const [name, text] = i ? [`Notes/Page_${i % 300}.md`, `# Page ${i % 300}\n\nChanged ${i} times.\n`.repeat(20)] : ["Home.md", "# Observatory\n\nFrom a repository.\n"];
    const message = `Change ${i}`;
    history += `commit refs/heads/main\ncommitter Grace Hopper <grace@example.org> ${1_700_000_000 + i} +0000\ndata ${message.length}\n${message}\nM 100644 inline ${name}\ndata ${text.length}\n${text}\n`;
  }
  git(["fast-import", "--quiet"], history);
  git(["bundle", "create", "-q", "wiki.bundle", "--all"]);
  head = git(["rev-parse", "main"]);
});
after(async () => { await chrome?.close(); await service?.stop(); if (dir) rmSync(dir, { recursive: true, force: true }); });

for (const [who, javaScriptEnabled] of [["cleo", true], ["dan", false]]) {
  test(`an owner imports a repository, ${javaScriptEnabled ? "with" : "without"} script`, async () => {
    const context = await chrome.newContext({ viewport: { width: 390, height: 844 }, javaScriptEnabled });
    const seen = watch(context);
    const page = await context.newPage();
    await signIn(page, service, who);
    await page.goto(service.url + "/app/create");
    await page.getByRole("main").getByRole("button").first().click();
    const wiki = service.wiki(who);
    await page.waitForURL(wiki + "/**");

    await page.goto(wiki + "/-/import");
    await page.getByLabel("Git bundle, or a zip of a repository").setInputFiles(join(dir, "wiki.bundle"));
    await page.getByRole("button", { name: "Import" }).click();
    await page.waitForURL(wiki + "/-/import");

    // It says what it does and how far it is, and looks again by itself.
    const steps = new Set();
    let shot;
    for (const end = Date.now() + 120_000; Date.now() < end;) {
      const text = await page.getByRole("main").innerText().catch(() => ""); // between two pages
      if (/commits imported/.test(text)) break;
      const [, step, at, all] = /^(.+?)(?:: (\d+) of (\d+))?…$/m.exec(text) ?? [];
      if (step) steps.add(step);
      if (all) assert.ok(Number(at) <= Number(all), text);
      if (step && !shot && process.env.IMPORT_SHOT && javaScriptEnabled) shot = await page.screenshot({ path: process.env.IMPORT_SHOT }).catch(() => undefined);
      await new Promise((next) => setTimeout(next, 50));
    }
    assert.match(await page.getByRole("main").innerText(), new RegExp(`${commits} commits imported, with 300 pages`.replace("300", "\\d+")));
    assert.ok(steps.size > 0, "nothing was seen of the progress"); // of a fast machine's, the numbers may not be

    await page.goto(wiki + "/");
    assert.match(await page.getByRole("main").innerText(), /From a repository/);
    await page.goto(wiki + "/-/changelog");
    assert.match(await page.getByRole("main").innerText(), new RegExp(`Change ${commits - 1}`));
    assert.ok((await page.content()).includes(head.slice(0, 7)), "the id stays");
    assert.deepEqual(seen, []);
    await context.close();
  });
}
