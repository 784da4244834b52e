// Signing in with accounts of a real PDS (the reference implementation), in
// Chromium, on loopback. It needs the packages of this directory, built as
// README.md says; without them it is left out.
import assert from "node:assert/strict";
import dgram from "node:dgram";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import https from "node:https";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const built = existsSync(path.join(here, "node_modules/better-sqlite3/build/Release/better_sqlite3.node"));
const skip = built ? false : "the PDS is not installed, see README.md";
const home = "https://robot.wtf.internal";
let lab, robot, serve, browser, dns, scratch;

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
  serve = async (...more) => {
    robot = spawn(program, ["serve", "--public-url", home, "--data", path.join(scratch, "data"), "--listen", listen,
      "--test-pin", `*.test=${lab.tlsAddr}`, "--test-ca", lab.ca, "--test-dns", `127.0.0.1:${dns.address().port}`, "--test-plc", "https://plc.test", ...more]);
    await ready(robot, "is ready at");
  };
  await serve();
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

// signIn goes all the way and waits for where it leads. A server asks once
// whether it may tell us who somebody is.
async function signIn(page, handle, word, landing) {
  await typeHandle(page, handle);
  await atServer(page, word, landing);
}

async function atServer(page, word, landing) {
  await password(page, word);
  const authorize = page.getByRole("button", { name: "Authorize" });
  await Promise.race([authorize.click(), page.waitForURL(landing)]).catch(() => {});
  await page.waitForURL(landing);
}

// save writes a page as a browser without script does.
async function save(page, address, text) {
  await page.goto(`${address}/edit`);
  await page.locator("textarea[name=content]").evaluate((e, text) => { e.value = text; }, text);
  await page.locator("form[data-editor]").evaluate((form) => HTMLFormElement.prototype.submit.call(form));
  await page.waitForURL(address);
}

const alice = "alice-pass-1234";
const hers = "https://alice.robot.wtf.internal";

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
  await page.waitForURL("https://alice.robot.wtf.internal/-/connect");
  await page.getByRole("button", { name: "Account of Alice Liddell" }).waitFor();
  const face = page.locator("button.face img");
  assert.deepEqual(await face.evaluate((img) => [img.naturalWidth, img.naturalHeight, new URL(img.src).origin]), [96, 72, hers], "her picture, small and from here");
  await save(page, `${hers}/First`, "Down the hole.\n");
  await page.context().close();
});

