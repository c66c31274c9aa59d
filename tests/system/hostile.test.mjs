// hostile.test.mjs: what nginx would never send, straight into web.sock; and what people send to nginx.
import assert from 'node:assert/strict';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Connection, RESPONDER, TYPE, begin, exchange, pair, params, record, request, stdin, stream, variables } from '../lib/fcgi.mjs';
import { SOURCE, isAlive, start, waitFor } from '../lib/peygir.mjs';

const OCR = 'document-ocr';
const SCAN = { file_id: 'scan-1', language: 'fa' };
const FORM = 'application/x-www-form-urlencoded';
const TIMEOUT_MS = 10_000; // of a thread that waits for the rest of a record
const THREADS = 4;
const LONG_QUESTION = record(TYPE.GET_VALUES, Buffer.concat(Array.from({ length: 6 }, () => pair('FCGI_MAX_CONNS', ''))), { id: 0 });

let peygir;
let saidBefore; // how much nginx had said when all was ready
let web; // its process: the same at the end as at the beginning, but where libfcgi itself gives up

const sock = () => peygir.file('web.sock');

async function assertServes() {
  const answer = await exchange(sock(), request('GET', '/healthz'));
  assert.equal(answer?.status, 200);
}

// A form that would be taken, as CGI variables and a body.
async function submission(file) {
  const visitor = peygir.visitor();
  const form = (await visitor.get(`/services/${OCR}`)).form(`/services/${OCR}`);
  const body = new URLSearchParams({ ...form.fields, ...SCAN, file_id: file }).toString();
  const cookie = [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  return { body, vars: { CONTENT_TYPE: FORM, HTTP_COOKIE: cookie } };
}

const post = (vars, length) => params(variables('POST', `/services/${OCR}`, { ...vars, CONTENT_LENGTH: length }));

const stored = async (file) => {
  const hashes = await peygir.redis.lrange('local_requests_list', 0, -1);
  const documents = await Promise.all(hashes.map((hash) => peygir.document(hash)));
  return documents.filter((document) => document?.request_data.file_id === file).length;
};

before(async () => {
  const suppressions = path.join(SOURCE, 'tests/lib/lsan.supp');
  peygir = await start({ env: { WEB_THREADS: String(THREADS), LSAN_OPTIONS: `suppressions=${suppressions}:print_suppressions=0` } });
  web = peygir.pid('web');
  saidBefore = peygir.log('nginx-error').length;
});
after(() => peygir?.stop());

describe('records that are odd but right', () => {
  test('one byte at a time', async () => {
    const connection = new Connection(sock());
    await connection.trickle(request('GET', '/healthz'));
    assert.equal((await connection.answer()).status, 200);
    connection.close();
  });

  test('padding after every record, contents in records of seven bytes', async () => {
    const { body, vars } = await submission('padded');
    const answer = await exchange(sock(), request('POST', `/services/${OCR}`, { ...vars, body, chunk: 7, padding: 250 }));
    assert.equal(answer.status, 303);
    assert.equal(await stored('padded'), 1);
  });

  test('many requests on one connection, each answered in its turn', async () => {
    const connection = new Connection(sock());
    for (let i = 0; i < 50; i++) {
      connection.write(request('GET', i % 2 ? '/healthz' : '/nowhere', { keep: true }));
      assert.equal((await connection.answer()).status, i % 2 ? 200 : 404);
    }
    connection.close();
  });

  test('a second request that comes together with the first', async () => {
    const connection = new Connection(sock());
    connection.write(request('GET', '/healthz', { keep: true }), request('GET', '/healthz', { keep: true }));
    assert.equal((await connection.answer()).status, 200);
    // libfcgi reads ahead and drops what it has read: nginx never pipelines, so the peer at most waits in vain.
    connection.close();
    await assertServes();
  });

  test('without keep-alive the connection ends with the answer', async () => {
    const connection = new Connection(sock()).write(request('GET', '/healthz'));
    assert.equal((await connection.answer()).status, 200);
    await connection.closed;
  });

  test('ten thousand variables (ASVS v4.0.3-11.1.4)', async () => {
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (unused, i) => [`HTTP_X_${i}`, 'v'.repeat(20)]));
    const answer = await exchange(sock(), request('GET', '/healthz', many));
    assert.equal(answer.status, 200);
  });

  test('a variable of 200,000 bytes, and names without values', async () => {
    const more = { HTTP_COOKIE: `peygir_session=${'x'.repeat(200_000)}`, HTTP_EMPTY: '', '': 'nameless', 'A=B': 'c' };
    const answer = await exchange(sock(), request('GET', `/services/${OCR}`, more));
    assert.equal(answer.status, 200);
  });

  test('of two CONTENT_LENGTH the first counts (ASVS v4.0.3-5.1.1)', async () => {
    const { body, vars } = await submission('twice');
    const twice = Buffer.concat([
      ...Object.entries(variables('POST', `/services/${OCR}`, { ...vars, CONTENT_LENGTH: Buffer.byteLength(body) })).map(([n, v]) => pair(n, String(v))),
      pair('CONTENT_LENGTH', '3'),
    ]);
    const answer = await exchange(sock(), begin(), stream(TYPE.PARAMS, twice), stdin(body));
    assert.equal(answer.status, 303);
  });
});

