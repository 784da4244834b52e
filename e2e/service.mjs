// Starts the real binary with its own data directory, and a real browser.
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

// build compiles the service. It stays where it is: the next test file, whose
// process is another, finds that nothing is to be done. ROBOT_BINARY names one to
// test as it is.
export function build() {
  if (process.env.ROBOT_BINARY) return process.env.ROBOT_BINARY;
  const binary = join(root, "e2e/node_modules/.cache/robot");
  execFileSync("go", ["build", "-o", binary, "./cmd/robot"], { cwd: root, stdio: "inherit" });
  return binary;
}

// frontDoor does TLS for robot.localhost and all below it, as Caddy does in
// service, with a certificate of its own making.
async function frontDoor(upstream) {
  const dir = mkdtempSync(join(tmpdir(), "robot-e2e-tls-"));
  const [key, cert] = [join(dir, "key.pem"), join(dir, "cert.pem")];
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=robot.localhost",
    "-addext", "subjectAltName=DNS:robot.localhost,DNS:*.robot.localhost", "-keyout", key, "-out", cert], { stdio: "pipe" });
  const server = tls.createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) => {
    const inner = net.connect(upstream, "127.0.0.1");
    socket.pipe(inner).pipe(socket);
    for (const [from, to] of [[socket, inner], [inner, socket]]) from.on("error", () => to.destroy());
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  server.unref();
  return { certificate: cert, port: server.address().port, close: () => { server.close(); rmSync(dir, { recursive: true, force: true }); } };
}

async function freePort() {
  const server = net.createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

// start runs `robot dev` on a free port and answers what it seeded; with https, a
// proxy that does TLS stands before it, whose certificate is the file named.
export async function start({ data = mkdtempSync(join(tmpdir(), "robot-e2e-data-")), https = false } = {}) {
  const port = https ? await freePort() : 0;
  const front = https && await frontDoor(port);
  const child = spawn(build(), ["dev", "--listen", `127.0.0.1:${port}`, "--data", data, ...(front ? ["--https", `${front.port}`] : [])], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout.on("data", (text) => { output += text; });
  child.stderr.on("data", (text) => { output += text; });
  const deadline = Date.now() + 30_000;
  let dev;
  while (!dev) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`robot dev did not start:\n${output}`);
    await new Promise((done) => setTimeout(done, 50));
    if (!/https?:\/\/\S+/.test(output)) continue;
    try { dev = JSON.parse(readFileSync(join(data, "dev.json"), "utf8")); } catch { /* not written yet */ }
  }
  const at = new URL(dev.url);
  return {
    ...dev, port: at.port, data, certificate: front?.certificate,
    log: () => output,
    wiki: (slug) => `${at.protocol}//${slug}.${at.host}`,
    token: (slug, role) => dev.wikis.find((w) => w.slug === slug).tokens[role],
    // request speaks HTTP to a host by name; Node does not resolve *.localhost.
    // It goes round the proxy.
    request: (method, url, { headers = {}, body } = {}) => new Promise((resolve, reject) => {
      const to = new URL(url);
      const req = http.request({ host: "127.0.0.1", port: port || at.port, method, path: to.pathname + to.search, headers: { host: to.host, "content-length": Buffer.byteLength(body ?? ""), ...headers } }, (res) => {
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
    // api calls a wiki's API for one of its roles and expects what it says.
    async api(slug, method, path, body, { role = "owner", headers = {}, expect = [200, 201] } = {}) {
      const answer = await this.request(method, `${this.wiki(slug)}/api/v1${path}`, {
        headers: { authorization: `Bearer ${this.token(slug, role)}`, "content-type": "application/json", ...headers },
        body: body && JSON.stringify(body),
      });
      assert.ok(expect.includes(answer.status), `${method} ${path}: ${answer.status} ${answer.text.slice(0, 300)}`);
      return { status: answer.status, ...JSON.parse(answer.text) };
    },
    // write makes a page what it should be, whatever it was.
    async write(slug, name, content, role = "owner") {
      const path = "/pages/" + name.split("/").map(encodeURIComponent).join("/");
      const old = await this.api(slug, "GET", path, undefined, { expect: [200, 404] });
      return this.api(slug, "PUT", path, { content, revision: old.revision }, { role });
    },
    content: async function (slug, name) { return (await this.api(slug, "GET", `/pages/${name}`)).content; },
    async stop() {
      const ended = new Promise((done) => child.once("exit", done));
      child.kill("SIGTERM");
      await ended;
      if (front) front.close();
      rmSync(data, { recursive: true, force: true });
    },
  };
}

// browser starts Chromium so that it asks nobody but loopback for anything.
export async function browser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync",
      "--host-resolver-rules=MAP localhost 127.0.0.1,MAP *.localhost 127.0.0.1,MAP * ~NOTFOUND,EXCLUDE 127.0.0.1"],
  });
}

// watch notes everything that a page must not do: dialogs, policy reports,
// script errors, and requests to anybody but the service.
export function watch(context) {
  const seen = [];
  context.on("response", (response) => {
    if (response.status() >= 500) seen.push(`${response.status()} from ${response.request().method()} ${response.url()}`);
  });
  context.on("console", (message) => {
    if (/Content Security Policy|Content-Security-Policy/.test(message.text())) seen.push(`policy: ${message.text()}`);
  });
  context.on("weberror", (error) => seen.push(`script error: ${error.error().message}`));
  context.on("dialog", async (dialog) => {
    // The question whether to leave a text that is not saved is the editor's.
    if (dialog.type() === "beforeunload") return dialog.accept();
    seen.push(`dialog: ${dialog.type()} ${dialog.message()}`);
    await dialog.dismiss();
  });
  context.on("request", (request) => {
    const host = new URL(request.url()).hostname;
    if (!/(^|\.)robot\.localhost$/.test(host) && !/^(data|blob|about|chrome|chrome-extension):/.test(request.url())) seen.push(`request to ${request.url()}`);
  });
  return seen;
}

// signIn signs a seeded person in on the platform's host.
export async function signIn(page, service, username) {
  await page.goto(`${service.url}/auth/login`);
  await page.locator(`button[name=username][value=${username}]`).click();
  await page.waitForURL((url) => !url.pathname.startsWith("/auth/login"));
}
