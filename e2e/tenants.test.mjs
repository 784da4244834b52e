// Attack: the owner of one wiki, whose host is a sibling of all others, uses a
// visitor's browser against another wiki or the platform. The file also covers
// honest visitors: they are signed in and out on all hosts at once, without
// redirect loops.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { startService, launchBrowser, recordViolations, signIn } from "./service.mjs";

let service, chrome, ada, bob;
before(async () => {
  service = await startService();
  chrome = await launchBrowser();
  [ada, bob] = [service.wikiURL("ada"), service.wikiURL("bob")];
});
after(async () => { await chrome?.close(); await service?.stop(); });

// newVisitor opens a tab in its own browser context. With bypassCSP the tab shows
// what an attacker's page, which sets no policy, could do.
async function newVisitor(name, options = {}) {
  const context = await chrome.newContext(options);
  const violations = recordViolations(context);
  const page = await context.newPage();
  if (name) await signIn(page, service, name);
  return { context, page, violations, cookies: async () => (await context.cookies()).map((c) => `${c.name} ${c.domain}`).sort() };
}

// openPage opens a URL and counts the redirects.
async function openPage(page, url) {
  const response = await page.goto(url);
  let hops = 0;
  for (let r = response.request(); r.redirectedFrom(); r = r.redirectedFrom()) hops++;
  return { status: response.status(), hops, url: page.url() };
}

const accountLabel = (page) => page.locator(".bar .face .sr");

test("a signed-in person is signed in on every wiki without a click", async () => {
  const { page, context, cookies } = await newVisitor("bob");
  for (const [url, hops] of [[ada + "/", 3], [ada + "/Weather_Station?a=b", 0], [bob + "/Recipes?a=1&b=%2F", 3]]) {
    assert.deepEqual(await openPage(page, url), { status: 200, hops, url }, url);
    assert.match(await accountLabel(page).textContent(), /Account of bob/i, url);
  }
  assert.deepEqual(await cookies(), ["__Host-session ada.robot.localhost", "__Host-session bob.robot.localhost",
    "__Host-session robot.localhost", "signed_in .robot.localhost"].concat((await cookies()).filter((c) => c.startsWith("sso_tried"))).sort());
  for (const c of await context.cookies()) {
    assert.ok(c.httpOnly, `script can read ${c.name}`);
    assert.equal(c.sameSite, "Lax", c.name);
    if (c.name !== "sso_tried") assert.ok(c.secure, c.name);
  }
  await context.close();
});

test("a host can't read, set or replace the cookies of another", async () => {
  const { page, context } = await newVisitor("bob", { bypassCSP: true });
  for (const url of [bob + "/", ada + "/"]) await openPage(page, url);
  const sessions = async () => (await context.cookies()).filter((c) => c.name.startsWith("__Host-")).map((c) => `${c.domain} ${c.value}`).sort();
  const before = await sessions();
  assert.equal(await page.evaluate(() => document.cookie), "", "script can't read any cookie, not even signed_in");
  await page.evaluate(() => {
    for (const name of ["__Host-session", "__Host-sso"]) {
      for (const domain of ["robot.localhost", ".robot.localhost", "bob.robot.localhost"]) {
        for (const path of ["/", "/-/sso", "/Home"]) document.cookie = `${name}=evil; domain=${domain}; path=${path}; secure`;
      }
      document.cookie = `${name}=evil; path=/; secure; max-age=0`;
    }
  });
  assert.deepEqual(await sessions(), before, "script doesn't change any session cookie");
  // A session copied into another host's cookie is useless.
  const stolen = (await context.cookies(ada)).find((c) => c.name === "__Host-session").value;
  for (const host of [bob, service.url]) {
    const response = await service.request("GET", host + (host === bob ? "/Home" : "/app/"), { headers: { cookie: `__Host-session=${stolen}`, accept: "text/html" } });
    assert.equal(response.status, 302, `${host} accepts another host's session`);
  }
  const read = await page.evaluate((url) => fetch(url, { credentials: "include" }).then((r) => r.text(), (error) => error.name), bob + "/Home");
  assert.equal(read, "TypeError", "script can't read another host's page");
  await context.close();
});

test("a form that posts to another host is refused", async () => {
  const { page, context } = await newVisitor("bob", { bypassCSP: true });
  await openPage(page, bob + "/");
  const text = await service.pageContent("bob", "Home");
  const revision = (await service.callAPI("bob", "GET", "/pages/Home")).revision;
  const attacks = [
    [bob + "/Home/save", { content: "Taken over.", revision }], [bob + "/Home/draft", { content: "Taken over.", revision }],
    [bob + "/Home/delete", { revision }], [bob + "/Home/rename", { new_pagename: "Gone", revision }], [bob + "/-/logout", {}],
    [bob + "/-/settings", { title: "x", description: "", visibility: "public", home: "" }],
    [service.url + "/auth/logout", {}], [service.url + "/auth/dev", { username: "ada" }],
  ];
  for (const from of [ada + "/", "about:blank"]) {
    for (const [action, fields] of attacks) {
      await page.goto(from);
      const [response] = await Promise.all([
        page.waitForNavigation(),
        page.evaluate(([action, fields]) => {
          const form = document.createElement("form");
          Object.assign(form, { method: "post", action });
          for (const [name, value] of Object.entries(fields)) {
            const input = document.createElement("input");
            Object.assign(input, { type: "hidden", name, value });
            form.append(input);
          }
          document.body.append(form);
          form.submit();
        }, [action, fields]),
      ]);
      assert.equal(response.status(), 403, `${from} posts to ${action}`);
    }
  }
  assert.equal(await service.pageContent("bob", "Home"), text);
  const { status, url } = await openPage(page, bob + "/Home");
  assert.deepEqual([status, url], [200, bob + "/Home"], "the page still exists and its owner is still signed in");
  assert.match(await accountLabel(page).textContent(), /bob/i);
  await context.close();
});

