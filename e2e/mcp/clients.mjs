// The clients that people connect with, against a running service: from 401 to
// an edited page. Run by ./check with the Node.js of this directory:
// node --import ./localhost.mjs --test clients.mjs
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { createServer } from "node:http";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { start } from "../service.mjs";
import "./lines.mjs";

const here = new URL(".", import.meta.url).pathname;
const run = promisify(execFile);
const env = { ...process.env, NODE_OPTIONS: `--import ${here}localhost.mjs`, NO_COLOR: "1" };
let service, address, token;

before(async () => {
  service = await start();
  address = `${service.wiki("ada")}/mcp`;
  token = service.token("ada", "editor");
});
after(() => service?.stop());

// work makes a page and edits it, as an agent does, and reads what came of it.
async function work(client, name) {
  const call = async (tool, args) => {
    const answer = await client.callTool({ name: tool, arguments: args });
    assert.ok(!answer.isError, `${tool}: ${JSON.stringify(answer)}`);
    return answer.content[0].text;
  };
  const tools = await client.listTools();
  assert.equal(tools.tools.length, 16);
  assert.match(await call("wiki_overview", {}), /You may read and edit/);
  await call("create_page", { path: name, content: "# " + name + "\n\n- one\n", message: "Begin" });
  const edited = await call("edit_page", { path: name, edits: [{ op: "append", text: "- two" }], message: "Add two" });
  assert.match(edited, /\+- two/);
  const page = await service.content("ada", name);
  assert.equal(page, `# ${name}\n\n- one\n- two\n`);
  assert.match(await call("changes", { path: name }), /via /);
}

test("without a token a client is told where to get one", async () => {
  const answer = await service.request("POST", address, { headers: { "content-type": "application/json" }, body: "{}" });
  assert.equal(answer.status, 401);
  assert.match(answer.headers["www-authenticate"], /^Bearer resource_metadata="http:\/\/ada\.robot\.localhost:\d+\/\.well-known\/oauth-protected-resource\/mcp", scope="wiki:read wiki:write"$/);
  const client = new Client({ name: "nobody", version: "1" });
  await assert.rejects(client.connect(new StreamableHTTPClientTransport(new URL(address))), /401|[Uu]nauthorized/);
});

for (const versionNegotiation of [undefined, { mode: "auto" }]) {
  test(`TypeScript client, ${versionNegotiation ? "newest revision" : "as it comes"}`, async () => {
    const client = new Client({ name: "typescript", version: "1" }, versionNegotiation && { versionNegotiation });
    await client.connect(new StreamableHTTPClientTransport(new URL(address), { requestInit: { headers: { Authorization: `Bearer ${token}` } } }));
    assert.match(client.getInstructions() ?? "", /Its members say on the page AGENTS/);
    await work(client, versionNegotiation ? "By_TypeScript_2026" : "By_TypeScript");
    const resource = await client.readResource({ uri: "wiki://page/Home" });
    assert.match(resource.contents[0].text, /^Home @/);
    const complete = await client.complete({ ref: { type: "ref/resource", uri: "wiki://page/{+path}" }, argument: { name: "path", value: "Ho" } });
    assert.ok(complete.completion.values.includes("Home"));
    const prompts = await client.listPrompts();
    assert.deepEqual(prompts.prompts.map((p) => p.name).sort(), ["orient", "write_up"]);
    assert.match((await client.getPrompt({ name: "orient" })).messages[0].content.text, /Get to know this wiki/);
    await client.close();
  });
}

// A browser is what a person has who signs in and agrees: cookies of each host,
// and forms.
class Browser {
  cookies = new Map();
  async go(address, form) {
    for (let hops = 0; hops < 20; hops++) {
      const at = new URL(address);
      const jar = this.cookies.get(at.hostname) ?? new Map();
      const headers = { cookie: [...jar].map(([k, v]) => `${k}=${v}`).join("; "), "sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate", origin: at.origin };
      const answer = await fetch(at, { method: form ? "POST" : "GET", body: form && new URLSearchParams(form), headers, redirect: "manual" });
      for (const line of answer.headers.getSetCookie()) {
        const [pair] = line.split(";");
        jar.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1));
      }
      this.cookies.set(at.hostname, jar);
      if (![301, 302, 303, 307].includes(answer.status)) return { status: answer.status, text: await answer.text(), address };
      address = new URL(answer.headers.get("location"), at).href;
      form = undefined;
    }
    throw new Error(`too many redirects: ${address}`);
  }
  hidden(page, action) {
    const form = page.text.split(/(?=<form)/).find((part) => part.includes(`action="${action}"`));
    assert.ok(form, `no form ${action} in ${page.text.slice(0, 2000)}`);
    const unescape = (text) => text.replaceAll("&amp;", "&").replaceAll("&#39;", "'").replaceAll("&#43;", "+");
    return Object.fromEntries([...form.split("</form>")[0].matchAll(/type="hidden" name="([^"]+)" value="([^"]*)"/g)].map((m) => [m[1], unescape(m[2])]));
  }
  // agree signs in as ada, lets the client read and edit, and answers where it
  // is sent back to.
  async agree(authorize) {
    let page = await this.go(authorize);
    page = await this.go(`${service.url}/auth/dev`, { ...this.hidden(page, "/auth/dev"), username: "ada" });
    assert.match(page.text, /Read and edit/);
    return this.go(`${service.url}/auth/oauth/consent`, { ...this.hidden(page, "/auth/oauth/consent"), scope: "write", answer: "allow" });
  }
}

