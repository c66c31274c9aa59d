// baddays.test.mjs: Redis stopped, not listening, loading, killed and full; web, nginx and the bot killed; web restarted under load; no
// bot anywhere.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Bot } from '../lib/bot.mjs';
import { CODE, CREDIT, GOOD, OCR, enter, misdeed, progressPath, untilCode } from '../lib/demo.mjs';
import { editServices, freePort, isAlive, start, waitFor } from '../lib/peygir.mjs';
import { timed } from '../lib/wait.mjs';

const SCAN = { file_id: 'scan-1', language: 'fa' };
const WITHIN_MS = 1000;
const BACK_MS = 2000;

let peygir;

const formOf = async (visitor, service = OCR) => (await visitor.get(`/services/${service}`)).form(`/services/${service}`);

function assertAway(answer, ms) {
  assert.equal(answer.status, 503, answer.text);
  assert.ok(Number(answer.headers.get('retry-after')) >= 1);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  assert.ok(ms < WITHIN_MS, `${ms} ms`);
}

// Every page and route says 503 within a second, and what was typed is still there.
async function assertAllAway(visitor, hash, form) {
  for (const path of [progressPath(hash, OCR), `/services/${OCR}/result/${hash}`, '/requests']) {
    const { ms, value } = await timed(() => visitor.get(path));
    assertAway(value, ms);
    assert.match(value.html, /<html lang="en"/);
  }
  for (const path of [`/api/local-requests/${hash}/status`, '/readyz']) {
    const { ms, value } = await timed(() => visitor.get(path));
    assertAway(value, ms);
    assert.equal(value.type, 'application/problem+json');
  }
  const sent = await timed(() => visitor.send(form, { ...SCAN, file_id: 'typed-before' }));
  assertAway(sent.value, sent.ms);
  const again = sent.value.form(`/services/${OCR}`);
  assert.equal(again.fields.file_id, 'typed-before', 'what was typed is kept');
  const json = await timed(() => visitor.postJson('/api/local-requests', { service: OCR, data: SCAN }));
  assertAway(json.value, json.ms);
  assert.equal((await visitor.get('/healthz')).status, 200, 'the process itself is alive');
  return again;
}

// What a Redis that loads its data says to one command: it greets, and does nothing else yet.
function loadingSays(name) {
  if (name === 'TIME') return '*2\r\n$10\r\n1700000000\r\n$6\r\n123456\r\n';
  return /^(AUTH|CLIENT|SELECT)$/.test(name) ? '+OK\r\n' : '-LOADING Redis is loading the dataset in memory\r\n';
}

// The names of the whole commands that a text begins with, and what is left of it.
function commandsIn(text) {
  const names = [];
  for (;;) {
    const [head, count] = /^\*(\d+)\r\n/.exec(text) ?? [];
    let at = head?.length ?? 0, name;
    for (let i = 0; i < Number(count); i++) {
      const [line, bytes] = /^\$(\d+)\r\n/.exec(text.slice(at, at + 16)) ?? [];
      if (!line || at + line.length + Number(bytes) + 2 > text.length) return { names, rest: text };
      name ??= text.slice(at + line.length, at + line.length + Number(bytes)).toUpperCase();
      at += line.length + Number(bytes) + 2;
    }
    if (!head) return { names, rest: text };
    names.push(name);
    text = text.slice(at);
  }
}

function loadingRedis() {
  const sockets = new Set();
  let asked = 0;
  const server = net.createServer((socket) => {
    let rest = '';
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.setEncoding('latin1').on('data', (chunk) => {
      const commands = commandsIn(rest + chunk);
      rest = commands.rest;
      asked += commands.names.length;
      socket.write(commands.names.map(loadingSays).join(''));
    });
  });
  return { server, asked: () => asked, cut: () => sockets.forEach((socket) => socket.destroy()) };
}

// Every program loses Redis and finds something else at its socket until `action` is over: a Redis that loads, or, `dead`, a socket
// that nobody listens on.
async function insteadOfRedis({ dead }, action) {
  const socket = peygir.file('redis.sock'), aside = `${socket}.aside`, made = `${socket}.made`;
  const { server, asked, cut } = loadingRedis();
  await new Promise((resolve) => server.listen(made, resolve));
  fs.renameSync(socket, aside);
  fs.renameSync(made, socket);
  if (dead) server.close();
  try {
    for (const type of ['normal', 'pubsub']) await peygir.redis.client('KILL', 'TYPE', type, 'SKIPME', 'yes');
    await action();
    assert.equal(asked() > 0, !dead);
  } finally {
    fs.renameSync(aside, socket);
    cut();
    server.close();
  }
}

