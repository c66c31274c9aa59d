// cli_user.test.mjs: peygir user …: accounts of administrators.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { BUILD } from '../lib/peygir.mjs';
import { waitFor } from '../lib/wait.mjs';
import { Yard } from '../lib/yard.mjs';

const PASSWORD = 'orange lamp 7 river';
const OTHER = 'purple chair 9 lake';
const PROGRAM = path.join(BUILD, 'peygir');

let yard;

before(async () => {
  yard = await Yard.start(BUILD);
});
after(() => yard?.close());

// The verb with this on its standard input.
const given = (input, ...args) =>
  new Promise((resolve) => {
    const child = execFile(PROGRAM, ['--config', '/dev/null', ...args], { env: yard.environment() }, (error, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }));
    child.stdin.on('error', () => {}); // it may end without reading
    child.stdin.end(input);
  });
const done = async (input, ...args) => {
  const { code, stdout, stderr } = await given(input, '--json', ...args);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
};
const refused = async (status, input, ...args) => {
  const { code, stdout, stderr } = await given(input, ...args);
  assert.equal(code, status, `${stdout}${stderr}`);
  assert.equal(stdout, '');
  return stderr;
};
const hash = (name) => yard.redis('HGET', 'peygir:users', name).trim();
const names = async () => (await done('', 'user', 'list')).map(({ name }) => name);

const NEW_PASSWORD = 'New password (12 to 128 characters): ';

// The verb at a terminal of its own; answers are typed when their prompt has appeared.
async function atTerminal(answers, ...args) {
  const line = [PROGRAM, '--config', '/dev/null', ...args].map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['-qfec', line, '/dev/null'], { env: { ...yard.environment(), SHELL: '/bin/sh' }, stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  let seen = '', said = '';
  child.stdout.on('data', (chunk) => {
    seen += chunk;
    said += chunk;
  });
  for (const [prompt, answer] of answers) {
    await waitFor(() => seen.includes(prompt), { what: `the prompt ${prompt}`, now: () => said });
    seen = '';
    child.stdin.write(answer);
  }
  return { code: await ended, said };
}

describe('an administrator', () => {
  test('is made with a password from standard input, which is stored as Argon2id (ASVS v4.0.3-2.4.1)', async () => {
    assert.deepEqual(await done(`${PASSWORD}\n`, 'user', 'add', 'sara'), { name: 'sara', added: true });
    assert.match(hash('sara'), /^\$argon2id\$v=19\$m=65536,t=2,p=1\$/);
    const everything = yard.redis('HGETALL', 'peygir:users');
    assert.ok(!everything.includes(PASSWORD));
  });

  test('is made once', async () => {
    const before = hash('sara');
    assert.match(await refused(1, `${OTHER}\n`, 'user', 'add', 'sara'), /sara already/);
    assert.equal(hash('sara'), before);
  });

  test('gets a new password, whose line may lack its end', async () => {
    const before = hash('sara');
    assert.deepEqual(await done(OTHER, 'user', 'passwd', 'sara'), { name: 'sara', changed: true });
    assert.notEqual(hash('sara'), before);
    assert.match(await refused(1, OTHER, 'user', 'passwd', 'nobody'), /no administrator "nobody"/);
  });

  test('is listed by name, without what is secret', async () => {
    await done(PASSWORD, 'user', 'add', 'ali');
    const { stdout } = await given('', '--json', 'user', 'list');
    assert.ok(!stdout.includes('argon2'));
    const [ali, sara] = JSON.parse(stdout);
    assert.deepEqual([ali.name, sara.name, sara.last_sign_in], ['ali', 'sara', null]);
    assert.ok(Date.parse(sara.changed_at) > Date.parse(sara.created_at));
    assert.match((await given('', 'user', 'list')).stdout, /^NAME +CREATED +PASSWORD SET +SIGNED IN\nali /);
  });

  test('is removed', async () => {
    assert.deepEqual(await done('', 'user', 'remove', 'ali'), { name: 'ali', removed: true });
    assert.deepEqual(await names(), ['sara']);
    assert.match(await refused(1, '', 'user', 'remove', 'ali'), /no administrator "ali"/);
  });
});

describe('a password', () => {
  test('has 12 to 128 characters of any script (ASVS v4.0.3-2.1.1, 2.1.2, 2.1.4)', async () => {
    assert.match(await refused(1, 'elevenchars\n', 'user', 'add', 'short'), /12 to 128 characters/);
    assert.match(await refused(1, 'long'.repeat(40), 'user', 'add', 'long'), /12 to 128 characters/);
    await refused(1, 'x'.repeat(5000), 'user', 'add', 'long');
    await done('گذرواژهٔ بلند من 🐦\n', 'user', 'add', 'script');
    await done('abcdefghijk'.repeat(6).slice(0, 64), 'user', 'add', 'sixty-four');
    assert.deepEqual(await names(), ['sara', 'script', 'sixty-four']);
  });

  test('is none that everybody tries first (ASVS v4.0.3-2.1.7), and is not repeated by the refusal', async () => {
    const said = await refused(1, 'Password1234\n', 'user', 'add', 'weak');
    assert.match(said, /anybody would try/);
    assert.ok(!said.includes('Password1234'));
  });

  test('is never an argument, where other users of the machine see it', async () => {
    assert.match(await refused(2, '', 'user', 'add', 'sara', PASSWORD), /more than peygir user add takes/);
    assert.match(await refused(2, '', 'user', 'add', 'sara', `--password=${PASSWORD}`), /is not a flag/);
  });

  test('is missed when there is none', async () => {
    assert.match(await refused(1, '', 'user', 'add', 'none'), /one line of standard input/);
  });

  test('typed at a terminal is asked for twice and not shown', async () => {
    const asked = [[NEW_PASSWORD, `${PASSWORD}\n`], ['The same again: ', `${PASSWORD}\n`]];
    const { code, said } = await atTerminal(asked, 'user', 'add', 'typed');
    assert.equal(code, 0, said);
    assert.ok(!said.includes('orange'), said);
    assert.ok((await names()).includes('typed'));
  });

  test('typed differently the second time changes nothing', async () => {
    const before = hash('typed');
    const { code, said } = await atTerminal([[NEW_PASSWORD, `${OTHER}\n`], ['The same again: ', `${PASSWORD}\n`]], 'user', 'passwd', 'typed');
    assert.equal(code, 1);
    assert.match(said, /not the same; nothing was changed/);
    assert.equal(hash('typed'), before);
  });

  test('is asked for only if the rest is good', async () => {
    const { code, said } = await atTerminal([], 'user', 'passwd', 'nobody');
    assert.equal(code, 1);
    assert.doesNotMatch(said, /password:/);
  });
});

test('a name is plain', async () => {
  for (const name of ['Sara', 'sara ahmadi', 'sara:era', 'x'.repeat(65)]) {
    assert.match(await refused(1, PASSWORD, 'user', 'add', name), /1 to 64 small letters/);
  }
});

test('without Redis nothing is asked, and the status is 69', async () => {
  const child = await yard.command('peygir', ['--config', '/dev/null', 'user', 'list'], { REDIS_URL: 'unix:///nowhere/redis.sock' });
  assert.equal(child.code, 69);
});
