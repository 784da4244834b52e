// The parts of a page that do something: tasks, formulas, diagrams, pictures, its menu.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { startService, launchBrowser, openContext, looks } from "./service.mjs";

let service, chrome, ada, bob;
before(async () => {
  service = await startService();
  chrome = await launchBrowser();
  ada = service.wikiURL("ada");
});
after(async () => { await chrome?.close(); await service?.stop(); });

const open = (options = {}, who = "ada") => openContext(chrome, service, options, who);

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

const diagram = "# Diagram\n\n```mermaid\ngraph TD; A[Solar panel]-->B[Battery]-->C[Station]\n```\n\n```mermaid\nnosuch diagram\n```\n";

// frameOf returns the frame of the first diagram, once it is drawn.
async function frameOf(page) {
  const frame = await (await page.waitForSelector("figure.diagram iframe:not(.pending)")).contentFrame();
  await frame.waitForSelector("#out svg");
  return frame;
}

test("diagrams are drawn in a frame when they come into view, and enlarged", async () => {
  await service.writePage("ada", "Diagram", diagram);
  for (const { name, options } of looks) {
    const { page, violations, context } = await open(options, "");
    await page.goto(ada + "/Diagram");
    const frame = await frameOf(page);
    assert.match(await frame.locator("svg").textContent(), /Solar panel/);
    const box = await page.locator("figure.diagram iframe").first().boundingBox();
    assert.ok(box.height > 100 && box.height < 600, `${name}: ${JSON.stringify(box)}`);
    await page.getByText(/This diagram can.t be drawn: /).waitFor();
    assert.equal(await page.locator("figure.diagram pre").nth(1).isVisible(), true);
    assert.equal(await page.locator("figure.diagram pre").first().isVisible(), false);
    await page.getByRole("button", { name: "Show source" }).first().click();
    assert.equal(await page.locator("figure.diagram pre").first().isVisible(), true);
    await page.getByRole("button", { name: "Show diagram" }).first().click();
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/diagram-${name}.png` });
    await page.getByRole("button", { name: "Enlarge" }).first().click();
    const large = await (await page.waitForSelector("dialog.large iframe")).contentFrame();
    await large.waitForSelector("body.large svg");
    const before = (await large.locator("svg").boundingBox()).width;
    await large.getByRole("button", { name: "Larger" }).click();
    assert.ok((await large.locator("svg").boundingBox()).width > before);
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/diagram-large-${name}.png` });
    page.keyboard.press("Escape").catch(() => {}); // has no answer if the focus is in the frame, which goes away
    await page.waitForSelector("dialog.large", { state: "detached" });
    assert.deepEqual(violations, [], name);
    await context.close();
  }
});

test("a diagram further down is drawn only when it comes into view, and shows its source without script", async () => {
  await service.writePage("ada", "Far", "text\n\n".repeat(200) + diagram);
  const { page, violations, context } = await open({}, "");
  await page.goto(ada + "/Far");
  await page.waitForTimeout(500);
  assert.equal(await page.locator("iframe").count(), 0);
  await page.locator("figure.diagram").first().scrollIntoViewIfNeeded();
  await frameOf(page);
  assert.deepEqual(violations, []);
  await context.close();
  const plain = await open({ javaScriptEnabled: false }, "");
  await plain.page.goto(ada + "/Diagram");
  assert.equal(await plain.page.locator("figure.diagram pre").first().isVisible(), true);
  assert.deepEqual(plain.violations, []);
  await plain.context.close();
});

