// routes.test.mjs: every route of the contract that exists, and every error it can give, as a browser and a program see them.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { exchange, request as fcgi } from '../lib/fcgi.mjs';
import { start, waitFor } from '../lib/peygir.mjs';

const CREDIT = 'credit-score-rating';
const OCR = 'document-ocr';
const GOOD = { mobile: '09121234567', national_code: '0499370899' };
const SCAN = { file_id: 'scan-1', language: 'fa' };
const HANG = { ...GOOD, national_code: '9990000069' };
const NOBODY = `req_${'0'.repeat(26)}`;
const BODY_MAX = 64 * 1024;
const FORM = 'application/x-www-form-urlencoded';

let peygir;
let visitor; // has one request in each state
const made = {};

const statusPath = (hash) => `/api/local-requests/${hash}/status`;
const page = (what, hash, service = CREDIT) => `/services/${service}/${what}/${hash}`;

const assertProblem = (answer, status) => {
  assert.equal(answer.status, status, answer.html);
  assert.equal(answer.type, 'application/problem+json');
  const problem = answer.json;
  assert.equal(problem.status, status);
  for (const name of ['type', 'title', 'detail']) assert.ok(problem[name].length > 0, name);
  return problem;
};

const assertPage = (answer, status) => {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.type, /^text\/html; ?charset=utf-8$/i);
  assert.match(answer.html, /<html lang="(en|fa)" dir="(ltr|rtl)">/);
  assert.match(answer.html, /<h1/);
};

// An answer to exactly these bytes on the path, which fetch would tidy up.
function raw(path, { method = 'GET', headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const req = http.request({ port: peygir.port, host: '127.0.0.1', path, method, headers, agent: false }, (res) => {
      const chunks = [];
      res.on('data', (chunk) => chunks.push(chunk));
      res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(chunks).toString('utf8') }));
    });
    req.on('error', reject);
    req.end(body);
  });
}

before(async () => {
  peygir = await start();
  visitor = peygir.visitor();
  made.processing = await visitor.request(CREDIT, HANG);
  made.otp_required = await visitor.request(CREDIT, GOOD);
  made.failed = await visitor.request(CREDIT, { ...GOOD, national_code: '9990000018' });
  made.completed = await visitor.request(CREDIT, { ...GOOD, national_code: '9990000182' });
  made.cancelled = await visitor.request(CREDIT, HANG);
  await visitor.act(made.cancelled, 'cancel');
  // Through the eyes of a visitor: what the bot may still write into the document of the cancelled one counts for nobody.
  for (const [status, hash] of Object.entries(made)) await waitFor(async () => (await visitor.view(hash)).status === status, { what: `request to be ${status}` });
});
after(() => peygir?.stop());

