// No page sends a request to another host, with and without scripts. The tests open
// every template in a browser and record its requests.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { startService, launchBrowser, signIn } from "./service.mjs";

let service, chrome, ada;
before(async () => {
  service = await startService();
  chrome = await launchBrowser();
  ada = service.wikiURL("ada");
  // Content that would load resources from other hosts if it could.
  await service.writePage("ada", "Elsewhere", "![x](https://images.test/x.png) <img src=https://images.test/y.png> [a](https://links.test/)\n\n```mermaid\ngraph\n```\n\n$x$\n");
  await service.callAPI("ada", "POST", "/pages/Elsewhere/attachments", { filename: "notes.txt", content: Buffer.from("notes\n").toString("base64") });
  await connectAgent();
});
after(async () => { await chrome?.close(); await service?.stop(); });

const templates = readdirSync(new URL("../internal/web/templates", import.meta.url)).filter((f) => f.endsWith(".html")).map((f) => f.slice(0, -5)).sort();

// newestCommit returns the id of a page's newest commit.
const newestCommit = async (name) => (await service.callAPI("ada", "GET", `/pages/${name}/history`)).history[0].commit;

// partials maps each partial template to a template that includes it.
const partials = {
  _agent: "agents", _diff: "diff", _editor: "edit", _layout: "page", _panel: "connect", _session: "session", _token: "tokens",
};

// openTemplate opens each template, in ada's tab or in that of a new visitor.
const openTemplate = {
  page: (p) => p.goto(ada + "/Elsewhere"),
  folder: (p) => p.goto(ada + "/Journal"),
  missing: (p) => p.goto(ada + "/Nobody_Wrote_This"),
  backlinks: (p) => p.goto(ada + "/-/backlinks?page=Weather_Station"),
  trash: (p) => p.goto(ada + "/-/trash"),
  drafts: (p) => p.goto(ada + "/-/drafts"),
  source: (p) => p.goto(ada + "/Elsewhere/source"),
  history: (p) => p.goto(ada + "/Elsewhere/history"),
  blame: (p) => p.goto(ada + "/Elsewhere/blame"),
  diff: async (p) => p.goto(`${ada}/Elsewhere/diff/${await newestCommit("Elsewhere")}`),
  commit: async (p) => p.goto(`${ada}/-/commit/${await newestCommit("Elsewhere")}`),
  session: async (p) => p.goto(`${ada}/-/session/${await newestCommit("Elsewhere")}`),
  new: (p) => p.goto(ada + "/-/new"),
  proposals: (p) => p.goto(ada + "/-/proposals"),
  revert: async (p) => p.goto(`${ada}/-/revert/${await newestCommit("Elsewhere")}`),
  edit: (p) => p.goto(ada + "/Elsewhere/edit"),
  rename: (p) => p.goto(ada + "/Elsewhere/rename"),
  delete: (p) => p.goto(ada + "/Elsewhere/delete"),
  attachments: (p) => p.goto(ada + "/Elsewhere/attachments"),
  attachment: (p) => p.goto(ada + "/Elsewhere/attachment/notes.txt"),
  index: (p) => p.goto(ada + "/-/index"),
  changelog: (p) => p.goto(ada + "/-/changelog"),
  jump: (p) => p.goto(ada + "/-/jump?q=weather"),
  search: (p) => p.goto(ada + "/-/search?q=weather"),
  help: (p) => p.goto(ada + "/-/help"),
  health: (p) => p.goto(ada + "/-/health"),
  create: (p) => p.goto(ada + "/-/create"),
  settings: (p) => p.goto(ada + "/-/settings"),
  webhooks: (p) => p.goto(ada + "/-/webhooks"),
  links: (p) => p.goto(ada + "/-/links"),
  watched: (p) => p.goto(ada + "/-/watched"),
  ownfeed: (p) => p.goto(service.url + "/app/feed"),
  shared: async (p) => {
    await p.goto(ada + "/-/links?page=Elsewhere");
    await p.getByRole("button", { name: "Create a link" }).click();
    return p.goto(await p.locator(".copy code").first().innerText());
  },
  export: (p) => p.goto(ada + "/-/export"),
  import: (p) => p.goto(ada + "/-/import"),
  erase: (p) => p.goto(ada + "/-/erase"),
  tokens: (p) => p.goto(ada + "/-/tokens"),
  agents: (p) => p.goto(ada + "/-/agents"),
  connect: (p) => p.goto(ada + "/-/connect", { waitUntil: "load" }),
  welcome: (p) => p.goto(ada + "/-/welcome"),
  report: (p) => p.goto(ada + "/-/report?page=/Elsewhere"),
  error: (p) => p.goto(ada + "/.x"),
  landing: (p, visitor) => visitor.goto(service.url + "/"),
  limits: (p) => p.goto(service.url + "/limits"),
  privacy: (p) => p.goto(service.url + "/privacy"),
  terms: (p) => p.goto(service.url + "/terms"),
  signin: (p, visitor) => visitor.goto(service.url + "/auth/login"),
  dashboard: (p) => p.goto(service.url + "/app/"),
  account: (p) => p.goto(service.url + "/app/account"),
};

