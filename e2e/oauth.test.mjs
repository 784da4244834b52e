// The authorization server before a strict client that others wrote
// (oauth4webapi), a real browser, and MCP's conformance suite. The suite is
// among the packages of e2e/mcp; without them its part is left out.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import http from "node:http";
import { after, before, test } from "node:test";
import * as oauth from "oauth4webapi";
import { browser, signIn, start } from "./service.mjs";

let service, chromium, callback;

before(async () => {
  service = await start();
  chromium = await browser();
  callback = await listen();
});
after(async () => {
  await chromium?.close();
  callback?.server.close();
  await service?.stop();
});

// listen is a program on the person's computer that waits for an answer.
async function listen() {
  const waiting = [];
  const server = http.createServer((request, response) => {
    if (request.url.startsWith("/callback")) waiting.shift()?.(new URL(request.url, callback.address));
    response.end("You can close this window.");
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const address = `http://127.0.0.1:${server.address().port}/callback`;
  return { server, address, next: () => new Promise((done) => waiting.push(done)) };
}

// The library's requests, to a name that Node.js does not resolve.
const options = {
  [oauth.allowInsecureRequests]: true,
  [oauth.customFetch]: async (url, { method, headers, body }) => {
    const answer = await service.request(method, String(url), { headers: Object.fromEntries(new Headers(headers)), body: body ? String(body) : undefined });
    const lines = Object.entries(answer.headers).filter(([, value]) => typeof value === "string");
    return new Response(answer.status === 204 || !answer.text ? null : answer.text, { status: answer.status, headers: lines });
  },
};

// discover goes the way of MCP's clients: from the refusal to the server.
async function discover(slug) {
  const resource = `${service.wiki(slug)}/mcp`;
  const metadata = await service.request("GET", `${service.wiki(slug)}/.well-known/oauth-protected-resource/mcp`);
  const described = JSON.parse(metadata.text);
  assert.equal(described.resource, resource);
  const issuer = new URL(described.authorization_servers[0]);
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...options }));
  assert.ok(server.client_id_metadata_document_supported && server.authorization_response_iss_parameter_supported);
  return { server, resource };
}

// authorize opens a request in a browser and presses a button; the answer is
// what arrives at the callback.
async function authorize(page, server, client, resource, { redirect = callback.address, press = "Allow", scope = "wiki:read wiki:write", choose } = {}) {
  const verifier = oauth.generateRandomCodeVerifier(), state = oauth.generateRandomState();
  const address = new URL(server.authorization_endpoint);
  address.search = new URLSearchParams({
    client_id: client.client_id, redirect_uri: redirect, response_type: "code", scope, state, resource,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  });
  const arrived = callback.next();
  await page.goto(String(address));
  if (page.url().includes("/auth/login")) await page.locator("button[name=username][value=bob]").click();
  await page.waitForURL(/\/auth\/oauth\/consent/);
  if (choose) await page.getByLabel(choose).check();
  await page.getByRole("button", { name: press, exact: true }).click();
  return { parameters: oauth.validateAuthResponse(server, client, await arrived, state), verifier };
}

const register = async (server, metadata) => oauth.processDynamicClientRegistrationResponse(
  await oauth.dynamicClientRegistrationRequest(server, { client_name: "Strict Client", redirect_uris: [callback.address], ...metadata }, options));

async function exchange(server, client, auth, { parameters, verifier }, resource) {
  const answer = await oauth.authorizationCodeGrantRequest(server, client, auth, parameters, callback.address, verifier, { additionalParameters: { resource }, ...options });
  return oauth.processAuthorizationCodeResponse(server, client, answer);
}

const ask = (slug, token, method = "GET", path = "/pages", body) => service.request(method, `${service.wiki(slug)}/api/v1${path}`, {
  headers: { authorization: `Bearer ${token}`, "content-type": "application/json" }, body: body && JSON.stringify(body),
});

test("a strict client: registration, sign-in on the way, code, rotation, revocation", async () => {
  const { server, resource } = await discover("bob");
  const client = await register(server, { token_endpoint_auth_method: "none" });
  const page = await (await chromium.newContext()).newPage();
  const reports = [];
  page.on("console", (message) => { if (/Content.Security.Policy/.test(message.text())) reports.push(message.text()); });
  const granted = await authorize(page, server, client, resource); // signs in on the way
  assert.match(page.url(), /^http:\/\/127\.0\.0\.1:\d+\/callback\?/, "the browser follows the form's answer to the client");
  const tokens = await exchange(server, client, oauth.None(), granted, resource);
  assert.equal(tokens.scope, "wiki:read wiki:write");
  assert.equal(tokens.expires_in, 7 * 24 * 3600);
  const verified = await oauth.validateJwtAccessToken(server, new Request(resource, { headers: { authorization: `Bearer ${tokens.access_token}` } }), resource, options);
  assert.equal(verified.client_id, client.client_id);
  assert.equal((await ask("bob", tokens.access_token)).status, 200);
  assert.equal((await ask("ada", tokens.access_token)).status, 401, "another wiki of the same person");
  const written = await ask("bob", tokens.access_token, "PUT", "/pages/From_An_Agent", { content: "Hello.\n" });
  assert.equal(written.status, 201, written.text);
  const history = JSON.parse((await ask("bob", tokens.access_token, "GET", "/pages/From_An_Agent/history")).text);
  assert.match(JSON.stringify(history), /Strict Client/, "the history names the agent");

  const refresh = async (token) => oauth.processRefreshTokenResponse(server, client,
    await oauth.refreshTokenGrantRequest(server, client, oauth.None(), token, { additionalParameters: { resource }, ...options }));
  const next = await refresh(tokens.refresh_token);
  assert.notEqual(next.refresh_token, tokens.refresh_token);
  const race = await Promise.all([1, 2, 3, 4].map(() => refresh(next.refresh_token)));
  assert.equal(new Set(race.map((r) => r.refresh_token)).size, 4);
  for (const r of race) assert.equal((await ask("bob", r.access_token)).status, 200);
  await assert.rejects(exchange(server, client, oauth.None(), granted, resource), { error: "invalid_grant" }, "the code a second time");
  assert.equal((await ask("bob", race[0].access_token)).status, 401, "which ends what it bought");

  const again = await exchange(server, client, oauth.None(), await authorize(page, server, client, resource), resource);
  await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, oauth.None(), again.refresh_token, options));
  assert.equal((await ask("bob", again.access_token)).status, 401);
  assert.deepEqual(reports, []);
});

