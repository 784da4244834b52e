// The authorization server with a strict third-party client (oauth4webapi), a real
// browser, and MCP's conformance suite. The suite is one of the packages of e2e/mcp;
// without them its test is skipped.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as oauth from "oauth4webapi";
import { buildBinary, launchBrowser, signIn, startService } from "./service.mjs";

let service, chrome, callback;

before(async () => {
  service = await startService();
  chrome = await launchBrowser();
  callback = await startCallbackServer();
});
after(async () => {
  await chrome?.close();
  callback?.server.close();
  await service?.stop();
});

// startCallbackServer is a client on the person's computer that waits for the redirect.
async function startCallbackServer() {
  const waiting = [];
  const server = http.createServer((request, response) => {
    if (request.url.startsWith("/callback")) waiting.shift()?.(new URL(request.url, callback.address));
    response.end("You can close this window.");
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const address = `http://127.0.0.1:${server.address().port}/callback`;
  return { server, address, next: () => new Promise((done) => waiting.push(done)) };
}

// requestOptions sends the library's requests through service.request, because
// Node.js doesn't resolve the service's host names.
const requestOptions = {
  [oauth.allowInsecureRequests]: true,
  [oauth.customFetch]: async (url, { method, headers, body }) => {
    const response = await service.request(method, String(url), { headers: Object.fromEntries(new Headers(headers)), body: body ? String(body) : undefined });
    const lines = Object.entries(response.headers).filter(([, value]) => typeof value === "string");
    return new Response(response.status === 204 || !response.text ? null : response.text, { status: response.status, headers: lines });
  },
};

// discover finds the authorization server of a wiki as MCP clients do, from the
// protected-resource metadata.
async function discover(slug) {
  const resource = `${service.wikiURL(slug)}/mcp`;
  const metadata = await service.request("GET", `${service.wikiURL(slug)}/.well-known/oauth-protected-resource/mcp`);
  const resourceMetadata = JSON.parse(metadata.text);
  assert.equal(resourceMetadata.resource, resource);
  const issuer = new URL(resourceMetadata.authorization_servers[0]);
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...requestOptions }));
  assert.ok(server.client_id_metadata_document_supported && server.authorization_response_iss_parameter_supported);
  return { server, resource };
}

// authorize opens an authorization request in a browser, presses a button on the
// consent page and returns the parameters sent to the callback.
async function authorize(page, server, client, resource, { redirect = callback.address, press = "Allow", scope = "wiki:read wiki:write", choose } = {}) {
  const verifier = oauth.generateRandomCodeVerifier(), state = oauth.generateRandomState();
  const address = new URL(server.authorization_endpoint);
  address.search = new URLSearchParams({
    client_id: client.client_id, redirect_uri: redirect, response_type: "code", scope, state, resource,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  });
  const callbackURL = callback.next();
  await page.goto(String(address));
  if (page.url().includes("/auth/login")) await page.locator("button[name=username][value=bob]").click();
  await page.waitForURL(/\/auth\/oauth\/consent/);
  if (choose) await page.getByLabel(choose).check();
  await page.getByRole("button", { name: press, exact: true }).click();
  return { parameters: oauth.validateAuthResponse(server, client, await callbackURL, state), verifier };
}

const register = async (server, metadata) => oauth.processDynamicClientRegistrationResponse(
  await oauth.dynamicClientRegistrationRequest(server, { client_name: "Strict Client", redirect_uris: [callback.address], ...metadata }, requestOptions));

async function exchange(server, client, auth, { parameters, verifier }, resource) {
  const response = await oauth.authorizationCodeGrantRequest(server, client, auth, parameters, callback.address, verifier, { additionalParameters: { resource }, ...requestOptions });
  return oauth.processAuthorizationCodeResponse(server, client, response);
}

const callAPI = (slug, token, method = "GET", path = "/pages", body) => service.request(method, `${service.wikiURL(slug)}/api/v1${path}`, {
  headers: { authorization: `Bearer ${token}`, "content-type": "application/json" }, body: body && JSON.stringify(body),
});

