// Starts the real binary on its own data directory, and a real browser.
import { spawn, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import http from "node:http";
import net from "node:net";
import tls from "node:tls";
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const root = new URL("..", import.meta.url).pathname;

// buildBinary compiles the service and returns the path of the binary. The path
// is fixed, so later test files rebuild only what changed. ROBOT_BINARY names a
// prebuilt binary to test instead.
export function buildBinary() {
  if (process.env.ROBOT_BINARY) return process.env.ROBOT_BINARY;
  const binary = join(root, "e2e/node_modules/.cache/robot");
  execFileSync("go", ["build", "-o", binary, "./cmd/robot"], { cwd: root, stdio: "inherit" });
  return binary;
}

// startTLSProxy terminates TLS for a name and its subdomains, as Caddy does in
// production, with a self-signed certificate.
export async function startTLSProxy(upstream, name = "robot.localhost") {
  const dir = mkdtempSync(join(tmpdir(), "robot-e2e-tls-"));
  const [key, cert] = [join(dir, "key.pem"), join(dir, "cert.pem")];
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", `/CN=${name}`,
    "-addext", `subjectAltName=DNS:${name},DNS:*.${name}`, "-keyout", key, "-out", cert], { stdio: "pipe" });
  const server = tls.createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) => {
    const inner = net.connect(upstream, "127.0.0.1");
    socket.pipe(inner).pipe(socket);
    for (const [from, to] of [[socket, inner], [inner, socket]]) from.on("error", () => to.destroy());
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  server.unref();
  return { certificate: cert, port: server.address().port, close: () => { server.close(); rmSync(dir, { recursive: true, force: true }); } };
}

export async function freePort() {
  const server = net.createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

// startService runs `robot dev` on a free port and returns its address, the
// seeded people and wikis, and helpers to call it. With https, a TLS proxy runs in
// front of it; certificate is the path of the proxy's certificate. args are further
// arguments.
export async function startService({ data = mkdtempSync(join(tmpdir(), "robot-e2e-data-")), https = false, args = [] } = {}) {
  const port = https ? await freePort() : 0;
  const proxy = https && await startTLSProxy(port);
  const child = spawn(buildBinary(), ["dev", "--listen", `127.0.0.1:${port}`, "--data", data, ...args, ...(proxy ? ["--https", `${proxy.port}`] : [])], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout.on("data", (text) => { output += text; });
  child.stderr.on("data", (text) => { output += text; });
  const deadline = Date.now() + 30_000;
  let dev;
  while (!dev) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`robot dev didn't start:\n${output}`);
    await new Promise((done) => setTimeout(done, 50));
    if (!/https?:\/\/\S+/.test(output)) continue;
    try { dev = JSON.parse(readFileSync(join(data, "dev.json"), "utf8")); } catch { /* not written yet */ }
  }
  const base = new URL(dev.url);
  return {
    ...dev, port: base.port, data, certificate: proxy?.certificate,
    log: () => output,
    wikiURL: (slug) => `${base.protocol}//${slug}.${base.host}`,
    token: (slug, role) => dev.wikis.find((w) => w.slug === slug).tokens[role],
    // request sends an HTTP request to the service, bypassing the proxy. It sets
    // the Host header itself because Node doesn't resolve *.localhost.
    request: (method, url, { headers = {}, body } = {}) => new Promise((resolve, reject) => {
      const target = new URL(url);
      const req = http.request({ host: "127.0.0.1", port: port || base.port, method, path: target.pathname + target.search, headers: { host: target.host, "content-length": Buffer.byteLength(body ?? ""), ...headers } }, (res) => {
        const chunks = [];
        res.on("data", (chunk) => chunks.push(chunk));
        res.on("end", () => {
          const body = Buffer.concat(chunks);
          resolve({ status: res.statusCode, headers: res.headers, bytes: body.length, text: body.toString() });
        });
      });
      req.on("error", reject);
      req.end(body);
    }),
    // callAPI calls a wiki's API with the token of a role and checks the status.
    async callAPI(slug, method, path, body, { role = "owner", headers = {}, expect = [200, 201] } = {}) {
      const response = await this.request(method, `${this.wikiURL(slug)}/api/v1${path}`, {
        headers: { authorization: `Bearer ${this.token(slug, role)}`, "content-type": "application/json", ...headers },
        body: body && JSON.stringify(body),
      });
      assert.ok(expect.includes(response.status), `${method} ${path}: ${response.status} ${response.text.slice(0, 300)}`);
      return { status: response.status, ...JSON.parse(response.text) };
    },
    // writePage creates a page or overwrites it.
    async writePage(slug, name, content, role = "owner") {
      const path = "/pages/" + name.split("/").map(encodeURIComponent).join("/");
      const old = await this.callAPI(slug, "GET", path, undefined, { expect: [200, 404] });
      return this.callAPI(slug, "PUT", path, { content, revision: old.revision }, { role });
    },
    async pageContent(slug, name) { return (await this.callAPI(slug, "GET", `/pages/${name}`)).content; },
    async stop() {
      const exited = new Promise((done) => child.once("exit", done));
      child.kill("SIGTERM");
      await exited;
      if (proxy) proxy.close();
      rmSync(data, { recursive: true, force: true });
    },
  };
}