describe('routes that answer', () => {
  test('the first page lists the services', async () => {
    const answer = await visitor.get('/');
    assertPage(answer, 200);
    assert.ok(answer.links.includes(`/services/${CREDIT}`));
    assert.ok(answer.links.includes(`/services/${OCR}`));
  });

  test('the services come as JSON with their fields', async () => {
    const { services } = await visitor.json('/api/services');
    const credit = services.find(({ slug }) => slug === CREDIT);
    assert.equal(credit.title, 'Credit score');
    assert.deepEqual(credit.fields.map(({ name }) => name), ['mobile', 'national_code']);
    const ocr = services.find(({ slug }) => slug === OCR);
    assert.deepEqual(ocr.fields[1].choices.map(({ value }) => value), ['fa', 'en']);
    const persian = await peygir.visitor({ language: 'fa' }).json('/api/services');
    assert.equal(persian.services.find(({ slug }) => slug === CREDIT).title, 'استعلام رتبه اعتباری');
  });

  test('alive, ready and the counters answer', async () => {
    assert.equal((await visitor.get('/healthz')).status, 200);
    const ready = await visitor.get('/readyz');
    assert.equal(ready.status, 200);
    const metrics = await visitor.get('/metrics');
    assert.equal(metrics.status, 200);
    assert.match(metrics.type, /^text\/plain; version=0\.0\.4/);
    const lines = metrics.html.trimEnd().split('\n');
    for (const line of lines) assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"\\]*",?)+\})? -?[\d.e+]+)$/);
    assert.ok(lines.length > 10);
  });

  test('the counters are not public', async () => {
    const answer = await exchange(peygir.file('web.sock'), fcgi('GET', '/metrics', { REMOTE_ADDR: '203.0.113.9' }));
    assert.ok([403, 404].includes(answer.status), `${answer.status}`);
    assert.doesNotMatch(answer.body, /peygir_/);
  });

  test('static files come from nginx and may be kept', async () => {
    for (const [path, type] of [['/static/style.css', /^text\/css/], ['/static/favicon.svg', /^image\/svg/], ['/static/app.js', /javascript/], ['/static/bell.js', /javascript/]]) {
      const answer = await visitor.get(path);
      assert.equal(answer.status, 200, path);
      assert.match(answer.type, type);
      assert.match(answer.headers.get('cache-control'), /max-age/);
    }
    assert.equal((await visitor.get('/static/none.css')).status, 404);
    assert.equal((await raw('/static/../etc/peygir.env')).status, 404);
    assert.equal((await raw('/static/%2e%2e/locales/en.json')).status, 404);
    assert.equal((await visitor.get('/errors/404.html')).status, 404);
  });

  test('each state has its page, and the others lead there', async () => {
    const at = { processing: 'progress', otp_required: 'otp', completed: 'result', failed: 'result', cancelled: 'result' };
    for (const [status, hash] of Object.entries(made)) {
      for (const what of ['progress', 'otp', 'result']) {
        const answer = await visitor.get(page(what, hash));
        if (what === at[status]) {
          assertPage(answer, 200);
        } else {
          assert.equal(answer.status, 303, `${what} of a request that is ${status}`);
          assert.equal(answer.location, page(at[status], hash));
        }
      }
      assert.equal((await visitor.view(hash)).redirect_url, page(at[status], hash));
    }
  });

  test('HEAD answers like GET, without a body', async () => {
    const paths = ['/', `/services/${OCR}`, page('progress', made.processing), page('otp', made.otp_required), page('result', made.failed),
      '/requests', '/api/services', statusPath(made.failed), `/api/local-requests/${made.completed}/result`, '/healthz', '/readyz', '/nowhere'];
    for (const path of paths) {
      const get = await visitor.get(path);
      const head = await visitor.fetch(path, { method: 'HEAD' });
      assert.equal(head.status, get.status, path);
      assert.equal(head.type, get.type, path);
      assert.equal(head.body.length, 0);
      assert.ok(Number(head.headers.get('content-length')) > 0, path);
    }
  });

  test('a result as JSON is what the bot gave, a failed one its error', async () => {
    const done = await visitor.json(`/api/local-requests/${made.completed}/result`);
    assert.equal(done.service_slug, CREDIT);
    assert.equal(done.result.amount, 1250000000);
    const failed = await visitor.json(`/api/local-requests/${made.failed}/result`);
    assert.equal(failed.error.code, 'NOT_FOUND');
    assert.equal('result' in failed, false);
  });
});

describe('what is not there', () => {
  test('an unknown address is a page with a way on, or a problem', async () => {
    for (const path of ['/nowhere', '/services', '/services/none', '/services/', `/services/${OCR}/`, '/requests/1', '/%2e%2e/etc/passwd']) {
      const answer = await visitor.get(path);
      assertPage(answer, 404);
      assert.ok(answer.links.includes('/'), path);
    }
    assert.equal((await raw('//')).status, 404);
    for (const path of ['/api/', '/api/nothing', '/api/local-requests/', `/api/local-requests/${NOBODY}`, '/api/services/x']) {
      assertProblem(await visitor.get(path), 404);
    }
  });

  test('an unknown, malformed, expired or foreign request looks the same to everybody', async () => {
    const gone = await visitor.request(OCR, { ...SCAN, file_id: 'file-now' });
    await peygir.status(gone, 'completed');
    await peygir.redis.del(`local_request:${gone}`, `{local_request:${gone}}:guard`, `{local_request:${gone}}:events`);
    const stranger = peygir.visitor();
    await stranger.request(OCR, SCAN); // somebody with a session of their own
    const newcomer = peygir.visitor();
    const cases = [[visitor, NOBODY], [visitor, gone], [stranger, made.completed], [newcomer, made.completed]];
    const looks = new Set();
    for (const [who, hash] of cases) {
      for (const what of ['progress', 'otp', 'result']) {
        const answer = await who.get(page(what, hash));
        assertPage(answer, 404);
        assert.ok(answer.links.includes(`/services/${CREDIT}`), 'a link to a new request');
      }
      for (const what of ['status', 'result']) {
        const { detail } = assertProblem(await who.get(`/api/local-requests/${hash}/${what}`), 404);
        looks.add(detail);
      }
      for (const what of ['cancel', 'resend-otp']) assertProblem(await who.act(hash, what), 404);
      assertProblem(await who.act(hash, 'otp', { otp: '12345' }), 404);
      const token = await who.token();
      for (const what of ['otp', 'cancel', 'resend-otp']) {
        assertPage(await who.post(page(what, hash), { _token: token, otp: '12345' }), 404);
      }
    }
    assert.equal(looks.size, 1, 'nobody can tell them apart');
    for (const bad of ['req_1', 'x', 'req_ilou00000000000000000000000000'.slice(0, 30), made.completed.toLowerCase()]) {
      assertPage(await visitor.get(page('progress', bad)), 404);
      assertProblem(await visitor.get(statusPath(bad)), 404);
    }
    assertPage(await visitor.get(page('result', made.completed, OCR)), 404);
    assert.equal((await peygir.document(made.completed)).status, 'completed');
  });
});