test("a strict client registers, signs in, exchanges, rotates and revokes tokens", async () => {
  const { server, resource } = await discover("bob");
  const client = await register(server, { token_endpoint_auth_method: "none" });
  const page = await (await chrome.newContext()).newPage();
  const cspViolations = [];
  page.on("console", (message) => { if (/Content.Security.Policy/.test(message.text())) cspViolations.push(message.text()); });
  const granted = await authorize(page, server, client, resource); // includes sign-in
  assert.match(page.url(), /^http:\/\/127\.0\.0\.1:\d+\/callback\?/, "the browser follows the redirect to the client");
  const tokens = await exchange(server, client, oauth.None(), granted, resource);
  assert.equal(tokens.scope, "wiki:read wiki:write");
  assert.equal(tokens.expires_in, 7 * 24 * 3600);
  const verified = await oauth.validateJwtAccessToken(server, new Request(resource, { headers: { authorization: `Bearer ${tokens.access_token}` } }), resource, requestOptions);
  assert.equal(verified.client_id, client.client_id);
  assert.equal((await callAPI("bob", tokens.access_token)).status, 200);
  assert.equal((await callAPI("ada", tokens.access_token)).status, 401, "the token is refused by another wiki of the same person");
  const written = await callAPI("bob", tokens.access_token, "PUT", "/pages/From_An_Agent", { content: "Hello.\n" });
  assert.equal(written.status, 201, written.text);
  const history = JSON.parse((await callAPI("bob", tokens.access_token, "GET", "/pages/From_An_Agent/history")).text);
  assert.match(JSON.stringify(history), /Strict Client/, "the history names the agent");

  const refresh = async (token) => oauth.processRefreshTokenResponse(server, client,
    await oauth.refreshTokenGrantRequest(server, client, oauth.None(), token, { additionalParameters: { resource }, ...requestOptions }));
  const next = await refresh(tokens.refresh_token);
  assert.notEqual(next.refresh_token, tokens.refresh_token);
  const race = await Promise.all([1, 2, 3, 4].map(() => refresh(next.refresh_token)));
  assert.equal(new Set(race.map((r) => r.refresh_token)).size, 4);
  for (const r of race) assert.equal((await callAPI("bob", r.access_token)).status, 200);
  await assert.rejects(exchange(server, client, oauth.None(), granted, resource), { error: "invalid_grant" }, "a code can't be used twice");
  assert.equal((await callAPI("bob", race[0].access_token)).status, 401, "reusing a code revokes its tokens");

  const again = await exchange(server, client, oauth.None(), await authorize(page, server, client, resource), resource);
  await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, oauth.None(), again.refresh_token, requestOptions));
  assert.equal((await callAPI("bob", again.access_token)).status, 401);
  assert.deepEqual(cspViolations, []);
});

test("a client with a secret gets read-only access, or is denied", async () => {
  const { server, resource } = await discover("ada");
  const client = await register(server, { token_endpoint_auth_method: "client_secret_basic" });
  const page = await (await chrome.newContext()).newPage();
  await signIn(page, service, "bob");
  const granted = await authorize(page, server, client, resource, { choose: "Read only" });
  const tokens = await exchange(server, client, oauth.ClientSecretBasic(client.client_secret), granted, resource);
  assert.equal(tokens.scope, "wiki:read");
  assert.equal((await callAPI("ada", tokens.access_token, "PUT", "/pages/No", { content: "x" })).status, 403);
  await assert.rejects(authorize(page, server, client, resource, { press: "Cancel" }), { error: "access_denied" });
});

test("disconnecting an agent revokes its token at once", async () => {
  const { server, resource } = await discover("bob");
  const client = await register(server, { client_name: "Short-lived", token_endpoint_auth_method: "none" });
  const page = await (await chrome.newContext()).newPage();
  await signIn(page, service, "bob");
  const tokens = await exchange(server, client, oauth.None(), await authorize(page, server, client, resource), resource);
  assert.equal((await callAPI("bob", tokens.access_token)).status, 200);
  await page.goto(`${service.wikiURL("bob")}/-/agents`);
  const row = page.locator("li", { hasText: "Short-lived" });
  assert.match(await row.innerText(), /for Bob[\s\S]*Read and edit[\s\S]*first used/);
  await row.getByRole("button").click();
  await page.getByText("The agent no longer has access").waitFor();
  assert.equal((await callAPI("bob", tokens.access_token)).status, 401);
});

