// Attack: the owner of one wiki, whose host is a sibling of all others, tries to
// use a visitor's browser against another wiki or the platform. And the ways of
// honest visitors: signed in everywhere without a click, out again everywhere,
// and never sent in circles.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { start, browser, watch, signIn } from "./service.mjs";

let service, chrome, ada, bob;
before(async () => {
  service = await start();
  chrome = await browser();
  [ada, bob] = [service.wiki("ada"), service.wiki("bob")];
});
after(async () => { await chrome?.close(); await service?.stop(); });

// visitor opens a browser of its own. An attacker's pages have no policy.
async function visitor(name, options = {}) {
  const context = await chrome.newContext(options);
  const seen = watch(context);
  const page = await context.newPage();
  if (name) await signIn(page, service, name);
  return { context, page, seen, cookies: async () => (await context.cookies()).map((c) => `${c.name} ${c.domain}`).sort() };
}

// go opens an address and counts how often it was sent on.
async function go(page, url) {
  const response = await page.goto(url);
  let hops = 0;
  for (let r = response.request(); r.redirectedFrom(); r = r.redirectedFrom()) hops++;
  return { status: response.status(), hops, at: page.url() };
}

const account = (page) => page.locator(".bar .face .sr");

test("signed in on every wiki without a click", async () => {
  const { page, context, cookies } = await visitor("bob");
  for (const [url, hops] of [[ada + "/", 3], [ada + "/Weather_Station?a=b", 0], [bob + "/Recipes?a=1&b=%2F", 3]]) {
    assert.deepEqual(await go(page, url), { status: 200, hops, at: url }, url);
    assert.match(await account(page).textContent(), /Account of bob/i, url);
  }
  assert.deepEqual(await cookies(), ["__Host-session ada.robot.localhost", "__Host-session bob.robot.localhost",
    "__Host-session robot.localhost", "signed_in .robot.localhost"].concat((await cookies()).filter((c) => c.startsWith("sso_tried"))).sort());
  for (const c of await context.cookies()) {
    assert.ok(c.httpOnly, `${c.name} can be read by script`);
    assert.equal(c.sameSite, "Lax", c.name);
    if (c.name !== "sso_tried") assert.ok(c.secure, c.name);
  }
  await context.close();
});

test("no cookie of a host is read, set or replaced from another", async () => {
  const { page, context } = await visitor("bob", { bypassCSP: true });
  for (const url of [bob + "/", ada + "/"]) await go(page, url);
  const sessions = async () => (await context.cookies()).filter((c) => c.name.startsWith("__Host-")).map((c) => `${c.domain} ${c.value}`).sort();
  const before = await sessions();
  assert.equal(await page.evaluate(() => document.cookie), "", "script reads no cookie, not even signed_in");
  await page.evaluate(() => {
    for (const name of ["__Host-session", "__Host-sso"]) {
      for (const domain of ["robot.localhost", ".robot.localhost", "bob.robot.localhost"]) {
        for (const path of ["/", "/-/sso", "/Home"]) document.cookie = `${name}=evil; domain=${domain}; path=${path}; secure`;
      }
      document.cookie = `${name}=evil; path=/; secure; max-age=0`;
    }
  });
  assert.deepEqual(await sessions(), before, "cookies are as they were");
  // A session that is copied to another host's cookie opens nothing.
  const stolen = (await context.cookies(ada)).find((c) => c.name === "__Host-session").value;
  for (const host of [bob, service.url]) {
    const answer = await service.request("GET", host + (host === bob ? "/Home" : "/app/"), { headers: { cookie: `__Host-session=${stolen}`, accept: "text/html" } });
    assert.equal(answer.status, 302, `${host} takes a session of another host`);
  }
  const read = await page.evaluate((url) => fetch(url, { credentials: "include" }).then((r) => r.text(), (error) => error.name), bob + "/Home");
  assert.equal(read, "TypeError", "another host's page is not read by script");
  await context.close();
});

test("a form on one host that posts to another is refused", async () => {
  const { page, context } = await visitor("bob", { bypassCSP: true });
  await go(page, bob + "/");
  const text = await service.content("bob", "Home");
  const revision = (await service.api("bob", "GET", "/pages/Home")).revision;
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
  assert.equal(await service.content("bob", "Home"), text);
  const { status, at } = await go(page, bob + "/Home");
  assert.deepEqual([status, at], [200, bob + "/Home"], "still private, still signed in, still there");
  assert.match(await account(page).textContent(), /bob/i);
  await context.close();
});

test("a page cannot be framed, nor does it tell others where its readers are", async () => {
  for (const url of [ada + "/", service.url + "/", service.url + "/auth/login"]) {
    const { headers } = await service.request("GET", url);
    assert.match(headers["content-security-policy"], /frame-ancestors 'none'/, url);
    assert.match(headers["referrer-policy"], /^(same-origin|no-referrer)$/, url);
  }
});