describe('methods, sizes and kinds', () => {
  const allowed = [
    ['/', 'GET, HEAD'],
    [`/services/${OCR}`, 'GET, HEAD, POST'],
    [`/services/${OCR}/progress/${NOBODY}`, 'GET, HEAD'],
    [`/services/${OCR}/otp/${NOBODY}`, 'GET, HEAD, POST'],
    [`/services/${OCR}/cancel/${NOBODY}`, 'POST'],
    [`/services/${OCR}/resend-otp/${NOBODY}`, 'POST'],
    [`/services/${OCR}/result/${NOBODY}`, 'GET, HEAD'],
    ['/requests', 'GET, HEAD'],
    ['/api/services', 'GET, HEAD'],
    ['/api/local-requests', 'POST'],
    [`/api/local-requests/${NOBODY}/status`, 'GET, HEAD'],
    [`/api/local-requests/${NOBODY}/result`, 'GET, HEAD'],
    [`/api/local-requests/${NOBODY}/cancel`, 'POST'],
    [`/api/local-requests/${NOBODY}/otp`, 'POST'],
    [`/api/local-requests/${NOBODY}/resend-otp`, 'POST'],
    ['/healthz', 'GET, HEAD'],
    ['/readyz', 'GET, HEAD'],
    ['/metrics', 'GET, HEAD'],
  ];

  test('another method is 405 and says what is allowed', async () => {
    for (const [path, allow] of allowed) {
      const known = allow.split(', ');
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'BREW'].filter((name) => !known.includes(name))) {
        const answer = await raw(path, { method, headers: { 'accept-language': 'en' } });
        assert.equal(answer.status, 405, `${method} ${path}`);
        assert.deepEqual(answer.headers.allow.split(', ').sort(), known.sort(), path);
      }
    }
  });

  test('a body of up to 64 KiB is read, a larger one is 413', async () => {
    const token = await visitor.token();
    const fill = (size) => {
      const start = `_token=${token}&language=fa&file_id=`;
      return start + 'x'.repeat(size - start.length);
    };
    assertPage(await visitor.post(`/services/${OCR}`, fill(BODY_MAX)), 422);
    const large = await visitor.post(`/services/${OCR}`, fill(BODY_MAX + 1));
    assert.equal(large.status, 413);
    assert.match(large.type, /^text\/html/);
    const json = (size) => {
      const start = '{"service":"document-ocr","data":{"language":"fa","file_id":"';
      return `${start}${'x'.repeat(size - start.length - 3)}"}}`;
    };
    assertProblem(await visitor.postJson('/api/local-requests', json(BODY_MAX)), 422);
    const answer = await visitor.postJson('/api/local-requests', json(BODY_MAX + 1));
    assert.equal(answer.status, 413);
    assert.match(answer.type, /^application\/problem\+json/);
    assert.equal(answer.json.status, 413);
  });

  test('another kind of content is 415', async () => {
    const token = await visitor.token();
    for (const type of ['text/plain', 'application/json', 'multipart/form-data; boundary=x', 'application/x-www-form-urlencodedx', '']) {
      const answer = await visitor.post(`/services/${OCR}`, `_token=${token}`, { 'content-type': type });
      assertPage(answer, 415);
    }
    for (const type of ['text/plain', FORM, 'application/jsonp', 'text/json']) {
      const refused = await visitor.postJson('/api/local-requests', '{}', { 'content-type': type });
      assertProblem(refused, 415);
      assert.match(refused.json.detail, /Content-Type.*application\/json/);
    }
    for (const type of ['application/json; charset=utf-8', 'Application/JSON']) {
      assertProblem(await visitor.postJson('/api/local-requests', '{}', { 'content-type': type }), 422);
    }
    assertPage(await visitor.post(`/services/${OCR}`, `_token=${token}`, { 'content-type': `${FORM};charset=UTF-8` }), 422);
  });

  test('with an empty body the kind of content is not looked at', async () => {
    const hash = await visitor.request(CREDIT, HANG);
    const answer = await visitor.postJson(`/api/local-requests/${hash}/cancel`, undefined, { 'content-type': 'text/plain' });
    assert.equal(answer.status, 200);
    assert.equal(answer.json.is_cancelled, true);
  });

  test('an address or a header that is too long is refused', async () => {
    assert.equal((await raw(`/?${'x'.repeat(9000)}`)).status, 414);
    assert.equal((await raw('/', { headers: { 'x-long': 'y'.repeat(9000) } })).status, 431);
  });
});

