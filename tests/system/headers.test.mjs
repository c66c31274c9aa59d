// headers.test.mjs: the exact set of headers of every kind of answer, from the responder and from nginx itself; and what the site for
// production adds on HTTPS.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CREDIT, OCR, progressPath, untilCode } from '../lib/demo.mjs';
import { SOURCE, freePort, start, waitFor } from '../lib/peygir.mjs';
import { bearers } from '../lib/programs.mjs';
import { connect } from '../lib/sockets.mjs';

const NOBODY = `req_${'0'.repeat(26)}`;
const CSP_PAGE = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
  "form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
const CSP_DATA = "default-src 'none'; frame-ancestors 'none'";
const CSP_STATIC = "default-src 'none'; style-src 'self'; frame-ancestors 'none'";
const CSP_ERROR = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const PERMISSIONS = 'camera=(), geolocation=(), microphone=(), payment=(), usb=()';

const ALL = { server: 'nginx', 'x-content-type-options': 'nosniff', 'cross-origin-resource-policy': 'same-origin' };
const PAGE = { ...ALL, 'content-security-policy': CSP_PAGE, 'referrer-policy': 'same-origin', 'permissions-policy': PERMISSIONS, 'cross-origin-opener-policy': 'same-origin' };
const DATA = { ...ALL, 'content-security-policy': CSP_DATA, 'referrer-policy': 'no-referrer' };
const FILE = { ...ALL, 'content-security-policy': CSP_STATIC, 'referrer-policy': 'same-origin', 'cache-control': 'public, max-age=3600' };
const OWN = { ...ALL, 'content-security-policy': CSP_ERROR, 'referrer-policy': 'same-origin', 'permissions-policy': PERMISSIONS, 'cross-origin-opener-policy': 'same-origin', 'cache-control': 'no-store' };
const ERROR = { ...OWN, 'content-type': 'text/html; charset=utf-8' };
const PROBLEM = { ...OWN, 'content-type': 'application/problem+json' };
const PERSONAL = { 'cache-control': 'no-store' };

// Of the connection and the body, not of what the answer is, unless a case says them.
const PLAIN = ['date', 'connection', 'keep-alive', 'content-length', 'transfer-encoding', 'content-type', 'content-language', 'set-cookie', 'location', 'etag', 'last-modified', 'accept-ranges'];

function ask(options, body) {
  return new Promise((resolve, reject) => {
    const req = (options.ca ? https : http).request({ host: '127.0.0.1', agent: false, ...options }, (res) => {
      res.resume();
      res.on('end', () => resolve({ status: res.statusCode, headers: res.headers }));
    });
    req.on('error', reject);
    req.end(body);
  });
}

// What no client of HTTP would send: these bytes, and the head of what is answered.
async function write(port, text) {
  const socket = net.connect(port, '127.0.0.1').setEncoding('latin1');
  let said = '';
  socket.on('data', (part) => (said += part));
  socket.write(text);
  await once(socket, 'close');
  const [line, ...lines] = said.slice(0, said.indexOf('\r\n\r\n')).split('\r\n');
  const headers = {};
  for (const [name, value] of lines.map((one) => one.split(/: (.*)/))) {
    headers[name.toLowerCase()] = [headers[name.toLowerCase()], value].filter((each) => each !== undefined).join(', ');
  }
  return { status: Number(line.split(' ')[1]), headers };
}

const rest = (headers, expected = {}) => Object.fromEntries(Object.entries(headers).filter(([name]) => name in expected || !PLAIN.includes(name)));

const assertExact = (headers, expected, message) => assert.deepEqual(rest(headers, expected), expected, message);

let peygir, bearer, cookie, token, hash, waiting;