describe('lengths that lie', () => {
  const cases = [
    ['more than comes', (body) => body.length + 10],
    ['less than comes', (body) => body.length - 10],
    ['nothing, though something comes', () => 0],
    ['no number', () => 'abc'],
    ['a negative number', () => -1],
    ['a number beyond all', () => '99999999999999999999'],
    ['a number and more', () => '12 34'],
    ['hexadecimal', () => '0x10'],
  ];
  for (const [what, length] of cases) {
    test(`CONTENT_LENGTH says ${what}: 400, nothing stored (ASVS v4.0.3-5.1.3)`, async () => {
      const file = `lie-${what.replaceAll(/\W/g, '')}`;
      const { body, vars } = await submission(file);
      const answer = await exchange(sock(), begin(), post(vars, length(body)), stdin(body));
      assert.equal(answer.status, 400);
      assert.equal(await stored(file), 0);
    });
  }

  test('a body beyond 64 KiB is 413, also when nginx did not look (ASVS v4.0.3-12.1.1)', async () => {
    const { vars } = await submission('large');
    for (const size of [64 * 1024 + 1, 512 * 1024]) {
      const answer = await exchange(sock(), begin(), post(vars, size), stdin('x'.repeat(size)));
      assert.equal(answer.status, 413);
    }
    const json = await exchange(sock(), request('POST', '/api/local-requests', { CONTENT_TYPE: 'application/json', body: 'x'.repeat(70_000) }));
    assert.equal(json.status, 413);
    assert.equal(json.headers['content-type'], 'application/problem+json');
  });

  test('a body without end costs its connection, nothing else', async () => {
    const { vars } = await submission('endless');
    const connection = new Connection(sock()).write(begin({ keep: true }), post(vars, 70_000));
    const chunk = record(TYPE.STDIN, Buffer.alloc(65_000, 'x'));
    for (let i = 0; i < 100 && !connection.ended; i++) await new Promise((resolve) => connection.socket.write(chunk, resolve));
    connection.close();
    await assertServes();
  });
});

describe('peers that go away', () => {
  test('in the middle of a body: nothing is stored', async () => {
    const { body, vars } = await submission('gone');
    const connection = new Connection(sock()).write(begin(), post(vars, body.length), stdin(body.slice(0, -5), { end: false }));
    connection.socket.end();
    await connection.closed;
    assert.equal(await stored('gone'), 0);
  });

  test('with an abort record: nothing is stored', async () => {
    const { body, vars } = await submission('aborted');
    const connection = new Connection(sock());
    connection.write(begin(), post(vars, body.length), stdin(body.slice(0, -5), { end: false }), record(TYPE.ABORT));
    connection.socket.end();
    await connection.closed;
    assert.equal(await stored('aborted'), 0);
    await assertServes();
  });

  test('before they read the answer', async () => {
    for (let i = 0; i < 40; i++) {
      const connection = new Connection(sock()).write(request('GET', '/'));
      connection.close();
    }
    await assertServes();
  });
});

