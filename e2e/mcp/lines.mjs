// What the connect page offers to copy, taken from the page and handed to clients
// as it stands there. clients.mjs runs it, or
// node --import ./localhost.mjs --test lines.mjs
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { start } from "../service.mjs";

const here = new URL(".", import.meta.url).pathname;
const run = promisify(execFile);
const env = { ...process.env, NODE_OPTIONS: `--import ${here}localhost.mjs`, NO_COLOR: "1" };
let service, token, page;

// A jar signs in as a browser does: it follows redirects and keeps cookies by host.
class Jar {
  cookies = {};
  async ask(method, url, body) {
    for (let hops = 0; hops < 10; hops++) {
      const { host } = new URL(url);
      const cookie = Object.entries({ ...this.cookies[""], ...this.cookies[host] }).map(([name, value]) => `${name}=${value}`).join("; ");
      const answer = await service.request(method, url, {
        headers: { cookie, accept: "text/html", origin: new URL(url).origin, "sec-fetch-mode": "navigate", "sec-fetch-site": "same-origin", ...(body && { "content-type": "application/x-www-form-urlencoded" }) }, body,
      });
      for (const line of answer.headers["set-cookie"] ?? []) {
        const [name, value] = line.split(";")[0].split("=");
        (this.cookies[/;\s*domain=/i.test(line) ? "" : host] ??= {})[name] = value;
      }
      if (answer.status < 300 || answer.status > 399) return answer;
      [method, body, url] = ["GET", undefined, new URL(answer.headers.location, url).href];
    }
    throw new Error("redirected in circles");
  }
}

before(async () => {
  service = await start();
  token = service.token("ada", "editor");
  const jar = new Jar();
  await jar.ask("POST", `${service.url}/auth/dev`, "username=ada");
  const answer = await jar.ask("GET", `${service.wiki("ada")}/-/connect`);
  assert.equal(answer.status, 200, answer.text.slice(0, 500));
  page = answer.text;
});
after(() => service?.stop());

// line is a text that the page offers to copy.
function line(id) {
  const found = page.match(new RegExp(`<(code|p) id="${id}">([^]*?)</\\1>`));
  assert.ok(found, `the page has no ${id}`);
  return found[2].replaceAll("&#34;", '"').replaceAll("&#39;", "'").replaceAll("&#43;", "+").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

test(".mcp.json with a token, in the Inspector", { timeout: 60_000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), "robot-lines-"));
  try {
    // Clients put the environment into the file by themselves; this one does not.
    writeFileSync(join(dir, ".mcp.json"), line("ot3").replace("${ROBOTWTF_TOKEN}", token));
    const { stdout } = await run(process.execPath, [`${here}node_modules/.bin/mcp-inspector`, "--cli", "--config", join(dir, ".mcp.json"), "--server", "ada", "--method", "tools/list"], { env, cwd: dir });
    assert.equal(JSON.parse(stdout).tools.length, 16);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test("the plain address, in mcp-remote", { timeout: 60_000 }, async () => {
  const client = new Client({ name: "stdio", version: "1" });
  await client.connect(new StdioClientTransport({
    command: process.execPath,
    args: [`${here}node_modules/mcp-remote/dist/proxy.js`, line("ot1"), "--allow-http", "--transport", "http-only", "--header", `Authorization:Bearer ${token}`],
    env, stderr: "ignore",
  }));
  assert.equal((await client.listTools()).tools.length, 16);
  await client.close();
});

test("what VS Code and Cursor are given leads to the wiki", async () => {
  const command = line("vs1").match(/^code --add-mcp '([^']+)'$/);
  const given = [JSON.parse(command[1]), Object.values(JSON.parse(line("ot2")).mcpServers)[0]];
  const cursor = page.match(/href="(cursor:[^"]+)"/)[1].replaceAll("&amp;", "&");
  given.push(JSON.parse(Buffer.from(new URL(cursor).searchParams.get("config"), "base64")));
  const vscode = page.match(/href="vscode:mcp\/install\?([^"]+)"/)[1];
  given.push(JSON.parse(decodeURIComponent(vscode)));
  for (const server of given) {
    const client = new Client({ name: "given", version: "1" });
    await client.connect(new StreamableHTTPClientTransport(new URL(server.url), { requestInit: { headers: { Authorization: `Bearer ${token}` } } }));
    assert.equal((await client.listTools()).tools.length, 16);
    await client.close();
  }
});

test("Claude Code's command names the same address", () => {
  assert.equal(line("cc1"), `claude mcp add --transport http --scope user ada ${line("ot1")}`);
});