before(async () => {
  peygir = await start();
  const visitor = peygir.visitor();
  hash = await visitor.request(OCR, { file_id: 'file-now', language: 'fa' });
  await peygir.status(hash, 'completed');
  waiting = await untilCode(peygir, peygir.visitor());
  bearer = await bearers(peygir);
  token = await visitor.token();
  cookie = [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
});
after(() => peygir?.stop());

describe('exactly these headers and no other (ASVS v4.0.3-14.4)', () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const json = { 'content-type': 'application/json' };
  const WEBSOCKET = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' };
  const LARGE = 'x'.repeat(70_000), BAD_CHUNK = 'Host: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n';
  const cases = [
    ['a page that is the same for all', () => ({ path: '/' }), 200, { ...PAGE, 'cache-control': 'private, no-cache', vary: 'Cookie, Accept-Language' }],
    ['a form', () => ({ path: `/services/${CREDIT}` }), 200, { ...PAGE, ...PERSONAL }],
    ['a result', () => ({ path: `/services/${OCR}/result/${hash}` }), 200, { ...PAGE, ...PERSONAL }],
    ['a redirect', () => ({ path: progressPath(hash, OCR) }), 303, { ...PAGE, ...PERSONAL }],
    ['a page about a problem', () => ({ path: '/nowhere' }), 404, { ...PAGE, ...PERSONAL }],
    ['a form with mistakes', () => ({ path: `/services/${OCR}`, method: 'POST', headers: form, body: `_token=${token}` }), 422, { ...PAGE, ...PERSONAL }],
    ['a method that is not known', () => ({ path: '/', method: 'DELETE' }), 405, { ...PAGE, ...PERSONAL, allow: 'GET, HEAD' }],
    ['JSON for all', () => ({ path: '/api/services' }), 200, { ...DATA, ...PERSONAL }],
    ['a status', () => ({ path: `/api/local-requests/${hash}/status` }), 200, { ...DATA, ...PERSONAL }],
    ['a stream of events', () => ({ path: `/api/local-requests/${hash}/events` }), 200, { ...DATA, ...PERSONAL }],
    ['a stream of events that is not theirs', () => ({ path: `/api/local-requests/${NOBODY}/events` }), 404, { ...DATA, ...PERSONAL }],
    ['a stream of events that something is posted to', () => ({ path: `/api/local-requests/${hash}/events`, method: 'POST', body: 'x' }), 405, { ...DATA, ...PERSONAL, allow: 'GET' }],
    ['a problem as JSON', () => ({ path: `/api/local-requests/${NOBODY}/status` }), 404, { ...DATA, ...PERSONAL }],
    ['a request made through JSON', () => ({ path: '/api/local-requests', method: 'POST', headers: { ...json, 'x-csrf-token': token }, body: JSON.stringify({ service: OCR, data: { file_id: 'x', language: 'fa' } }) }), 202,
      { ...DATA, ...PERSONAL, 'retry-after': undefined }],
    ['a WebSocket that is not asked for as one', () => ({ path: '/ws' }), 426, { ...DATA, ...PERSONAL, upgrade: 'websocket', 'sec-websocket-version': '13' }],
    ['a WebSocket of a version that there is not', () => ({ path: '/ws', headers: { ...WEBSOCKET, 'sec-websocket-version': '8' } }), 426,
      { ...DATA, ...PERSONAL, upgrade: 'websocket', 'sec-websocket-version': '13' }],
    ["a WebSocket from another site's page", () => ({ path: '/ws', headers: { ...WEBSOCKET, origin: 'https://evil.example' } }), 403, { ...DATA, ...PERSONAL }],
    ['a code that nobody has entered yet', () => ({ path: `/api/internal/local-requests/${waiting}/otp?wait=0`, headers: bearer.bot }), 204, { ...DATA, ...PERSONAL }],
    ['a code of no request', () => ({ path: `/api/internal/local-requests/${NOBODY}/otp?wait=0`, headers: bearer.bot }), 404, { ...DATA, ...PERSONAL }],
    ['a code for a program without a token', () => ({ path: `/api/internal/local-requests/${waiting}/otp?wait=0` }), 401, { ...DATA, ...PERSONAL, 'www-authenticate': 'Bearer' }],
    ['health', () => ({ path: '/healthz' }), 200, { ...DATA, ...PERSONAL }],
    ['health that something is posted to', () => ({ path: '/healthz', method: 'POST' }), 405, { ...DATA, ...PERSONAL, allow: 'GET, HEAD' }],
    ['counters', () => ({ path: '/metrics' }), 200, { ...DATA, ...PERSONAL }],
    ['a static file', () => ({ path: '/static/style.css' }), 200, { ...FILE, vary: 'Accept-Encoding' }],
    ['a static file that is not there', () => ({ path: '/static/none.css' }), 404, ERROR],
    ['a directory of static files', () => ({ path: '/static/' }), 404, ERROR],
    ['a static file that something is posted to', () => ({ path: '/static/style.css', method: 'POST' }), 405, { ...ERROR, allow: 'GET, HEAD' }],
    ['a static file with a body too large', () => ({ path: '/static/style.css', method: 'POST', body: LARGE }), 413, ERROR],
    ['a static file, if it is another', () => ({ path: '/static/style.css', headers: { 'if-match': '"x"' } }), 412, ERROR],
    ['a part of a static file that it does not have', () => ({ path: '/static/style.css', headers: { range: 'bytes=9999999-' } }), 200, { ...FILE, vary: 'Accept-Encoding' }],
    ['the description of the API', () => ({ path: '/api/openapi.json' }), 200, { ...DATA, 'cache-control': 'public, max-age=300', vary: 'Accept-Encoding' }],
    ['the description of the API that something is posted to', () => ({ path: '/api/openapi.json', method: 'POST' }), 405, { ...PROBLEM, allow: 'GET, HEAD' }],
    ['the description of the API with a body too large', () => ({ path: '/api/openapi.json', method: 'POST', body: LARGE }), 413, PROBLEM],
    ['the description of the API, if it is another', () => ({ path: '/api/openapi.json', headers: { 'if-match': '"x"' } }), 412, ERROR],
    ['the icon', () => ({ path: '/favicon.ico' }), 204, { ...ALL, 'referrer-policy': 'same-origin' }],
    ['a body too large for a page', () => ({ path: `/services/${OCR}`, method: 'POST', headers: form, body: LARGE }), 413, ERROR],
    ['a body too large for JSON', () => ({ path: '/api/local-requests', method: 'POST', headers: json, body: LARGE }), 413, PROBLEM],
    ...['/api', '/api/internal', '/api/internal/commission', `/api/local-requests/${NOBODY}/events`, '/ws', '/healthz', '/readyz', '/metrics']
      .map((where) => [`a body too large for ${where}`, () => ({ path: where, method: 'POST', body: LARGE }), 413, PROBLEM]),
    ['the root of the API', () => ({ path: '/api' }), 404, { ...DATA, ...PERSONAL }],
    ['the root of the routes of programs', () => ({ path: '/api/internal' }), 404, { ...DATA, ...PERSONAL }],
    ['an address too long', () => ({ path: `/?${'x'.repeat(9000)}` }), 414, ERROR],
    ['an address of the API too long', () => ({ path: `/api/services?${'x'.repeat(9000)}` }), 414, ERROR],
    ['a header too long', () => ({ path: '/', headers: { 'x-long': 'y'.repeat(9000) } }), 431, ERROR],
    ['a header too long for JSON', () => ({ path: '/api/services', headers: { 'x-long': 'y'.repeat(9000) } }), 431, PROBLEM],
    ['a method that nginx refuses', () => ({ path: '/', method: 'TRACE' }), 405, { ...ERROR, allow: 'GET, HEAD' }],
    ['a method that nginx refuses for JSON', () => ({ path: '/api/services', method: 'TRACE' }), 405, { ...PROBLEM, allow: 'GET, HEAD' }],
    ['a way of transfer that nginx does not know', () => ({ path: '/', method: 'POST', headers: { 'transfer-encoding': 'gzip' } }), 501, ERROR],
    ['a way of transfer that nginx does not know for JSON', () => ({ path: '/api/local-requests', method: 'POST', headers: { 'transfer-encoding': 'gzip' } }), 501, ERROR],
    ['an address with a NUL', () => ({ path: '/%00' }), 400, ERROR],
    ['no host', () => ({ text: 'GET / HTTP/1.1\r\n\r\n' }), 400, ERROR],
    ['no host for JSON', () => ({ text: 'GET /api/services HTTP/1.1\r\n\r\n' }), 400, PROBLEM],
    ['chunks that are none', () => ({ text: `POST /services/${OCR} HTTP/1.1\r\n${BAD_CHUNK}` }), 400, ERROR],
    ...['/api', '/api/local-requests', '/api/internal/commission', `/api/local-requests/${NOBODY}/events`, '/healthz']
      .map((where) => [`chunks that are none for ${where}`, () => ({ text: `POST ${where} HTTP/1.1\r\n${BAD_CHUNK}` }), 400, PROBLEM]),
    ['chunks that are none for a static file', () => ({ text: `GET /static/style.css HTTP/1.1\r\n${BAD_CHUNK}` }), 400, ERROR],
    ['a version of HTTP that there is not', () => ({ text: 'GET /api/services HTTP/2.0\r\nHost: x\r\n\r\n' }), 505, ERROR],
  ];
  for (const [what, make, status, expected] of cases) {
    test(what, async () => {
      const { body, headers, text, ...options } = make();
      const answer = text ? await write(peygir.port, text) : await ask({ port: peygir.port, ...options, headers: { cookie, 'accept-language': 'en', ...headers } }, body);
      assert.equal(answer.status, status);
      for (const name of Object.keys(expected)) if (expected[name] === undefined) delete answer.headers[name];
      assertExact(answer.headers, Object.fromEntries(Object.entries(expected).filter(([, value]) => value !== undefined)));
    });
  }

  test('nginx without its responder, as a page and as JSON', async () => {
    await peygir.withoutWeb(async () => {
      for (const [where, kind] of [['/', ERROR], ...['/api', '/api/services', '/api/internal/commission', '/healthz', '/readyz', '/metrics'].map((one) => [one, PROBLEM])]) {
        const answer = await ask({ port: peygir.port, path: where });
        assert.equal(answer.status, 502, where);
        assertExact(answer.headers, { ...kind, 'retry-after': '5' }, where);
      }
    });
  });
});