describe('bad input', () => {
  const bad = [
    ['a broken percent', 'file_id=%zz'],
    ['half a percent', 'file_id=abc%4'],
    ['a lone percent', 'file_id=%'],
    ['bytes that are not UTF-8', Buffer.from('file_id=\xff\xfe', 'latin1')],
    ['percent-encoded bytes that are not UTF-8', 'file_id=%C0%AF'],
    ['half a surrogate', 'file_id=%ED%A0%80'],
    ['a NUL byte', 'file_id=a%00b'],
    ['a raw NUL byte', Buffer.from('file_id=a\0b')],
    ['a NUL in a name', 'file%00_id=a'],
    ['the same field twice', 'file_id=a&file_id=b'],
    ['65 fields', Array.from({ length: 65 }, (unused, i) => `f${i}=1`).join('&')],
  ];

  for (const [what, body] of bad) {
    test(`${what} in a form is 400`, async () => {
      const token = await visitor.token();
      const whole = Buffer.concat([Buffer.from(what === '65 fields' ? '' : `_token=${token}&language=fa&`), Buffer.from(body)]);
      assertPage(await visitor.post(`/services/${OCR}`, whole, { 'x-csrf-token': token }), 400);
    });
  }

  test('the same in an address is 400', async () => {
    for (const path of ['/?a=%zz', '/?a=%00', '/?a=%ff', '/?a=1&a=2', `/?${bad[10][1]}`]) {
      const answer = await raw(path, { headers: { 'accept-language': 'en' } });
      assert.equal(answer.status, 400, path);
    }
    for (const path of ['/services/%ff', '/api/local-requests/%C0%AF/status', '/services/%zz']) {
      assert.equal((await raw(path)).status, 400, path);
    }
  });

  test('JSON that is none, or hides something, is 400', async () => {
    const wrap = (inside) => `{"service":"document-ocr","data":{${inside}}}`;
    const broken = ['', '{', 'null', '[]', '"x"', '12', '{}x', "{'a':1}", '{"a":1,}', '{"a":NaN}', '{"a":1}{"b":2}',
      wrap('"file_id":"a\\u0000b","language":"fa"'), wrap('"file_id":"a","file_id":"b","language":"fa"'), wrap('"file_id":"\\ud800","language":"fa"'),
      wrap('"file_id":"a\nb","language":"fa"'), Buffer.from('{"service":"\xff"}', 'latin1'), '{"a":'.repeat(40) + '1' + '}'.repeat(40),
      wrap(Array.from({ length: 65 }, (unused, i) => `"f${i}":"1"`).join(','))];
    for (const body of broken) {
      const answer = await visitor.postJson('/api/local-requests', body);
      assert.ok([400, 422].includes(answer.status), `${body}: ${answer.status}`);
      assert.equal(answer.type, 'application/problem+json');
    }
    for (const body of ['{', '{}x', "{'a':1}", '{"a":1,}', '{"a":NaN}']) {
      assertProblem(await visitor.postJson('/api/local-requests', body), 400);
    }
    assertProblem(await visitor.postJson('/api/local-requests', wrap('"file_id":"a","file_id":"b","language":"fa"')), 400);
  });

  test('nothing of it was stored', async () => {
    const hashes = await peygir.redis.lrange('local_requests_list', 0, -1);
    for (const hash of hashes) {
      const { request_data: data } = (await peygir.document(hash)) ?? { request_data: {} };
      assert.ok(!/[\0\ufffd]|x{100}/.test(JSON.stringify(data)));
    }
  });
});