test("an agent's request waits for the first sign-in and for the wiki", { skip }, async () => {
  await newAccount("dora.test");
  let arrived;
  const program = http.createServer((request, response) => { arrived?.(request.url); response.end("done"); });
  await new Promise((resolve) => program.listen(0, "127.0.0.1", resolve));
  const answer = new Promise((resolve) => { arrived = resolve; });
  const page = await visitor();
  await page.goto(`${home}/auth/oauth/authorize?${new URLSearchParams({
    client_id: "https://claude.ai/oauth/claude-code-client-metadata", redirect_uri: `http://127.0.0.1:${program.address().port}/callback`,
    response_type: "code", state: "s", code_challenge: "A".repeat(43), code_challenge_method: "S256", resource: "https://dora.robot.wtf.internal/mcp",
  })}`);
  await page.getByLabel("Your Bluesky or Atmosphere handle").fill("dora.test");
  await page.getByRole("button", { name: "Sign in" }).click();
  await atServer(page, "some-pass-1234", /\/auth\/oauth\/consent/);
  await page.getByRole("link", { name: "Create your own wiki" }).click();
  assert.equal(await page.getByLabel("Name of your wiki").inputValue(), "dora");
  await page.getByRole("button", { name: "Create the wiki" }).click();
  await page.getByRole("heading", { name: "Let Claude Code into dora?" }).waitFor();
  await page.getByRole("button", { name: "Allow" }).click();
  const back = new URL(await answer, "http://127.0.0.1");
  assert.ok(back.searchParams.get("code") && back.searchParams.get("state") === "s" && back.searchParams.get("iss") === home, String(back));
  program.close();
  await page.context().close();
});

test("no, and what cannot be", { skip }, async () => {
  const page = await visitor();
  await typeHandle(page, "nobody.test");
  await page.getByText("No account found for nobody.test").waitFor();
  assert.equal(await page.getByLabel("Your Bluesky or Atmosphere handle").inputValue(), "nobody.test");
  await typeHandle(page, "bob.test");
  await password(page, "bob-pass-1234");
  await page.getByRole("button", { name: "Deny access" }).click();
  await page.getByText("You declined").waitFor();
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
  await page.getByText("Start again here").waitFor();
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
  await signIn(page, "frida.test", "some-pass-1234", `${home}/app/create`);
  await page.getByRole("button", { name: "Create the wiki" }).click();
  await page.waitForURL("https://frida.robot.wtf.internal/-/connect");
  await page.context().close();

  await xrpc("com.atproto.admin.updateAccountHandle", { did: first.did, handle: "moved.test" });
  await newAccount("frida.test");
  page = await visitor();
  await signIn(page, "frida.test", "some-pass-1234", `${home}/app/create`);
  assert.notEqual(await page.getByLabel("Name of your wiki").inputValue(), "frida");
  const refused = await page.goto("https://frida.robot.wtf.internal/");
  assert.equal(refused.status(), 404, "the new holder of the handle has no right to the old one's wiki");
  await page.context().close();

  page = await visitor();
  await signIn(page, "moved.test", "some-pass-1234", `${home}/app/`);
  const own = await page.goto("https://frida.robot.wtf.internal/");
  assert.equal(own.status(), 200);
  await page.context().close();
});

test("signing out ends the session on every host", { skip }, async () => {
  const page = await visitor();
  await signIn(page, "alice.test", alice, `${home}/app/`);
  const own = await page.goto("https://alice.robot.wtf.internal/First");
  assert.equal(own.status(), 200);
  await page.getByRole("button", { name: "Account of Alice Liddell" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(`${home}/`);
  await page.goto("https://alice.robot.wtf.internal/First");
  assert.ok(page.url().startsWith(`${home}/auth/login`), page.url());
  await page.context().close();
});

test("somebody invited by handle, who was never here, signs in and edits", { skip }, async () => {
  const owner = await visitor();
  await signIn(owner, "alice.test", alice, `${home}/app/`);
  await owner.goto(`${hers}/-/settings`);
  await owner.getByLabel("Add someone by handle or DID").fill("@Bob.test");
  await owner.getByRole("button", { name: "Add", exact: true }).click();
  await owner.getByText("@bob.test, has not signed in yet").waitFor();

  const page = await visitor();
  await page.goto(`${hers}/First`); // a private wiki: to signing in, and back here
  await page.getByLabel("Your Bluesky or Atmosphere handle").fill("bob.test");
  await page.getByRole("button", { name: "Sign in" }).click();
  await atServer(page, "bob-pass-1234", `${hers}/First`);
  await save(page, `${hers}/First`, "Down the hole, and up again.\n");
  await page.getByText("Last edited by bob.test").waitFor();
  await page.goto(`${home}/app/`);
  await page.getByText("You don’t have a wiki yet.").waitFor(); // put off, and offered
  await page.getByRole("link", { name: "Create your wiki" }).waitFor();
  await page.getByRole("link", { name: "alice", exact: true }).waitFor();

  await owner.goto(`${hers}/-/settings`);
  await owner.getByText("@bob.test, last signed in").waitFor();
  await page.context().close();
  await owner.context().close();
});

test("the owner opens her public wiki from a bookmark, and sees Edit", { skip }, async () => {
  const page = await visitor();
  await signIn(page, "alice.test", alice, `${home}/app/`);
  await page.goto(`${hers}/-/settings`);
  await page.getByRole("radio", { name: "Public" }).check();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("Saved.").waitFor();
  // Another day: the wiki's own session has gone, the platform's has not.
  await page.context().clearCookies({ domain: "alice.robot.wtf.internal" });
  await page.goto(`${hers}/First`);
  await page.getByRole("link", { name: "Edit", exact: true }).waitFor();
  assert.equal(page.url(), `${hers}/First`);
  await page.context().close();

  const stranger = await visitor();
  const answer = await stranger.goto(`${hers}/First`);
  assert.equal(answer.status(), 200);
  assert.equal(answer.request().redirectedFrom(), null, "who is signed in nowhere is sent nowhere");
  assert.equal(await stranger.getByRole("link", { name: "Edit", exact: true }).count(), 0);
  await stranger.context().close();
});

test("a display name with markup is text", { skip }, async () => {
  const page = await visitor();
  const seen = [];
  page.on("dialog", (dialog) => { seen.push(dialog.message()); dialog.dismiss(); });
  page.on("console", (message) => { if (/Content.Security.Policy/.test(message.text())) seen.push(message.text()); });
  await signIn(page, "mallory.test", "mallory-pass-1234", `${home}/app/create`);
  const name = '<img src=x onerror=alert(1)>"><script>alert(2)</script>';
  for (const where of [`${home}/app/`, `${home}/app/account`]) {
    await page.goto(where);
    await page.getByRole("button", { name: `Account of ${name}` }).click();
    assert.ok((await page.locator("#me").innerText()).includes(name));
  }
  const owner = await visitor();
  owner.on("dialog", (dialog) => { seen.push(dialog.message()); dialog.dismiss(); });
  await signIn(owner, "alice.test", alice, `${home}/app/`);
  await owner.goto(`${hers}/-/settings`);
  await owner.getByLabel("Add someone by handle or DID").fill("mallory.test");
  await owner.getByRole("button", { name: "Add", exact: true }).click();
  await owner.locator("#members").getByText(name).first().waitFor();
  assert.equal(await owner.locator("#members img[src=x]").count(), 0);
  assert.deepEqual(seen, []);
  await page.context().close();
  await owner.context().close();
});

test("signing out everywhere ends the sessions of other browsers", { skip }, async () => {
  const one = await visitor(), two = await visitor();
  await signIn(one, "alice.test", alice, `${home}/app/`);
  await signIn(two, "alice.test", alice, `${home}/app/`);
  await two.goto(`${hers}/-/settings`);
  await one.goto(`${home}/app/account`);
  await one.getByRole("button", { name: "Sign out everywhere" }).click();
  await one.waitForURL(`${home}/`);
  const refused = await two.goto(`${hers}/-/settings`);
  assert.equal(refused.status(), 403);
  await two.goto(`${home}/app/`);
  assert.ok(two.url().startsWith(`${home}/auth/login`), two.url());
  await one.context().close();
  await two.context().close();
});

// The last one, for it starts the service anew, with sign-ins that live for two
// seconds.
test("a sign-in that took too long", { skip }, async () => {
  robot.kill("SIGTERM");
  await new Promise((resolve) => robot.once("exit", resolve));
  await serve("--test-lifetime", "2s");
  const page = await visitor();
  await typeHandle(page, "bob.test");
  await page.getByRole("textbox", { name: "Password" }).waitFor();
  await page.waitForTimeout(3000);
  await atServer(page, "bob-pass-1234", (url) => url.href.startsWith(`${home}/auth/callback`));
  await page.getByText("Start again here").waitFor();
  await page.getByLabel("Your Bluesky or Atmosphere handle").waitFor();
  await page.goto(`${home}/app/`);
  assert.ok(page.url().startsWith(`${home}/auth/login`), "nobody is signed in");
  await page.context().close();
});