// One request a second and 2000 at once, two streams; the limits of Peygir itself let each be asked once.
describe('exactly these headers, too, where an address asks too often', () => {
  let peygir;
  before(async () => (peygir = await start({ env: { PEYGIR_LIMIT_FACTOR: '0.002' } })));
  after(() => peygir?.stop());
  const refused = async (where) => {
    const { status, headers } = await ask({ port: peygir.port, path: where, headers: { 'accept-language': 'en' } });
    assert.equal(status, 429, where);
    return headers;
  };

  test('for another stream of events', async () => {
    const where = `/api/local-requests/${NOBODY}/events`;
    assert.equal((await ask({ port: peygir.port, path: where })).status, 404);
    const headers = await refused(where);
    for (const name of ['retry-after', 'ratelimit', 'ratelimit-policy']) assert.ok(headers[name], name);
    const { 'retry-after': after_, ratelimit, 'ratelimit-policy': policy, ...others } = headers;
    assertExact(others, { ...DATA, ...PERSONAL });
  });

  test('for another WebSocket, from nginx', async () => {
    const visitor = peygir.visitor(), lines = [];
    for (const which of ['first', 'second']) {
      lines.push(await waitFor(() => connect(visitor).catch(({ status }) => assert.equal(status, 429)), { what: `room for the ${which}` }));
    }
    assertExact(await refused('/ws'), { ...PROBLEM, 'retry-after': '1' });
    for (const line of lines) line.close();
  });

  test('for any page and any JSON, from nginx, but health and what programs ask', async () => {
    const each = 'HEAD /nowhere HTTP/1.1\r\nHost: x\r\n';
    await Promise.all(Array.from({ length: 3 }, () => write(peygir.port, `${each}\r\n`.repeat(749) + `${each}Connection: close\r\n\r\n`)));
    for (const where of ['/', '/enter?ticket=x']) assertExact(await refused(where), { ...ERROR, 'retry-after': '1' }, where);
    for (const where of ['/api', '/api/services', `/api/local-requests/${NOBODY}/events`, '/ws']) assertExact(await refused(where), { ...PROBLEM, 'retry-after': '1' }, where);
    for (const [where, status] of [['/healthz', 200], ['/metrics', 200], ['/static/style.css', 200], ['/api/internal/commission', 401]]) {
      assert.equal((await ask({ port: peygir.port, path: where })).status, status, where);
    }
  });
});