// A moment after Redis is back all works again, and pressing the button once more is enough.
async function assertBack(visitor, hash, again) {
  const { ms } = await timed(() => waitFor(async () => (await visitor.get(`/api/local-requests/${hash}/status`)).status === 200));
  assert.ok(ms < BACK_MS, `back after ${ms} ms`);
  const sent = await visitor.send(again);
  assert.equal(sent.status, 303, sent.text);
  await peygir.status(sent.location.split('/').pop(), 'completed');
}

describe('Redis has a bad day', () => {
  before(async () => {
    peygir = await start({ env: { WORKER_BACKOFF: '0' } });
  });
  after(() => peygir?.stop());

  test('stopped: 503 at once, values kept, and all works again by itself when it goes on', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request(OCR, SCAN);
    const slow = await visitor.request(OCR, { ...SCAN, file_id: 'file-slow' });
    const form = await formOf(visitor);
    await visitor.token();
    await peygir.status(hash, 'completed');
    const pid = peygir.kill('redis', 'SIGSTOP');
    let again;
    try {
      again = await assertAllAway(visitor, hash, form);
      const together = await timed(() => Promise.all(Array.from({ length: 40 }, () => visitor.get(`/api/local-requests/${hash}/status`))));
      assert.ok(together.value.every(({ status }) => status === 503));
      assert.ok(together.ms < 5 * WITHIN_MS, `forty at once took ${together.ms} ms`);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await assertBack(visitor, hash, again);
    await peygir.status(slow, 'completed');
  });

  for (const [what, fake] of [['not listening', { dead: true }], ['loading its data', { dead: false }]]) {
    test(`${what}: 503 at once, values kept, and all works again by itself when it is there`, async () => {
      const visitor = peygir.visitor();
      const hash = await visitor.request(OCR, SCAN);
      const form = await formOf(visitor);
      await visitor.token();
      await peygir.status(hash, 'completed');
      let again;
      await insteadOfRedis(fake, async () => (again = await assertAllAway(visitor, hash, form)));
      await assertBack(visitor, hash, again);
    });
  }

  test('killed: it is started again, and nothing that was accepted is lost', async () => {
    const visitor = peygir.visitor();
    const done = await visitor.request(OCR, SCAN);
    await peygir.status(done, 'completed');
    const waiting = await untilCode(peygir, visitor);
    const form = await formOf(visitor);
    const accepted = [];
    for (let i = 0; i < 20; i++) {
      const answer = await visitor.send(form, { ...SCAN, file_id: `before-${i}` });
      if (answer.status === 303) accepted.push(answer.location.split('/').pop());
    }
    const killed = peygir.kill('redis');
    assert.equal(accepted.length, 20);
    await waitFor(() => !isAlive(killed));
    await waitFor(async () => (await visitor.get('/readyz')).status === 200, { timeout: 15_000 });
    for (const hash of [done, waiting, ...accepted]) assert.ok(await peygir.document(hash), `${hash} is still there`);
    for (const hash of accepted) await peygir.status(hash, 'completed');
    assert.equal((await enter(visitor, waiting, '12345')).status, 303, 'the session is still there');
    await peygir.status(waiting, 'completed');
    assert.match(peygir.run.said.stderr, /redis ended by signal 9; it is started again/);
  });

  test('full: new work is refused politely, running work is finished, and all is well with room again', async () => {
    const visitor = peygir.visitor();
    const running = await visitor.request(OCR, { ...SCAN, file_id: 'file-retry' });
    await peygir.status(running, 'completed');
    const code = await untilCode(peygir, visitor);
    const form = await formOf(visitor);
    const slow = await visitor.request(CREDIT, misdeed('slow'));
    await peygir.status(slow, 'processing');
    await peygir.redis.config('SET', 'maxmemory', '1mb');
    try {
      const answer = await timed(() => visitor.send(form, { ...SCAN, file_id: 'no-room' }));
      assertAway(answer.value, answer.ms);
      assert.equal(answer.value.form(`/services/${OCR}`).fields.file_id, 'no-room');
      const json = await timed(() => visitor.postJson('/api/local-requests', { service: OCR, data: SCAN }));
      assertAway(json.value, json.ms);
      assert.equal(json.value.type, 'application/problem+json');
      assert.equal((await visitor.view(running)).is_completed, true, 'looking still works');
      assert.equal((await enter(visitor, code, '12345')).status, 303, 'a code can still be entered');
      await waitFor(async () => (await visitor.view(code)).is_completed, { what: 'running work to be finished' });
      assert.equal((await visitor.act(slow, 'cancel')).status, 200, 'and cancelled');
    } finally {
      await peygir.redis.config('SET', 'maxmemory', '0');
    }
    const sent = await visitor.send(form, { ...SCAN, file_id: 'no-room' });
    assert.equal(sent.status, 303);
    await peygir.status(sent.location.split('/').pop(), 'completed');
  });

  test('web is killed under load: what was accepted is carried out, and sending again makes nothing twice', async () => {
    const visitor = peygir.visitor();
    const form = await formOf(visitor);
    const accepted = new Map();
    let failures = 0;
    const sendAll = async (from, to) => {
      for (let i = from; i < to; i++) {
        const file_id = `crash-${i}`;
        for (;;) {
          const answer = await visitor.send(form, { ...SCAN, file_id }).catch(() => null);
          if (answer?.status === 303) {
            accepted.set(file_id, answer.location.split('/').pop());
            break;
          }
          failures++;
          assert.ok(answer === null || [502, 503].includes(answer.status), `${answer?.status}`);
          assert.ok(failures < 500);
        }
      }
    };
    const load = Promise.all([sendAll(0, 30), sendAll(30, 60), sendAll(60, 90), sendAll(90, 120)]);
    const first = await waitFor(() => accepted.size > 10 && peygir.kill('web'));
    await load;
    assert.equal(accepted.size, 120);
    assert.equal(new Set(accepted.values()).size, 120);
    for (const hash of accepted.values()) await peygir.status(hash, 'completed');
    const list = await peygir.redis.lrange('local_requests_list', 0, -1);
    const documents = await Promise.all(list.map((hash) => peygir.document(hash)));
    assert.equal(documents.filter((document) => document?.request_data.file_id?.startsWith('crash-')).length, 120);
    assert.notEqual(peygir.pid('web'), first);
    // multiwatch may start the new one a moment later: it serves in the end.
    await peygir.ready();
  });

  test('web is restarted gracefully under load without a single error', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request(OCR, SCAN);
    await peygir.status(hash, 'completed');
    const cookie = `peygir_session=${visitor.cookies.get('peygir_session')}`;
    const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
    const ask = (options, body) =>
      new Promise((resolve) => {
        const req = http.request({ host: '127.0.0.1', port: peygir.port, agent, ...options }, (res) => {
          res.resume();
          res.on('end', () => resolve(res.statusCode));
        });
        req.on('error', (error) => resolve(error.code));
        req.end(body);
      });
    const form = await formOf(visitor);
    const body = new URLSearchParams({ ...form.fields, ...SCAN }).toString();
    const post = { method: 'POST', path: form.action, headers: { cookie, 'content-type': 'application/x-www-form-urlencoded' } };
    const answers = new Map();
    let going = true;
    const client = async (n) => {
      for (let i = 0; going; i++) {
        const answer = await (i % 10 === n ? ask(post, body) : ask({ path: `/api/local-requests/${hash}/status`, headers: { cookie } }));
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
      }
    };
    const clients = Array.from({ length: 8 }, (unused, n) => client(n));
    const end = performance.now() + 3000;
    let restarts = 0;
    while (performance.now() < end) {
      const old = peygir.kill('web', 'SIGTERM');
      await waitFor(() => !isAlive(old) && isAlive(peygir.pid('web') ?? 0), { what: 'a new web' });
      const since = performance.now();
      const count = answers.get(200) ?? 0;
      // multiwatch takes a life of less than a second for a failed start, and gives up after ten of them.
      await waitFor(() => (answers.get(200) ?? 0) > count + 50 && performance.now() - since > 1100);
      restarts++;
    }
    going = false;
    await Promise.all(clients);
    agent.destroy();
    assert.deepEqual([...answers.keys()].sort(), [200, 303], JSON.stringify([...answers]));
    assert.ok(restarts >= 2 && answers.get(200) > 200, `${restarts} restarts, ${answers.get(200)} answers`);
  });

  test('nginx is killed and comes back', async () => {
    const killed = peygir.kill('nginx');
    await waitFor(() => !isAlive(killed));
    await peygir.ready();
  });
});