test("TypeScript client, from 401 through sign-in and consent", async () => {
  const landed = Promise.withResolvers();
  const callback = createServer((req, res) => { landed.resolve(new URL(req.url, "http://localhost").searchParams); res.end("You may close this window."); });
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
    redirectToAuthorization: (to) => { kept.authorize = to.href; },
  };
  try {
    const first = new StreamableHTTPClientTransport(new URL(address), { authProvider: provider });
    await assert.rejects(new Client({ name: "oauth", version: "1" }).connect(first));
    assert.ok(kept.authorize, "the client was not sent to sign in");
    await new Browser().agree(kept.authorize);
    const params = await landed.promise;
    assert.equal(params.get("error"), null);
    await first.finishAuth(params);
    const client = new Client({ name: "oauth", version: "1" });
    await client.connect(new StreamableHTTPClientTransport(new URL(address), { authProvider: provider }));
    await work(client, "By_OAuth");
    const log = await service.api("ada", "GET", "/pages/By_OAuth/history");
    assert.equal(log.history[0].author, "ada");
    assert.equal(log.history[0].agent, "Test client"); // as it registered, not as it says of itself
    await client.close();
  } finally {
    callback.close();
  }
});

// It sends no credentials but by TLS or to "localhost" itself, so of a service
// for development it gets the code and no token.
test("mcp-remote, from 401 through sign-in and consent to the code", async () => {
  const config = mkdtempSync(join(tmpdir(), "mcp-remote-"));
  const transport = new StdioClientTransport({
    command: process.execPath, args: [`${here}node_modules/mcp-remote/dist/proxy.js`, address, "--allow-http", "--transport", "http-only"],
    env: { ...env, MCP_REMOTE_CONFIG_DIR: config, PATH: here }, stderr: "pipe",
  });
  let printed = "";
  const asked = new Promise((done) => {
    transport.stderr.on("data", (text) => {
      printed += text;
      const at = printed.match(/(http:\/\/robot\.localhost:\d+\/\S*authorize\?\S+)\s/);
      if (at) done(at[1]);
    });
  });
  const client = new Client({ name: "stdio", version: "1" });
  const connected = client.connect(transport, { timeout: 60_000 });
  connected.catch(() => {});
  await new Browser().agree(await asked);
  await assert.rejects(connected);
  assert.match(printed, /Auth code received/);
  assert.match(printed, /non-https token endpoint/);
});

test("mcp-remote", async () => {
  const client = new Client({ name: "stdio", version: "1" });
  await client.connect(new StdioClientTransport({
    command: process.execPath,
    args: [`${here}node_modules/mcp-remote/dist/proxy.js`, address, "--allow-http", "--transport", "http-only", "--header", `Authorization:Bearer ${token}`],
    env, stderr: "ignore",
  }));
  await work(client, "By_mcp_remote");
  await client.close();
});

test("Inspector", async () => {
  const inspect = async (...args) => {
    const { stdout } = await run(process.execPath, [`${here}node_modules/.bin/mcp-inspector`, "--cli", address, "--transport", "http", "--header", `Authorization: Bearer ${token}`, ...args], { env });
    return JSON.parse(stdout);
  };
  const { tools } = await inspect("--method", "tools/list");
  assert.equal(tools.length, 16);
  await inspect("--method", "tools/call", "--tool-name", "create_page", "--tool-arg", "path=By_Inspector", "--tool-arg", "content=one");
  const edited = await inspect("--method", "tools/call", "--tool-name", "edit_page", "--tool-arg", "path=By_Inspector", "--tool-arg", 'edits=[{"op":"append","text":"two"}]');
  assert.match(edited.content[0].text, /\+two/);
  assert.equal(await service.content("ada", "By_Inspector"), "one\ntwo\n");
});