test("a client of 2025-03-26, which knows only the wiki's host, gets a token", async () => {
  const host = service.wikiURL("bob");
  const server = JSON.parse((await service.request("GET", `${host}/.well-known/oauth-authorization-server`)).text);
  assert.equal(server.authorization_endpoint, `${host}/authorize`);
  const client = await register({ ...server, registration_endpoint: `${host}/register` }, { token_endpoint_auth_method: "none" });
  const page = await (await chrome.newContext()).newPage();
  await signIn(page, service, "bob");
  const verifier = oauth.generateRandomCodeVerifier();
  const callbackURL = callback.next();
  await page.goto(`${host}/authorize?${new URLSearchParams({
    client_id: client.client_id, redirect_uri: callback.address, response_type: "code",
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  })}`);
  await page.getByRole("button", { name: "Allow", exact: true }).click();
  const code = (await callbackURL).searchParams.get("code");
  const response = await service.request("POST", `${host}/token`, {
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: String(new URLSearchParams({ grant_type: "authorization_code", client_id: client.client_id, code, redirect_uri: callback.address, code_verifier: verifier })),
  });
  assert.equal((await callAPI("bob", JSON.parse(response.text).access_token)).status, 200);
});

const conformanceSuite = new URL("mcp/node_modules/@modelcontextprotocol/conformance/dist/index.js", import.meta.url).pathname;
const nodeBinary = new URL("mcp/node_modules/node/bin/node", import.meta.url).pathname;

test("MCP's authorization conformance suite passes", { skip: !existsSync(conformanceSuite) && "the packages of e2e/mcp are not installed" }, async () => {
  const { server, resource } = await discover("bob");
  const port = 3000 + Math.floor(Math.random() * 20000);
  const client = await register(server, { redirect_uris: [`http://127.0.0.1:${port}/callback`], token_endpoint_auth_method: "none" });
  const page = await (await chrome.newContext()).newPage();
  await signIn(page, service, "bob");
  const child = spawn(nodeBinary, ["--import", new URL("mcp/localhost.mjs", import.meta.url).pathname, conformanceSuite, "authorization",
    "--url", service.url, "--client-id", client.client_id, "--resource", resource, "-p", String(port)]);
  let output = "", opened = false;
  const exited = new Promise((done) => child.once("exit", done));
  const consent = async () => {
    const found = output.match(/https?:\/\/\S+\/auth\/oauth\/authorize\?\S+/);
    if (!found || opened) return;
    opened = true;
    await page.goto(found[0]);
    await page.getByRole("button", { name: "Allow", exact: true }).click();
  };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => { output += text; consent().catch((error) => { output += error; }); });
  assert.equal(await exited, 0, output);
  const scenarios = output.match(/\S+: \d+ passed, \d+ failed/g);
  assert.ok(scenarios?.length >= 2 && scenarios.every((line) => / 0 failed$/.test(line)), output);
  console.log(`measured: ${scenarios.join("; ")}`);
});

test("a client that registered with the predecessor connects again after one consent", async () => {
  const root = new URL("..", import.meta.url).pathname;
  const disk = JSON.parse(execFileSync("go", ["run", "./e2e/replica", mkdtempSync(join(tmpdir(), "robot-e2e-replica-")), callback.address], { cwd: root, encoding: "utf8" }));
  execFileSync(buildBinary(), ["move-in", "--from", disk.Dir, "--data", service.data], { stdio: "pipe" });
  const { server, resource } = await discover("bob");
  const client = { client_id: disk.Client };
  const granted = await authorize(await (await chrome.newContext()).newPage(), server, client, resource);
  const tokens = await exchange(server, client, oauth.ClientSecretPost("a secret"), granted, resource);
  assert.equal((await callAPI("bob", tokens.access_token)).status, 200);
  assert.equal((await callAPI("plain-0", disk.Tokens["plain-0"])).status, 200, "the moved wiki's token works");
  assert.equal((await callAPI("bob", disk.Tokens["plain-0"])).status, 401, "and at no other wiki");
  assert.equal((await callAPI("bob", "old-access-token")).status, 401, "old access tokens have ended");
});
