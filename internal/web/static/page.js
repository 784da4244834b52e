// What the parts of a page do. It is loaded only on pages with one of them, and in the
// editor for its preview. Without it they show what they have.

// ---- tasks ----

// Ticking a task sends the page's form in the background.
const tasks = document.querySelector("[data-tasks]");
tasks?.addEventListener("submit", async (event) => {
  const box = event.submitter;
  if (!box?.matches(".tick")) return;
  event.preventDefault();
  if (box.ariaBusy === "true") return;
  box.ariaBusy = "true";
  const message = await sendTask(new URLSearchParams(new FormData(tasks, box)));
  box.ariaBusy = "false";
  const status = tasks.querySelector("[role=status]");
  status.className = message ? "notice warning" : "sr";
  status.textContent = message || (box.ariaChecked === "true" ? "Not done." : "Done.");
  if (message) return status.scrollIntoView({ block: "nearest" });
  const done = box.ariaChecked !== "true";
  box.ariaChecked = String(done);
  box.value = box.value.replace(/\w+$/, done ? "open" : "done");
});

// sendTask returns "" or what went wrong.
async function sendTask(body) {
  try {
    const response = await fetch("/-/task", { method: "POST", body, headers: { Accept: "application/json" } });
    if (response.ok) return "";
    return (await response.json()).message;
  } catch {
    return "The task wasn’t saved: the service can’t be reached. Try again in a moment.";
  }
}

// ---- diagrams ----

// A diagram is drawn in a frame without an origin and without a network, once it comes
// into view. The frame asks for its source by message; its answers are only numbers and
// text to us.
const darkScheme = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme ?? (darkScheme.matches ? "dark" : "light")) === "dark";
const frames = new Map(); // by their windows

addEventListener("message", (event) => frames.get(event.source)?.(event.data));
const redrawDiagrams = () => { for (const answer of frames.values()) answer({ ready: true }); };
darkScheme.addEventListener("change", redrawDiagrams);
addEventListener("theme", redrawDiagrams);

// openFrame makes a frame that draws a source, and calls back with its answers.
function openFrame(address, source, options, place, answered) {
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-scripts");
  frame.title = "Diagram";
  frame.src = address;
  place(frame);
  const target = frame.contentWindow;
  frames.set(target, (message) => {
    if (!frame.isConnected) return frames.delete(target);
    if (message?.ready) target.postMessage({ source, dark: isDark(), ...options }, "*");
    else answered(message ?? {}, frame);
  });
}

function drawDiagram(figure, address) {
  const source = figure.querySelector("pre").textContent, caption = figure.querySelector("figcaption");
  const place = (frame) => { frame.className = "pending"; figure.prepend(frame); };
  openFrame(address, source, {}, place, ({ height, error }, frame) => {
    if (error !== undefined) {
      frame.className = "pending";
      caption.textContent = `This diagram can’t be drawn: ${String(error)}`;
    }
    if (!(height > 0)) return;
    frame.height = Math.min(Math.round(height), 5000);
    if (frame.className !== "pending") return;
    frame.className = "";
    caption.replaceChildren(
      makeButton("Show source", (button) => { button.textContent = figure.classList.toggle("raw") ? "Show diagram" : "Show source"; }), " ",
      makeButton("Enlarge", () => enlarge((dialog) => enlargeDiagram(dialog, address, source))),
    );
  });
}

function enlargeDiagram(dialog, address, source) {
  openFrame(address, source, { large: true }, (frame) => dialog.append(frame), ({ close }) => { if (close) dialog.close(); });
}

function makeButton(words, press) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "plainly", textContent: words });
  button.addEventListener("click", () => press(button));
  return button;
}

// enlarge opens a window over the page, with a button that closes it.
function enlarge(fill) {
  const dialog = document.createElement("dialog");
  dialog.className = "large";
  const close = makeButton("Close", () => dialog.close());
  close.className = "button";
  dialog.append(close);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  fill(dialog);
}

