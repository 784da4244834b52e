// Counts the tokens (o200k) of the fixtures of internal/tokens, which its
// tests compare with the estimate. Run it after changing a fixture:
// node tokens.mjs
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { countTokens } from "gpt-tokenizer/encoding/o200k_base";

const dir = new URL("../../internal/tokens/testdata/", import.meta.url);
const counts = {};
for (const name of readdirSync(dir).filter((n) => n.endsWith(".md")).sort()) {
  const text = readFileSync(new URL(name, dir), "utf8");
  counts[name] = { tokens: countTokens(text), sha256: createHash("sha256").update(text).digest("hex") };
}
writeFileSync(new URL("o200k.json", dir), JSON.stringify(counts, null, 1) + "\n");
console.log(Object.entries(counts).map(([name, { tokens }]) => `${name} ${tokens}`).join("\n"));