describe('values that break a rule', () => {
  test('the form comes back with its values and a sentence for each field', async () => {
    const answer = await visitor.submit(CREDIT, { mobile: '0912<b>"\'&', national_code: '1234567890' });
    assertPage(answer, 422);
    assert.match(answer.title, /^Error:/);
    const form = answer.form(`/services/${CREDIT}`);
    assert.equal(form.fields.mobile, '0912<b>"\'&', 'values are kept, escaped');
    assert.ok(!answer.html.includes('0912<b>'));
    assert.equal(form.fields.national_code, '1234567890');
    assert.deepEqual(answer.mistakes.map(({ href }) => href), ['#f-mobile', '#f-national_code']);
    assert.match(answer.mistakes[0].text, /^Mobile number must have 11 digits/);
    for (const name of ['mobile', 'national_code']) {
      assert.match(answer.html, new RegExp(`id="f-${name}"[^>]*aria-invalid="true"[^>]*aria-describedby="[^"]*f-${name}-error`));
      assert.match(answer.html, new RegExp(`id="f-${name}-error"`));
    }
    const mended = await visitor.send(form, GOOD);
    assert.equal(mended.status, 303, 'corrected, the same form is taken');
  });

  test('nothing at all is told field by field', async () => {
    const answer = await visitor.submit(CREDIT, { mobile: '', national_code: '' });
    assertPage(answer, 422);
    assert.deepEqual(answer.mistakes.map(({ text }) => text), ['Mobile number is required.', 'National code is required.']);
  });

  test('as JSON, each mistake names its field', async () => {
    const problem = assertProblem(await visitor.postJson('/api/local-requests', { service: CREDIT, data: { mobile: '1' } }), 422);
    assert.deepEqual(problem.errors.map(({ field }) => field), ['mobile', 'national_code']);
    for (const { detail } of problem.errors) assert.match(detail, /\.$/);
  });

  test('a submission without service, with an unknown one, or with other shapes is 422', async () => {
    const bodies = [{}, { service: OCR }, { service: 'none', data: {} }, { data: SCAN }, { service: 1, data: SCAN },
      { service: OCR, data: 'x' }, { service: OCR, data: [] }, { service: OCR, data: { file_id: { a: 1 }, language: 'fa' } }];
    for (const body of bodies) assertProblem(await visitor.postJson('/api/local-requests', body), 422);
  });

  test('fields that the service does not ask for are not stored', async () => {
    const hash = await visitor.requestJson(OCR, { ...SCAN, extra: 'x', requestHash: 'y', otp: '1' });
    assert.deepEqual((await peygir.document(hash)).request_data, SCAN);
  });
});

describe('what is not possible in a state', () => {
  test('JSON says 409, and the state stays', async () => {
    for (const status of ['processing', 'completed', 'failed', 'cancelled']) {
      assertProblem(await visitor.act(made[status], 'otp', { otp: '12345' }), 409);
      assertProblem(await visitor.act(made[status], 'resend-otp'), 409);
    }
    for (const status of ['completed', 'failed', 'cancelled']) {
      const answer = await visitor.act(made[status], 'cancel');
      // Repeating the present state of a cancelled request changes nothing (4.1); the others are refused.
      assert.ok(status === 'cancelled' ? [200, 409].includes(answer.status) : answer.status === 409, `${status}: ${answer.status}`);
    }
    for (const status of ['processing', 'otp_required', 'cancelled']) {
      assertProblem(await visitor.get(`/api/local-requests/${made[status]}/result`), 409);
    }
    for (const [status, hash] of Object.entries(made)) assert.equal((await peygir.document(hash)).status, status);
  });

  test('the code page of a request that waits for none leads on', async () => {
    const token = await visitor.token();
    for (const status of ['processing', 'completed']) {
      const answer = await visitor.post(page('otp', made[status]), { _token: token, otp: '12345' });
      assertPage(answer, 409);
      assert.ok(answer.links.some((href) => href.includes(made[status])), 'with a link to where it is');
    }
  });
});

