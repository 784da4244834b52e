// A real PLC directory and two real PDSes (the reference implementation), on loopback only.
// usage: node lab.mjs [config.json]   -> prints one line of JSON ("LAB_READY {...}") when up; SIGTERM stops it.
import { execFileSync } from 'node:child_process'
import crypto from 'node:crypto'
import dns from 'node:dns'
import fs from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import zlib from 'node:zlib'
import { createRequire } from 'node:module'
const require = createRequire(import.meta.url)
const t0 = performance.now()
const log = (...a) => console.error(`[lab +${((performance.now() - t0) / 1000).toFixed(2)}s]`, ...a)

const cfg = {
  dir: fs.mkdtempSync(path.join(os.tmpdir(), 'atlab-')),
  tlsPort: 8443,                 // every https://<lab host> is served here (SNI/Host routed)
  appHost: 'robot.wtf.internal', // our service: must not be .test/.local/.localhost/.invalid/.example (PDS rejects those redirect URIs)
  appUpstream: '127.0.0.1:8080', // our service, plain HTTP
  upstreams: {},                 // the same for other services, by host below appHost
  pdsHosts: ['pds.test', 'pds2.test'],
  accounts: [
    { pds: 0, handle: 'alice.test', password: 'alice-pass-1234', displayName: 'Alice Liddell', picture: true },
    { pds: 0, handle: 'bob.test', password: 'bob-pass-1234' },
    { pds: 0, handle: 'mallory.test', password: 'mallory-pass-1234', displayName: '<img src=x onerror=alert(1)>"><script>alert(2)</script>' },
    { pds: 1, handle: 'carol.two.test', password: 'carol-pass-1234', displayName: 'Carol Two' },
  ],
  ...(process.argv[2] ? JSON.parse(fs.readFileSync(process.argv[2], 'utf8')) : {}),
}
fs.mkdirSync(cfg.dir, { recursive: true })

// ---- 1. throwaway CA and leaf certificate; TLS is validated everywhere
const p = (f) => path.join(cfg.dir, f)
const ossl = (...a) => execFileSync('openssl', a, { stdio: ['ignore', 'pipe', 'pipe'] })
const sans = ['plc.test', 'alice.test', 'bob.test', 'mallory.test', 'evil.test', 'renamed.test', '*.test', '*.two.test', ...cfg.pdsHosts, cfg.appHost, `*.${cfg.appHost}`]
ossl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=atlab CA', '-keyout', p('ca.key'), '-out', p('ca.pem'))
fs.writeFileSync(p('ext.cnf'), `subjectAltName=${[...new Set(sans)].map((s) => 'DNS:' + s).join(',')}\nextendedKeyUsage=serverAuth\n`)
ossl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=atlab', '-keyout', p('leaf.key'), '-out', p('leaf.csr'))
ossl('x509', '-req', '-in', p('leaf.csr'), '-CA', p('ca.pem'), '-CAkey', p('ca.key'), '-CAcreateserial', '-days', '2', '-extfile', p('ext.cnf'), '-out', p('leaf.pem'))
const caPem = fs.readFileSync(p('ca.pem'))
const spki = crypto.createHash('sha256').update(crypto.createPublicKey(fs.readFileSync(p('leaf.pem'))).export({ type: 'spki', format: 'der' })).digest('base64')

// ---- 2. outgoing connections of this process: lab names go to the TLS front, loopback is allowed, the rest is refused.
// Patched at tls and dns level, because PDS >= 0.5 builds its own undici agents that ignore a global dispatcher.
const isLabHost = (h) => h === 'plc.test' || h.endsWith('.test') || h === cfg.appHost || h.endsWith('.' + cfg.appHost)
const tls = require('node:tls')
const tlsConnect = tls.connect
tls.connect = function (o, ...rest) {
  const name = o?.servername || o?.host || o?.hostname || ''
  if (isLabHost(name)) { const { lookup, ...r } = o; return tlsConnect.call(this, { ...r, host: '127.0.0.1', hostname: '127.0.0.1', port: cfg.tlsPort, servername: name, ca: caPem }, ...rest) }
  return tlsConnect.call(this, o, ...rest)
}
const dnsLookup = dns.lookup
dns.lookup = function (host, o, cb) {
  if (host === 'localhost' || net.isIP(host)) return dnsLookup.call(dns, host, o, cb)
  ;(cb ?? o)(Object.assign(new Error(`atlab: no network (${host})`), { code: 'ENOTFOUND', hostname: host }))
}

