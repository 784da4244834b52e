// Connecting an agent, as a person sees it: the page waits, shows the first call
// and why it was refused, turns green when the agent writes, and can undo the
// change.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import { startService, launchBrowser, recordViolations, signIn } from "./service.mjs";

let service, chrome, ada;
before(async () => {
  service = await startService();
  chrome = await launchBrowser();
  ada = service.wikiURL("ada");
});
after(async () => { await chrome?.close(); await service?.stop(); });

// callMCP sends a JSON-RPC request to /mcp.
const callMCP = (method, params, token) => service.request("POST", ada + "/mcp", {
  headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...(token && { authorization: `Bearer ${token}` }) },
  body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
});
const createPage = (path, content) => callMCP("tools/call", { name: "create_page", arguments: { path, content, message: "First page" } }, service.token("ada", "owner"));

async function openTab(options = {}) {
  const context = await chrome.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const violations = recordViolations(context);
  const page = await context.newPage();
  await signIn(page, service, "ada");
  return { context, page, violations };
}

test("the panel follows an agent from its first call to its first page", async () => {
  const { context, page, violations } = await openTab();
  await page.goto(ada + "/-/connect");
  await page.getByRole("heading", { name: "Waiting for your agent" }).waitFor();
  assert.equal((await callMCP("initialize", {})).status, 401);
  await page.getByText("No token yet. That’s how it starts.").waitFor();
  assert.equal((await callMCP("initialize", {}, service.token("bob", "owner"))).status, 401);
  await page.getByText("This token is for another wiki.").waitFor();
  const created = await createPage("My_Project", "# My project\n\nWhat it is about.\n");
  assert.equal(created.status, 200, created.text);
  await page.getByRole("heading", { name: "Dev script has written" }).waitFor();
  await page.getByText("Dev script called create_page.").waitFor();
  await page.getByRole("button", { name: "Keep" }).focus();
  assert.equal((await callMCP("initialize", {}, "rwtf_" + "x".repeat(43))).status, 401);
  await page.getByText("This token is unknown or was revoked.").waitFor();
  assert.ok(await page.getByRole("button", { name: "Keep" }).evaluate((b) => b === document.activeElement), "an update keeps the focus");
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByText("Undone, in a new revision.").waitFor();
  assert.equal((await service.request("GET", ada + "/My_Project")).status, 404);
  assert.equal(await page.getByText("has written").count(), 0);
  await createPage("My_Project", "# My project\n\nAnother try.\n");
  await page.getByRole("link", { name: "My Project" }).waitFor();
  await page.getByRole("button", { name: "Keep" }).click();
  await page.getByRole("heading", { name: "Dev script is connected" }).waitFor();
  assert.equal((await service.request("GET", ada + "/My_Project")).status, 200);
  assert.deepEqual(violations, []);
  await context.close();
});

test("the panel follows a client from registration to its first page", async () => {
  const { context, page, violations } = await openTab();
  await page.goto(ada + "/-/connect");
  const callback = http.createServer((request, response) => response.end("Back in the client.")).listen(0, "127.0.0.1");
  await once(callback, "listening");
  const redirect = `http://127.0.0.1:${callback.address().port}/callback`;
  const post = async (path, body, type) => {
    const response = await service.request("POST", service.url + path, { headers: { "content-type": type }, body });
    assert.ok(response.status < 300, `${path}: ${response.status} ${response.text}`);
    return JSON.parse(response.text);
  };
  assert.equal((await callMCP("initialize", {})).status, 401);
  assert.equal((await service.request("GET", ada + "/.well-known/oauth-protected-resource/mcp")).status, 200);
  await page.getByText("It knows where to sign in.").waitFor();
  const { client_id } = await post("/auth/oauth/register", JSON.stringify({ client_name: "Testing Robot", redirect_uris: [redirect], token_endpoint_auth_method: "none" }), "application/json");
  const verifier = randomBytes(32).toString("base64url");
  const authorizeQuery = new URLSearchParams({
    response_type: "code", client_id, redirect_uri: redirect, resource: ada + "/mcp", scope: "wiki:read wiki:write", state: "s",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256",
  });
  const consent = await context.newPage();
  await consent.goto(`${service.url}/auth/oauth/authorize?${authorizeQuery}`);
  await page.bringToFront();
  await page.getByText("Your turn: press Allow.").waitFor();
  await consent.bringToFront();
  await consent.getByRole("button", { name: "Allow" }).click();
  await consent.waitForURL(/callback\?/);
  const code = new URL(consent.url()).searchParams.get("code");
  await consent.close();
  callback.close();
  const { access_token } = await post("/auth/oauth/token", new URLSearchParams({
    grant_type: "authorization_code", code, client_id, redirect_uri: redirect, code_verifier: verifier, resource: ada + "/mcp",
  }).toString(), "application/x-www-form-urlencoded");
  await page.getByText("It has a token now.").waitFor();
  await page.getByRole("heading", { name: "Testing Robot is connected" }).waitFor();
  const created = await callMCP("tools/call", { name: "create_page", arguments: { path: "By_Robot", content: "Text.\n", message: "First page" } }, access_token);
  assert.equal(created.status, 200, created.text);
  await page.getByRole("heading", { name: "Testing Robot has written" }).waitFor();
  await page.getByRole("link", { name: "By Robot" }).click();
  await page.getByText("Testing Robot for ada wrote this page").waitFor();
  assert.deepEqual(violations.filter((text) => !text.includes(redirect)), []);
  await context.close();
});

test("a reload shows the same without JavaScript", async () => {
  const { context, page } = await openTab({ javaScriptEnabled: false });
  await page.goto(ada + "/-/connect");
  await createPage("No_Script", "Text.\n");
  await page.getByRole("link", { name: "Refresh" }).click();
  await page.getByRole("heading", { name: "Dev script has written" }).waitFor();
  await page.getByRole("button", { name: "Undo the change to No Script" }).click();
  await page.getByText("Undone, in a new revision.").waitFor();
  assert.equal((await service.request("GET", ada + "/No_Script")).status, 404);
  await page.goto(ada + "/Weather_Station");
  assert.ok(await page.locator(".by.agent > .mark").first().isVisible(), "the author rail works without script");
  await page.getByText("Show who wrote what").click();
  assert.equal(await page.locator(".by.agent > .mark").first().isVisible(), false, "the switch of the author rail works without script");
  await context.close();
});

test("the Copy button copies the text shown", async () => {
  const { context, page } = await openTab({ permissions: ["clipboard-read", "clipboard-write"] });
  await page.goto(ada + "/-/connect");
  await page.getByRole("button", { name: "Copy" }).first().click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `claude mcp add --transport http --scope user ada ${ada}/mcp`);
  await context.close();
});

test("the service stops at once while the page is open", async () => {
  const { context, page } = await openTab();
  await page.goto(ada + "/-/connect");
  await page.waitForTimeout(300);
  const started = Date.now();
  const stopped = service.stop();
  await stopped;
  assert.ok(Date.now() - started < 5_000, "it took too long to stop");
  await context.close();
});