describe('who may', () => {
  test('a form without a token, or with a wrong one, is 403 and comes back with its values', async () => {
    const stranger = peygir.visitor();
    const foreign = (await stranger.get(`/services/${OCR}`)).csrf;
    for (const token of [undefined, '', 'x', '0'.repeat(64), foreign]) {
      const fields = { ...SCAN, file_id: 'typed-by-hand', ...(token !== undefined && { _token: token }) };
      const answer = await visitor.post(`/services/${OCR}`, fields);
      assertPage(answer, 403);
      const form = answer.form(`/services/${OCR}`);
      assert.equal(form.fields.file_id, 'typed-by-hand');
      assert.equal((await visitor.send(form)).status, 303, 'pressing once more is enough');
    }
    const elsewhere = await visitor.post(`/services/${OCR}`, { ...SCAN, file_id: 'put-there' }, { 'sec-fetch-site': 'cross-site' });
    assertPage(elsewhere, 403);
    assert.equal(elsewhere.form(`/services/${OCR}`).fields.file_id, '', 'what another site put there is not offered');
    for (const what of ['otp', 'cancel', 'resend-otp']) {
      const answer = await visitor.post(page(what, made.otp_required), { otp: '12345', _token: foreign });
      assertPage(answer, 403);
    }
    assert.equal((await peygir.document(made.otp_required)).status, 'otp_required');
  });

  test('JSON without a token is 403', async () => {
    for (const token of ['', 'x', '0'.repeat(64)]) {
      const headers = { 'x-csrf-token': token };
      assertProblem(await visitor.postJson('/api/local-requests', { service: OCR, data: SCAN }, headers), 403);
      assertProblem(await visitor.postJson(`/api/local-requests/${made.otp_required}/cancel`, undefined, headers), 403);
      assertProblem(await visitor.postJson(`/api/local-requests/${made.otp_required}/otp`, { otp: '12345' }, headers), 403);
    }
    assert.equal((await peygir.document(made.otp_required)).status, 'otp_required');
  });

  test('without a cookie a form is 403, and the page brings one', async () => {
    const form = (await peygir.visitor().get(`/services/${OCR}`)).form(`/services/${OCR}`);
    const bare = peygir.visitor();
    const refused = await bare.send(form, SCAN);
    assertPage(refused, 403);
    assert.equal((await bare.send(refused.form(`/services/${OCR}`))).status, 303);
  });

  test('a form opened before the first submission stays valid after it', async () => {
    const person = peygir.visitor();
    const early = (await person.get(`/services/${OCR}`)).form(`/services/${OCR}`);
    await person.request(OCR, SCAN);
    assert.equal((await person.send(early, { ...SCAN, file_id: 'second' })).status, 303);
  });

  test('a session lives in Redis only from the first submission on', async () => {
    const sessions = async () => {
      const client = peygir.connect();
      await client.select(2);
      const keys = await client.keys('peygir:session:*');
      client.disconnect();
      return keys;
    };
    const person = peygir.visitor();
    const before_ = (await sessions()).length;
    await person.get(`/services/${OCR}`);
    await person.get('/requests');
    assert.equal((await sessions()).length, before_);
    await person.request(OCR, SCAN);
    const keys = await sessions();
    assert.equal(keys.length, before_ + 1);
    const token = person.cookies.get('peygir_session');
    assert.match(token, /^[0-9a-f]{64}$/);
    assert.ok(!keys.some((key) => key.includes(token)), 'under the digest of the token');
  });

  test('a made-up cookie is nobody', async () => {
    for (const value of ['f'.repeat(64), 'x', `v1.${'0'.repeat(26)}.${'0'.repeat(64)}`, 'a=b', '"']) {
      const thief = peygir.visitor();
      thief.cookies.set('peygir_session', value);
      assertProblem(await thief.get(statusPath(made.completed)), 404);
      assert.equal((await thief.get(`/services/${OCR}`)).status, 200);
    }
  });

  test('cookies are HttpOnly and SameSite, and on HTTPS Secure with the host prefix', async () => {
    const person = peygir.visitor();
    await person.get(`/services/${OCR}`);
    await person.request(OCR, SCAN);
    const session = person.setCookies.filter((line) => line.startsWith('peygir_session='));
    assert.ok(session.length >= 2);
    for (const line of session) {
      const parts = line.split('; ').slice(1);
      assert.deepEqual(parts.sort(), ['HttpOnly', 'Path=/', 'SameSite=Lax']);
    }
    const answer = await exchange(peygir.file('web.sock'), fcgi('GET', `/services/${OCR}?lang=en`, { HTTPS: 'on' }));
    const lines = answer.headers['set-cookie'];
    const secure = lines.find((line) => line.startsWith('__Host-peygir_session='));
    assert.deepEqual(secure.split('; ').slice(1).sort(), ['HttpOnly', 'Path=/', 'SameSite=Lax', 'Secure']);
    assert.ok(lines.find((line) => line.startsWith('peygir_lang=')).includes('; Secure'));
    assert.ok(!lines.some((line) => line.startsWith('peygir_session=')));
  });
});