// startHome runs `robot home` on a free port, or a given one, and returns its address,
// the printed sign-in link, and its data directory, which stop keeps. within is a command
// that runs another one, such as in a network namespace.
export async function startHome({ data = mkdtempSync(join(tmpdir(), "robot-e2e-home-")), port = 0, address = "127.0.0.1", within = [], args = [] } = {}) {
  const [command, ...before] = [...within, buildBinary()];
  const child = spawn(command, [...before, "home", "--listen", `${address}:${port}`, "--data", data, "--no-semantic-search", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => { output += text; });
  const deadline = Date.now() + 30_000;
  while (!/^Data /m.test(output)) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`robot home didn't start:\n${output}`);
    await new Promise((done) => setTimeout(done, 50));
  }
  const run = (...command) => execFileSync(buildBinary(), command, { encoding: "utf8" });
  return {
    url: output.match(/is ready at (\S+)/)[1], link: output.match(/^Sign in (\S+)/m)[1], data, run,
    pid: child.pid, log: () => output,
    // login prints another link, for a member or the owner.
    login: (...name) => run("home", "login", "--data", data, ...name).match(/http\S+/)[0],
    async stop() {
      const exited = new Promise((done) => child.once("exit", done));
      child.kill("SIGTERM");
      await exited;
    },
  };
}

// launchBrowser starts Chromium with every host but loopback unresolvable. Its
// pages edit in the plain text field, unless code is true. names lead to this machine,
// too, or to their addresses.
export async function launchBrowser({ code = false, names = [], addresses = {} } = {}) {
  const hosts = { ...Object.fromEntries(["localhost", "*.localhost", ...names].map((name) => [name, "127.0.0.1"])), ...addresses };
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync",
      `--host-resolver-rules=${Object.entries(hosts).map(([name, to]) => `MAP ${name} ${to}`)},MAP * ~NOTFOUND,EXCLUDE 127.0.0.1`],
  });
  const newContext = browser.newContext.bind(browser);
  if (!code) browser.newContext = async (options) => {
    const context = await newContext(options);
    await context.addInitScript(() => { try { localStorage.setItem("plain", "on"); } catch { /* a document without storage */ } });
    return context;
  };
  return browser;
}

// recordViolations returns a list that collects whatever pages of a context must
// not do: dialogs, CSP violations, script errors, server errors and requests to
// other hosts; ours matches the service's.
export function recordViolations(context, ours = /(^|\.)robot\.localhost$/) {
  const violations = [];
  context.on("response", (response) => {
    if (response.status() >= 500) violations.push(`${response.status()} from ${response.request().method()} ${response.url()}`);
  });
  context.on("console", (message) => {
    if (/Content Security Policy|Content-Security-Policy/.test(message.text())) violations.push(`policy: ${message.text()}`);
  });
  context.on("weberror", (error) => violations.push(`script error: ${error.error().message}`));
  context.on("dialog", async (dialog) => {
    // The editor asks before leaving unsaved text.
    if (dialog.type() === "beforeunload") return dialog.accept();
    violations.push(`dialog: ${dialog.type()} ${dialog.message()}`);
    await dialog.dismiss();
  });
  context.on("request", (request) => {
    const host = new URL(request.url()).hostname;
    if (!ours.test(host) && !/^(data|blob|about|chrome|chrome-extension):/.test(request.url())) violations.push(`request to ${request.url()}`);
  });
  return violations;
}

// openContext returns a page of a new context, signed in as a person unless "", with the
// list of its violations.
export async function openContext(chrome, service, options, who) {
  const context = await chrome.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const violations = recordViolations(context);
  const page = await context.newPage();
  if (who) await signIn(page, service, who);
  return { page, violations, context };
}

// looks are the ways in which a page is looked at.
export const looks = [
  { name: "light", options: {} },
  { name: "dark", options: { colorScheme: "dark" } },
  { name: "390 px", options: { viewport: { width: 390, height: 800 } } },
];

// signIn signs in a seeded person on the platform's host.
export async function signIn(page, service, username) {
  await page.goto(`${service.url}/auth/login`);
  await page.locator(`button[name=username][value=${username}]`).click();
  await page.waitForURL((url) => !url.pathname.startsWith("/auth/login"));
}
