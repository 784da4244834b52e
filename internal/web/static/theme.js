// Before the first paint: the theme chosen in this browser, instead of the system's.
const theme = localStorage.getItem("theme");
if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
