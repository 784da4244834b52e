// The clients that people use, from 401 through discovery, registration, sign-in and
// consent in Chromium to a token and an edited page. The service uses HTTPS, as in
// production, because some clients send credentials only over HTTPS. ./check runs it
// with the Node.js of this directory:
// node --import ./localhost.mjs --test consent.mjs
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { promisify } from "node:util";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { buildBinary, launchBrowser, startHome, startService } from "../service.mjs";
import { createAndEditPage } from "./edit-pages.mjs";

const thisDir = new URL(".", import.meta.url).pathname;
const execFileAsync = promisify(execFile);
let service, chromium, address, env;

before(async () => {
  service = await startService({ https: true });
  chromium = await launchBrowser();
  address = `${service.wikiURL("ada")}/mcp`;
  tls.setDefaultCACertificates([...tls.getCACertificates(), readFileSync(service.certificate, "utf8")]);
  env = { ...process.env, NODE_OPTIONS: `--import ${thisDir}localhost.mjs`, NODE_EXTRA_CA_CERTS: service.certificate, NO_COLOR: "1" };
});
after(async () => {
  await chromium?.close();
  await service?.stop();
});

// approveConsent opens a client's authorization URL, signs in as ada, lets the client
// read and edit, and waits for the redirect back to the client.
async function approveConsent(authorize, name) {
  assert.equal(new URL(authorize).protocol, "https:");
  const context = await chromium.newContext({ ignoreHTTPSErrors: true }); // the certificate is self-signed
  const page = await context.newPage();
  await page.goto(authorize);
  await page.locator("button[name=username][value=ada]").click();
  await page.waitForURL(/\/auth\/oauth\/consent/);
  assert.match(await page.locator("main").innerText(), new RegExp(name));
  await page.getByLabel("Read and edit").check();
  await page.getByRole("button", { name: "Allow", exact: true }).click();
  await page.waitForURL(/^http:\/\/(localhost|127\.0\.0\.1):\d+\//);
  await context.close();
}

// pageAuthors returns the author and agent of each revision of a page.
async function pageAuthors(page) {
  const { history } = await service.callAPI("ada", "GET", `/pages/${page}/history`);
  return history.map((line) => `${line.author} with ${line.agent}`);
}

// getToken connects the TypeScript client to an address as a program on the person's
// computer does: approve opens the authorization URL in a browser and allows it. saved is
// what the client has kept from earlier, by its redirect URI. It returns the client, the
// tokens and the id it has now.
async function getToken(address, approve, savedFor = () => ({})) {
  const redirected = Promise.withResolvers();
  const callback = createServer((req, res) => {
    const url = new URL(req.url, "http://localhost");
    if (url.pathname === "/callback") redirected.resolve(url.searchParams);
    res.end("You may close this window.");
  });
  await new Promise((done) => callback.listen(0, "127.0.0.1", done));
  const redirect = `http://localhost:${callback.address().port}/callback`;
  const saved = savedFor(redirect);
  const provider = {
    redirectUrl: redirect,
    clientMetadata: { client_name: "Test client", redirect_uris: [redirect], grant_types: ["authorization_code", "refresh_token"], response_types: ["code"], token_endpoint_auth_method: "none" },
    state: () => "abc",
    clientInformation: () => saved.client, saveClientInformation: (client) => { saved.client = client; },
    tokens: () => saved.tokens, saveTokens: (tokens) => { saved.tokens = tokens; },
    codeVerifier: () => saved.verifier, saveCodeVerifier: (verifier) => { saved.verifier = verifier; },
    discoveryState: () => saved.discovery, saveDiscoveryState: (state) => { saved.discovery = state; },
    redirectToAuthorization: (to) => { saved.authorize = to.href; },
  };
  try {
    const first = new StreamableHTTPClientTransport(new URL(address), { authProvider: provider });
    await assert.rejects(new Client({ name: "oauth", version: "1" }).connect(first));
    assert.ok(saved.authorize, "the client wasn't redirected to sign in");
    await approve(saved.authorize);
    const params = await redirected.promise;
    assert.equal(params.get("error"), null);
    await first.finishAuth(params);
    const client = new Client({ name: "oauth", version: "1" });
    await client.connect(new StreamableHTTPClientTransport(new URL(address), { authProvider: provider }));
    return { client, tokens: saved.tokens, id: saved.client.client_id };
  } finally {
    callback.close();
  }
}

test("the TypeScript client gets a token, which also works in the Inspector", { timeout: 120_000 }, async () => {
  const { client, tokens } = await getToken(address, (authorize) => approveConsent(authorize, "Test client"));
  await createAndEditPage(service, client, "By_OAuth");
  await client.close();
  // The name is the registered one, not the one the client reports over MCP.
  assert.deepEqual(await pageAuthors("By_OAuth"), ["ada with Test client", "ada with Test client"]);

  const { stdout } = await execFileAsync(process.execPath, [`${thisDir}node_modules/.bin/mcp-inspector`, "--cli", address, "--transport", "http", "--header", `Authorization: Bearer ${tokens.access_token}`,
    "--method", "tools/call", "--tool-name", "edit_page", "--tool-arg", "path=By_OAuth", "--tool-arg", 'edits=[{"op":"append","text":"- three"}]'], { env });
  assert.match(JSON.parse(stdout).content[0].text, /\+- three/);
  assert.match(await service.pageContent("ada", "By_OAuth"), /- two\n- three\n$/);
});

test("the TypeScript client gets a token from a wiki of one's own", { timeout: 120_000 }, async () => {
  const home = await startHome({ args: ["--name", "ada"] });
  const context = await chromium.newContext();
  try {
    const { client, tokens } = await getToken(`${home.url}/mcp`, async (authorize) => {
      assert.ok(authorize.startsWith(`${home.url}/-/auth/oauth/authorize?`), authorize);
      const page = await context.newPage();
      await page.goto(authorize);
      await page.goto(home.link); // the sign-in returns to the request
      await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
      await page.waitForURL(/\/-\/auth\/oauth\/consent/);
      assert.match(await page.locator("main").innerText(), /Test client/);
      await page.getByRole("button", { name: "Allow", exact: true }).click();
      await page.waitForURL(/^http:\/\/localhost:\d+\/callback/);
    });
    const api = (path) => fetch(`${home.url}/api/v1${path}`, { headers: { authorization: `Bearer ${tokens.access_token}` } }).then((response) => response.json());
    await createAndEditPage({ pageContent: async (_, name) => (await api(`/pages/${name}`)).content }, client, "By_OAuth");
    await client.close();
    const { history } = await api("/pages/By_OAuth/history");
    assert.deepEqual(history.map((line) => `${line.author} with ${line.agent}`), ["ada with Test client", "ada with Test client"]);
  } finally {
    await context.close();
    await home.stop();
    rmSync(home.data, { recursive: true, force: true });
  }
});

test("a client that registered with the predecessor asks for consent once, and connects", { timeout: 120_000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), "robot-e2e-replica-"));
  try {
    let disk;
    const { client, id } = await getToken(address, (authorize) => approveConsent(authorize, "Claude"), (redirect) => {
      const root = new URL("../..", import.meta.url).pathname;
      disk = JSON.parse(execFileSync("go", ["run", "./e2e/replica", dir, redirect], { cwd: root, encoding: "utf8" }));
      execFileSync(buildBinary(), ["move-in", "--from", disk.Dir, "--data", service.data], { stdio: "pipe" });
      return { client: { client_id: disk.Client, client_secret: "a secret" }, tokens: { access_token: "old-access-token", token_type: "Bearer" } };
    });
    assert.equal(id, disk.Client, "the client didn't register again");
    await createAndEditPage(service, client, "By_old_client");
    await client.close();
    assert.deepEqual(await pageAuthors("By_old_client"), ["ada with Claude", "ada with Claude"]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test("mcp-remote gets a token and edits a page", { timeout: 120_000 }, async () => {
  const config = mkdtempSync(join(tmpdir(), "mcp-remote-"));
  try {
    const transport = new StdioClientTransport({
      command: process.execPath, args: [`${thisDir}node_modules/mcp-remote/dist/proxy.js`, address, "--transport", "http-only"],
      env: { ...env, MCP_REMOTE_CONFIG_DIR: config, PATH: thisDir }, stderr: "pipe", // PATH without a browser
    });
    let printed = "";
    const authorizeURL = new Promise((done) => {
      transport.stderr.on("data", (text) => {
        printed += text;
        const match = printed.match(/(https:\/\/robot\.localhost:\d+\/\S*authorize\?\S+)\s/);
        if (match) done(match[1]);
      });
    });
    const client = new Client({ name: "stdio", version: "1" });
    const connected = client.connect(transport, { timeout: 60_000 });
    await approveConsent(await Promise.race([authorizeURL, connected.then(() => assert.fail("mcp-remote connected without authorization"))]), "MCP CLI Proxy");
    await connected.catch((error) => assert.fail(`${error}\n${printed}`));
    await createAndEditPage(service, client, "By_mcp_remote");
    await client.close();
    assert.deepEqual(await pageAuthors("By_mcp_remote"), ["ada with MCP CLI Proxy", "ada with MCP CLI Proxy"]);
  } finally {
    rmSync(config, { recursive: true, force: true });
  }
});
