// The snippets on the connect page work when copied into clients unchanged.
// clients.mjs runs these tests. To run only them:
// node --import ./localhost.mjs --test snippets.mjs
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { startService } from "../service.mjs";

const thisDir = new URL(".", import.meta.url).pathname;
const execFileAsync = promisify(execFile);
const env = { ...process.env, NODE_OPTIONS: `--import ${thisDir}localhost.mjs`, NO_COLOR: "1" };
let service, token, connectPage;

// CookieJar sends requests as a browser does: it follows redirects and keeps each
// host's cookies.
class CookieJar {
  cookies = {};
  async request(method, url, body) {
    for (let hops = 0; hops < 10; hops++) {
      const { host } = new URL(url);
      const cookie = Object.entries({ ...this.cookies[""], ...this.cookies[host] }).map(([name, value]) => `${name}=${value}`).join("; ");
      const response = await service.request(method, url, {
        headers: { cookie, accept: "text/html", origin: new URL(url).origin, "sec-fetch-mode": "navigate", "sec-fetch-site": "same-origin", ...(body && { "content-type": "application/x-www-form-urlencoded" }) }, body,
      });
      for (const line of response.headers["set-cookie"] ?? []) {
        const [name, value] = line.split(";")[0].split("=");
        (this.cookies[/;\s*domain=/i.test(line) ? "" : host] ??= {})[name] = value;
      }
      if (response.status < 300 || response.status > 399) return response;
      [method, body, url] = ["GET", undefined, new URL(response.headers.location, url).href];
    }
    throw new Error("too many redirects");
  }
}

before(async () => {
  service = await startService();
  token = service.token("ada", "editor");
  const cookieJar = new CookieJar();
  await cookieJar.request("POST", `${service.url}/auth/dev`, "username=ada");
  const response = await cookieJar.request("GET", `${service.wikiURL("ada")}/-/connect`);
  assert.equal(response.status, 200, response.text.slice(0, 500));
  connectPage = response.text;
});
after(() => service?.stop());

// snippet returns a text that the connect page offers to copy.
function snippet(id) {
  const found = connectPage.match(new RegExp(`<(code|p) id="${id}">([^]*?)</\\1>`));
  assert.ok(found, `the connect page has no ${id}`);
  return found[2].replaceAll("&#34;", '"').replaceAll("&#39;", "'").replaceAll("&#43;", "+").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

test(".mcp.json with a token works in the Inspector", { timeout: 60_000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), "robot-snippets-"));
  try {
    // Other clients expand environment variables; the Inspector doesn't.
    writeFileSync(join(dir, ".mcp.json"), snippet("ot3").replace("${ROBOTWTF_TOKEN}", token));
    const { stdout } = await execFileAsync(process.execPath, [`${thisDir}node_modules/.bin/mcp-inspector`, "--cli", "--config", join(dir, ".mcp.json"), "--server", "ada", "--method", "tools/list"], { env, cwd: dir });
    assert.equal(JSON.parse(stdout).tools.length, 16);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test("the plain URL works in mcp-remote", { timeout: 60_000 }, async () => {
  const client = new Client({ name: "stdio", version: "1" });
  await client.connect(new StdioClientTransport({
    command: process.execPath,
    args: [`${thisDir}node_modules/mcp-remote/dist/proxy.js`, snippet("ot1"), "--allow-http", "--transport", "http-only", "--header", `Authorization:Bearer ${token}`],
    env, stderr: "ignore",
  }));
  assert.equal((await client.listTools()).tools.length, 16);
  await client.close();
});

test("the snippets and links for VS Code and Cursor connect to the wiki", async () => {
  const command = snippet("vs1").match(/^code --add-mcp '([^']+)'$/);
  const servers = [JSON.parse(command[1]), Object.values(JSON.parse(snippet("ot2")).mcpServers)[0]];
  const cursor = connectPage.match(/href="(cursor:[^"]+)"/)[1].replaceAll("&amp;", "&");
  const cursorFile = Object.values(JSON.parse(snippet("cu1")).mcpServers)[0];
  assert.equal(cursorFile.headers.Authorization, "Bearer ${env:ROBOTWTF_TOKEN}");
  servers.push(cursorFile);
  servers.push(JSON.parse(Buffer.from(new URL(cursor).searchParams.get("config"), "base64")));
  const vscode = connectPage.match(/href="vscode:mcp\/install\?([^"]+)"/)[1];
  servers.push(JSON.parse(decodeURIComponent(vscode)));
  for (const server of servers) {
    const client = new Client({ name: "given", version: "1" });
    await client.connect(new StreamableHTTPClientTransport(new URL(server.url), { requestInit: { headers: { Authorization: `Bearer ${token}` } } }));
    assert.equal((await client.listTools()).tools.length, 16);
    await client.close();
  }
});

test("the Claude Code command uses the same URL", () => {
  assert.equal(snippet("cc1"), `claude mcp add --transport http --scope user ada ${snippet("ot1")}`);
});
