// A member watches a page and reads its changes in their own feed.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { startService, launchBrowser, openContext, looks as scripted } from "./service.mjs";

const axe = readFileSync(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
let service, chrome, ada;
before(async () => {
  service = await startService();
  chrome = await launchBrowser();
  ada = service.wikiURL("ada");
  await service.writePage("ada", "Tides", "High at noon.\n");
});
after(async () => { await chrome?.close(); await service?.stop(); });

const looks = [...scripted, { name: "no script", options: { javaScriptEnabled: false } }];

async function check(page, name, script) {
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name}, ${page.url()}`);
  if (!script) return;
  await page.evaluate(axe);
  const result = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  assert.deepEqual(result.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join("; ")}`), [], `${name}, ${page.url()}`);
}

test("a member watches a page, chooses their notifications and reads the feed without an account", async () => {
  for (const { name, options } of looks) {
    const script = options.javaScriptEnabled !== false;
    const { page, context, violations } = await openContext(chrome, service, options, "ada");
    if (script) {
      await page.goto(ada + "/Tides");
      await page.getByRole("button", { name: "More about this page" }).click();
      await page.getByRole("link", { name: "Watch this page" }).click();
    } else await page.goto(ada + "/-/watched?page=Tides");
    await page.getByRole("button", { name: "Watch", exact: true }).first().click();
    assert.match(await page.locator(".told").innerText(), /You’re watching this page/);
    assert.match(await page.locator("main").innerText(), /You watch Tides/);
    await check(page, name, script);

    await page.getByRole("link", { name: "your feed" }).click();
    await page.getByRole("radio", { name: /^At once/ }).check();
    await page.getByRole("checkbox", { name: /close to one of its limits/ }).uncheck();
    await page.getByRole("button", { name: "Create your feed" }).click();
    assert.match(await page.locator(".told").innerText(), /Saved\./);
    assert.ok(await page.getByRole("radio", { name: /^At once/ }).isChecked());
    assert.ok(!await page.getByRole("checkbox", { name: /close to one of its limits/ }).isChecked());
    assert.ok(await page.getByRole("checkbox", { name: /pages that you watch/ }).isChecked());
    await check(page, name, script);
    const address = await page.locator("#feed-address").innerText();
    assert.match(address, /\/app\/feed\/[\w-]{38}$/);

    await service.writePage("ada", "Tides", `High at three, says ${name}.\n`);
    const reader = await openContext(chrome, service, {});
    const answer = await reader.page.goto(address);
    assert.equal(answer.status(), 200);
    assert.match(await answer.text(), new RegExp(`High at three, says ${name}`));
    assert.deepEqual(await reader.context.cookies(), []);

    await page.getByRole("button", { name: "Remove the feed" }).click();
    assert.match(await page.locator(".told").innerText(), /Removed\./);
    assert.equal((await reader.page.goto(address)).status(), 404);
    await page.goto(ada + "/-/watched?page=Tides");
    await page.getByRole("button", { name: "Stop watching" }).first().click();
    assert.match(await page.locator("main").innerText(), /No pages yet/);
    assert.deepEqual(violations, [], name);
    await context.close();
    await reader.context.close();
  }
});
