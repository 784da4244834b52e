// The page tree: folders open in place and stay open, pinned and recent pages, and hiding
// it. What a reader chooses is kept in their browser, for each wiki.
import { about, parse, toggleTree, wide } from "./app.js";

const tree = document.getElementById("pages"), head = tree.querySelector("[data-tree-head]");
const read = (key) => parse(localStorage.getItem(key)) ?? [];
const write = (key, list) => { try { localStorage.setItem(key, JSON.stringify(list)); } catch { /* storage is full or blocked */ } };
const most = 20; // folders kept open, and pins

// ---- folders ----

const pathOf = (item) => decodeURIComponent(item.querySelector(":scope > a").pathname.slice(1));

// fetchBranches returns the content of folders, as HTML by their paths.
async function fetchBranches(paths) {
  const query = new URLSearchParams(paths.map((path) => ["in", path]));
  const response = await fetch("/-/tree?" + query, { headers: { Accept: "application/json" } }).catch(() => null);
  return response?.ok ? response.json() : {};
}

function expand(item, html) {
  if (html && !item.querySelector(":scope > ul")) {
    item.insertAdjacentHTML("beforeend", html); // rendered by the service like the rest of the tree
    addTwists(item.lastElementChild);
  }
  item.querySelector(":scope > .twist").ariaExpanded = String(!!item.querySelector(":scope > ul"));
}

async function toggle(item) {
  const twist = item.querySelector(":scope > .twist"), path = pathOf(item), others = read("open").filter((other) => other !== path);
  if (twist.ariaExpanded === "true") {
    twist.ariaExpanded = "false";
    return write("open", others);
  }
  write("open", [path, ...others].slice(0, most));
  expand(item, item.querySelector(":scope > ul") ? "" : (await fetchBranches([path]))[path]);
}

// addTwists gives each folder a button that opens and closes it.
function addTwists(list) {
  for (const item of list.querySelectorAll("li")) {
    const link = item.querySelector(":scope > a"), open = item.querySelector(":scope > ul");
    if (item.matches(".branch") || !open && !link.querySelector("small")) continue;
    const twist = document.createElement("button");
    Object.assign(twist, { type: "button", className: "twist", ariaExpanded: String(!!open), ariaLabel: `Pages in ${link.firstChild.textContent.trim()}` });
    twist.addEventListener("click", () => toggle(item));
    item.classList.add("branch");
    item.prepend(twist);
  }
}

const pages = tree.querySelector(":scope > ul");
addTwists(pages);

async function reopen() {
  const open = read("open");
  if (!open.length) return;
  const branches = await fetchBranches(open);
  for (const path of open.toSorted((a, b) => a.length - b.length)) { // folders before those in them
    const item = branches[path] && [...pages.querySelectorAll(".branch")].find((other) => pathOf(other) === path);
    if (item) expand(item, branches[path]);
  }
}
reopen();

// ---- pinned and recent pages ----

// showList shows a list of pages under a heading, before or after the tree.
function showList(name, list, place) {
  tree.querySelector(`[data-list="${name}"]`)?.remove();
  if (!list.length) return;
  const part = document.createElement("div"), label = document.createElement("p"), entries = document.createElement("ul");
  part.dataset.list = name;
  part.className = "list";
  label.className = "label";
  label.textContent = name;
  for (const { url, label: title } of list) {
    const item = document.createElement("li"), link = document.createElement("a");
    if (!/^\/(?!\/)/.test(url)) continue;
    Object.assign(link, { href: url, textContent: title });
    if (url === about) link.setAttribute("aria-current", "page");
    item.append(link);
    entries.append(item);
  }
  part.append(label, entries);
  tree[place](part);
}

const pinned = (url) => read("pins").some((pin) => pin.url === url);
function showPins() {
  showList("Pinned", read("pins"), "prepend");
  showList("Recent", read("recent").filter((page) => page.url !== about && !pinned(page.url)).slice(0, 5), "append");
}
showPins();

for (const button of document.querySelectorAll("[data-pin]")) {
  const { pin: url, label } = button.dataset;
  const name = () => { button.textContent = pinned(url) ? "Unpin from the sidebar" : "Pin to the sidebar"; };
  button.hidden = false;
  name();
  button.addEventListener("click", () => {
    write("pins", pinned(url) ? read("pins").filter((pin) => pin.url !== url) : [...read("pins"), { url, label }].slice(-most));
    name();
    showPins();
    button.closest("[popover]")?.hidePopover();
  });
}

// ---- hiding it ----

const hide = document.createElement("button");
Object.assign(hide, { type: "button", className: "button tiny bare hide", textContent: "Hide", title: "Hide the list of pages ([)" });
hide.addEventListener("click", () => {
  if (wide.matches) toggleTree();
  else tree.hidePopover();
});
head.append(hide);

document.querySelector(".bar .open")?.addEventListener("click", (event) => {
  if (!wide.matches || !document.documentElement.classList.contains("no-tree")) return;
  event.preventDefault(); // it isn't a popover there
  toggleTree();
});
