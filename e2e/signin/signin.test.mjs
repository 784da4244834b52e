// Signing in with accounts of a real PDS (the reference implementation), in
// Chromium, on loopback. It needs the packages of this directory, built as
// README.md says; without them it is left out.
import assert from "node:assert/strict";
import dgram from "node:dgram";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import https from "node:https";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const built = existsSync(path.join(here, "node_modules/better-sqlite3/build/Release/better_sqlite3.node"));
const skip = built ? false : "the PDS is not installed, see README.md";
const home = "https://robot.wtf.internal";
let lab, robot, browser, dns, scratch;

// ready waits for a line of a process that begins with a word.
const ready = (child, word) => new Promise((resolve, reject) => {
  let text = "";
  child.stdout.on("data", (data) => {
    text += data;
    const line = text.split("\n").slice(0, -1).find((l) => l.includes(word));
    if (line) resolve(line);
  });
  child.stderr.on("data", (data) => process.env.ROBOT_E2E_LOUD && process.stderr.write(data));
  child.on("exit", (code) => reject(new Error(`ended with ${code} before "${word}": ${text}`)));
});

before(async () => {
  if (skip) return;
  scratch = await mkdtemp(path.join(os.tmpdir(), "robot-signin-"));
  // Every name is unknown: handles are found by https.
  dns = dgram.createSocket("udp4");
  dns.on("message", (query, from) => {
    const answer = Buffer.from(query);
    answer.writeUInt16BE(0x8183, 2);
    dns.send(answer, from.port, from.address);
  });
  await new Promise((resolve) => dns.bind(0, "127.0.0.1", resolve));
  const listen = process.env.ROBOT_SIGNIN_LISTEN ?? "127.0.0.1:18080";
  const labFile = path.join(scratch, "lab.config.json");
  await writeFile(labFile, JSON.stringify({ dir: path.join(scratch, "lab"), tlsPort: 0, appUpstream: listen }));
  lab = { process: spawn(process.execPath, [path.join(here, "lab.mjs"), labFile], { cwd: here }) };
  Object.assign(lab, JSON.parse((await ready(lab.process, "LAB_READY")).slice("LAB_READY ".length)));
  const program = process.env.ROBOT ?? path.join(scratch, "robot");
  if (!process.env.ROBOT) {
    execFileSync("go", ["build", "-o", program, "./cmd/robot"], { cwd: path.join(here, "../..") });
  }
  robot = spawn(program, ["serve", "--public-url", home, "--data", path.join(scratch, "data"), "--listen", listen,
    "--test-pin", `*.test=${lab.tlsAddr}`, "--test-ca", lab.ca, "--test-dns", `127.0.0.1:${dns.address().port}`, "--test-plc", "https://plc.test"]);
  await ready(robot, "is ready at");
  const { chromium } = await import("playwright-core");
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", `--ignore-certificate-errors-spki-list=${lab.spki}`,
      `--host-resolver-rules=MAP *.test:443 ${lab.tlsAddr},MAP *.robot.wtf.internal:443 ${lab.tlsAddr},MAP robot.wtf.internal:443 ${lab.tlsAddr},MAP * ~NOTFOUND,EXCLUDE 127.0.0.1`],
  });
}, { timeout: 120_000 });

after(async () => {
  await browser?.close();
  robot?.kill("SIGTERM");
  lab?.process?.kill("SIGTERM");
  dns?.close();
  if (scratch) await rm(scratch, { recursive: true, force: true });
});

// visitor is a browser of its own.
async function visitor() {
  const context = await browser.newContext({ locale: "en-US" });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  return page;
}

async function typeHandle(page, handle) {
  await page.goto(`${home}/auth/login`);
  await page.getByLabel("Your Bluesky or Atmosphere handle").fill(handle);
  await page.getByRole("button", { name: "Sign in" }).click();
}