describe('sending the same thing again', () => {
  test('twenty parallel posts of one form make one request', async () => {
    const person = peygir.visitor();
    const form = (await person.get(`/services/${OCR}`)).form(`/services/${OCR}`);
    const total = Number(await peygir.redis.get('peygir:stats:tasks:total'));
    const answers = await Promise.all(Array.from({ length: 20 }, () => person.send(form, { ...SCAN, file_id: 'twenty' })));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [303]);
    assert.equal(new Set(answers.map(({ location }) => location)).size, 1);
    const hash = answers[0].location.split('/').pop();
    await peygir.status(hash, 'completed');
    assert.equal(Number(await peygir.redis.get('peygir:stats:tasks:total')), total + 1, 'one job');
    const list = await peygir.redis.lrange('local_requests_list', 0, -1);
    assert.equal(list.filter((entry) => entry === hash).length, 1);
  });

  test('the same form with other values makes another request', async () => {
    const form = (await visitor.get(`/services/${OCR}`)).form(`/services/${OCR}`);
    const one = await visitor.send(form, SCAN);
    const two = await visitor.send(form, { ...SCAN, file_id: 'other' });
    const three = await visitor.send(form, SCAN);
    assert.deepEqual([one.status, two.status, three.status], [303, 303, 303]);
    assert.notEqual(one.location, two.location);
    assert.equal(three.location, one.location);
  });

  test('a repeated submission pushes a job that is missing', async () => {
    const pid = peygir.kill('worker', 'SIGSTOP');
    try {
      const form = (await visitor.get(`/services/${OCR}`)).form(`/services/${OCR}`);
      const hash = (await visitor.send(form, SCAN)).location.split('/').pop();
      await peygir.redis.lrem('peygir:task:queue', 0, hash);
      await peygir.redis.del(`peygir:task:data:${hash}`);
      assert.equal((await visitor.send(form, SCAN)).location.split('/').pop(), hash);
      assert.equal(await peygir.redis.lpos('peygir:task:queue', hash), 0);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });

  test('an Idempotency-Key makes one request, and 422 when other values come with it', async () => {
    const key = { 'idempotency-key': 'order-4711' };
    const hashes = await Promise.all(Array.from({ length: 20 }, () => visitor.requestJson(OCR, SCAN, key)));
    assert.equal(new Set(hashes).size, 1);
    assertProblem(await visitor.postJson('/api/local-requests', { service: OCR, data: { ...SCAN, language: 'en' } }, key), 422);
    assertProblem(await visitor.postJson('/api/local-requests', { service: CREDIT, data: GOOD }, key), 422);
    const other = peygir.visitor();
    assert.notEqual(await other.requestJson(OCR, SCAN, key), hashes[0], 'somebody else may use the same key');
    assert.notEqual(await visitor.requestJson(OCR, SCAN), hashes[0], 'without a key each is another');
    for (const value of ['', ' ', 'x'.repeat(129), 'a b']) {
      const answer = await visitor.postJson('/api/local-requests', { service: OCR, data: SCAN }, { 'idempotency-key': value });
      assert.ok([400, 202].includes(answer.status), `"${value}": ${answer.status}`); // nginx passes no empty header on
    }
  });
});

