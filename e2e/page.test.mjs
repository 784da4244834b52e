// The parts of a page that do something: tasks, formulas, diagrams, pictures, its menu.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { startService, launchBrowser, recordViolations, signIn } from "./service.mjs";

let service, chrome, ada, bob;
before(async () => {
  service = await startService();
  chrome = await launchBrowser();
  ada = service.wikiURL("ada");
});
after(async () => { await chrome?.close(); await service?.stop(); });

// open returns a page of a new context, signed in as a person unless "", with the list
// of its violations.
async function open(options = {}, who = "ada") {
  const context = await chrome.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const violations = recordViolations(context);
  const page = await context.newPage();
  if (who) await signIn(page, service, who);
  return { page, violations, context };
}

// looks are the ways in which each part is looked at.
const looks = [
  { name: "light", options: {} },
  { name: "dark", options: { colorScheme: "dark" } },
  { name: "390 px", options: { viewport: { width: 390, height: 800 } } },
];

const jobs = "# Jobs\n\n- [ ] Replace the **bearing**\n- [x] Oil it\n  - [ ] Nested\n\n> - [ ] Quoted\n\n> [!note]\n> - [ ] In a callout\n\n![[Shopping]]\n";

test("a task is ticked in place, and without script through a form", async () => {
  await service.writePage("ada", "Shopping", "- [ ] Oil\n");
  for (const { name, options } of [...looks, { name: "no script", options: { javaScriptEnabled: false } }]) {
    await service.writePage("ada", "Jobs", jobs);
    const { page, violations, context } = await open(options);
    await page.goto(ada + "/Jobs");
    assert.equal(await page.locator("article button.tick").count(), 5, name);
    assert.equal(await page.locator("article .embed input[type=checkbox]").isDisabled(), true);
    const box = page.getByRole("checkbox", { name: "Replace the bearing" });
    assert.equal(await box.getAttribute("aria-checked"), "false");
    await box.click();
    await page.locator("button[aria-checked=true]", { hasText: "" }).first().waitFor();
    await page.getByRole("checkbox", { name: "Oil it" }).press("Space");
    await page.waitForFunction(() => document.querySelectorAll("button[aria-checked=true]").length === 1);
    for (const label of ["Nested", "Quoted", "In a callout"]) await page.getByRole("checkbox", { name: label }).click();
    await page.waitForFunction(() => document.querySelectorAll("button[aria-checked=true]").length === 4).catch(() => {});
    const done = jobs.replace("[ ] Replace", "[x] Replace").replace("[x] Oil", "[ ] Oil").replace("[ ] Nested", "[x] Nested").replace("[ ] Quoted", "[x] Quoted").replace("[ ] In", "[x] In");
    assert.equal(await service.pageContent("ada", "Jobs"), done, name);
    if (options.javaScriptEnabled !== false) {
      await page.getByRole("checkbox", { name: "Nested" }).click();
      await page.waitForFunction(() => document.querySelectorAll("button[aria-checked=true]").length === 3);
    }
    await page.goto(ada + "/Jobs/history");
    assert.match(await page.locator("main").innerText(), /Done: Replace the bearing/);
    assert.deepEqual(violations, [], name);
    await context.close();
  }
});

test("a task that someone changed meanwhile is refused, and says why", async () => {
  await service.writePage("ada", "Jobs", jobs);
  const { page, violations, context } = await open();
  await page.goto(ada + "/Jobs");
  await service.writePage("ada", "Jobs", "# All jobs\n\n" + jobs.replace("Oil it", "Oil it twice"));
  await page.getByRole("checkbox", { name: "Quoted" }).click();
  await page.waitForFunction(() => document.querySelectorAll("button[aria-checked=true]").length === 2);
  await page.getByRole("checkbox", { name: "Oil it" }).click();
  await page.getByText(/Someone has changed the task “?"?Oil it/).waitFor();
  assert.match(await service.pageContent("ada", "Jobs"), /- \[x\] Oil it twice\n[^]*- \[x\] Quoted/);
  assert.deepEqual(violations, []);
  await context.close();
});

test("readers see tasks that they can't tick", async () => {
  await service.writePage("bob", "Jobs", jobs);
  const { page, violations, context } = await open();
  await page.goto(service.wikiURL("bob") + "/Jobs");
  if (await page.locator("article").count()) {
    assert.equal(await page.locator("article button.tick").count(), 0);
    assert.equal(await page.locator("article input[type=checkbox]:disabled").count(), 6);
  }
  assert.deepEqual(violations, []);
  await context.close();
});

test("formulas are drawn without script, and mistakes are shown in place", async () => {
  await service.writePage("ada", "Formulas", "# Formulas\n\nThe area is $\\pi r^2$, not $\\nosuch x$.\n\n$$\n\\begin{pmatrix} a & b \\\\ c & d \\end{pmatrix} \\sum_{i=1}^n \\frac{x_i}{2}\n$$\n\n$$\n\\frac{a}\n$$\n\n$$\n" + "x + ".repeat(200) + "y\n$$\n");
  for (const { name, options } of looks) {
    const { page, violations, context } = await open({ ...options, javaScriptEnabled: false }, "");
    await page.goto(ada + "/Formulas");
    const matrix = await page.locator("article mtable").boundingBox();
    assert.ok(matrix.height > 30 && matrix.width > 30, `${name}: the matrix is ${JSON.stringify(matrix)}`);
    assert.match(await page.locator("article p small.bad").innerText(), /\\nosuch is no command/);
    assert.equal(await page.locator("article p code.math").innerText(), "\\nosuch x");
    assert.match(await page.locator("article figcaption").innerText(), /This formula can.t be drawn. \\frac needs an argument/);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name}: the page scrolls sideways`);
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/formulas-${name}.png` });
    assert.deepEqual(violations, []);
    await context.close();
  }
});