async function password(page, word) {
  await page.getByRole("textbox", { name: "Password" }).fill(word);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

const alice = "alice-pass-1234";

test("from the first sign-in to the first saved page", { skip }, async () => {
  const page = await visitor();
  await typeHandle(page, "@Alice.TEST");
  await password(page, alice);
  await page.getByRole("button", { name: "Authorize" }).click();
  await page.waitForURL(`${home}/app/create`);
  assert.equal(await page.getByLabel("Name of your wiki").inputValue(), "alice");
  await page.getByLabel("Name of your wiki").fill("admin");
  await page.getByText("is reserved").waitFor();
  await page.getByLabel("Name of your wiki").fill("alice");
  await page.getByText("alice.robot.wtf.internal is free").waitFor();
  await page.getByRole("button", { name: "Create the wiki" }).click();
  await page.waitForURL("https://alice.robot.wtf.internal/");
  await page.getByRole("button", { name: "Account of Alice Liddell" }).waitFor();
  await page.goto("https://alice.robot.wtf.internal/First/edit");
  await page.locator("textarea[name=content]").evaluate((e) => { e.value = "Down the hole.\n"; });
  await page.locator("form[data-editor]").evaluate((form) => HTMLFormElement.prototype.submit.call(form));
  await page.waitForURL("https://alice.robot.wtf.internal/First");
  await page.context().close();
});

test("no, and what cannot be", { skip }, async () => {
  const page = await visitor();
  await typeHandle(page, "nobody.test");
  await page.getByText("Nobody answers to nobody.test").waitFor();
  assert.equal(await page.getByLabel("Your Bluesky or Atmosphere handle").inputValue(), "nobody.test");
  await typeHandle(page, "bob.test");
  await password(page, "bob-pass-1234");
  await page.getByRole("button", { name: "Deny access" }).click();
  await page.getByText("You said no").waitFor();
  assert.ok(page.url().startsWith(`${home}/auth/callback`));
  await page.context().close();
});

test("a second server, and a callback in another browser", { skip }, async () => {
  const page = await visitor();
  await typeHandle(page, "carol.two.test");
  await password(page, "carol-pass-1234");
  let callback;
  page.on("request", (request) => { if (request.url().startsWith(`${home}/auth/callback`)) callback = request.url(); });
  await page.getByRole("button", { name: "Authorize" }).click();
  await page.waitForURL(`${home}/app/create`);
  const other = await visitor();
  await other.goto(callback);
  await other.getByText("begun in another browser").waitFor();
  await page.goto(callback);
  await page.getByText("Begin again here").waitFor();
  await page.context().close();
  await other.context().close();
});

// xrpc calls the first PDS as its operator or as nobody.
const xrpc = (method, body) => new Promise((resolve, reject) => {
  const [host, port] = lab.tlsAddr.split(":");
  const request = https.request({
    host, port, servername: "pds.test", ca: readFileSync(lab.ca), method: "POST", path: `/xrpc/${method}`,
    headers: {
      host: "pds.test", "content-type": "application/json",
      ...(method.includes(".admin.") ? { authorization: `Basic ${btoa(`admin:${lab.adminPassword}`)}` } : {}),
    },
  }, (answer) => {
    let text = "";
    answer.on("data", (data) => { text += data; });
    answer.on("end", () => (answer.statusCode === 200 ? resolve(text && JSON.parse(text)) : reject(new Error(`${method}: ${answer.statusCode} ${text}`))));
  });
  request.on("error", reject);
  request.end(JSON.stringify(body));
});

const newAccount = (handle) => xrpc("com.atproto.server.createAccount", { handle, email: `${Math.random()}@mail.test`, password: "some-pass-1234" });

test("a handle that moves on, and one that is taken over", { skip }, async () => {
  const first = await newAccount("frida.test");
  let page = await visitor();
  await typeHandle(page, "frida.test");
  await password(page, "some-pass-1234");
  await page.getByRole("button", { name: "Authorize" }).click();
  await page.waitForURL(`${home}/app/create`);
  await page.getByRole("button", { name: "Create the wiki" }).click();
  await page.waitForURL("https://frida.robot.wtf.internal/");
  await page.context().close();

  await xrpc("com.atproto.admin.updateAccountHandle", { did: first.did, handle: "moved.test" });
  await newAccount("frida.test");
  page = await visitor();
  await typeHandle(page, "frida.test");
  await password(page, "some-pass-1234");
  await page.getByRole("button", { name: "Authorize" }).click();
  await page.waitForURL(`${home}/app/create`);
  assert.notEqual(await page.getByLabel("Name of your wiki").inputValue(), "frida");
  const refused = await page.goto("https://frida.robot.wtf.internal/");
  assert.equal(refused.status(), 404, "the new holder of the handle has no right to the old one's wiki");
  await page.context().close();

  page = await visitor();
  await typeHandle(page, "moved.test");
  await password(page, "some-pass-1234");
  const authorize = page.getByRole("button", { name: "Authorize" });
  await Promise.race([authorize.click(), page.waitForURL(`${home}/app/`)]).catch(() => {});
  await page.waitForURL(`${home}/app/`);
  const own = await page.goto("https://frida.robot.wtf.internal/");
  assert.equal(own.status(), 200);
  await page.context().close();
});

test("signing out ends the session on every host", { skip }, async () => {
  const page = await visitor();
  await typeHandle(page, "alice.test");
  await password(page, alice);
  const authorize = page.getByRole("button", { name: "Authorize" });
  await Promise.race([authorize.click(), page.waitForURL(`${home}/app/`)]).catch(() => {});
  await page.waitForURL(`${home}/app/`);
  const own = await page.goto("https://alice.robot.wtf.internal/First");
  assert.equal(own.status(), 200);
  await page.getByRole("button", { name: "Account of Alice Liddell" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(`${home}/`);
  await page.goto("https://alice.robot.wtf.internal/First");
  assert.ok(page.url().startsWith(`${home}/auth/login`), page.url());
  await page.context().close();
});
