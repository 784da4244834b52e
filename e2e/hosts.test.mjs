// Every page asks the service alone: each template is opened in a browser, and
// requests to other hosts are counted. There are none, with and without scripts.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { start, browser, signIn } from "./service.mjs";

let service, chrome, ada;
before(async () => {
  service = await start();
  chrome = await browser();
  ada = service.wiki("ada");
  // Content that would ask other hosts, if it could.
  await service.write("ada", "Elsewhere", "![x](https://images.test/x.png) <img src=https://images.test/y.png> [a](https://links.test/)\n\n```mermaid\ngraph\n```\n\n$x$\n");
  await service.api("ada", "POST", "/pages/Elsewhere/attachments", { filename: "notes.txt", content: Buffer.from("notes\n").toString("base64") });
  await connectAgent();
});
after(async () => { await chrome?.close(); await service?.stop(); });

const templates = readdirSync(new URL("../internal/web/templates", import.meta.url)).filter((f) => f.endsWith(".html")).map((f) => f.slice(0, -5)).sort();

// newest is the id of the newest commit of a page.
const newest = async (name) => (await service.api("ada", "GET", `/pages/${name}/history`)).history[0].commit;

// Parts are shown by pages that use them.
const parts = {
  _agent: "agents", _diff: "diff", _editor: "edit", _layout: "page", _panel: "connect", _token: "tokens",
};

