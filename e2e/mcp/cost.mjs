// Costs for agents: tokens (o200k) and calls of 30 tasks on a wiki of 500 pages.
// Upper bounds are asserted; --write writes the table to bench/mcp.md.
// node --import ./localhost.mjs cost.mjs [--write]
import assert from "node:assert/strict";
import { writeFileSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { countTokens } from "gpt-tokenizer/encoding/o200k_base";
import { startService } from "../service.mjs";

// A deterministic random number generator (mulberry32).
let state = 20261120;
const random = () => {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
const pick = (list) => list[Math.floor(random() * list.length)];
const normalRandom = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

const words = `server garden budget meeting review design release backup network storage policy harvest engine ledger
  protocol session cluster planting invoice travel recipe harbour window morning project editor reader library letter
  compass archive weather bridge market signal pattern method result notice`.split(/\s+/);
const folders = ["Design", "Operations", "Research", "Garden", "People", "Meetings", "Finance", "Recipes"];
const sentence = () => Array.from({ length: 8 + Math.floor(random() * 10) }, () => pick(words)).join(" ").replace(/^./, (c) => c.toUpperCase()) + ".";
const paragraph = () => Array.from({ length: 2 + Math.floor(random() * 4) }, sentence).join(" ");

function pageText(title, size, links) {
  let out = `# ${title}\n\n${paragraph()} See [[${pick(links)}]] and [[${pick(links)}]]. #${pick(words)}\n`;
  for (let n = 1; out.length < size; n++) {
    out += `\n## ${pick(words).replace(/^./, (c) => c.toUpperCase())} ${n}\n\n`;
    for (let i = 0; i < 4 && out.length < size; i++) out += i === 2 ? `- ${sentence()}\n- ${sentence()}\n- See [[${pick(links)}]].\n\n` : paragraph() + "\n\n";
  }
  return out;
}

async function populate(service) {
  const names = Array.from({ length: 470 }, (_, i) => `${folders[i % folders.length]}/${pick(words).replace(/^./, (c) => c.toUpperCase())}_${i}`);
  const put = (name, content, role = "owner") => service.writePage("bob", name, content, role);
  const pages = new Map(names.map((name, i) => {
    const size = i < 3 ? 61_000 : Math.min(20_000, Math.exp(7.2 + 0.9 * normalRandom()));
    return [name, pageText(name.split("/").pop().replaceAll("_", " "), size, names)];
  }));
  pages.set("Operations/Manual", pageText("Manual", 62_000, names) + "\n## Failover\n\n" + Array.from({ length: 6 }, paragraph).join("\n\n") + "\n\nThe standby takes over after 45 seconds.\n\n## After the failover\n\nTell everybody.\n");
  pages.set("Design/VPS", "---\nstatus: draft\n---\n\n# VPS\n\nThe small server in Helsinki.\n\n## Costs\n\n- 4.90 euros a month\n- one domain\n\n## Access\n\nBy ssh with keys.\n");
  pages.set("Design/Old_Name", "# Old name\n\nTo be moved.\n");
  for (const name of names.slice(20, 29)) pages.set(name, pages.get(name) + "\nSee [[Design/Old Name]].\n");
  for (const name of names.slice(40, 52)) pages.set(name, pages.get(name) + "\nWe recieve it daily.\n");
  pages.set("Recipes/Bread", "# Bread\n\nFlour, water, salt, and [[Recipes/Missing Starter]].\n");
  for (const name of names.slice(60, 70)) pages.set(name, pages.get(name) + "\nThe Tide Wheel turns at noon.\n");
  for (const name of names.slice(80, 86)) pages.set(name, pages.get(name) + "\nKeep it seperate.\n");
  pages.set("People/Contact_List", "# Contact list\n\nAda answers on Mondays.\n");
  pages.set("People/Contacts", "# Contacts\n\nBob answers on Fridays.\n");
  pages.set("People/Office", "# Office\n\nSee [[People/Contact List]] and [[Projects/Harbour]].\n");
  for (const [name, status, due] of [["Harbour", "draft", "2026-12-01"], ["Orchard", "draft", "2026-12-20"], ["Bridge", "done", "2026-11-02"]]) {
    pages.set(`Projects/${name}`, `---\nstatus: ${status}\ndue: ${due}\n---\n\n# ${name}\n\nA project.\n`);
  }
  pages.set("Garden/Pump", "# Pump\n\nOil it twice a year.\n\n## Log\n\n- cleaned\n");
  for (const [name, content] of pages) await put(name, content);
  await put("Garden/Pump", pages.get("Garden/Pump").replace("Oil it twice a year.", "Never oil it."));
  await put("Garden/Pump", pages.get("Garden/Pump").replace("Oil it twice a year.", "Never oil it.") + "- new seal\n");
  await put("Recipes/Bread", pages.get("Recipes/Bread") + "\nBake for 40 minutes.\n");
  await put("Recipes/Bread", pages.get("Recipes/Bread") + "\nBake for 50 minutes.\n");
  return names;
}

const service = await startService({ data: mkdtempSync(join(tmpdir(), "robot-cost-")) });
try {
  await main();
} finally {
  await service.stop();
}

async function main() {
  let id = 0, task;
  const token = service.token("bob", "owner");
  const post = async (method, params, bearer = token) => {
    const response = await service.request("POST", `${service.wikiURL("bob")}/mcp`, {
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25", authorization: `Bearer ${bearer}` },
      body: JSON.stringify({ jsonrpc: "2.0", id: ++id, method, params }),
    });
    assert.equal(response.status, 200, response.text);
    return JSON.parse(response.text).result;
  };
  const call = async (name, args, { fails = false } = {}) => {
    const result = await post("tools/call", { name, arguments: args });
    const text = result.content.map((c) => c.text ?? "").join("\n");
    assert.equal(result.isError ?? false, fails, `${task.name}: ${name}: ${text}`);
    task.calls++;
    task.in += countTokens(name + JSON.stringify(args));
    task.out += countTokens(text);
    return text;
  };
  const revision = (text) => text.match(/@([0-9a-f]{8,40}(?:~\d+(?:-\d+)?)?)/)[1];

  const names = await populate(service);
  const viewerToken = service.wikis.find((w) => w.slug === "ada").tokens.viewer;
  const countListTokens = (tools) => countTokens(JSON.stringify(tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema }))));
  const allTools = (await post("tools/list", {})).tools;
  const readOnlyTools = allTools.filter((t) => t.annotations.readOnlyHint);
  assert.equal(allTools.length, 16, "tools");
  assert.equal(readOnlyTools.length, 9);
  assert.ok(viewerToken);
  const toolTokens = { all: countListTokens(allTools), readOnly: countListTokens(readOnlyTools), whole: countTokens(JSON.stringify(allTools)), bytes: JSON.stringify(allTools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema }))).length };

  // Replaces a text that grep found once on each of some pages, in one commit.
  const replaceEverywhere = async (found, count, old, text) => {
    const pages = [...found.matchAll(/^(\S+):\d+(?: @\S+)?:/gm)].map((m) => m[1]);
    assert.equal(pages.length, count);
    const answer = await call("edit_page", { edits: pages.map((path) => ({ op: "replace", path, old, text })) });
    for (const path of pages) {
      const content = await service.pageContent("bob", path);
      assert.ok(content.includes(text) && !content.includes(old), path);
    }
    return answer;
  };

  const tasks = [
    ["get an overview of the wiki", async () => call("wiki_overview", {}), /(\d+) pages/],
    ["find a fact", async () => call("search", { query: "standby takes over", limit: 3 }), /45 seconds/],
    ["read one section of 60 KB", async () => call("read_page", { path: "Operations/Manual", section: "Failover" }), /45 seconds/],
    ["get the outline of a long page", async () => call("read_page", { path: "Operations/Manual" }), /Failover \(lines/],
    ["read a short page", async () => call("read_page", { path: "Design/VPS" }), /Helsinki/],
    ["read five pages", async () => call("read_pages", { items: names.slice(60, 65), max_tokens: 2000 }), /=== /],
    ["add a bullet under a heading", async () => call("edit_page", { path: "Design/VPS", edits: [{ op: "append", section: "Costs", text: "- backup space: 2 euros" }], message: "Add the backup space" }), /\+- backup space/],
    ["correct a sentence", async () => call("edit_page", { path: "Design/VPS", edits: [{ op: "replace", old: "By ssh with keys.", text: "By ssh with hardware keys." }], message: "Which keys" }), /hardware/],
    ["rewrite a section of a long page", async () => {
      const read = await call("read_page", { path: "Operations/Manual", section: "After the failover" });
      return call("edit_page", { path: "Operations/Manual", revision: revision(read), edits: [{ op: "replace_section", section: "After the failover", text: "Tell everybody, then write down what happened." }] });
    }, /write down/],
    ["set a property", async () => {
      const read = await call("read_page", { path: "Design/VPS", lines: "1-4" });
      return call("edit_page", { path: "Design/VPS", revision: revision(read), edits: [{ op: "set_meta", text: "status: running" }] });
    }, /\+status: running/],
    ["create a page with links", async () => call("create_page", { path: "Design/Backup", content: "# Backup\n\nOf the [[Design/VPS]], nightly.\n", message: "Begin" }), /Created Design\/Backup/],
    ["rename a page with nine backlinks", async () => {
      const found = await call("list_pages", { path_prefix: "Design/Old" });
      assert.match(found, /Old_Name/);
      return call("move_page", { path: "Design/Old_Name", new_path: "Design/New Name", revision: revision(found) });
    }, /Links rewritten in: (\S+, ){8}/],
    ["list changes since a date", async () => call("changes", { since: new Date().toISOString().slice(0, 10), limit: 10 }), /Rename|Moved|rename/],
    ["list one agent's changes", async () => call("changes", { author: "bob", limit: 10 }), /commit|change/],
    ["undo a change", async () => {
      const log = await call("changes", { path: "Design/VPS", limit: 3 });
      const commit = log.match(/ ([0-9a-f]{8}) @\S+ [^\n]*Which keys/)[1];
      return call("revert", { undo: commit });
    }, /Reverted/],
    ["compare two revisions", async () => {
      const log = await call("changes", { path: "Recipes/Bread", limit: 2 });
      const [newest, before] = [...log.matchAll(/@([0-9a-f]{8})/g)].map((m) => m[1]);
      return call("changes", { path: "Recipes/Bread", diff: `${before}..${newest}` });
    }, /\+Bake for 50/],
    ["restore an old revision", async () => {
      const log = await call("changes", { path: "Recipes/Bread" });
      return call("revert", { path: "Recipes/Bread", to: [...log.matchAll(/@([0-9a-f]{8})/g)].at(-1)[1] });
    }, /Reverted/],
    ["fix one typo on 12 pages", async () => {
      const found = await call("grep", { pattern: "recieve" });
      return replaceEverywhere(found, 12, "recieve", "receive");
    }, /^Changed 12 pages/],
    ["list backlinks of a page", async () => call("links", { path: "Design/VPS", kind: "in" }), /Design\/Backup/],
    ["list broken links of a page", async () => call("links", { path: "Recipes/Bread", kind: "broken" }), /Missing_Starter/],
    ["list pages with a tag", async () => call("list_pages", { tag: "harvest", limit: 10 }), /#harvest/],
    ["list the folders", async () => call("list_pages", { depth: 1 }), /Operations\//],
    ["add a file to a page", async () => {
      await call("write_attachment", { path: "Design/VPS", name: "notes.txt", base64: Buffer.from("ip 192.0.2.1\n").toString("base64") });
      return call("read_attachment", { path: "Design/VPS", name: "notes.txt" });
    }, /192\.0\.2\.1/],
    ["edit a page that changed meanwhile", async () => {
      const read = await call("read_page", { path: "Design/VPS", section: "Costs" });
      await service.writePage("bob", "Design/VPS", (await service.pageContent("bob", "Design/VPS")).replace("4.90", "5.90"));
      const refusal = await call("edit_page", { path: "Design/VPS", revision: revision(read), edits: [{ op: "replace_section", section: "Costs", text: "- 4.90 euros a month and 2 for backup" }] }, { fails: true });
      const next = refusal.match(/revision (\S+?)\.?$/m)[1];
      return call("edit_page", { path: "Design/VPS", revision: next, edits: [{ op: "replace_section", section: "Costs", text: "- 5.90 euros a month and 2 for backup" }] });
    }, /5\.90 euros a month and 2/],
    ["rename a concept over 10 pages", async () => replaceEverywhere(await call("grep", { pattern: "Tide Wheel" }), 10, "Tide Wheel", "Tidal Wheel"), /^Changed 10 pages/],
    ["merge two duplicates", async () => {
      const found = await call("list_pages", { path_prefix: "People/Contact" });
      const from = found.match(/People\/Contact_List @(\S+)/)[1];
      return call("edit_page", { edits: [{ op: "merge", path: "People/Contact_List", revision: from, to: "People/Contacts" }], message: "Merge the contact lists" });
    }, /merged into People\/Contacts[^]*Links rewritten in: People\/Office/],
    ["undo a bad edit and keep a later good line", async () => {
      const log = await call("changes", { path: "Garden/Pump", limit: 5 });
      const commits = [...log.matchAll(/ ([0-9a-f]{8}) @/g)].map((m) => m[1]);
      return call("revert", { undo: commits[1] });
    }, /\+Oil it twice a year/],
    ["fix one typo on 6 pages", async () => replaceEverywhere(await call("grep", { pattern: "seperate" }), 6, "seperate", "separate"), /^Changed 6 pages/],
    ["query drafts by due date", async () => call("list_pages", { where: "status = draft and due < 2026-12-05", show: ["due"] }), /^1 page[^]*Projects\/Harbour/],
    ["restructure a folder", async () => call("move_page", { path: "Projects/", new_path: "Archive/Projects" }), /^Moved 3 pages to Archive\/Projects\/[^]*Office/],
  ];
  assert.equal(tasks.length, 30);
  const rows = [];
  let pageCount;
  for (const [name, run, expected] of tasks) {
    task = { name, calls: 0, in: 0, out: 0 };
    const last = await run();
    pageCount ??= last.match(/(\d+) pages/)?.[1]; // of the first task
    assert.match(last, expected, `${name}: ${last.slice(0, 500)}`);
    rows.push(task);
  }
  const row = (name) => rows.find((r) => r.name === name);
  const total = rows.reduce((sum, r) => ({ calls: sum.calls + r.calls, in: sum.in + r.in, out: sum.out + r.out }), { calls: 0, in: 0, out: 0 });
  const formatCount = (n) => n.toLocaleString("en-US");
  const table = `| task | calls | tokens in | tokens out |\n|---|---|---|---|\n` + rows.map((r) => `| ${r.name} | ${r.calls} | ${formatCount(r.in)} | ${formatCount(r.out)} |`).join("\n") + `\n| **all ${rows.length}** | **${total.calls}** | **${formatCount(total.in)}** | **${formatCount(total.out)}** |\n`;
  const page = `# Token costs for agents

Made by \`e2e/mcp/cost.mjs --write\`: tokens of the o200k encoding (gpt-tokenizer 4.0.0; other models differ), on a generated wiki of ${pageCount} pages, four of them over 60 KB. "In" counts what a model writes for a call, the tool name and arguments. "Out" counts the text of the result, which it reads.

Tool list: ${formatCount(toolTokens.all)} tokens for all 16 (name, description, schema; ${formatCount(toolTokens.bytes)} bytes), ${formatCount(toolTokens.readOnly)} for the 9 that only read. With titles and hints, which clients don't pass to the model: ${formatCount(toolTokens.whole)}.

${table}`;
  console.log(page);
  console.log(`measured: tools ${toolTokens.all}, reading ${toolTokens.readOnly}, ${rows.length} tasks ${total.calls} calls, ${total.in + total.out} tokens`);
  if (process.argv.includes("--write")) writeFileSync(new URL("../../bench/mcp.md", import.meta.url), page);
  assert.ok(toolTokens.all <= 2000, `the list takes ${toolTokens.all} tokens`);
  assert.ok(toolTokens.readOnly <= 1150, `the reading list takes ${toolTokens.readOnly} tokens`);
  assert.ok(total.calls <= 45, `the tasks take ${total.calls} calls`);
  const section = row("read one section of 60 KB"), bullet = row("add a bullet under a heading");
  assert.ok(section.calls === 1 && section.in + section.out <= 1500, `a section takes ${section.in + section.out}`);
  assert.ok(bullet.calls === 1 && bullet.in + bullet.out <= 250, `a bullet takes ${bullet.in + bullet.out}`);
}
