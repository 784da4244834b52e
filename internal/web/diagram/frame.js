// The script of the document that draws one diagram. It runs in a frame without an
// origin and without a network: it gets a diagram's source by message and answers with
// its height or an error.
(() => {
  for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection"]) delete self[name];
  const out = document.getElementById("out");
  const answer = (message) => parent.postMessage(message, "*");
  let count = 0, zoom = 1;

  function scale(by) {
    const svg = out.querySelector("svg");
    zoom = Math.min(8, Math.max(0.2, zoom * by));
    svg.style.maxWidth = "none";
    svg.style.width = Math.round(svg.viewBox.baseVal.width * zoom) + "px";
  }

  function enlarge() {
    const svg = out.querySelector("svg"), { width, height } = svg.viewBox.baseVal;
    document.body.className = "large";
    zoom = 1;
    scale(Math.min(innerWidth / width, innerHeight / height, 3));
  }

  document.getElementById("tools").addEventListener("click", (event) => {
    const by = Number(event.target.value);
    if (by) scale(by);
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") answer({ close: true });
    if (event.key === "+" || event.key === "=") scale(1.25);
    if (event.key === "-") scale(0.8);
  });
  addEventListener("wheel", (event) => {
    if (!event.ctrlKey || document.body.className !== "large") return;
    event.preventDefault();
    scale(event.deltaY < 0 ? 1.1 : 0.9);
  }, { passive: false });

  addEventListener("message", async (event) => {
    if (event.source !== parent) return;
    const { source, dark, large } = event.data;
    document.documentElement.style.colorScheme = dark ? "dark" : "light";
    mermaid.initialize({
      startOnLoad: false, securityLevel: "strict", suppressErrorRendering: true, maxTextSize: 20_000, maxEdges: 500,
      // A diagram can't set these, the last ones because they can name addresses.
      secure: ["secure", "securityLevel", "startOnLoad", "maxTextSize", "maxEdges", "suppressErrorRendering", "themeCSS", "fontFamily", "altFontFamily"],
      theme: dark ? "dark" : "neutral", darkMode: dark, fontFamily: "system-ui, sans-serif",
    });
    try {
      const { svg } = await mermaid.render("diagram" + ++count, String(source));
      out.innerHTML = svg;
      if (large) enlarge();
      answer({ height: Math.ceil(out.getBoundingClientRect().height) });
    } catch (error) {
      answer({ error: String(error?.message ?? error).slice(0, 400) });
    }
  });
  addEventListener("resize", () => {
    if (out.firstChild && document.body.className !== "large") answer({ height: Math.ceil(out.getBoundingClientRect().height) });
  });
  answer({ ready: true });
})();
