// Connecting an agent, as a person sees it: the page waits, shows the first call
// and why it was refused, turns green when the agent writes, and takes it back.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import { start, browser, watch, signIn } from "./service.mjs";

let service, chrome, ada;
before(async () => {
  service = await start();
  chrome = await browser();
  ada = service.wiki("ada");
});
after(async () => { await chrome?.close(); await service?.stop(); });

// call is what a client sends to /mcp.
const call = (method, params, token) => service.request("POST", ada + "/mcp", {
  headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...(token && { authorization: `Bearer ${token}` }) },
  body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
});
const create = (path, content) => call("tools/call", { name: "create_page", arguments: { path, content, message: "First page" } }, service.token("ada", "owner"));

async function tab(options = {}) {
  const context = await chrome.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const seen = watch(context);
  const page = await context.newPage();
  await signIn(page, service, "ada");
  return { context, page, seen };
}

test("the panel follows an agent as it comes", async () => {
  const { context, page, seen } = await tab();
  await page.goto(ada + "/-/connect");
  await page.getByRole("heading", { name: "Waiting for your agent" }).waitFor();
  assert.equal((await call("initialize", {})).status, 401);
  await page.getByText("No token yet. That’s how it starts.").waitFor();
  assert.equal((await call("initialize", {}, service.token("bob", "owner"))).status, 401);
  await page.getByText("This token is for another wiki.").waitFor();
  const made = await create("My_Project", "# My project\n\nWhat it is about.\n");
  assert.equal(made.status, 200, made.text);
  await page.getByRole("heading", { name: "Dev script has written" }).waitFor();
  await page.getByText("Dev script called create_page.").waitFor();
  await page.getByRole("button", { name: "Keep" }).focus();
  assert.equal((await call("initialize", {}, "rwtf_" + "x".repeat(43))).status, 401);
  await page.getByText("This token is unknown or was revoked.").waitFor();
  assert.ok(await page.getByRole("button", { name: "Keep" }).evaluate((b) => b === document.activeElement), "the focus stays");
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByText("Undone, in a new revision.").waitFor();
  assert.equal((await service.request("GET", ada + "/My_Project")).status, 404);
  assert.equal(await page.getByText("has written").count(), 0);
  await create("My_Project", "# My project\n\nAnother try.\n");
  await page.getByRole("link", { name: "My Project" }).waitFor();
  await page.getByRole("button", { name: "Keep" }).click();
  await page.getByRole("heading", { name: "Dev script is connected" }).waitFor();
  assert.equal((await service.request("GET", ada + "/My_Project")).status, 200);
  assert.deepEqual(seen, []);
  await context.close();
});

test("a client that signs in: from introducing itself to its first page", async () => {
  const { context, page, seen } = await tab();
  await page.goto(ada + "/-/connect");
  const callback = http.createServer((request, answer) => answer.end("Back in the client.")).listen(0, "127.0.0.1");
  await once(callback, "listening");
  const redirect = `http://127.0.0.1:${callback.address().port}/callback`;
  const send = async (path, body, type) => {
    const answer = await service.request("POST", service.url + path, { headers: { "content-type": type }, body });
    assert.ok(answer.status < 300, `${path}: ${answer.status} ${answer.text}`);
    return JSON.parse(answer.text);
  };
  assert.equal((await call("initialize", {})).status, 401);
  assert.equal((await service.request("GET", ada + "/.well-known/oauth-protected-resource/mcp")).status, 200);
  await page.getByText("It knows where to sign in.").waitFor();
  const { client_id } = await send("/auth/oauth/register", JSON.stringify({ client_name: "Testing Robot", redirect_uris: [redirect], token_endpoint_auth_method: "none" }), "application/json");
  const verifier = randomBytes(32).toString("base64url");
  const ask = new URLSearchParams({
    response_type: "code", client_id, redirect_uri: redirect, resource: ada + "/mcp", scope: "wiki:read wiki:write", state: "s",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256",
  });
  const consent = await context.newPage();
  await consent.goto(`${service.url}/auth/oauth/authorize?${ask}`);
  await page.bringToFront();
  await page.getByText("Your turn: press Allow.").waitFor();
  await consent.bringToFront();
  await consent.getByRole("button", { name: "Allow" }).click();
  await consent.waitForURL(/callback\?/);
  const code = new URL(consent.url()).searchParams.get("code");
  await consent.close();
  callback.close();
  const { access_token } = await send("/auth/oauth/token", new URLSearchParams({
    grant_type: "authorization_code", code, client_id, redirect_uri: redirect, code_verifier: verifier, resource: ada + "/mcp",
  }).toString(), "application/x-www-form-urlencoded");
  await page.getByText("It has a token now.").waitFor();
  await page.getByRole("heading", { name: "Testing Robot is connected" }).waitFor();
  const made = await call("tools/call", { name: "create_page", arguments: { path: "By_Robot", content: "Text.\n", message: "First page" } }, access_token);
  assert.equal(made.status, 200, made.text);
  await page.getByRole("heading", { name: "Testing Robot has written" }).waitFor();
  await page.getByRole("link", { name: "By Robot" }).click();
  await page.getByText("Testing Robot for ada wrote this page").waitFor();
  assert.deepEqual(seen.filter((text) => !text.includes(redirect)), []);
  await context.close();
});

test("without JavaScript a reload shows the same", async () => {
  const { context, page } = await tab({ javaScriptEnabled: false });
  await page.goto(ada + "/-/connect");
  await create("No_Script", "Text.\n");
  await page.getByRole("link", { name: "Refresh" }).click();
  await page.getByRole("heading", { name: "Dev script has written" }).waitFor();
  await page.getByRole("button", { name: "Undo the change to No Script" }).click();
  await page.getByText("Undone, in a new revision.").waitFor();
  assert.equal((await service.request("GET", ada + "/No_Script")).status, 404);
  await page.goto(ada + "/Weather_Station");
  assert.ok(await page.locator(".by.agent > .mark").first().isVisible(), "the rail needs no script");
  await page.getByText("Show who wrote what").click();
  assert.equal(await page.locator(".by.agent > .mark").first().isVisible(), false, "nor does its switch");
  await context.close();
});

test("what is copied is what is shown", async () => {
  const { context, page } = await tab({ permissions: ["clipboard-read", "clipboard-write"] });
  await page.goto(ada + "/-/connect");
  await page.getByRole("button", { name: "Copy" }).first().click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `claude mcp add --transport http --scope user ada ${ada}/mcp`);
  await context.close();
});

test("the service stops while the page is open", async () => {
  const { context, page } = await tab();
  await page.goto(ada + "/-/connect");
  await page.waitForTimeout(300);
  const begun = Date.now();
  const ended = service.stop();
  await ended;
  assert.ok(Date.now() - begun < 5_000, "it stopped at once");
  await context.close();
});