Object.assign(openTemplate, {
  conflict: async (p) => {
    await service.writePage("ada", "Sandbox/Clash", "one\n");
    await p.goto(ada + "/Sandbox/Clash/edit");
    await service.writePage("ada", "Sandbox/Clash", "two\n");
    await p.locator("#text").fill("three\n");
    return submitForm(p, () => p.getByRole("button", { name: "Save page" }).last().click());
  },
  undosession: async (p) => {
    await service.writePage("ada", "Sandbox/Session", "one\n", "editor");
    await service.writePage("ada", "Sandbox/Session", "two\n");
    const { history } = await service.callAPI("ada", "GET", "/pages/Sandbox/Session/history");
    await p.goto(`${ada}/-/session/${history[1].commit}`);
    return submitForm(p, () => p.getByRole("button", { name: "Undo session", exact: true }).click());
  },
  proposaledit: async (p) => {
    await p.goto(ada + "/-/tokens");
    await p.locator("#tname").fill("Proposer");
    await p.locator("#tscope").selectOption("propose");
    await p.getByRole("button", { name: "Create" }).click();
    const [secret] = (await p.locator("main").innerText()).match(/rwtf_[\w-]{43}/);
    const call = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "create_page", arguments: { path: "Sandbox/Proposed", content: "one" } } };
    await service.request("POST", ada + "/mcp", {
      headers: { authorization: "Bearer " + secret, "content-type": "application/json", accept: "application/json, text/event-stream" }, body: JSON.stringify(call),
    });
    await p.goto(ada + "/-/proposals");
    await p.getByRole("link", { name: /^Look at/ }).first().click();
    await p.getByRole("link", { name: /^Edit first/ }).first().click();
    return p.waitForURL(/page=/).then(() => p.reload());
  },
  giveback: async (p, visitor) => {
    await signIn(visitor, service, "ada");
    await visitor.goto(ada + "/Elsewhere/edit");
    await visitor.context().clearCookies(); // the session ends while they write
    await visitor.locator("#text").fill("mine\n");
    return submitForm(visitor, () => visitor.getByRole("button", { name: "Save page" }).last().click());
  },
  consent: async (p) => askForConsent(p, await registerClient()),
  username: async (p, visitor) => {
    await signIn(visitor, service, "dan");
    return visitor.goto(service.url + "/app/create");
  },
});

// The service of these tests never shows these templates: waiting needs --signup day,
// invitation and uninvited --signup invitation (see invitation.test.mjs), handover an own
// domain (see domain.test.mjs), the others robot home (see home.test.mjs).
const notShown = ["handover", "homeaccount", "homesignin", "invitation", "join", "operator", "uninvited", "waiting"];

const redirect = "http://127.0.0.1:1/callback";
// The verifier and challenge of RFC 7636, appendix B.
const [verifier, challenge] = ["dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"];

