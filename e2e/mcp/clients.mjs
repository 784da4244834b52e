// The clients that people use, connected to a running service with a token, from
// 401 to an edited page. consent.mjs covers sign-in and consent.
// ./check runs it with the Node.js of this directory:
// node --import ./localhost.mjs --test clients.mjs
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { startService } from "../service.mjs";
import { createAndEditPage } from "./edit-pages.mjs";
import "./snippets.mjs";

const thisDir = new URL(".", import.meta.url).pathname;
const execFileAsync = promisify(execFile);
const env = { ...process.env, NODE_OPTIONS: `--import ${thisDir}localhost.mjs`, NO_COLOR: "1" };
let service, address, token;

before(async () => {
  service = await startService();
  address = `${service.wikiURL("ada")}/mcp`;
  token = service.token("ada", "editor");
});
after(() => service?.stop());

test("a client without a token learns where to get one", async () => {
  const response = await service.request("POST", address, { headers: { "content-type": "application/json" }, body: "{}" });
  assert.equal(response.status, 401);
  assert.match(response.headers["www-authenticate"], /^Bearer resource_metadata="http:\/\/ada\.robot\.localhost:\d+\/\.well-known\/oauth-protected-resource\/mcp", scope="wiki:read wiki:write"$/);
  const client = new Client({ name: "nobody", version: "1" });
  await assert.rejects(client.connect(new StreamableHTTPClientTransport(new URL(address))), /401|[Uu]nauthorized/);
});

for (const versionNegotiation of [undefined, { mode: "auto" }]) {
  test(`the TypeScript client edits a page, with ${versionNegotiation ? "the newest revision" : "default settings"}`, async () => {
    const client = new Client({ name: "typescript", version: "1" }, versionNegotiation && { versionNegotiation });
    await client.connect(new StreamableHTTPClientTransport(new URL(address), { requestInit: { headers: { Authorization: `Bearer ${token}` } } }));
    assert.match(client.getInstructions() ?? "", /From its members, on the page AGENTS/);
    await createAndEditPage(service, client, versionNegotiation ? "By_TypeScript_2026" : "By_TypeScript");
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

test("mcp-remote edits a page", async () => {
  const client = new Client({ name: "stdio", version: "1" });
  await client.connect(new StdioClientTransport({
    command: process.execPath,
    args: [`${thisDir}node_modules/mcp-remote/dist/proxy.js`, address, "--allow-http", "--transport", "http-only", "--header", `Authorization:Bearer ${token}`],
    env, stderr: "ignore",
  }));
  await createAndEditPage(service, client, "By_mcp_remote");
  await client.close();
});

test("the Inspector edits a page", async () => {
  const inspect = async (...args) => {
    const { stdout } = await execFileAsync(process.execPath, [`${thisDir}node_modules/.bin/mcp-inspector`, "--cli", address, "--transport", "http", "--header", `Authorization: Bearer ${token}`, ...args], { env });
    return JSON.parse(stdout);
  };
  const { tools } = await inspect("--method", "tools/list");
  assert.equal(tools.length, 16);
  await inspect("--method", "tools/call", "--tool-name", "create_page", "--tool-arg", "path=By_Inspector", "--tool-arg", "content=one");
  const edited = await inspect("--method", "tools/call", "--tool-name", "edit_page", "--tool-arg", "path=By_Inspector", "--tool-arg", 'edits=[{"op":"append","text":"two"}]');
  assert.match(edited.content[0].text, /\+two/);
  assert.equal(await service.pageContent("ada", "By_Inspector"), "one\n\ntwo\n");
});
