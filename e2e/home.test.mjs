// One wiki for one person (robot home), in a browser on localhost: sign in by the
// link and by a passkey, write, invite, connect with the lines that the page offers, clone, back up and
// restore. The attacks of the tenant and script tests run on it, too.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, launchBrowser, recordViolations, startHome, startTLSProxy } from "./service.mjs";
import { xssVectors } from "./vectors.mjs";

let home, chrome, owner;
const scratch = mkdtempSync(join(tmpdir(), "robot-e2e-home-files-"));
before(async () => {
  home = await startHome({ args: ["--name", "Ada's Notes"] });
  chrome = await launchBrowser({ names: ["nas.local", "wiki.example.test"] });
});
after(async () => {
  await chrome?.close();
  await home?.stop();
  for (const dir of [scratch, home?.data]) if (dir) rmSync(dir, { recursive: true, force: true });
});

async function newVisitor(options = {}) {
  const context = await chrome.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const violations = recordViolations(context, /^localhost$/);
  return { context, page: await context.newPage(), violations };
}

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// checkFit fails if the page is wider than a phone.
async function checkFit(page) {
  await page.setViewportSize({ width: 390, height: 844 });
  const [content, view] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= view, `${page.url()}: ${content} px at ${view} px`);
}

// checkLook also fails if axe-core finds a violation in either theme. It needs scripts.
async function checkLook(page) {
  await checkFit(page);
  await page.evaluate(`if (!self.axe) { ${axe} }; 0`); // injected through the debugger: the CSP forbids inline script
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const found = await page.evaluate(async () => (await self.axe.run(document, { resultTypes: ["violations"] })).violations.map((v) => `${v.id}: ${v.nodes[0].html.slice(0, 200)}`));
    assert.deepEqual(found, [], `${page.url()}, ${colorScheme}`);
  }
  await page.setViewportSize({ width: 1280, height: 900 });
}

test("the owner signs in by the printed link, once, and no address or referrer keeps its code", async () => {
  owner = await newVisitor();
  const code = home.link.split("/").pop();
  const leaks = [];
  owner.page.on("request", async (request) => {
    const { referer = "" } = await request.allHeaders();
    if (request.url() !== home.link && request.url().includes(code) || referer.includes(code)) leaks.push(`${request.url()} from ${referer}`);
  });
  await owner.page.goto(home.url + "/-/settings");
  assert.equal(new URL(owner.page.url()).pathname, "/-/login");
  await owner.page.getByText("robot home login").waitFor();
  await checkLook(owner.page);
  await owner.page.goto(home.link);
  assert.equal(new URL(owner.page.url()).pathname, "/-/login");
  await checkLook(owner.page);
  await owner.page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
  await owner.page.waitForURL(home.url + "/-/settings");
  assert.deepEqual(leaks, []);
  const cookies = await owner.context.cookies();
  const session = cookies.find((cookie) => cookie.name.startsWith("__Host-session"));
  assert.ok(session.httpOnly && session.secure && session.sameSite === "Lax");
  assert.equal(cookies.find((cookie) => cookie.name.includes("signin-link")), undefined);

  const thief = await newVisitor();
  await thief.page.goto(home.link);
  await thief.page.getByText("it was used before").waitFor();
  await thief.page.goto(home.url + "/Home");
  assert.equal(new URL(thief.page.url()).pathname, "/-/login");
  await thief.context.close();
});

test("pages are written, found and shown without a platform", async () => {
  const { page, violations } = owner;
  await page.goto(home.url + "/Garden/edit");
  await page.evaluate(() => { const form = document.querySelector("form[data-editor]"); form.querySelector("[name=content]").value = "Beans and [[Home]]."; form.submit(); });
  await page.waitForURL(home.url + "/Garden");
  await page.getByText("Beans and").waitFor();
  for (const path of ["/", "/Garden", "/-/settings", "/-/connect", "/-/account", "/-/tokens", "/-/agents", "/-/export", "/-/import", "/-/help", "/-/index", "/-/changelog"]) {
    const response = await page.goto(home.url + path);
    assert.equal(response.status(), 200, path);
    const foreign = await page.locator("a[href], form[action], link[href]").evaluateAll((all) => all.map((e) => e.getAttribute("href") ?? e.getAttribute("action"))
      .filter((address) => /robot\.wtf|robot\.localhost|^\/(app|auth|limits|privacy|terms)\b/.test(address)));
    assert.deepEqual(foreign, [], path);
    await checkLook(page);
  }
  assert.deepEqual(violations, []);
});