describe('records that are wrong', () => {
  const cases = [
    ['another version', [record(TYPE.BEGIN, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0]), { version: 9 })]],
    ['another role', [begin({ role: 3 }), params(variables('GET', '/'))]],
    ['a beginning of three bytes', [record(TYPE.BEGIN, Buffer.from([0, RESPONDER, 0]))]],
    ['an unknown type', [record(99, Buffer.from('x')), request('GET', '/healthz')]],
    ['an end nobody asked for', [record(TYPE.END, Buffer.alloc(8))]],
    ['HTTP instead of FastCGI', [Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')]],
    ['noise', [Buffer.from(Array.from({ length: 4096 }, (unused, i) => (i * 7919) % 251))]],
    ['a name longer than all that comes', [begin(), stream(TYPE.PARAMS, pair('A', 'b', 5000, 1))]],
    ['a value of 2 GiB that does not come', [begin(), stream(TYPE.PARAMS, pair('A', 'b', 1, 0x7fffffff))]],
    ['another request number in the middle', [begin(), record(TYPE.PARAMS, pair('A', 'b'), { id: 2 }), request('GET', '/healthz')]],
    ['the role of an authorizer', [begin({ role: 2 }), params(variables('GET', '/')), stdin()]],
    ['the role of a filter, with its data', [begin({ role: 3 }), params(variables('GET', '/')), stdin(), stream(TYPE.DATA, 'x')]],
    ['the role 65535', [begin({ role: 65535 }), params(variables('GET', '/')), stdin()]],
    ['two beginnings', [begin(), begin(), params(variables('GET', '/')), stdin()]],
    ['a beginning with another number inside', [begin(), begin({ id: 2 }), params(variables('GET', '/')), stdin()]],
    ['variables without a beginning', [params(variables('GET', '/')), stdin()]],
    ['a body without variables', [begin(), stdin('x')]],
    ['variables that never end', [begin(), params(variables('GET', '/'), { end: false })]],
    ['a request numbered 0', [begin({ id: 0 }), params(variables('GET', '/'), { id: 0 }), stdin('', { id: 0 })]],
    ['data that only filters get', [begin(), stream(TYPE.DATA, 'x'.repeat(5000)), params(variables('GET', '/')), stdin()]],
    ['an abort of nothing', [record(TYPE.ABORT)]],
    ['an abort of another request', [begin(), record(TYPE.ABORT, undefined, { id: 7 }), params(variables('GET', '/')), stdin()]],
    ['an abort at once', [begin(), record(TYPE.ABORT)]],
    ['an abort among the variables', [begin(), params(variables('GET', '/'), { end: false }), record(TYPE.ABORT)]],
    ['a question about values', [record(TYPE.GET_VALUES, pair('FCGI_MAX_CONNS', ''), { id: 0 })]],
    ['a question about values whose answer is longer than the buffer of libfcgi, which answers none before the next record', [LONG_QUESTION]],
    ['a question about values nobody knows', [record(TYPE.GET_VALUES, pair('X'.repeat(500), 'y'), { id: 0 })]],
    ['a management record of an unknown type', [record(200, Buffer.from('x'), { id: 0 })]],
    ['records of nothing, a thousand', [begin(), ...Array.from({ length: 1000 }, () => record(TYPE.STDIN))]],
    ['a header that says more than comes', [begin(), record(TYPE.PARAMS, pair('A', 'b'), { length: 60_000 })]],
    ['a pair cut in the middle of its lengths', [begin(), stream(TYPE.PARAMS, Buffer.from([0x80, 0x00]))]],
    ['an empty name with an empty value, ten thousand times', [begin(), stream(TYPE.PARAMS, Buffer.alloc(20_000)), stdin()]],
  ];
  for (const [what, parts] of cases) {
    test(`${what}: that connection ends or is answered, the others go on (ASVS v4.0.3-5.1.4)`, async () => {
      const connection = new Connection(sock()).write(...parts);
      connection.socket.end();
      await connection.closed;
      await assertServes();
      assert.equal(peygir.pid('web'), web, 'the same process');
    });
  }

  test('a request without variables, without a path, or with a wrong one is 400', async () => {
    for (const vars of [{}, variables('GET', ''), variables('GET', 'nowhere'), variables('GET', '*')]) {
      const answer = await exchange(sock(), begin(), params(vars), stdin());
      assert.equal(answer.status, 400, JSON.stringify(vars));
    }
    const answer = await exchange(sock(), begin(), params(variables('', '/')), stdin());
    assert.equal(answer.status, 405);
  });

  test('line breaks in variables do not reach headers (ASVS v4.0.3-5.3.1)', async () => {
    const split = 'x\r\nSet-Cookie: stolen=1\r\n\r\n<script>';
    for (const name of ['HTTP_COOKIE', 'HTTP_ACCEPT_LANGUAGE', 'HTTP_X_CSRF_TOKEN', 'HTTP_IDEMPOTENCY_KEY', 'REMOTE_ADDR', 'SERVER_NAME']) {
      const answer = await exchange(sock(), request('GET', `/services/${OCR}`, { [name]: split }));
      assert.equal(answer.status, 200);
      assert.ok(!(answer.headers['set-cookie'] ?? []).some((line) => line.startsWith('stolen')), name);
    }
    for (const uri of [`/${split}`, `/?lang=${split}`, '/\r\nX-Evil: 1']) {
      const answer = await exchange(sock(), request('GET', uri));
      assert.ok([400, 404].includes(answer.status) || !('x-evil' in answer.headers));
      assert.ok(!('x-evil' in answer.headers));
      assert.ok(!answer.body.includes('<script>\r') && !(answer.headers['set-cookie'] ?? []).some((line) => line.startsWith('stolen')));
    }
  });
});

