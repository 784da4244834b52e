// Sign-up by invitation, with and without scripts: no request and no referrer has the
// link's code after the first one, and the pages fit a phone in both directions.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { startService, launchBrowser, recordViolations, signIn } from "./service.mjs";

let service, chrome;
before(async () => {
  service = await startService({ args: ["--signup", "invitation"] });
  chrome = await launchBrowser();
});
after(async () => { await chrome?.close(); await service?.stop(); });

async function newVisitor(name, options = {}) {
  const context = await chrome.newContext({ viewport: { width: 390, height: 844 }, ...options });
  const violations = recordViolations(context);
  const page = await context.newPage();
  if (name) await signIn(page, service, name);
  return { page, violations };
}

// createLink creates an invitation as ada and returns its link.
async function createLink(ada) {
  await ada.page.goto(service.url + "/app/account");
  await ada.page.getByRole("button", { name: "Create an invitation link" }).click();
  return ada.page.locator("#link").textContent();
}

// checkFit fails if the page is wider than the window, in either direction.
async function checkFit({ page }) {
  for (const dir of ["ltr", "rtl"]) {
    await page.evaluate((value) => { document.documentElement.dir = value; }, dir);
    const [content, view] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= view, `${page.url()} (${dir}): ${content} px at ${view} px`);
  }
}

for (const [javaScriptEnabled, guest] of [[true, "cleo"], [false, "dan"]]) {
  test(`an invitation admits one person, ${javaScriptEnabled ? "with" : "without"} scripts`, async () => {
    const ada = await newVisitor("ada", { javaScriptEnabled });
    const link = await createLink(ada);
    await checkFit(ada);
    const code = link.split("/").pop();
    const visitor = await newVisitor("", { javaScriptEnabled });
    const leaks = [];
    visitor.page.on("request", async (request) => {
      const { referer = "" } = await request.allHeaders();
      if (request.url() !== link && request.url().includes(code) || referer.includes(code)) leaks.push(`${request.url()} from ${referer}`);
    });
    await visitor.page.goto(link);
    await visitor.page.getByText("invites you to").waitFor();
    assert.equal(visitor.page.url(), service.url + "/invitation");
    await checkFit(visitor);
    await visitor.page.getByRole("link", { name: "Sign in to accept" }).click();
    await visitor.page.locator(`button[name=username][value=${guest}]`).click();
    await visitor.page.getByRole("button", { name: "Accept the invitation" }).click();
    await visitor.page.getByRole("heading", { name: "Choose your address" }).waitFor();
    await visitor.page.getByRole("button", { name: "Create the wiki" }).click();
    await visitor.page.waitForURL((url) => url.hostname.startsWith(`${guest}.`));
    assert.deepEqual(leaks, []);

    const late = await newVisitor("", { javaScriptEnabled });
    await late.page.goto(link);
    await late.page.getByText("This invitation can’t be used").waitFor();
    await checkFit(late);
    await ada.page.goto(service.url + "/app/account");
    await ada.page.getByText(`Used by @${guest}.test`).waitFor();
    assert.deepEqual([...ada.violations, ...visitor.violations, ...late.violations], []);
  });
}
