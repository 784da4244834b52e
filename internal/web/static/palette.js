// The window that jumps to pages, headings, text and actions: Ctrl-K or Cmd-K. It shows
// what /-/jump lists.

import { markMatch } from "./app.js";

const dialog = document.createElement("dialog");
dialog.className = "palette";
dialog.setAttribute("aria-label", "Jump to");
const label = document.createElement("label"), input = document.createElement("input"), list = document.createElement("div");
Object.assign(input, { type: "text", role: "combobox", autocomplete: "off", ariaExpanded: "true", ariaLabel: "Page, heading, text or action", placeholder: "Page, heading, text or action" });
input.setAttribute("aria-controls", "palette-list");
input.setAttribute("aria-autocomplete", "list");
Object.assign(list, { id: "palette-list", role: "listbox", ariaLabel: "Results", tabIndex: -1 });
label.append(input);
dialog.append(label, list);
document.body.append(dialog);

let sprite, page, options = [], active = 0, timer, pending;

// recent returns the group of pages that were read in this browser.
function recent(typed) {
  const pages = JSON.parse(localStorage.getItem("recent") ?? "[]");
  const items = pages.filter((p) => p.url !== location.pathname && (!typed || p.label.toLowerCase().includes(typed.toLowerCase())));
  return items.length ? [{ title: "Read last", items: items.slice(0, typed ? 3 : 6).map((p) => ({ ...p, icon: "clock" })) }] : [];
}

async function update() {
  const typed = input.value.trim();
  pending?.abort();
  pending = new AbortController();
  let groups;
  try {
    const response = await fetch(`/-/jump?q=${encodeURIComponent(typed)}&page=${encodeURIComponent(page)}`, { signal: pending.signal, headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(response.status);
    groups = (await response.json()).groups ?? [];
  } catch (error) {
    if (error.name === "AbortError") return;
    options = [];
    list.textContent = "The service can’t be reached. Try again in a moment.";
    return;
  }
  const found = new Set(groups.flatMap((group) => group.items.map((item) => item.url)));
  show([...recent(typed).map((group) => ({ ...group, items: group.items.filter((item) => !typed || !found.has(item.url)) })), ...groups], typed);
}

function updateNow() {
  clearTimeout(timer);
  timer = undefined;
  return update();
}

function show(groups, typed) {
  options = [];
  list.replaceChildren(...groups.filter((group) => group.items.length).map((group, g) => {
    const box = document.createElement("ul"), title = document.createElement("li");
    Object.assign(title, { className: "label", id: `palette-group-${g}`, role: "presentation", textContent: group.title });
    box.role = "group";
    box.setAttribute("aria-labelledby", title.id);
    box.append(title, ...group.items.map((item) => makeOption(item, typed)));
    return box;
  }));
  if (!options.length) list.textContent = "Nothing matches.";
  highlight(0);
}

function makeOption(item, typed) {
  const option = document.createElement("li"), label = document.createElement("span"), hint = document.createElement("small");
  option.id = `palette-${options.length}`;
  option.role = "option";
  option.dataset.url = item.url;
  label.append(...markMatch(item.label, typed));
  hint.textContent = item.hint ?? "";
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg"), use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  icon.setAttribute("class", "icon");
  icon.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `${sprite}#${item.icon}`);
  icon.append(use);
  option.append(icon, label, " ", hint);
  options.push(option);
  return option;
}

function highlight(index) {
  active = options.length ? (index + options.length) % options.length : -1;
  options.forEach((option, i) => { option.ariaSelected = String(i === active); });
  if (active < 0) return input.removeAttribute("aria-activedescendant");
  input.setAttribute("aria-activedescendant", options[active].id);
  options[active].scrollIntoView({ block: "nearest" });
}

function go(option, apart) {
  if (!option) return;
  dialog.close();
  if (apart) window.open(option.dataset.url, "_blank", "noopener");
  else location.assign(option.dataset.url);
}

input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(updateNow, 80); });
input.addEventListener("keydown", async (event) => {
  if (event.isComposing) return;
  if (event.key === "ArrowDown") highlight(active + 1);
  else if (event.key === "ArrowUp") highlight(active - 1);
  else if (event.key !== "Enter") return;
  event.preventDefault();
  if (event.key !== "Enter") return;
  if (timer) await updateNow(); // Enter is for what was typed, not for what is still shown
  go(options[active], event.ctrlKey || event.metaKey);
});
list.addEventListener("click", (event) => go(event.target.closest("[role=option]"), event.ctrlKey || event.metaKey));
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

// open shows the window. about is the page that its actions are about.
export function open(icons, about) {
  if (dialog.open) return dialog.close();
  sprite = icons;
  page = about;
  input.value = "";
  dialog.showModal();
  update();
}