test("the owner invites someone, who chooses a name and writes", async () => {
  const { page } = owner;
  await page.goto(home.url + "/-/settings");
  await page.getByRole("button", { name: "Create an invitation link" }).click();
  const link = await page.locator("#link").textContent();
  await checkLook(page);
  const ben = await newVisitor({ javaScriptEnabled: false });
  await ben.page.goto(link);
  assert.equal(new URL(ben.page.url()).pathname, "/-/join");
  await ben.page.getByText("to read and write").waitFor();
  await checkFit(ben.page);
  await ben.page.getByLabel("Choose a name").fill("ben");
  await ben.page.getByRole("button", { name: "Join" }).click();
  await ben.page.getByText("You’re a member of this wiki now").waitFor();
  assert.equal((await ben.page.goto(home.url + "/Garden/edit")).status(), 200);
  assert.equal((await ben.page.goto(home.url + "/-/settings")).status(), 403);

  const late = await newVisitor();
  await late.page.goto(link);
  await late.page.getByText("This invitation can’t be used").waitFor();
  await late.context.close();

  await page.goto(home.url + "/-/settings");
  await page.getByRole("button", { name: "Sign-in link for ben" }).click();
  const signIn = await page.locator("#link").textContent();
  const again = await newVisitor();
  await again.page.goto(signIn);
  await again.page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
  await again.page.goto(home.url + "/-/account");
  await again.page.getByRole("heading", { name: "Account" }).waitFor();
  assert.match(await again.page.locator("main").innerText(), /ben\s+local:/);
  await again.context.close();
  await ben.context.close();
});

test("the owner adds a passkey, signs in with it without a link, and removes it", async () => {
  const { context, page, violations } = await newVisitor();
  const devtools = await context.newCDPSession(page);
  await devtools.send("WebAuthn.enable");
  const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", { options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true } });
  const signOut = async () => { await context.clearCookies(); await page.goto(home.url + "/-/account"); };
  await page.goto(home.login());
  await page.getByText("add a passkey under Account").waitFor();
  await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(home.url + "/");
  await page.goto(home.url + "/-/account");
  await page.getByRole("button", { name: "Add a passkey" }).click();
  await page.getByText("From now on you can sign in with this passkey").waitFor();
  await checkLook(page);
  const { credentials } = await devtools.send("WebAuthn.getCredentials", { authenticatorId });
  assert.deepEqual(credentials.map((c) => [c.rpId, c.isResidentCredential]), [["localhost", true]]);
  await page.getByRole("button", { name: "Add a passkey" }).click(); // one for each device
  await page.getByText("has a passkey for your account here already").waitFor();

  await signOut();
  assert.equal(new URL(page.url()).pathname, "/-/login");
  await checkLook(page);
  await page.getByRole("button", { name: "Sign in with a passkey" }).click();
  await page.waitForURL(home.url + "/-/account"); // where they wanted to go
  assert.match(await page.locator("#passkeys").innerText(), /Last used/);
  await signOut();
  await devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
  await page.getByRole("button", { name: "Sign in with a passkey" }).click();
  await page.getByText("No passkey was used").waitFor();
  await devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: true });
  await page.getByRole("button", { name: "Sign in with a passkey" }).click();
  await page.waitForURL(home.url + "/-/account");

  const withoutScript = await newVisitor({ javaScriptEnabled: false });
  await withoutScript.page.goto(home.url + "/-/login");
  assert.equal(await withoutScript.page.getByRole("button", { name: "Sign in with a passkey" }).isVisible(), false);
  await withoutScript.context.close();
  await page.getByRole("button", { name: "Remove" }).click();
  await page.getByText("This passkey signs nobody in any more").waitFor();
  await signOut();
  assert.equal(await page.getByRole("button", { name: "Sign in with a passkey" }).count(), 0);
  assert.deepEqual(violations, []);
  await context.close();
});

// createToken creates a token for writing, in the browser.
async function createToken(page) {
  await page.goto(home.url + "/-/tokens");
  await page.locator("input[name=name]").fill("laptop");
  await page.locator("select[name=scope]").selectOption("edit");
  await page.getByRole("button", { name: /Create/ }).click();
  return page.locator("#token").textContent();
}