// ---- 3. PLC
process.env.LOG_ENABLED ??= 'false'
const { PlcServer, Database: PlcDb } = require('@did-plc/server')
const plc = PlcServer.create({ db: PlcDb.mock() })
const plcHttp = http.createServer(plc.app)
await new Promise((r) => plcHttp.listen(0, '127.0.0.1', r))
const plcUrl = `http://127.0.0.1:${plcHttp.address().port}`
log('plc', plcUrl)

// ---- 4. PDSes
const { PDS, envToCfg, envToSecrets } = require('@atproto/pds')
const pdses = []
for (const [i, hostname] of cfg.pdsHosts.entries()) {
  const d = p(`pds${i}`); fs.mkdirSync(path.join(d, 'blobs'), { recursive: true })
  const env = {
    hostname, port: 0, serviceName: `Lab PDS ${i}`, dataDirectory: d, blobstoreDiskLocation: path.join(d, 'blobs'),
    didPlcUrl: plcUrl, serviceHandleDomains: [i === 0 ? '.test' : '.two.test'], inviteRequired: false, devMode: true, disableSsrfProtection: true,
    jwtSecret: crypto.randomBytes(16).toString('hex'), adminPassword: 'lab-admin',
    dpopSecret: crypto.randomBytes(32).toString('hex'),
    plcRotationKeyK256PrivateKeyHex: crypto.randomBytes(32).toString('hex'),
    ...(cfg.pdsEnv ?? {}),
  }
  const pds = await PDS.create(envToCfg(env), envToSecrets(env))
  await pds.ctx.sequencer.start()
  pdses.push({ hostname, pds, adminPassword: env.adminPassword })
  log('pds', hostname)
}

// ---- 5. TLS front (what Caddy does in production)
// outages is what addresses answer instead of their server: a status, or 'hang'. Tests switch them by
// PUT https://lab.test/ with JSON like {"alice.test/.well-known/atproto-did": 503}; {} ends them all.
let outages = {}
const switchOutages = (req, res) => {
  let text = ''
  req.on('data', (data) => { text += data })
  req.on('end', () => { outages = JSON.parse(text); res.end('ok') })
}
// appview is what an AppView does for sign-in: it resolves and completes handles.
const appview = (req, res) => {
  const url = new URL(req.url, 'https://appview.test')
  if (url.pathname === '/xrpc/com.atproto.identity.resolveHandle') return pdses[0].pds.app(Object.assign(req, { headers: { ...req.headers, host: cfg.pdsHosts[0] } }), res)
  const actors = cfg.accounts.filter((a) => a.handle.startsWith(url.searchParams.get('q'))).map((a) => ({ did: a.did, handle: a.handle, displayName: a.displayName }))
  res.setHeader('content-type', 'application/json')
  res.end(JSON.stringify({ actors }))
}
const route = (host) => {
  if (host === 'plc.test') return plc.app
  if (host === 'lab.test') return switchOutages
  if (host === 'appview.test') return appview
  const i = cfg.pdsHosts.indexOf(host); if (i >= 0) return pdses[i].pds.app
  if (host.endsWith('.two.test')) return pdses[1].pds.app
  if (host.endsWith('.test')) return pdses[0].pds.app
}
const front = https.createServer({ key: fs.readFileSync(p('leaf.key')), cert: fs.readFileSync(p('leaf.pem')) }, (req, res) => {
  const host = (req.headers.host ?? '').split(':')[0]
  const outage = Object.entries(outages).find(([address]) => (host + req.url).startsWith(address))?.[1]
  if (outage === 'hang') return setTimeout(() => res.destroy(), 30_000).unref()
  if (outage) { res.statusCode = outage; return res.end('outage') }
  const app = route(host)
  if (app) return app(req, res)
  const [uh, up] = (cfg.upstreams[host] ?? cfg.appUpstream).split(':')
  const r = http.request({ host: uh, port: up, method: req.method, path: req.url, headers: { ...req.headers, 'x-forwarded-proto': 'https', 'x-forwarded-for': req.socket.remoteAddress } }, (ur) => { res.writeHead(ur.statusCode, ur.rawHeaders); ur.pipe(res) })
  r.on('error', (e) => { res.writeHead(502); res.end(String(e)) }); req.pipe(r)
})
await new Promise((r) => front.listen(cfg.tlsPort, '127.0.0.1', r))
cfg.tlsPort = front.address().port