describe('what every answer carries', () => {
  const FOR_ALL = { 'x-content-type-options': 'nosniff', 'cross-origin-resource-policy': 'same-origin' };
  const SECURITY = {
    page: {
      'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
      ...FOR_ALL,
      'referrer-policy': 'same-origin',
      'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
      'cross-origin-opener-policy': 'same-origin',
    },
    data: { 'content-security-policy': "default-src 'none'; frame-ancestors 'none'", ...FOR_ALL, 'referrer-policy': 'no-referrer' },
  };
  const SAME_FOR_ALL = ['/'];

  async function* answers() {
    const token = await visitor.token();
    for (const path of ['/', `/services/${OCR}`, page('progress', made.processing), page('otp', made.otp_required), page('result', made.completed),
      page('result', made.failed), '/requests', '/api/services', statusPath(made.completed), `/api/local-requests/${made.completed}/result`,
      '/healthz', '/readyz', '/metrics', '/nowhere', '/api/nowhere', statusPath(NOBODY), page('progress', made.completed), '/?a=%zz']) {
      yield [path, await visitor.get(path)];
    }
    yield ['405', await visitor.fetch('/', { method: 'DELETE' })];
    yield ['415', await visitor.post(`/services/${OCR}`, 'x', { 'content-type': 'text/plain' })];
    yield ['422', await visitor.post(`/services/${OCR}`, { _token: token })];
    yield ['403', await visitor.post(`/services/${OCR}`, SCAN)];
    yield ['303', await visitor.submit(OCR, SCAN)];
    yield ['202', await visitor.postJson('/api/local-requests', { service: OCR, data: SCAN })];
    yield ['429', await visitor.act(made.otp_required, 'resend-otp')];
  }

  test('the security headers of a page or of data, no-store, its language, and no name of a program', async () => {
    for await (const [what, answer] of answers()) {
      const type = answer.headers.get('content-type');
      for (const [name, value] of Object.entries(SECURITY[type.startsWith('text/html') ? 'page' : 'data']))
        assert.equal(answer.headers.get(name), value, `${name} of ${what}`);
      const cache = answer.headers.get('cache-control'), shared = SAME_FOR_ALL.includes(what);
      assert.equal(cache, shared ? 'private, no-cache' : 'no-store', what);
      assert.equal(answer.headers.get('vary'), shared ? 'Cookie, Accept-Language' : null, what);
      if (/html|problem/.test(type)) assert.match(answer.headers.get('content-language'), /^(en|fa)$/, what);
      assert.equal(answer.headers.get('server'), 'nginx', 'without a version');
      assert.equal(answer.headers.get('x-powered-by'), null);
    }
  });

  test("nginx's own answers are as careful", async () => {
    const large = await visitor.post(`/services/${OCR}`, 'x'.repeat(BODY_MAX + 1));
    const asJson = await visitor.postJson('/api/local-requests', 'x'.repeat(BODY_MAX + 1));
    const long = await raw(`/?${'x'.repeat(9000)}`);
    for (const get of [(name) => large.headers.get(name), (name) => asJson.headers.get(name), (name) => long.headers[name]]) {
      assert.match(get('content-security-policy'), /default-src 'none'.*frame-ancestors 'none'/);
      assert.equal(get('x-content-type-options'), 'nosniff');
      assert.equal(get('referrer-policy'), 'same-origin');
      assert.equal(get('cache-control'), 'no-store');
    }
    const style = await visitor.get('/static/style.css');
    assert.equal(style.headers.get('x-content-type-options'), 'nosniff');
    assert.match(style.headers.get('content-security-policy'), /default-src 'none'/);
  });

  test('pages carry no inline script or style, and nothing from elsewhere', async () => {
    for await (const [what, answer] of answers()) {
      if (!answer.type?.startsWith('text/html')) continue;
      assert.doesNotMatch(answer.html, /<script(?![^>]*\ssrc=)[^>]*>|<style|\sstyle=|\son\w+=|javascript:/i, what);
      for (const [, url] of answer.html.matchAll(/\s(?:src|href|action)="([^"]*)"/g)) assert.match(url, /^[/#?](?!\/)/, `${url} on ${what}`);
    }
  });

  test('an answer is not bound to a host that the visitor names', async () => {
    const answer = await raw('/', { headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' } });
    assert.equal(answer.status, 200);
    assert.ok(!answer.body.includes('evil.example'));
    assert.ok(!(answer.headers['set-cookie'] ?? []).some((line) => line.includes('__Host-')));
  });

  test('counters count what was asked', async () => {
    const count = async () => {
      const { html } = await visitor.get('/metrics');
      const line = html.split('\n').find((one) => /^peygir_web_answers_total\{.*route="\/healthz".*class="2xx"/.test(one));
      return Number(line?.split(' ').pop() ?? 0);
    };
    const first = await count();
    for (let i = 0; i < 5; i++) await visitor.get('/healthz');
    await waitFor(async () => (await count()) >= first + 5, { what: 'five more answers counted' });
  });
});
