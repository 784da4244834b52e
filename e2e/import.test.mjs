// Importing a repository through the form, with and without script: the owner
// uploads a file, the page shows progress, and the wiki becomes the repository.
// IMPORT_SHOT names a file for a screenshot of the progress page at 390 px.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
    await page.getByLabel("Git bundle, or a zip of a repository").setInputFiles(join(repository, "wiki.bundle"));
    await page.getByRole("button", { name: "Import" }).click();
    await page.waitForURL(wiki + "/-/import");

    // The page shows the current step and its progress, and refreshes itself.
    const steps = new Set();
    let screenshot;
    for (const end = Date.now() + 120_000; Date.now() < end;) {
      const text = await page.getByRole("main").innerText().catch(() => ""); // between two page loads
      if (/commits imported/.test(text)) break;
      const [, step, done, total] = /^(.+?)(?:: (\d+) of (\d+))?…$/m.exec(text) ?? [];
      if (step) steps.add(step);
      if (total) assert.ok(Number(done) <= Number(total), text);
      if (step && !screenshot && process.env.IMPORT_SHOT && javaScriptEnabled) screenshot = await page.screenshot({ path: process.env.IMPORT_SHOT }).catch(() => undefined);
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