test("the connect page offers what works here, and its address and a clone do", async () => {
  const { page } = owner;
  await page.goto(home.url + "/-/connect");
  assert.equal(await page.locator("a[href^='https://claude.ai']").count(), 0);
  assert.match(await page.locator("main").evaluate((main) => main.textContent), /only this machine reaches it/);
  const address = await page.locator("#ot1").evaluate((code) => code.textContent);
  assert.equal(address, home.url + "/mcp");
  const token = await createToken(page);
  const reply = await fetch(address, {
    method: "POST", headers: { authorization: `Bearer ${token}`, "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "create_page", arguments: { path: "By_Agent", content: "# By an agent\n", message: "First" } } }),
  });
  assert.equal(reply.status, 200, await reply.text());
  const listed = await (await fetch(home.url + "/api/v1/pages", { headers: { authorization: `Bearer ${token}` } })).json();
  assert.ok(JSON.stringify(listed).includes("By_Agent"));

  await page.goto(home.url + "/-/export");
  const line = await page.locator("#clone-line").textContent();
  const [, address2] = line.match(/^git clone (\S+) /);
  const into = join(scratch, "clone");
  execFileSync("git", ["clone", "-q", address2.replace("://", `://any:${token}@`), into], { env: { ...process.env, GIT_TERMINAL_PROMPT: "0", HOME: scratch } });
  assert.match(readFileSync(join(into, "By_Agent.md"), "utf8"), /By an agent/);
  execFileSync("git", ["-C", into, "fsck", "--strict"], { stdio: "pipe" });
});

test("forms of other sites and hosts of others change nothing", async () => {
  const session = (await owner.context.cookies()).find((cookie) => cookie.name.startsWith("__Host-session"));
  const cookie = `${session.name}=${session.value}`;
  const send = (path, headers, body) => fetch(home.url + path, { method: "POST", redirect: "manual", headers: { cookie, "content-type": "application/x-www-form-urlencoded", ...headers }, body: new URLSearchParams(body) });
  const settings = { title: "Taken over", description: "", visibility: "public", home: "" };
  for (const path of ["/-/settings", "/-/login", "/-/join", "/-/invitations", "/-/account", "/-/accounts", "/-/login/account", "/-/passkeys", "/-/passkeys/challenge", "/-/login/challenge", "/-/login/passkey", "/-/logout", "/-/auth/oauth/consent", "/Home/save", "/-/members"]) {
    for (const headers of [{ origin: "https://evil.example" }, { origin: "http://localhost:1" }, { origin: "null" }, { "sec-fetch-site": "cross-site" }, { "sec-fetch-site": "same-site" }]) {
      assert.equal((await send(path, headers, { ...settings, action: "invite", role: "editor", id: "all" })).status, 403, `${path} ${JSON.stringify(headers)}`);
    }
  }
  await owner.page.goto(home.url + "/-/settings");
  assert.equal(await owner.page.getByLabel("Name", { exact: true }).inputValue(), "Ada's Notes");
  // DNS rebinding: another name that leads here is refused, with the session's cookie, too.
  const { port } = new URL(home.url);
  const rebound = execFileSync("curl", ["-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", `Cookie: ${cookie}`, "--resolve", `evil.example:${port}:127.0.0.1`, `http://evil.example:${port}/Home`], { encoding: "utf8" });
  assert.equal(rebound, "421");
});

test("text in pages and names runs no script", async () => {
  const { context, page, violations } = owner;
  violations.length = 0;
  await context.exposeBinding("reportToTest", (_, what) => { violations.push(what); });
  await context.addInitScript(() => { for (const call of ["alert", "confirm", "prompt", "print"]) self[call] = (...args) => self.reportToTest(`${call}(${args}) in ${location}`); });
  const token = await createToken(page);
  const vectors = xssVectors().filter((_, i) => i % 8 === 0);
  for (let i = 0; i < vectors.length; i += 20) {
    const content = vectors.slice(i, i + 20).map((vector) => typeof vector === "string" ? vector : JSON.stringify(vector)).join("\n\n");
    const response = await fetch(`${home.url}/api/v1/pages/Hostile_${i}`, { method: "PUT", headers: { authorization: `Bearer ${token}`, "content-type": "application/json" }, body: JSON.stringify({ content, commit_message: `${vectors[i]}`.replaceAll(/\s+/g, " ").slice(0, 100) }) });
    assert.ok([200, 201].includes(response.status), await response.text());
    for (const path of [`/Hostile_${i}`, `/Hostile_${i}/history`]) await page.goto(home.url + path);
  }
  await page.goto(home.url + "/-/changelog");
  await page.goto(home.url + "/-/login?to=javascript:alert(1)");
  await page.goto(home.url + "/-/join");
  assert.deepEqual(violations, []);
});

// servesAt starts another wiki at an address that leads to this machine, and signs its
// owner in.
async function servesAt(port, url, options = {}) {
  const wiki = await startHome({ port, args: ["--url", url] });
  const visitor = await newVisitor(options);
  await visitor.page.goto(wiki.link);
  await visitor.page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
  await visitor.page.waitForURL(url + "/-/welcome");
  return { ...wiki, visitor, async stop() { await visitor.context.close(); await wiki.stop(); rmSync(wiki.data, { recursive: true, force: true }); } };
}

test("over plain http on a network, everything works with a warning, and other sites still can't act", async () => {
  const port = await freePort();
  const url = `http://nas.local:${port}`;
  const wiki = await servesAt(port, url);
  try {
    const { page, context } = wiki.visitor;
    for (const path of ["/Home", "/-/settings", "/-/account"]) {
      await page.goto(url + path);
      await page.getByText("others on this network can read along").waitFor();
      await checkLook(page);
    }
    const session = (await context.cookies()).find((cookie) => cookie.name === `session-${port}`);
    assert.ok(session.httpOnly && !session.secure && session.sameSite === "Lax");
    await page.goto(url + "/Garden/edit");
    await page.evaluate(() => { const form = document.querySelector("form[data-editor]"); form.querySelector("[name=content]").value = "Peas."; form.submit(); });
    await page.waitForURL(url + "/Garden");
    await page.goto(url + "/-/settings");
    await page.getByRole("button", { name: "Create an invitation link" }).click();
    assert.match(await page.locator("#link").textContent(), new RegExp(`^http://nas\\.local:${port}/-/join/`));
    await page.goto(url + "/-/connect");
    assert.match(await page.locator("main").evaluate((main) => main.textContent), /only your network reaches it/);
    for (const origin of ["http://evil.local", `http://nas.local:${port + 1}`, "null"]) { // browsers send no Sec-Fetch-Site here
      const status = execFileSync("curl", ["-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "POST", "-H", `Origin: ${origin}`, "-H", `Cookie: ${session.name}=${session.value}`, "--resolve", `nas.local:${port}:127.0.0.1`, url + "/-/logout"], { encoding: "utf8" });
      assert.equal(status, "403", origin);
    }
    assert.match(wiki.log(), /only this machine reaches/);
    await page.goto(url + "/-/account");
    assert.equal(await page.locator("#passkeys").count(), 0); // browsers have none here
  } finally { await wiki.stop(); }
});

test("behind one https name, addresses and cookies are those of any service", async () => {
  const port = await freePort();
  const proxy = await startTLSProxy(port, "wiki.example.test");
  const url = `https://wiki.example.test:${proxy.port}`;
  const wiki = await servesAt(port, url, { ignoreHTTPSErrors: true });
  try {
    const { page, context } = wiki.visitor;
    const session = (await context.cookies()).find((cookie) => cookie.name.startsWith("__Host-session"));
    assert.ok(session.httpOnly && session.secure);
    await page.goto(url + "/-/connect");
    assert.equal(await page.locator("#ot1").evaluate((code) => code.textContent), url + "/mcp");
    assert.equal(await page.getByText("read along").count(), 0);
    await page.goto(url + "/-/account");
    assert.match(await page.locator("#passkeys").innerText(), /at wiki\.example\.test/);
    await page.goto(url + "/Home");
    assert.equal(await page.locator("link[rel=canonical]").getAttribute("href"), url + "/");
    assert.deepEqual(wiki.visitor.violations.filter((what) => !what.includes("request to")), []);
  } finally { await wiki.stop(); proxy.close(); }
});

test("a backup brings everything back, and another link signs the owner in", async () => {
  const backup = join(scratch, "backups"), again = join(scratch, "again");
  home.run("backup", backup, "--data", home.data);
  home.run("verify", backup);
  const { port } = new URL(home.url);
  await home.stop();
  home.run("restore", backup, "--data", again);
  const former = home.data;
  home = await startHome({ data: again, port });
  rmSync(former, { recursive: true, force: true });
  await owner.page.goto(home.url + "/Garden"); // the session is restored, too
  await owner.page.getByText("Beans and").waitFor();
  const other = await newVisitor();
  await other.page.goto(home.login());
  await other.page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
  await other.page.goto(home.url + "/-/settings");
  await other.page.getByRole("heading", { name: "Danger zone" }).waitFor();
  await other.context.close();
});