describe('silence', () => {
  test('two hundred silent connections cost nobody anything', async () => {
    const silent = Array.from({ length: 200 }, () => new Connection(sock()));
    await Promise.all(silent.map(({ socket }) => new Promise((resolve) => socket.once('connect', resolve))));
    for (let i = 0; i < 20; i++) await assertServes();
    const visitor = peygir.visitor();
    const answers = await Promise.all(Array.from({ length: 50 }, () => visitor.get('/')));
    assert.ok(answers.every(({ status }) => status === 200));
    silent.forEach((connection) => connection.close());
  });

  test('half a record holds one thread, and not for ever', async () => {
    const halves = [
      request('GET', '/').subarray(0, 3),
      request('GET', '/').subarray(0, 12),
      Buffer.concat([begin(), params(variables('POST', `/services/${OCR}`, { CONTENT_TYPE: FORM, CONTENT_LENGTH: 10 })), record(TYPE.STDIN, Buffer.from('a='))]),
    ].map((bytes) => new Connection(sock()).write(bytes));
    for (let i = 0; i < 20; i++) await assertServes();
    const late = new Promise((resolve) => setTimeout(resolve, TIMEOUT_MS + 4000, 'late').unref());
    for (const connection of halves) {
      assert.notEqual(await Promise.race([connection.closed, late]), 'late', 'the connection is given up');
    }
    await assertServes();
  });
});

