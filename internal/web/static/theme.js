// Before the first paint: the theme chosen in this browser, instead of the system's, and
// whether the page tree is hidden.
const theme = localStorage.getItem("theme");
if (localStorage.getItem("tree") === "hidden") document.documentElement.classList.add("no-tree");
if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
