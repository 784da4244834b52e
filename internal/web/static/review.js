// Reviewing sessions: keys, forms that don't leave the page, and sessions whose pages load
// when they are opened. Without this script, the forms and links do the same.

const main = document.querySelector("[data-review]");
const status = main.querySelector("[data-announce]");
const patches = () => [...main.querySelectorAll("[data-patch]")];
const current = () => main.querySelector("[data-patch][aria-current]");

for (const hint of main.querySelectorAll("[data-keys]")) hint.hidden = false;

function select(patch) {
  current()?.removeAttribute("aria-current");
  if (!patch) return;
  patch.setAttribute("aria-current", "true");
  patch.scrollIntoView({ block: "nearest" });
}

function move(step) {
  const list = patches(), at = list.indexOf(current());
  select(list[Math.min(Math.max(at + step, 0), list.length - 1)]);
}

// ---- keep and undo, in place ----

function count(removed) {
  for (const shown of document.querySelectorAll(".review .count")) {
    const left = parseInt(shown.textContent, 10) - removed;
    if (shown.textContent.includes("+")) continue;
    if (left > 0) shown.firstChild.textContent = left;
    else shown.parentElement.remove();
  }
}

function remove(form) {
  const patch = form.closest("[data-patch]"), session = form.closest("[data-session]");
  const gone = patch ?? session, next = patch && (patches()[patches().indexOf(patch) + 1] ?? patches().at(-2));
  const waited = gone.matches("[data-patch]") ? 1 : gone.querySelectorAll("[data-patch]").length;
  const marked = patch && patch === current();
  gone.remove();
  if (session && !session.querySelector("[data-patch]") && session.querySelector("ul[data-files]")) session.remove();
  count(waited);
  if (marked) select(next);
}

main.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("[data-keep], [data-undo]") || form.elements.back.value || form.dataset.plain) return;
  event.preventDefault();
  const fields = new URLSearchParams(new FormData(form, event.submitter ?? form.querySelector("button")));
  let done = false;
  try {
    done = (await fetch(form.getAttribute("action"), { method: "POST", body: fields, redirect: "manual" })).type === "opaqueredirect";
  } catch { /* sent again below */ }
  if (!done) { // the page that the form leads to says why
    form.dataset.plain = "true";
    form.requestSubmit(form.querySelector("button"));
    return;
  }
  if (status) status.textContent = form.matches("[data-keep]") ? "Kept." : "Undone.";
  remove(form);
});

// ---- sessions that load when they are opened ----

main.addEventListener("click", async (event) => {
  const link = event.target.closest("[data-open-session]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  try {
    const page = new DOMParser().parseFromString(await (await fetch(link.href)).text(), "text/html");
    const files = page.querySelector("ul[data-files]");
    for (const back of files.querySelectorAll("input[name=back]")) back.value = "";
    const article = link.closest("[data-session]");
    article.querySelector("[data-files]").replaceWith(document.adoptNode(files));
    select(article.querySelector("[data-patch]"));
  } catch {
    location.assign(link.href);
  }
});

// ---- keys ----

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, [popover]")) return;
  const act = (form) => current()?.querySelector(form)?.requestSubmit(current().querySelector(form + " button"));
  switch (event.key) {
    case "j": move(1); break;
    case "k": move(-1); break;
    case "x": act("[data-keep]"); break;
    case "u": act("[data-undo]"); break;
    case "Enter":
      if (event.target.closest("a, button, summary") || !current()) return;
      current().querySelector("[data-open]").click();
      break;
    default: return;
  }
  event.preventDefault();
});
