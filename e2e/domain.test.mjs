// A wiki's own domain: the owner connects it in the settings, readers are redirected
// there, and members sign in there by a click on the platform.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import dgram from "node:dgram";
import { startService, launchBrowser, recordViolations, looks, signIn } from "./service.mjs";

const domain = "wiki.example.org";

// startNameServer answers with the records that a test sets: "TXT name" and "CNAME name".
async function startNameServer() {
  const records = new Map(), socket = dgram.createSocket("udp4");
  const labels = (name) => Buffer.concat([...name.split(".").map((label) => Buffer.from([label.length, ...Buffer.from(label)])), Buffer.from([0])]);
  const record = (type, data) => Buffer.concat([Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, data.length >> 8, data.length & 255]), data]);
  socket.on("message", (query, from) => {
    let end = 12, name = "";
    while (query[end]) { name += "." + query.subarray(end + 1, end + 1 + query[end]); end += 1 + query[end]; }
    name = name.slice(1).toLowerCase();
    const type = query.readUInt16BE(end + 1), answers = [];
    const text = records.get(`TXT ${name}`), target = records.get(`CNAME ${name}`);
    if (type === 16 && text) answers.push(record(16, Buffer.from([text.length, ...Buffer.from(text)])));
    if (type === 1 && target) { // its target's address follows, with the target's name written out
      answers.push(record(5, labels(target)), Buffer.concat([labels(target), Buffer.from([0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1])]));
    } else if (type === 28 && target) answers.push(record(5, labels(target)));
    if (type === 1 && name === "robot.localhost") answers.push(record(1, Buffer.from([127, 0, 0, 1])));
    const known = text || target || name.endsWith("robot.localhost");
    const header = Buffer.from([query[0], query[1], 0x84, known ? 0x80 : 0x83, 0, 1, 0, answers.length, 0, 0, 0, 0]);
    socket.send(Buffer.concat([header, query.subarray(12, end + 5), ...answers]), from.port, from.address);
  });
  await new Promise((done) => socket.bind(0, "127.0.0.1", done));
  return { address: `127.0.0.1:${socket.address().port}`, records, close: () => socket.close() };
}

let names, service, chrome, ada, home;
before(async () => {
  names = await startNameServer();
  service = await startService({ https: true, args: ["--own-domains", names.address] });
  chrome = await launchBrowser({ names: [domain] });
  ada = service.wikiURL("ada");
  home = ada.replace("ada.robot.localhost", domain);
});
after(async () => { await chrome?.close(); await service?.stop(); names?.close(); });

async function newVisitor(name, options = {}) {
  const context = await chrome.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 900 }, ...options });
  const violations = recordViolations(context, /(^|\.)robot\.localhost$|^wiki\.example\.org$/);
  const page = await context.newPage();
  if (name) await signIn(page, service, name);
  return { page, violations, context };
}

test("the owner connects a domain", async () => {
  const { page, violations } = await newVisitor("ada");
  await page.goto(`${ada}/-/settings#domain`);
  await page.getByLabel("Domain", { exact: true }).fill(`https://${domain}/`);
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByText("Two DNS records prove").waitFor();
  const [txt, proof, , target] = await page.locator("#domain dd").allInnerTexts();
  assert.equal(txt, `_robot-wiki.${domain}`);
  names.records.set(`TXT ${txt}`, proof);
  names.records.set(`CNAME ${domain}`, target);
  await page.locator("#domain").getByRole("button", { name: "Connect" }).click();
  await page.getByText(`People read this wiki at ${domain}`).waitFor();
  assert.deepEqual(violations, []);
});

test("a visitor of the former address comes to the domain", async () => {
  const { page, violations } = await newVisitor();
  await page.goto(`${ada}/Weather_Station`);
  assert.equal(page.url(), `${home}/Weather_Station`);
  assert.equal(await page.locator("link[rel=canonical]").getAttribute("href"), `${home}/Weather_Station`);
  assert.deepEqual(violations, []);
});

for (const javaScriptEnabled of [true, false]) {
  test(`a member signs in at the domain by a click, ${javaScriptEnabled ? "with" : "without"} scripts`, async () => {
    const { page, violations, context } = await newVisitor("bob", { javaScriptEnabled });
    await page.goto(`${home}/Weather_Station`);
    await page.getByRole("link", { name: "Sign in" }).first().click();
    await page.getByRole("heading", { name: `Continue to ${domain}?` }).waitFor();
    assert.equal(new URL(page.url()).hostname, "robot.localhost");
    await page.getByRole("button", { name: /^Continue as/ }).click();
    await page.waitForURL(`${home}/Weather_Station`);

    // The session there is of this host alone, and edits like any other.
    const set = (await context.cookies()).filter((c) => c.domain.includes("example.org"));
    assert.ok(set.some((c) => c.name === "__Host-session" && c.secure && c.httpOnly), JSON.stringify(set));
    assert.deepEqual(set.filter((c) => c.domain.startsWith(".")), []);
    await page.goto(`${home}/Sandbox/At_The_Domain_${javaScriptEnabled}/edit`);
    await page.locator("#text").fill("Written at the domain.\n");
    await page.getByRole("button", { name: /^(Save|Create) page/ }).last().click();
    await page.getByText("Written at the domain.").waitFor();
    assert.equal(new URL(page.url()).hostname, domain);
    assert.deepEqual(violations, []);
  });
}

test("the settings and the page to continue fit every window", async () => {
  for (const look of looks) {
    const { page, context } = await newVisitor("ada", look.options);
    for (const address of [`${ada}/-/settings`, `${home}/-/login?to=/`]) {
      await page.goto(address);
      const [content, view] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(content <= view, `${look.name} ${page.url()}: ${content} px at ${view} px`);
      if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${look.name.replace(" ", "")}-${address.includes("login") ? "handover" : "settings"}.png`, fullPage: true });
    }
    await context.close();
  }
});

test("the owner disconnects the domain", async () => {
  const { page } = await newVisitor("ada");
  await page.goto(`${ada}/-/settings`);
  await page.getByRole("button", { name: "Disconnect", exact: true }).click();
  await page.getByText(`${domain} was disconnected`).waitFor();
  await page.goto(`${ada}/Weather_Station`);
  assert.equal(page.url(), `${ada}/Weather_Station`);
});