// drawDiagrams draws those of a page as they come into view.
function drawDiagrams(root) {
  const address = root.dataset.diagrams;
  if (!address) return;
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((e) => e.isIntersecting)) {
      seen.unobserve(entry.target);
      drawDiagram(entry.target, address);
    }
  }, { rootMargin: "300px" });
  for (const figure of [...root.querySelectorAll("figure.diagram")].slice(0, 50)) seen.observe(figure);
}
for (const root of document.querySelectorAll("[data-diagrams]")) {
  drawDiagrams(root);
  root.addEventListener("rendered", () => drawDiagrams(root)); // the editor's preview
}

// ---- code: a button that copies it ----

for (const pre of navigator.clipboard ? document.querySelectorAll("article.prose pre:not(.infobox pre)") : []) {
  const code = pre.querySelector("code");
  if (!code || pre.parentElement.matches(".listing")) continue;
  const box = document.createElement("div");
  box.className = "listing";
  pre.before(box);
  const button = makeButton("Copy", async () => {
    const copied = await navigator.clipboard.writeText(code.textContent).then(() => true, () => false);
    button.textContent = copied ? "Copied" : "Couldn’t copy";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  button.className = "button tiny";
  box.append(pre, button);
}

// ---- notes: shown at their number while it has the pointer or the focus ----

const preview = document.createElement("aside");
Object.assign(preview, { className: "footnote", popover: "manual" });
let leaving;

function showNote(link) {
  clearTimeout(leaving);
  const item = document.getElementById(decodeURIComponent(link.hash.slice(1)));
  if (!item) return;
  const copy = item.cloneNode(true);
  for (const back of copy.querySelectorAll("a[href*='user-content-ref']")) back.remove();
  for (const named of copy.querySelectorAll("[id]")) named.removeAttribute("id");
  preview.replaceChildren(...copy.childNodes);
  if (!preview.isConnected) document.body.append(preview);
  preview.showPopover();
  const at = link.getBoundingClientRect(), width = preview.offsetWidth, height = preview.offsetHeight;
  preview.style.left = Math.max(8, Math.min(at.left, innerWidth - width - 8)) + "px";
  preview.style.top = (at.bottom + 6 + height < innerHeight ? at.bottom + 6 : Math.max(8, at.top - height - 6)) + "px";
}

const hideNote = () => { leaving = setTimeout(() => preview.isConnected && preview.hidePopover(), 200); };
for (const link of document.querySelectorAll("article.prose sup > a[href^='#user-content-fn']")) {
  for (const type of ["pointerenter", "focus"]) link.addEventListener(type, (event) => { if (event.pointerType !== "touch") showNote(link); });
  for (const type of ["pointerleave", "blur"]) link.addEventListener(type, hideNote);
}
preview.addEventListener("pointerenter", () => clearTimeout(leaving));
preview.addEventListener("pointerleave", hideNote);
addEventListener("keydown", (event) => { if (event.key === "Escape" && preview.matches(":popover-open")) preview.hidePopover(); });

// ---- pictures: enlarged over the page, the others by the arrow keys ----

const pictures = [...document.querySelectorAll("article.prose img")].filter((picture) => !picture.closest("a, button, summary"));
for (const [i, picture] of pictures.entries()) {
  Object.assign(picture, { tabIndex: 0, role: "button", ariaLabel: `Enlarge ${picture.alt || "this picture"}` });
  picture.addEventListener("click", () => showPicture(i));
  picture.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    showPicture(i);
  });
}

function showPicture(i) {
  enlarge((dialog) => {
    const large = document.createElement("img"), words = document.createElement("p");
    const show = (n) => {
      i = (n + pictures.length) % pictures.length;
      large.src = pictures[i].src.replace(/\?size=\d+$/, ""); // not the smaller copy
      large.alt = words.textContent = pictures[i].alt;
    };
    dialog.setAttribute("aria-label", "Picture");
    dialog.append(large, words);
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowRight" || event.key === "ArrowLeft") show(i + (event.key === "ArrowRight" ? 1 : -1));
    });
    large.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => pictures[i].focus());
    show(i);
  });
}