test("pages can't be framed and send no referrer to other sites", async () => {
  for (const url of [ada + "/", service.url + "/", service.url + "/auth/login"]) {
    const { headers } = await service.request("GET", url);
    assert.match(headers["content-security-policy"], /frame-ancestors 'none'/, url);
    assert.match(headers["referrer-policy"], /^(same-origin|no-referrer)$/, url);
  }
});

test("a private wiki asks visitors to sign in, then returns them to the page they requested", async () => {
  const { page, context, violations } = await newVisitor();
  const requested = `${bob}/Ideas/Second_Station?q=a%20b`;
  const first = await openPage(page, requested);
  assert.equal(first.status, 200);
  assert.equal(new URL(first.url).origin + new URL(first.url).pathname, service.url + "/auth/login");
  assert.ok(first.hops <= 3, `${first.hops} redirects`);
  await page.locator("button[name=username][value=bob]").click();
  await page.waitForURL(requested);
  assert.match(await page.locator("main h1").first().innerText(), /second/i);
  assert.deepEqual(violations.splice(0), []);
  await context.close();
});

test("private and missing wikis look alike to nonmembers", async () => {
  const { page, context } = await newVisitor("dan");
  const withoutSlug = (text, slug) => text.replaceAll(slug, "SLUG");
  const views = [];
  for (const slug of ["bob", "zoe"]) {
    const { status, hops } = await openPage(page, `${service.wikiURL(slug)}/Recipes`);
    views.push({ status, hops, text: withoutSlug(await page.locator("body").innerText(), slug) });
  }
  assert.deepEqual(views[0], views[1]);
  assert.equal(views[0].status, 404);
  await context.close();
});

test("nobody is caught in a redirect loop", async () => {
  // A stranger is never redirected.
  const stranger = await newVisitor();
  assert.deepEqual(await openPage(stranger.page, ada + "/"), { status: 200, hops: 0, url: ada + "/" });
  await stranger.context.close();
  // The hint outlives the session: the host tries once, then stops.
  const { page, context } = await newVisitor();
  await context.addCookies([{ name: "signed_in", value: "1", domain: ".robot.localhost", path: "/" }]);
  const first = await openPage(page, ada + "/Garden");
  assert.deepEqual([first.status, first.url], [200, ada + "/Garden"]);
  assert.ok(first.hops > 0 && first.hops <= 3, `${first.hops} redirects`);
  assert.equal((await openPage(page, ada + "/Garden")).hops, 0);
  await context.addCookies([{ name: "signed_in", value: "1", domain: ".robot.localhost", path: "/" }]);
  assert.equal((await openPage(page, ada + "/")).hops, 0, "the host doesn't try again within a short time");
  // A browser that drops the wiki host's cookies isn't caught in a loop either.
  let response = { status: 302, headers: { location: bob + "/" } }, hops = 0;
  for (; [301, 302, 303].includes(response.status) && hops < 10; hops++) {
    response = await service.request("GET", new URL(response.headers.location, service.url).href, { headers: { accept: "text/html", cookie: "signed_in=1" } });
  }
  assert.equal(response.status, 200);
  assert.ok(hops <= 5, `${hops} redirects`);
  await context.close();
});

test("sign-in never redirects to another site", async () => {
  for (const to of ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", `http://evil.example:${service.port}/`,
    `http://ada.robot.localhost.evil.example/`, `http://ada.robot.localhost:${service.port}@evil.example/`]) {
    const { page, context, violations } = await newVisitor();
    await page.goto(`${service.url}/auth/login?return_to=${encodeURIComponent(to)}`);
    await page.locator("button[name=username][value=cleo]").click();
    await page.waitForURL((url) => !url.pathname.startsWith("/auth/"));
    assert.equal(new URL(page.url()).origin, service.url, to);
    for (const path of ["/-/login?to=", "/-/sso?to="]) {
      await page.goto(ada + path + encodeURIComponent(to)).catch(() => {});
      assert.match(new URL(page.url()).hostname, /(^|\.)robot\.localhost$/, path + to);
    }
    assert.deepEqual(violations.splice(0), [], to);
    await context.close();
  }
});

test("signing out on one host signs out on all hosts", async () => {
  const { page, context, cookies } = await newVisitor("bob");
  for (const url of [ada + "/", bob + "/"]) await openPage(page, url);
  await openPage(page, ada + "/Garden");
  await page.getByRole("button", { name: "Account of" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(service.url + "/");
  assert.ok(!(await cookies()).some((c) => c.startsWith("signed_in")), "the hint is removed");
  await openPage(page, ada + "/Garden");
  assert.equal(await accountLabel(page).count(), 0);
  assert.equal(await page.getByRole("link", { name: "Sign in" }).count(), 1);
  assert.equal(new URL((await openPage(page, bob + "/Recipes")).url).pathname, "/auth/login", "the private wiki asks for sign-in again");
  assert.equal(new URL((await openPage(page, service.url + "/app/")).url).pathname, "/auth/login");
  // Sign in again from the wiki's page, as a different person.
  await openPage(page, ada + "/Garden?x=1");
  await page.getByRole("link", { name: "Sign in" }).click();
  await page.locator("button[name=username][value=cleo]").click();
  await page.waitForURL(ada + "/Garden?x=1");
  assert.match(await accountLabel(page).textContent(), /cleo/i);
  await context.close();
});