// The worker reaches the demonstration bot through nginx.
describe('what is called is killed', () => {
  let called;
  before(async () => {
    called = await start({ env: { WORKER_BACKOFF: '1' } });
  });
  after(() => called?.stop());

  const kill = async (name) => {
    const killed = called.kill(name);
    await waitFor(() => called.pid(name) !== killed && isAlive(called.pid(name)), { what: `${name} to be started again` });
    await called.ready();
  };

  for (const name of ['nginx', 'bot']) {
    test(`${name}, during a call: the visitor sees that it is tried again, and then the result`, async () => {
      const visitor = called.visitor();
      const hash = await visitor.request(OCR, { ...SCAN, file_id: 'file-slow' });
      await waitFor(async () => (await called.document(hash)).progress > 0, { what: 'the bot to be at work' });
      await kill(name);
      await waitFor(async () => /trying again/.test((await visitor.view(hash)).current_message), { what: 'the visitor to be told' });
      await called.status(hash, 'completed');
      assert.match((await visitor.open(progressPath(hash, OCR))).text, /Your request has been carried out|reference/i);
      assert.equal((await called.cliJson('queue', 'show', hash)).attempts, 1);
    });

    test(`${name}, during a call that must not be repeated: the visitor is told so, and it is not called again`, async () => {
      const visitor = called.visitor();
      const hash = await untilCode(called, visitor, misdeed('hangWithCode'));
      assert.equal((await enter(visitor, hash, CODE)).status, 303);
      await waitFor(async () => (await called.document(hash)).step === 'verifying_otp', { what: 'the code to be checked' });
      await kill(name);
      const document = await called.status(hash, 'failed');
      assert.equal(document.error_data.code, 'interrupted');
      assert.match((await visitor.open(progressPath(hash))).text, /not safe to repeat/);
    });
  }
});