// open says how each template is reached, by a page of ada's browser.
const open = {
  page: (p) => p.goto(ada + "/Elsewhere"),
  folder: (p) => p.goto(ada + "/Journal"),
  missing: (p) => p.goto(ada + "/Nobody_Wrote_This"),
  source: (p) => p.goto(ada + "/Elsewhere/source"),
  history: (p) => p.goto(ada + "/Elsewhere/history"),
  blame: (p) => p.goto(ada + "/Elsewhere/blame"),
  diff: async (p) => p.goto(`${ada}/Elsewhere/diff/${await newest("Elsewhere")}`),
  commit: async (p) => p.goto(`${ada}/-/commit/${await newest("Elsewhere")}`),
  revert: async (p) => p.goto(`${ada}/-/revert/${await newest("Elsewhere")}`),
  edit: (p) => p.goto(ada + "/Elsewhere/edit"),
  rename: (p) => p.goto(ada + "/Elsewhere/rename"),
  delete: (p) => p.goto(ada + "/Elsewhere/delete"),
  attachments: (p) => p.goto(ada + "/Elsewhere/attachments"),
  attachment: (p) => p.goto(ada + "/Elsewhere/attachment/notes.txt"),
  index: (p) => p.goto(ada + "/-/index"),
  changelog: (p) => p.goto(ada + "/-/changelog"),
  search: (p) => p.goto(ada + "/-/search?q=weather"),
  help: (p) => p.goto(ada + "/-/help"),
  health: (p) => p.goto(ada + "/-/health"),
  create: (p) => p.goto(ada + "/-/create"),
  settings: (p) => p.goto(ada + "/-/settings"),
  import: (p) => p.goto(ada + "/-/import"),
  tokens: (p) => p.goto(ada + "/-/tokens"),
  agents: (p) => p.goto(ada + "/-/agents"),
  connect: (p) => p.goto(ada + "/-/connect", { waitUntil: "load" }),
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

Object.assign(open, {
  conflict: async (p) => {
    await service.write("ada", "Sandbox/Clash", "one\n");
    await p.goto(ada + "/Sandbox/Clash/edit");
    await service.write("ada", "Sandbox/Clash", "two\n");
    await p.locator("#text").fill("three\n");
    return post(p, () => p.getByRole("button", { name: "Save page" }).last().click());
  },
  giveback: async (p, visitor) => {
    await signIn(visitor, service, "ada");
    await visitor.goto(ada + "/Elsewhere/edit");
    await visitor.context().clearCookies(); // the session ends while they write
    await visitor.locator("#text").fill("mine\n");
    return post(visitor, () => visitor.getByRole("button", { name: "Save page" }).last().click());
  },
  consent: async (p) => askForConsent(p, await register()),
  username: async (p, visitor) => {
    await signIn(visitor, service, "dan");
    return visitor.goto(service.url + "/app/create");
  },
});

const redirect = "http://127.0.0.1:1/callback";
// A verifier and its challenge: the example of RFC 7636, appendix B.
const [verifier, challenge] = ["dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"];

// register makes an OAuth client and returns its id.
async function register() {
  const body = JSON.stringify({ client_name: "Client", redirect_uris: [redirect], token_endpoint_auth_method: "none" });
  const answer = await service.request("POST", `${service.url}/auth/oauth/register`, { headers: { "content-type": "application/json" }, body });
  return JSON.parse(answer.text).client_id;
}

// askForConsent opens the page on which a person lets a client use ada's wiki.
async function askForConsent(page, client) {
  const address = new URL(`${service.url}/auth/oauth/authorize`);
  address.search = new URLSearchParams({
    client_id: client, redirect_uri: redirect, response_type: "code", state: "s", scope: "wiki:read", resource: `${ada}/mcp`, code_challenge: challenge, code_challenge_method: "S256",
  });
  return page.goto(String(address));
}

// connectAgent makes an agent that can be listed. The browser is sent to the
// agent's own address, so its requests aren't counted.
async function connectAgent() {
  const page = await chrome.newPage();
  await signIn(page, service, "ada");
  const client = await register();
  await askForConsent(page, client);
  const answer = await post(page, () => page.getByRole("button", { name: "Allow", exact: true }).click());
  const code = new URL((await answer.allHeaders()).location).searchParams.get("code");
  await page.close();
  const body = String(new URLSearchParams({ grant_type: "authorization_code", code, redirect_uri: redirect, client_id: client, code_verifier: verifier, resource: `${ada}/mcp` }));
  const tokens = await service.request("POST", `${service.url}/auth/oauth/token`, { headers: { "content-type": "application/x-www-form-urlencoded" }, body });
  assert.equal(tokens.status, 200, tokens.text);
}

// post presses a button and waits for the answer to its form.
async function post(page, press) {
  const [response] = await Promise.all([page.waitForResponse((r) => r.request().isNavigationRequest() && r.request().method() === "POST"), press()]);
  if (response.status() !== 303) await page.waitForLoadState();
  return response;
}

// literals returns the pieces of a template that are sent as they are.
const literals = (name) => readFileSync(new URL(`../internal/web/templates/${name}.html`, import.meta.url), "utf8")
  .split(/\{\{[\s\S]*?\}\}|\n/).map((text) => text.trim()).filter((text) => text.length >= 10);

test("every template is listed here", () => {
  assert.deepEqual([...Object.keys(open), ...Object.keys(parts)].sort(), templates);
});

for (const javaScriptEnabled of [true, false]) {
  test(`no request goes to another host, ${javaScriptEnabled ? "with" : "without"} scripts`, async () => {
    const foreign = [], wrong = [];
    const person = async () => {
      const context = await chrome.newContext({ javaScriptEnabled });
      context.on("request", (request) => {
        const { protocol, hostname } = new URL(request.url());
        if (/^(https?|wss?):$/.test(protocol) && !/(^|\.)robot\.localhost$/.test(hostname)) foreign.push(request.url());
      });
      return context.newPage();
    };
    const page = await person();
    await signIn(page, service, "ada");
    await page.goto(ada + "/");
    const others = templates.map((name) => [name, literals(name)]);
    for (const name of templates) {
      const visitor = await person();
      const response = await open[parts[name] ?? name](page, visitor);
      const html = await response.text();
      const own = literals(name).filter((text) => !others.some(([other, texts]) => other !== name && texts.includes(text)));
      if (!own.some((text) => html.includes(text))) wrong.push(`${name}.html isn't what ${response.url()} (${response.status()}) shows`);
      await visitor.waitForTimeout(50); // whatever the page's script asks for
      await visitor.context().close();
    }
    assert.deepEqual(wrong, []);
    assert.deepEqual(foreign, []);
  });
}