// Attack: a diagram runs a script in a reader's browser, or a script in its frame reads
// the page, the cookies or anything else, or sends something away.
test("no diagram runs a script, and a script in its frame has no rights", async () => {
  const attacks = [
    'graph TD; A["<img src=x onerror=alert(1)>"]-->B["<script>alert(1)</script>"]',
    'graph TD; A-->B\n  click A "javascript:alert(1)"\n  click B call alert()',
    '%%{init: {"securityLevel": "loose", "flowchart": {"htmlLabels": true}}}%%\ngraph TD; A["<iframe srcdoc=\'<script>alert(1)</script>\'></iframe>"]-->B',
    '---\nconfig:\n  securityLevel: loose\n  secure: []\n---\ngraph TD; A["<a href=\'javascript:alert(1)\'>x</a>"]-->B\nclick A call alert(1)',
    '%%{init: {"themeCSS": "</style><img src=x onerror=alert(1)>", "fontFamily": "x;background:url(https://evil.example/)"}}%%\ngraph TD; A-->B',
    'sequenceDiagram\n  Alice->>Bob: <svg onload=alert(1)>\n  link Alice: x @ javascript:alert(1)',
    'classDiagram\n  class A~<img src=x onerror=alert(1)>~\n  link A "javascript:alert(1)"',
  ];
  await service.writePage("ada", "Attacks", attacks.map((a) => "```mermaid\n" + a + "\n```\n").join("\n"));
  const { page, violations, context } = await open();
  await page.goto(ada + "/Attacks");
  for (let i = 0; i < attacks.length; i++) {
    await page.locator("figure.diagram").nth(i).scrollIntoViewIfNeeded();
    await page.waitForFunction((n) => {
      const figure = document.querySelectorAll("figure.diagram")[n];
      return figure.querySelector("iframe:not(.pending)") || /can.t be drawn/.test(figure.textContent);
    }, i);
  }
  for (const frame of page.frames().slice(1)) {
    for (const node of await frame.locator("#out a, #out .clickable").all()) await node.click({ timeout: 500 }).catch(() => {});
  }
  // Mermaid measures labels before it cleans them, so in its frame the policy is what
  // stops their scripts and pictures.
  assert.deepEqual(violations.filter((v) => !/^policy: .*(inline event handler|Loading the image)/.test(v)), [], "a diagram ran a script or sent a request");

  await service.writePage("ada", "Diagram", diagram);
  await page.goto(ada + "/Diagram");
  const frame = await frameOf(page);
  const got = await frame.evaluate(async (address) => {
    const outcome = async (act) => { try { return String(await act()); } catch (error) { return error.name; } };
    return {
      origin: self.origin,
      parent: await outcome(() => parent.document.title),
      cookie: await outcome(() => document.cookie),
      storage: await outcome(() => localStorage.length),
      fetch: await outcome(() => fetch(address).then((r) => r.status)),
      script: await outcome(() => new Promise((done, failed) => { const s = document.createElement("script"); s.onerror = () => failed(new TypeError()); s.onload = done; s.textContent = "self.ran = true"; document.head.append(s); setTimeout(() => done(self.ran), 200); })),
      eval: await outcome(() => eval("1")), // eslint-disable-line no-eval
      image: await outcome(() => new Promise((done) => { const i = new Image(); i.onload = () => done("loaded"); i.onerror = () => done("refused"); i.src = address + "favicon.ico"; })),
      popup: await outcome(() => open(address)),
      peer: typeof RTCPeerConnection,
      top: await outcome(() => { top.location = "https://evil.example/"; }),
    };
  }, ada + "/");
  assert.deepEqual(got, {
    origin: "null", parent: "SecurityError", cookie: "SecurityError", storage: "SecurityError", fetch: "TypeError", script: "undefined", eval: "EvalError",
    image: "refused", popup: "null", peer: "undefined", top: "SecurityError",
  });
  await frame.evaluate((address) => { location = address; }, ada + "/Home?secret=1").catch(() => {});
  await page.waitForTimeout(500);
  assert.equal(page.frames().some((f) => /secret/.test(f.url())), false, "the frame went to another address");
  assert.equal(new URL(page.url()).pathname, "/Diagram");
  await context.close();
});

const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