// In how many attempts the visitor was told that a refused connection is tried again.
const connecting = async (of, hash) => (await of.history(hash)).filter(([, , , , , message]) => message === 'messages.connecting').length;

describe('there is no bot', () => {
  let lonely;
  before(async () => {
    lonely = await start({
      env: { PEYGIR_DEMO: 'off', LOCAL_API_URL: `http://127.0.0.1:${await freePort()}`, LOCAL_API_RETRIES: '0', WORKER_TRIES: '2' },
      services: editServices({ [CREDIT]: (definition) => ({ ...definition, backoff: 1 }) }),
    });
  });
  after(() => lonely?.stop());

  test('the visitor sees that it is tried again, then a friendly failure', async () => {
    const visitor = lonely.visitor();
    const hash = await visitor.request(CREDIT, GOOD);
    const retrying = await waitFor(async () => {
      const view = await visitor.view(hash);
      return /trying again|try again/i.test(view.current_message) && view;
    });
    assert.equal(retrying.status, 'processing');
    const page = await visitor.get(progressPath(hash));
    assert.match(page.text, /try(ing)? again/i);
    const document = await lonely.status(hash, 'failed');
    assert.equal(document.error_data.code, 'bot_unavailable');
    const result = await visitor.open(progressPath(hash));
    assert.match(result.text, /The service did not answer\. Please try again a little later\./);
    assert.ok(result.links.includes(`/services/${CREDIT}?again=${hash}`));
    assert.doesNotMatch(result.text, /ECONN|curl|refused|127\.0\.0\.1/i, 'nothing technical');
    assert.equal(await connecting(lonely, hash), 0, 'LOCAL_API_RETRIES is 0');
    assert.equal((await lonely.cliJson('queue', 'show', hash)).history.length, 2, 'two attempts');
  });
});

describe('a bot does not listen yet', () => {
  let early, port;
  before(async () => {
    port = await freePort();
    early = await start({ env: { PEYGIR_DEMO: 'off', LOCAL_API_URL: `http://127.0.0.1:${port}`, LOCAL_API_RETRIES: '1', WORKER_TRIES: '1' } });
  });
  after(() => early?.stop());

  test('a refused connection is tried again LOCAL_API_RETRIES times, and then the attempt has failed', async () => {
    const hash = await early.visitor().request(OCR, SCAN);
    assert.equal((await early.status(hash, 'failed', 'completed')).error_data.code, 'bot_unavailable');
    assert.equal(await connecting(early, hash), 1);
    assert.equal((await early.cliJson('queue', 'show', hash)).history.length, 1, 'one attempt');
  });

  test('one that listens a moment later is called by the same attempt', async () => {
    const hash = await early.visitor().request(OCR, SCAN);
    await waitFor(() => connecting(early, hash), { what: 'the first connection to be refused' });
    const bot = await new Bot().listen(port);
    bot.on(OCR, (call) => call.success({ text: 'at last' }));
    try {
      await early.status(hash, 'completed', 'failed');
      assert.deepEqual((await early.document(hash)).result_data, { text: 'at last' });
      assert.equal((await early.cliJson('queue', 'show', hash)).attempts, 0);
      assert.equal(bot.of(hash).length, 1);
    } finally {
      await bot.close();
    }
  });
});
