// The clients that people connect with, from 401 through discovery, registration,
// sign-in and consent in Chromium to a token and an edited page. By https, as in
// service: some clients send credentials by nothing else. Run by ./check with the
// Node.js of this directory: node --import ./localhost.mjs --test consent.mjs
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { promisify } from "node:util";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { browser, start } from "../service.mjs";
import { work } from "./work.mjs";

const here = new URL(".", import.meta.url).pathname;
const run = promisify(execFile);
let service, chromium, address, env;

before(async () => {
  service = await start({ https: true });
  chromium = await browser();
  address = `${service.wiki("ada")}/mcp`;
  tls.setDefaultCACertificates([...tls.getCACertificates(), readFileSync(service.certificate, "utf8")]);
  env = { ...process.env, NODE_OPTIONS: `--import ${here}localhost.mjs`, NODE_EXTRA_CA_CERTS: service.certificate, NO_COLOR: "1" };
});
after(async () => {
  await chromium?.close();
  await service?.stop();
});

// agree signs in as ada where a client sent the browser, lets it read and edit,
// and waits until the browser is sent back to the client.
async function agree(authorize, name) {
  assert.equal(new URL(authorize).protocol, "https:");
  const context = await chromium.newContext({ ignoreHTTPSErrors: true }); // the certificate is ours
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

// wrote says whom the history names for a page.
async function wrote(page) {
  const { history } = await service.api("ada", "GET", `/pages/${page}/history`);
  return history.map((line) => `${line.author} with ${line.agent}`);
}

test("TypeScript client, and its token in the Inspector", { timeout: 120_000 }, async () => {
  const landed = Promise.withResolvers();
  const callback = createServer((req, res) => {
    const at = new URL(req.url, "http://localhost");
    if (at.pathname === "/callback") landed.resolve(at.searchParams);
    res.end("You may close this window.");
  });
  await new Promise((done) => callback.listen(0, "127.0.0.1", done));
  const redirect = `http://localhost:${callback.address().port}/callback`;
  const kept = {};
  const provider = {
    redirectUrl: redirect,
    clientMetadata: { client_name: "Test client", redirect_uris: [redirect], grant_types: ["authorization_code", "refresh_token"], response_types: ["code"], token_endpoint_auth_method: "none" },
    state: () => "abc",
    clientInformation: () => kept.client, saveClientInformation: (client) => { kept.client = client; },
    tokens: () => kept.tokens, saveTokens: (tokens) => { kept.tokens = tokens; },
    codeVerifier: () => kept.verifier, saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
    discoveryState: () => kept.discovery, saveDiscoveryState: (state) => { kept.discovery = state; },
    redirectToAuthorization: (to) => { kept.authorize = to.href; },
  };
  try {
    const first = new StreamableHTTPClientTransport(new URL(address), { authProvider: provider });
    await assert.rejects(new Client({ name: "oauth", version: "1" }).connect(first));
    assert.ok(kept.authorize, "the client was not sent to sign in");
    await agree(kept.authorize, "Test client");
    const params = await landed.promise;
    assert.equal(params.get("error"), null);
    await first.finishAuth(params);
    const client = new Client({ name: "oauth", version: "1" });
    await client.connect(new StreamableHTTPClientTransport(new URL(address), { authProvider: provider }));
    await work(service, client, "By_OAuth");
    await client.close();
    // As it registered, not as it says of itself.
    assert.deepEqual(await wrote("By_OAuth"), ["ada with Test client", "ada with Test client"]);

    const { stdout } = await run(process.execPath, [`${here}node_modules/.bin/mcp-inspector`, "--cli", address, "--transport", "http", "--header", `Authorization: Bearer ${kept.tokens.access_token}`,
      "--method", "tools/call", "--tool-name", "edit_page", "--tool-arg", "path=By_OAuth", "--tool-arg", 'edits=[{"op":"append","text":"- three"}]'], { env });
    assert.match(JSON.parse(stdout).content[0].text, /\+- three/);
    assert.match(await service.content("ada", "By_OAuth"), /- two\n- three\n$/);
  } finally {
    callback.close();
  }
});

test("mcp-remote", { timeout: 120_000 }, async () => {
  const config = mkdtempSync(join(tmpdir(), "mcp-remote-"));
  try {
    const transport = new StdioClientTransport({
      command: process.execPath, args: [`${here}node_modules/mcp-remote/dist/proxy.js`, address, "--transport", "http-only"],
      env: { ...env, MCP_REMOTE_CONFIG_DIR: config, PATH: here }, stderr: "pipe", // no browser is found there
    });
    let printed = "";
    const asked = new Promise((done) => {
      transport.stderr.on("data", (text) => {
        printed += text;
        const at = printed.match(/(https:\/\/robot\.localhost:\d+\/\S*authorize\?\S+)\s/);
        if (at) done(at[1]);
      });
    });
    const client = new Client({ name: "stdio", version: "1" });
    const connected = client.connect(transport, { timeout: 60_000 });
    await agree(await Promise.race([asked, connected.then(() => assert.fail("it came in without asking"))]), "MCP CLI Proxy");
    await connected.catch((error) => assert.fail(`${error}\n${printed}`));
    await work(service, client, "By_mcp_remote");
    await client.close();
    assert.deepEqual(await wrote("By_mcp_remote"), ["ada with MCP CLI Proxy", "ada with MCP CLI Proxy"]);
  } finally {
    rmSync(config, { recursive: true, force: true });
  }
});