test("code is copied, numbered when asked for; notes, heading links and pictures open", async () => {
  await service.writePage("ada", "Parts", "# Parts\n\n## A heading\n\n```go linenums=\"3\"\na := 1\nb := 2\n```\n\nText[^1].\n\n[^1]: The *note* itself.\n\n![A dot](dot.png) ![Another](dot.png)\n");
  await service.callAPI("ada", "POST", "/pages/Parts/attachments", { filename: "dot.png", content: png });
  for (const { name, options } of looks) {
    const { page, violations, context } = await open({ ...options, permissions: ["clipboard-read", "clipboard-write"] }, "");
    await page.goto(ada + "/Parts");
    const copied = () => page.evaluate(() => navigator.clipboard.readText());
    assert.equal((await page.locator("pre .ln").innerText()).trim(), "3\n4");
    await page.locator(".listing").getByRole("button", { name: "Copy" }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    assert.equal(await copied(), "a := 1\nb := 2\n");
    const note = page.locator("sup a").first();
    await note.focus();
    await page.locator(".footnote").waitFor();
    assert.match(await page.locator(".footnote").innerText(), /^The note itself\./);
    const box = await page.locator(".footnote").boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= page.viewportSize().width, name);
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/parts-${name}.png` });
    await page.keyboard.press("Escape");
    await page.locator(".footnote").waitFor({ state: "hidden" });
    const heading = page.locator("h2", { hasText: "A heading" });
    await heading.hover();
    await heading.locator(".anchor").click();
    assert.match(await copied(), /\/Parts#user-content-a-heading$/);
    await page.getByRole("button", { name: "Enlarge A dot" }).focus();
    await page.keyboard.press("Enter");
    await page.locator("dialog.large").getByText("A dot").waitFor();
    await page.keyboard.press("ArrowRight");
    await page.locator("dialog.large").getByText("Another").waitFor();
    await page.keyboard.press("Escape");
    await page.locator("dialog.large").waitFor({ state: "detached" });
    assert.equal(await page.evaluate(() => document.activeElement.alt), "Another");
    assert.deepEqual(violations, [], name);
    await context.close();
  }
});

test("Ctrl-K jumps to pages, headings, text and actions; without script its page lists them", async () => {
  await service.writePage("ada", "Power_Budget", "# Power budget\n\n## Solar yield in winter\n\nThe panel gives a quincunx of watts.\n");
  for (const { name, options } of looks) {
    const { page, violations, context } = await open(options);
    await page.goto(ada + "/Weather_Station");
    await page.goto(ada + "/Power_Budget");
    await page.keyboard.press("Control+k");
    const palette = page.locator("dialog.palette");
    await palette.getByRole("option").first().waitFor();
    assert.match(await palette.innerText(), /Read last[^]*Weather Station[^]*Changed last[^]*Actions[^]*Edit this page/i);
    const input = palette.getByRole("combobox");
    for (const [typed, title, option] of [["power", "Pages", "Power Budget"], ["solar yi", "Headings", "Solar yield in winter"], ["quincu", "Text", "Power Budget"], ["hist", "Actions", "History of this page"]]) {
      await input.fill(typed);
      await palette.getByText(title, { exact: true }).waitFor();
      await palette.getByRole("group", { name: title }).getByRole("option", { name: option }).first().waitFor();
    }
    await input.fill("power");
    await palette.getByRole("group", { name: "Pages" }).waitFor();
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/palette-${name}.png` });
    await input.fill("hist");
    await palette.getByRole("option", { name: "History of this page", selected: true }).waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL(ada + "/Power_Budget/history");
    await page.keyboard.press("Control+k");
    await palette.waitFor();
    await page.keyboard.press("Escape");
    await palette.waitFor({ state: "hidden" });
    assert.deepEqual(violations, [], name);
    await context.close();
  }
  const { page, violations, context } = await open({ javaScriptEnabled: false }, "");
  await page.goto(ada + "/-/jump?q=solar+yi");
  const rows = page.locator("main .rows").first();
  assert.equal((await rows.getByRole("link").first().boundingBox()).x, (await rows.boundingBox()).x, "results begin at the left");
  await page.locator("main").getByRole("link", { name: "Solar yield in winter" }).click();
  assert.match(page.url(), /\/Power_Budget#user-content-solar-yield-in-winter$/);
  assert.deepEqual(violations, []);
  await context.close();
});