test("a client with a secret, reading alone, and no", async () => {
  const { server, resource } = await discover("ada");
  const client = await register(server, { token_endpoint_auth_method: "client_secret_basic" });
  const page = await (await chromium.newContext()).newPage();
  await signIn(page, service, "bob");
  const granted = await authorize(page, server, client, resource, { choose: "Read only" });
  const tokens = await exchange(server, client, oauth.ClientSecretBasic(client.client_secret), granted, resource);
  assert.equal(tokens.scope, "wiki:read");
  assert.equal((await ask("ada", tokens.access_token, "PUT", "/pages/No", { content: "x" })).status, 403);
  await assert.rejects(authorize(page, server, client, resource, { press: "Cancel" }), { error: "access_denied" });
});

test("an agent is disconnected on the wiki's page, at once", async () => {
  const { server, resource } = await discover("bob");
  const client = await register(server, { client_name: "Short-lived", token_endpoint_auth_method: "none" });
  const page = await (await chromium.newContext()).newPage();
  await signIn(page, service, "bob");
  const tokens = await exchange(server, client, oauth.None(), await authorize(page, server, client, resource), resource);
  assert.equal((await ask("bob", tokens.access_token)).status, 200);
  await page.goto(`${service.wiki("bob")}/-/agents`);
  const row = page.locator("li", { hasText: "Short-lived" });
  assert.match(await row.innerText(), /for Bob[\s\S]*Reads and writes[\s\S]*first used/);
  await row.getByRole("button").click();
  await page.getByText("The agent no longer has access").waitFor();
  assert.equal((await ask("bob", tokens.access_token)).status, 401);
});

test("a client of 2025-03-26, which knows the wiki's host alone", async () => {
  const host = service.wiki("bob");
  const server = JSON.parse((await service.request("GET", `${host}/.well-known/oauth-authorization-server`)).text);
  assert.equal(server.authorization_endpoint, `${host}/authorize`);
  const client = await register({ ...server, registration_endpoint: `${host}/register` }, { token_endpoint_auth_method: "none" });
  const page = await (await chromium.newContext()).newPage();
  await signIn(page, service, "bob");
  const verifier = oauth.generateRandomCodeVerifier();
  const arrived = callback.next();
  await page.goto(`${host}/authorize?${new URLSearchParams({
    client_id: client.client_id, redirect_uri: callback.address, response_type: "code",
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  })}`);
  await page.getByRole("button", { name: "Allow", exact: true }).click();
  const code = (await arrived).searchParams.get("code");
  const answer = await service.request("POST", `${host}/token`, {
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: String(new URLSearchParams({ grant_type: "authorization_code", client_id: client.client_id, code, redirect_uri: callback.address, code_verifier: verifier })),
  });
  assert.equal((await ask("bob", JSON.parse(answer.text).access_token)).status, 200);
});

const suite = new URL("mcp/node_modules/@modelcontextprotocol/conformance/dist/index.js", import.meta.url).pathname;
const node = new URL("mcp/node_modules/node/bin/node", import.meta.url).pathname;

test("MCP's conformance suite: authorization", { skip: !existsSync(suite) && "the packages of e2e/mcp are not installed" }, async () => {
  const { server, resource } = await discover("bob");
  const port = 3000 + Math.floor(Math.random() * 20000);
  const client = await register(server, { redirect_uris: [`http://127.0.0.1:${port}/callback`], token_endpoint_auth_method: "none" });
  const page = await (await chromium.newContext()).newPage();
  await signIn(page, service, "bob");
  const child = spawn(node, ["--import", new URL("mcp/localhost.mjs", import.meta.url).pathname, suite, "authorization",
    "--url", service.url, "--client-id", client.client_id, "--resource", resource, "-p", String(port)]);
  let output = "", opened = false;
  const ended = new Promise((done) => child.once("exit", done));
  const consent = async () => {
    const found = output.match(/https?:\/\/\S+\/auth\/oauth\/authorize\?\S+/);
    if (!found || opened) return;
    opened = true;
    await page.goto(found[0]);
    await page.getByRole("button", { name: "Allow", exact: true }).click();
  };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => { output += text; consent().catch((error) => { output += error; }); });
  assert.equal(await ended, 0, output);
  const scenarios = output.match(/\S+: \d+ passed, \d+ failed/g);
  assert.ok(scenarios?.length >= 2 && scenarios.every((line) => / 0 failed$/.test(line)), output);
  console.log(`measured: ${scenarios.join("; ")}`);
});