// ---- 6. accounts
const xrpc = async (host, nsid, body, token) => {
  const r = await fetch(`https://${host}/xrpc/${nsid}`, { method: 'POST', headers: { 'content-type': 'application/json', ...(token ? { authorization: token } : {}) }, body: JSON.stringify(body) })
  const t = await r.text(); if (!r.ok) throw new Error(`${nsid} ${r.status} ${t}`); return t ? JSON.parse(t) : {}
}
// png makes a single-color PNG of 400 by 300 pixels
const png = () => {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]), out = Buffer.alloc(body.length + 8)
    out.writeUInt32BE(data.length); body.copy(out, 4); out.writeUInt32BE(zlib.crc32(body), body.length + 4)
    return out
  }
  const head = Buffer.alloc(13); head.writeUInt32BE(400); head.writeUInt32BE(300, 4); head[8] = 8; head[9] = 2
  const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(1200, 0x3a)])
  return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', head), chunk('IDAT', zlib.deflateSync(Buffer.concat(Array(300).fill(row)))), chunk('IEND', Buffer.alloc(0))])
}
const upload = async (host, token) => {
  const r = await fetch(`https://${host}/xrpc/com.atproto.repo.uploadBlob`, { method: 'POST', headers: { 'content-type': 'image/png', authorization: token }, body: png() })
  if (!r.ok) throw new Error(`uploadBlob ${r.status} ${await r.text()}`)
  return (await r.json()).blob
}
for (const a of cfg.accounts) {
  const host = cfg.pdsHosts[a.pds]
  const s = await xrpc(host, 'com.atproto.server.createAccount', { handle: a.handle, email: `${a.handle.replace(/\W/g, '-')}@mail.test`, password: a.password })
  a.did = s.did; a.pdsHost = host
  if (a.displayName) await xrpc(host, 'com.atproto.repo.putRecord', { repo: s.did, collection: 'app.bsky.actor.profile', rkey: 'self', record: { $type: 'app.bsky.actor.profile', displayName: a.displayName, description: 'lab account', ...(a.picture ? { avatar: await upload(host, `Bearer ${s.accessJwt}`) } : {}) } }, `Bearer ${s.accessJwt}`)
  log('account', a.handle, a.did)
}
const out = { plcUrl, tlsAddr: `127.0.0.1:${cfg.tlsPort}`, ca: p('ca.pem'), spki, appHost: cfg.appHost, pdsHosts: cfg.pdsHosts, adminPassword: 'lab-admin', accounts: cfg.accounts, dir: cfg.dir, node: process.version, pds: require('@atproto/pds/package.json').version, startupMs: Math.round(performance.now() - t0) }
fs.writeFileSync(p('lab.json'), JSON.stringify(out, null, 1))
console.log('LAB_READY ' + JSON.stringify(out))
for (const s of ['SIGTERM', 'SIGINT']) process.on(s, () => process.exit(0))