test("a private wiki asks to sign in, and leads back to the address asked for", async () => {
  const { page, context, seen } = await visitor();
  const asked = `${bob}/Ideas/Second_Station?q=a%20b`;
  const first = await go(page, asked);
  assert.equal(first.status, 200);
  assert.equal(new URL(first.at).origin + new URL(first.at).pathname, service.url + "/auth/login");
  assert.ok(first.hops <= 3, `${first.hops} redirects`);
  await page.locator("button[name=username][value=bob]").click();
  await page.waitForURL(asked);
  assert.match(await page.locator("main h1").first().innerText(), /second/i);
  assert.deepEqual(seen.splice(0), []);
  await context.close();
});

test("to who is no member, private and missing look alike", async () => {
  const { page, context } = await visitor("dan");
  const plain = (text, slug) => text.replaceAll(slug, "SLUG");
  const answers = [];
  for (const slug of ["bob", "zoe"]) {
    const { status, hops } = await go(page, `${service.wiki(slug)}/Recipes`);
    answers.push({ status, hops, text: plain(await page.locator("body").innerText(), slug) });
  }
  assert.deepEqual(answers[0], answers[1]);
  assert.equal(answers[0].status, 404);
  await context.close();
});

test("nobody is sent in circles", async () => {
  // A stranger is never sent anywhere.
  const stranger = await visitor();
  assert.deepEqual(await go(stranger.page, ada + "/"), { status: 200, hops: 0, at: ada + "/" });
  await stranger.context.close();
  // The hint outlives the session: one try, then none.
  const { page, context } = await visitor();
  await context.addCookies([{ name: "signed_in", value: "1", domain: ".robot.localhost", path: "/" }]);
  const first = await go(page, ada + "/Garden");
  assert.deepEqual([first.status, first.at], [200, ada + "/Garden"]);
  assert.ok(first.hops > 0 && first.hops <= 3, `${first.hops} redirects`);
  assert.equal((await go(page, ada + "/Garden")).hops, 0);
  await context.addCookies([{ name: "signed_in", value: "1", domain: ".robot.localhost", path: "/" }]);
  assert.equal((await go(page, ada + "/")).hops, 0, "it was tried a moment ago");
  // A browser that keeps no cookie of a wiki's host comes to an end as well.
  let answer = { status: 302, headers: { location: bob + "/" } }, hops = 0;
  for (; [301, 302, 303].includes(answer.status) && hops < 10; hops++) {
    answer = await service.request("GET", new URL(answer.headers.location, service.url).href, { headers: { accept: "text/html", cookie: "signed_in=1" } });
  }
  assert.equal(answer.status, 200);
  assert.ok(hops <= 5, `${hops} redirects`);
  await context.close();
});

test("signing in leads nowhere else", async () => {
  for (const to of ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", `http://evil.example:${service.port}/`,
    `http://ada.robot.localhost.evil.example/`, `http://ada.robot.localhost:${service.port}@evil.example/`]) {
    const { page, context, seen } = await visitor();
    await page.goto(`${service.url}/auth/login?return_to=${encodeURIComponent(to)}`);
    await page.locator("button[name=username][value=cleo]").click();
    await page.waitForURL((url) => !url.pathname.startsWith("/auth/"));
    assert.equal(new URL(page.url()).origin, service.url, to);
    for (const way of ["/-/login?to=", "/-/sso?to="]) {
      await page.goto(ada + way + encodeURIComponent(to)).catch(() => {});
      assert.match(new URL(page.url()).hostname, /(^|\.)robot\.localhost$/, way + to);
    }
    assert.deepEqual(seen.splice(0), [], to);
    await context.close();
  }
});

test("signing out on one host ends it on all", async () => {
  const { page, context, cookies } = await visitor("bob");
  for (const url of [ada + "/", bob + "/"]) await go(page, url);
  await go(page, ada + "/Garden");
  await page.getByRole("button", { name: "Account of" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(service.url + "/");
  assert.ok(!(await cookies()).some((c) => c.startsWith("signed_in")), "the hint is gone");
  await go(page, ada + "/Garden");
  assert.equal(await account(page).count(), 0);
  assert.equal(await page.getByRole("link", { name: "Sign in" }).count(), 1);
  assert.equal(new URL((await go(page, bob + "/Recipes")).at).pathname, "/auth/login", "the private wiki is closed again");
  assert.equal(new URL((await go(page, service.url + "/app/")).at).pathname, "/auth/login");
  // Signing in again, as somebody else, from the wiki's page.
  await go(page, ada + "/Garden?x=1");
  await page.getByRole("link", { name: "Sign in" }).click();
  await page.locator("button[name=username][value=cleo]").click();
  await page.waitForURL(ada + "/Garden?x=1");
  assert.match(await account(page).textContent(), /cleo/i);
  await context.close();
});
