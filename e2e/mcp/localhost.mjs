// Preloaded into MCP clients (node --import), because Node.js doesn't resolve names
// under localhost to loopback (RFC 6761, section 6.3).
import dns from "node:dns";
import { syncBuiltinESMExports } from "node:module";

const systemLookup = dns.lookup;
dns.lookup = (name, options, callback) => {
  if (typeof options === "function") [options, callback] = [{}, options];
  if (!name.endsWith(".localhost")) return systemLookup(name, options, callback);
  const found = { address: "127.0.0.1", family: 4 };
  process.nextTick(() => options?.all ? callback(null, [found]) : callback(null, found.address, found.family));
};
syncBuiltinESMExports();