// registerClient registers an OAuth client and returns its id.
async function registerClient() {
  const body = JSON.stringify({ client_name: "Client", redirect_uris: [redirect], token_endpoint_auth_method: "none" });
  const response = await service.request("POST", `${service.url}/auth/oauth/register`, { headers: { "content-type": "application/json" }, body });
  return JSON.parse(response.text).client_id;
}

// askForConsent opens the consent page for ada's wiki.
async function askForConsent(page, client) {
  const address = new URL(`${service.url}/auth/oauth/authorize`);
  address.search = new URLSearchParams({
    client_id: client, redirect_uri: redirect, response_type: "code", state: "s", scope: "wiki:read", resource: `${ada}/mcp`, code_challenge: challenge, code_challenge_method: "S256",
  });
  return page.goto(String(address));
}

// connectAgent connects an agent for the agents page to list. It uses a separate
// tab, because consent redirects to the agent's own address.
async function connectAgent() {
  const page = await chrome.newPage();
  await signIn(page, service, "ada");
  const client = await registerClient();
  await askForConsent(page, client);
  const response = await submitForm(page, () => page.getByRole("button", { name: "Allow", exact: true }).click());
  const code = new URL((await response.allHeaders()).location).searchParams.get("code");
  await page.close();
  const body = String(new URLSearchParams({ grant_type: "authorization_code", code, redirect_uri: redirect, client_id: client, code_verifier: verifier, resource: `${ada}/mcp` }));
  const tokens = await service.request("POST", `${service.url}/auth/oauth/token`, { headers: { "content-type": "application/x-www-form-urlencoded" }, body });
  assert.equal(tokens.status, 200, tokens.text);
}

// submitForm presses a button and waits for the response to its form.
async function submitForm(page, press) {
  const [response] = await Promise.all([page.waitForResponse((r) => r.request().isNavigationRequest() && r.request().method() === "POST"), press()]);
  if (response.status() !== 303) await page.waitForLoadState();
  return response;
}

// literals returns the literal text of a template, without actions.
const literals = (name) => readFileSync(new URL(`../internal/web/templates/${name}.html`, import.meta.url), "utf8")
  .split(/\{\{[\s\S]*?\}\}|\n/).map((text) => text.trim()).filter((text) => text.length >= 10);

test("every template is listed here", () => {
  assert.deepEqual([...Object.keys(openTemplate), ...Object.keys(partials), ...notShown].sort(), templates);
});

test("templates that aren't shown name no host", () => {
  for (const name of notShown) {
    const source = readFileSync(new URL(`../internal/web/templates/${name}.html`, import.meta.url), "utf8");
    const own = /src="\{\{asset "[^"]*"\}\}"/g; // files of the service
    assert.doesNotMatch(source.replace(own, ""), /\/\/|src=|srcset=/, name);
  }
});

for (const javaScriptEnabled of [true, false]) {
  test(`no request goes to another host, ${javaScriptEnabled ? "with" : "without"} scripts`, async () => {
    const foreignRequests = [], mismatches = [];
    const newTab = async () => {
      const context = await chrome.newContext({ javaScriptEnabled });
      context.on("request", (request) => {
        const { protocol, hostname } = new URL(request.url());
        if (/^(https?|wss?):$/.test(protocol) && !/(^|\.)robot\.localhost$/.test(hostname)) foreignRequests.push(request.url());
      });
      return context.newPage();
    };
    const page = await newTab();
    await signIn(page, service, "ada");
    await page.goto(ada + "/");
    const allLiterals = templates.map((name) => [name, literals(name)]);
    for (const name of templates.filter((name) => !notShown.includes(name))) {
      const visitor = await newTab();
      const response = await openTemplate[partials[name] ?? name](page, visitor);
      const html = await response.text();
      const ownLiterals = literals(name).filter((text) => !allLiterals.some(([other, texts]) => other !== name && texts.includes(text)));
      if (!ownLiterals.some((text) => html.includes(text))) mismatches.push(`${name}.html isn't shown at ${response.url()} (${response.status()})`);
      await visitor.waitForTimeout(50); // let the page's script send its requests
      await visitor.context().close();
    }
    assert.deepEqual(mismatches, []);
    assert.deepEqual(foreignRequests, []);
  });
}
