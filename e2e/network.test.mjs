// A wiki of one's own (robot home) over plain http on another machine of the network:
// the service has a network namespace of its own, joined to the browser's by a virtual
// cable. Needs root and iproute2.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launchBrowser, recordViolations, startHome } from "./service.mjs";

const namespace = `robot-${process.pid}`, cable = `rbt${process.pid}`.slice(0, 13);
const network = `10.87.${process.pid % 200}`, here = `${network}.1`, there = `${network}.2`;
const url = "http://nas.local:8080";
const ip = (...args) => execFileSync("ip", args, { stdio: "pipe" });
const scratch = mkdtempSync(join(tmpdir(), "robot-e2e-network-"));
let skip = process.getuid?.() === 0 ? false : "needs root";
let home, chrome;

function lay() {
  ip("netns", "add", namespace);
  ip("link", "add", `${cable}a`, "type", "veth", "peer", "name", `${cable}b`, "netns", namespace);
  ip("addr", "add", `${here}/24`, "dev", `${cable}a`);
  ip("link", "set", `${cable}a`, "up");
  for (const args of [["addr", "add", `${there}/24`, "dev", `${cable}b`], ["link", "set", `${cable}b`, "up"], ["link", "set", "lo", "up"]]) ip("-n", namespace, ...args);
}

before(async () => {
  if (skip) return;
  try { lay(); } catch (error) {
    skip = `no network namespaces here: ${error.stderr ?? error}`;
    return;
  }
  home = await startHome({ address: there, port: 8080, within: ["ip", "netns", "exec", namespace], args: ["--url", url, "--name", "ada"] });
  chrome = await launchBrowser({ addresses: { "nas.local": there } });
});

after(async () => {
  await chrome?.close();
  await home?.stop();
  try { ip("netns", "del", namespace); } catch { /* it was never made */ } // its end of the cable goes with it, and so does ours
  for (const dir of [scratch, home?.data]) if (dir) rmSync(dir, { recursive: true, force: true });
});

async function newVisitor(options = {}) {
  const context = await chrome.newContext(options);
  const violations = recordViolations(context, /^nas\.local$/);
  return { context, page: await context.newPage(), violations };
}

test("on another machine of the network, one signs in, writes, invites, connects and clones", async (t) => {
  if (skip) return t.skip(skip);
  const { page, context, violations } = await newVisitor();
  const code = home.link.split("/").pop(), leaks = [];
  page.on("request", async (request) => {
    const { referer = "" } = await request.allHeaders();
    if (request.url() !== home.link && request.url().includes(code) || referer.includes(code)) leaks.push(`${request.url()} from ${referer}`);
  });
  await page.goto(home.link);
  await page.getByText("others on this network can read along").waitFor();
  await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(url + "/-/welcome");
  await page.goto(url + "/Garden/edit");
  await page.evaluate(() => { const form = document.querySelector("form[data-editor]"); form.querySelector("[name=content]").value = "Beans."; form.submit(); });
  await page.waitForURL(url + "/Garden");
  assert.deepEqual(leaks, []);

  const thief = await newVisitor();
  await thief.page.goto(home.link);
  await thief.page.getByText("it was used before").waitFor();
  await thief.page.goto(url + "/Garden");
  assert.equal(new URL(thief.page.url()).pathname, "/-/login", "a stranger on the network reads nothing");

  await page.goto(url + "/-/settings");
  await page.getByRole("button", { name: "Create an invitation link" }).click();
  await thief.page.goto(await page.locator("#link").textContent());
  await thief.page.getByLabel("Choose a name").fill("ben");
  await thief.page.getByRole("button", { name: "Join" }).click();
  await thief.page.goto(url + "/Garden");
  await thief.page.getByText("Beans.").waitFor();

  await page.goto(url + "/-/connect");
  const text = await page.locator("main").evaluate((main) => main.textContent);
  assert.match(text, /only your network reaches it/);
  assert.equal(await page.locator("a[href^='https://claude.ai']").count(), 0, "no cloud service can reach it");
  await page.goto(url + "/-/tokens");
  await page.locator("input[name=name]").fill("laptop");
  await page.getByRole("button", { name: /Create/ }).click();
  const token = await page.locator("#token").textContent();
  const answer = await fetch(`http://${there}:8080/mcp`, { method: "POST" }).catch((error) => error);
  assert.equal(answer.status, 421, "another name of the same machine isn't the wiki's");
  const clone = join(scratch, "clone");
  execFileSync("git", ["-c", `http.curloptResolve=nas.local:8080:${there}`, "clone", "-q", `http://any:${token}@nas.local:8080/repo.git`, clone], { env: { ...process.env, GIT_TERMINAL_PROMPT: "0", HOME: scratch } });
  assert.match(readFileSync(join(clone, "Garden.md"), "utf8"), /Beans/);
  assert.deepEqual(violations, []);
  for (const who of [context, thief.context]) await who.close();
});