describe('through nginx', () => {
  // Exactly these bytes; everything that came back until the connection ended.
  const talk = (text) =>
    new Promise((resolve) => {
      const socket = net.connect(peygir.port, '127.0.0.1');
      let said = '';
      socket.setTimeout(15_000, () => socket.destroy());
      socket.on('data', (chunk) => (said += chunk.toString('latin1')));
      socket.on('error', () => {});
      socket.on('close', () => resolve(said));
      socket.write(Buffer.from(text, 'latin1'));
    });
  const status = (said) => Number(said.match(/^HTTP\/1\.[01] (\d+)/)?.[1] ?? 0);
  const close = 'Host: x\r\nConnection: close\r\n';

  const cases = [
    ['no HTTP at all', 'hello\r\n\r\n', 400],
    ['no host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['two hosts', `GET / HTTP/1.1\r\nHost: a\r\n${close}\r\n`, 400],
    ['two lengths', `POST / HTTP/1.1\r\n${close}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`, 400],
    ['length and chunks at once', `POST /services/${OCR} HTTP/1.1\r\n${close}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    ['a length that is none', `POST /services/${OCR} HTTP/1.1\r\n${close}Content-Length: x\r\n\r\n`, 400],
    ['chunks that are none', `POST /services/${OCR} HTTP/1.1\r\n${close}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, 400],
    ['another coding', `POST /services/${OCR} HTTP/1.1\r\n${close}Transfer-Encoding: gzip\r\n\r\n`, 501],
    ['HTTP 2.0', `GET / HTTP/2.0\r\n${close}\r\n`, 505],
    ['an unknown method', `BREW / HTTP/1.1\r\n${close}\r\n`, 405],
    ['a control byte in the address', `GET /\x01 HTTP/1.1\r\n${close}\r\n`, 400],
    ['a NUL in the address', `GET /%00 HTTP/1.1\r\n${close}\r\n`, 400],
    ['bytes beyond ASCII in the address', `GET /services/\xff HTTP/1.1\r\n${close}\r\n`, 400],
    ['the way up', `GET /../../etc/passwd HTTP/1.1\r\n${close}\r\n`, 400],
    ['a broken percent', `GET /services/%g1 HTTP/1.1\r\n${close}\r\n`, 400],
  ];
  for (const [what, text, expected] of cases) {
    test(`${what} is ${expected} (ASVS v4.0.3-13.2)`, async () => {
      assert.equal(status(await talk(text)), expected);
    });
  }

  test('a body in chunks is read like any other', async () => {
    const { body, vars } = await submission('chunked');
    const chunks = body.match(/.{1,20}/g).map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('');
    const said = await talk(`POST /services/${OCR} HTTP/1.1\r\n${close}Cookie: ${vars.HTTP_COOKIE}\r\nContent-Type: ${FORM}\r\n` +
      `Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`);
    assert.equal(status(said), 303);
    assert.equal(await stored('chunked'), 1);
  });

  const inputs = [
    ['bad percent-encoding', 'file_id=%zz&language=fa'],
    ['UTF-8 that is overlong', 'file_id=%c0%af&language=fa'],
    ['half a surrogate', 'file_id=%ed%a0%80&language=fa'],
    ['a NUL byte', 'file_id=a%00b&language=fa'],
    ['a field twice', 'file_id=a&file_id=b&language=fa'],
    ['a field without a name', '=a&language=fa'],
    ['65 fields', Array.from({ length: 65 }, (unused, i) => `f${i}=1`).join('&')],
  ];
  for (const [what, body] of inputs) {
    test(`a form with ${what} is 400 and nothing is stored (ASVS v4.0.3-5.1.1, 5.1.3)`, async () => {
      const before = await peygir.redis.llen('local_requests_list');
      const answer = await fetch(`${peygir.base}/services/${OCR}`, { method: 'POST', body, headers: { 'content-type': FORM } });
      assert.equal(answer.status, 400);
      assert.equal(await peygir.redis.llen('local_requests_list'), before);
    });
  }

  const documents = [
    ['a key twice', '{"service":"document-ocr","service":"x","data":{}}'],
    ['a NUL in a key', '{"service\\u0000":"document-ocr","data":{}}'],
    ['single quotes', "{'service':'document-ocr','data':{}}"],
    ['no number', '{"service":"document-ocr","data":{"file_id":NaN}}'],
    ['half a surrogate', '{"service":"document-ocr","data":{"file_id":"\\ud800"}}'],
    ['a control byte', '{"service":"document-ocr","data":{"file_id":"\x01"}}'],
    ['more than its end', '{"service":"document-ocr","data":{}} x'],
    ['33 levels', `{"service":"document-ocr","data":${'['.repeat(33)}${']'.repeat(33)}}`],
    ['a comment', '{"service":"document-ocr",/**/"data":{}}'],
  ];
  for (const [what, text] of documents) {
    test(`JSON with ${what} is 400 (ASVS v4.0.3-5.1.4, 13.2.2)`, async () => {
      const visitor = peygir.visitor();
      await visitor.get(`/services/${OCR}`);
      const answer = await visitor.postJson('/api/local-requests', text, { 'x-csrf-token': await visitor.token() });
      assert.equal(answer.status, 400, answer.html);
    });
  }

  test('a content type that is not meant is 415 (ASVS v4.0.3-13.1.5, 13.2.5)', async () => {
    const visitor = peygir.visitor();
    const headers = { 'x-csrf-token': await visitor.token() };
    for (const type of ['text/xml', 'text/plain', 'application/json-patch+json', 'application/jsonx', 'x'])
      assert.equal((await visitor.postJson('/api/local-requests', '{}', { ...headers, 'content-type': type })).status, 415, type);
  });

  test('markup, commands and scripts in values come back as text, wherever they are shown (ASVS v4.0.3-5.3.3, 5.3.4, 5.3.8)', async () => {
    const visitor = peygir.visitor();
    for (const value of ['"><script>alert(1)</script>', "' onfocus=alert(1) '", '{{{secret}}}', '$(reboot)', '\r\nSET x y\r\n', '${jndi:ldap://x}', '%n%s%x', '../../etc/passwd']) {
      const answer = await visitor.submit(OCR, { file_id: value, language: 'no such' });
      assert.equal(answer.status, 422, value);
      assert.doesNotMatch(answer.html, /<script>alert|' onfocus=alert\(1\) '/);
    }
    assert.equal(await peygir.redis.exists('x'), 0);
  });

  test('a proxy header does not become a variable', async () => {
    const said = await talk(`GET /healthz HTTP/1.1\r\n${close}Proxy: http://evil.example\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n`);
    assert.equal(status(said), 200);
  });

  test('slow visitors do not stand in the way of others', async () => {
    const slow = Array.from({ length: 100 }, () => {
      const socket = net.connect(peygir.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(`POST /services/${OCR} HTTP/1.1\r\nHost: x\r\nContent-Type: ${FORM}\r\nContent-Length: 1000\r\n\r\nfile_id=`);
      return socket;
    });
    const visitor = peygir.visitor();
    for (let i = 0; i < 20; i++) assert.equal((await visitor.get('/')).status, 200);
    slow.forEach((socket) => socket.destroy());
  });
});

test('what libfcgi does not survive is started again at once, and requests of others go on (ASVS v4.0.3-5.4.1)', async () => {
  // A fault of the library that its Debian package still has: it asks for as much memory as these lengths say, and asserts that it got it.
  const fatal = Buffer.concat([begin(), stream(TYPE.PARAMS, pair('A', 'b', 0x7ffffffe, 0x7ffffffe))]);
  const victim = await start({ fatal: true });
  try {
    const visitor = victim.visitor();
    const hash = await visitor.request(OCR, SCAN);
    for (let i = 0; i < 3; i++) {
      const pid = victim.pid('web');
      const connection = new Connection(victim.file('web.sock')).write(fatal);
      connection.socket.end();
      await connection.closed;
      await waitFor(() => !isAlive(pid), { what: 'the process to end' });
      // The socket stays with the supervisor, so that who comes now waits for the next process instead of failing.
      assert.equal((await visitor.get('/')).status, 200);
      assert.equal((await visitor.view(hash)).hash, hash);
      assert.notEqual(victim.pid('web'), pid);
    }
    await victim.status(hash, 'completed');
  } finally {
    await victim.stop();
  }
});

describe('what another libfcgi may survive costs one process at most, and requests of others go on (ASVS v4.0.3-5.4.1)', () => {
  const healthz = [params(variables('GET', '/healthz')), stdin()];
  const cases = [
    ['a question about values whose answer is longer than its buffer, before a request', [LONG_QUESTION, begin(), ...healthz]],
    ['the same question within a request', [begin(), LONG_QUESTION, ...healthz]],
    ['two lengths whose sum is beyond an int (CVE-2025-23016)', [begin(), stream(TYPE.PARAMS, pair('A', 'b', 0x7fffffff, 0x7fffffff)), stdin()]],
  ];
  let victim, visitor, hash;
  before(async () => {
    victim = await start({ fatal: true });
    visitor = victim.visitor();
    hash = await visitor.request(OCR, SCAN);
  });
  after(() => victim?.stop());

  for (const [what, parts] of cases) {
    test(what, async () => {
      for (const end of [false, true]) {
        const connection = new Connection(victim.file('web.sock')).write(...parts);
        if (end) connection.socket.end();
        assert.ok((await connection.answer()) || connection.ended, 'answered, or given up');
        connection.close();
        assert.equal((await visitor.get('/')).status, 200);
        assert.equal((await visitor.view(hash)).hash, hash);
      }
    });
  }

  test('the request of before is completed', () => victim.status(hash, 'completed'));
});

test('after all this it is the same process, and it has nothing to complain about', async () => {
  await assertServes();
  assert.equal(peygir.pid('web'), web);
  assert.doesNotMatch(peygir.log('nginx-error').slice(saidBefore), /\[(emerg|alert|crit)\]/);
});