test('what nginx says itself is one list for all paths, and each of its pages and problems is there', () => {
  const lines = fs.readFileSync(path.join(SOURCE, 'nginx/peygir-locations.conf'), 'utf8').match(/^.*\berror_page .*;$/gm);
  const said = lines.flatMap((line) => line.match(/^error_page [\d =]+ \/errors\/(\S+);$/)?.[1] ?? assert.fail(`it is not for all: ${line}`));
  const files = [...new Set(said.flatMap((name) => ['html', 'json'].map((kind) => name.replace('$peygir_errors', kind))))].sort();
  assert.deepEqual(fs.readdirSync(path.join(SOURCE, 'nginx/errors')).sort(), files);
  for (const name of files.filter((one) => one.endsWith('.json'))) {
    assert.equal(JSON.parse(fs.readFileSync(path.join(SOURCE, 'nginx/errors', name), 'utf8')).status, parseInt(name, 10), name);
  }
});

describe('the site for production', () => {
  let nginx, dir, ports, ca;

  // nginx/peygir-site.conf as it is, with places, ports and a certificate of its own.
  before(async () => {
    dir = path.join(peygir.dir, 'site');
    fs.mkdirSync(dir);
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=peygir.example.org', '-addext',
      'subjectAltName=DNS:peygir.example.org', '-keyout', `${dir}/key.pem`, '-out', `${dir}/cert.pem`], { stdio: 'ignore' });
    ca = fs.readFileSync(`${dir}/cert.pem`);
    ports = [await freePort(), await freePort()];
    const site = fs.readFileSync(path.join(SOURCE, 'nginx/peygir-site.conf'), 'utf8')
      .replaceAll(/^ *listen \[::\].*$/gm, '').replace('listen 80;', `listen 127.0.0.1:${ports[0]};`).replace('listen 443 ', `listen 127.0.0.1:${ports[1]} `)
      .replace('/etc/ssl/peygir.example.org/fullchain.pem', `${dir}/cert.pem`).replace('/etc/ssl/peygir.example.org/privkey.pem', `${dir}/key.pem`)
      .replace('unix:/run/peygir/web.sock', `unix:${peygir.file('web.sock')}`).replace('/var/log/nginx/peygir.log', `${dir}/access.log`)
      .replace('/usr/local/share/peygir/nginx/', `${SOURCE}/nginx/`).replace('/usr/local/share/peygir', SOURCE);
    const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir}/${name};`).join('\n');
    const user = process.getuid() === 0 ? 'user root root;\n' : '';
    fs.writeFileSync(`${dir}/nginx.conf`, `${user}daemon off;\nmaster_process off;\npid ${dir}/pid;\nerror_log ${dir}/error.log warn;\nevents {}\nhttp {\ninclude /etc/nginx/mime.types;\n${temps}\n${site}}\n`);
    nginx = spawn('nginx', ['-p', dir, '-c', `${dir}/nginx.conf`, '-e', `${dir}/error.log`], { stdio: 'ignore', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } });
    await waitFor(() => ask({ port: ports[0], path: '/' }).then(() => true, () => false), { what: 'nginx with the site', now: () => fs.readFileSync(`${dir}/error.log`, 'utf8') });
  });
  after(async () => {
    if (!nginx || nginx.exitCode !== null) return;
    nginx.kill('SIGTERM');
    await once(nginx, 'exit');
  });

  const secure = (where, options) => ask({ port: ports[1], path: where, ca, servername: 'peygir.example.org', headers: { host: 'peygir.example.org' }, ...options });

  test('says on HTTPS that it is always to be so, with every kind of answer', async () => {
    for (const [where, status] of [['/', 200], ['/api/services', 200], ['/nowhere', 404], ['/static/style.css', 200], ['/api/openapi.json', 200], ['/static/none', 404], ['/favicon.ico', 204], [`/?${'x'.repeat(9000)}`, 414]]) {
      const answer = await secure(where);
      assert.equal(answer.status, status, where);
      assert.equal(answer.headers['strict-transport-security'], 'max-age=31536000', where);
      assert.equal(answer.headers.server, 'nginx', where);
    }
  });

  test('keeps the session in a __Host- cookie that only HTTPS carries', async () => {
    const { headers } = await secure(`/services/${OCR}`);
    const line = headers['set-cookie'].find((one) => one.startsWith('__Host-peygir_session='));
    for (const word of ['Secure', 'HttpOnly', 'SameSite=Lax', 'Path=/']) assert.ok(line.includes(word), word);
  });

  test('sends plain HTTP to HTTPS, without a word about HSTS or its version', async () => {
    const { status, headers } = await ask({ port: ports[0], path: '/requests?x=1', headers: { host: 'peygir.example.org' } });
    assert.equal(status, 301);
    assert.equal(headers.location, 'https://peygir.example.org/requests?x=1');
    assert.equal(headers['strict-transport-security'], undefined);
    assert.equal(headers.server, 'nginx');
  });

  test('takes TLS 1.2 and 1.3 with forward secrecy and nothing older (Mozilla intermediate)', async () => {
    for (const options of [{ minVersion: 'TLSv1.3' }, { maxVersion: 'TLSv1.2' }, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305' }]) {
      assert.equal((await secure('/healthz', options)).status, 200);
    }
    for (const options of [{ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' }]) {
      await assert.rejects(secure('/healthz', options), /SSL|TLS|EPROTO|ECONNRESET/i);
    }
  });

  test('says to plain HTTP on the port of HTTPS that it is no request, as it says everything', async () => {
    const { status, headers } = await ask({ port: ports[1], path: '/', headers: { host: 'peygir.example.org' } });
    assert.equal(status, 400);
    assertExact(headers, ERROR);
  });

  test('logs no query', async () => {
    await secure('/?national_code=0499370899');
    await waitFor(() => fs.readFileSync(`${dir}/access.log`, 'utf8').includes(' / 200'), { what: 'the line in the log' });
    assert.ok(!fs.readFileSync(`${dir}/access.log`, 'utf8').includes('0499370899'));
  });
});