test("a page's menu duplicates, copies, prints and asks; new pages start from a template", async () => {
  await service.writePage("ada", "Garden/Bed_Plan", "# Bed plan\n\n[[Home]]\n");
  await service.writePage("ada", "Templates/Minutes", "# {{title}}\n\nWritten by {{author}}.\n");
  for (const { name, options } of [...looks, { name: "no script", options: { javaScriptEnabled: false } }]) {
    const script = options.javaScriptEnabled !== false;
    const { page, violations, context } = await open({ ...options, permissions: script ? ["clipboard-read", "clipboard-write"] : [] });
    await page.goto(ada + "/Garden/Bed_Plan");
    await page.getByRole("button", { name: "More about this page" }).click();
    const menu = page.locator("#more");
    const box = await menu.boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= page.viewportSize().width, `${name}: ${JSON.stringify(box)}`);
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/menu-${name}.png` });
    if (script) {
      await menu.getByRole("button", { name: "Copy link" }).click();
      await menu.getByRole("button", { name: "Copied" }).waitFor();
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), ada + "/Garden/Bed_Plan");
    }
    assert.equal(await menu.getByRole("link", { name: "Open in Claude" }).getAttribute("href"), "https://claude.ai/new?q=" + encodeURIComponent(`Read ${ada}/Garden/Bed_Plan and help me with it.`).replaceAll("%20", "+"));
    assert.equal(await menu.getByRole("button", { name: "Print" }).count(), script ? 1 : 0);
    await menu.getByRole("link", { name: "Duplicate" }).click();
    assert.match(await page.locator("main").innerText(), /It starts as a copy of Garden\/Bed Plan/);
    await page.getByRole("textbox", { name: "Name" }).fill(`Copies/Plan ${name.replace(" px", "")}`);
    await page.getByRole("button", { name: "Write it" }).click();
    await page.getByRole("button", { name: "Create page" }).click();
    await page.waitForURL(/\/Copies\/Plan_/);
    assert.match(await page.locator("article").innerText(), /Home/);
    await page.goto(ada + "/-/create");
    await page.getByRole("textbox", { name: "Name" }).fill(`Minutes of ${name.replace(" px", "")}`);
    await page.getByRole("combobox", { name: "Start from" }).selectOption("Minutes");
    await page.getByRole("button", { name: "Write it" }).click();
    await page.getByRole("button", { name: "Create page" }).click();
    await page.waitForURL(/\/Minutes_of_/);
    assert.match(await page.locator("article").innerText(), /Written by ada/);
    assert.deepEqual(violations, [], name);
    await context.close();
  }
});

test("the theme is chosen in the footer, kept, and followed by diagrams", async () => {
  await service.writePage("ada", "Diagram", diagram);
  const { page, violations, context } = await open({ colorScheme: "light" }, "");
  await page.goto(ada + "/Diagram");
  const frame = await frameOf(page);
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await paper();
  await page.getByRole("combobox", { name: "Theme" }).selectOption("Dark");
  assert.notEqual(await paper(), light);
  await frame.waitForFunction(() => document.documentElement.style.colorScheme === "dark");
  await page.reload();
  assert.notEqual(await paper(), light);
  await page.getByRole("combobox", { name: "Theme" }).selectOption("System");
  assert.equal(await paper(), light);
  assert.deepEqual(violations, []);
  await context.close();
});

test("a list of pages is current in view and preview, without script too", async () => {
  for (const { name, options } of [...looks, { name: "no script", options: { javaScriptEnabled: false } }]) {
    await service.writePage("ada", "Projects/Roof", "---\nstatus: open\ndue: 2026-12-09\nlead: \"[[Projects/Gutter]]\"\n---\nThe roof.\n");
    await service.writePage("ada", "Projects/Gutter", "---\nstatus: <b>open</b>\n---\nThe gutter.\n");
    await service.writePage("ada", "Open_Jobs", "# Open jobs\n\n::: pages folder: Projects, where: status contains open, show: status, due, lead, sort: -due\n\n::: pages where: status ~ open\n");
    const { page, violations, context } = await open(options);
    const rows = async () => (await page.locator("article tbody tr").allInnerTexts()).map((row) => row.replace(/\s+/g, " ").trim());
    await page.goto(ada + "/Open_Jobs");
    assert.deepEqual(await rows(), ["Roof open 2026-12-09 Projects/Gutter", "Gutter <b>open</b>"], name);
    assert.match(await page.locator("article figcaption").innerText(), /^In where, at character 8: expected an operator/);
    await service.writePage("ada", "Projects/Roof", "---\nstatus: done\n---\nThe roof.\n");
    await page.reload();
    assert.deepEqual(await rows(), ["Gutter <b>open</b>"], name);
    if (options.javaScriptEnabled === false) {
      await page.goto(ada + "/Open_Jobs/edit");
      await page.getByRole("button", { name: "Preview" }).click();
      assert.match(await page.locator(".preview tbody").innerText(), /Gutter\s+<b>open<\/b>/);
    } else {
      await page.getByRole("link", { name: "Gutter" }).first().click();
      assert.match(await page.locator("article").innerText(), /The gutter/);
    }
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), name);
    assert.deepEqual(violations, [], name);
    await context.close();
  }
});
