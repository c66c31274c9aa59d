// smtp.mjs: mail servers for tests: a real one (mailhost.py), and one that does to a mail whatever its recipient's name says.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import readline from 'node:readline';
import { command, freePort, SOURCE } from './peygir.mjs';
import { waitFor } from './wait.mjs';

// --- a real one ---

// Key and certificate of localhost in one file.
export async function certificate(dir) {
  const file = path.join(dir, 'mailhost.pem');
  const made = await command('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', `${file}.key`, '-out', file]);
  if (made.code !== 0) throw new Error(`openssl made no certificate: ${made.stderr}`);
  fs.appendFileSync(file, fs.readFileSync(`${file}.key`));
  return file;
}

// `mails` fills with what came; the members are mailhost.py's.
export async function mailHost({ file, user, password }) {
  const port = await freePort(), mails = [];
  const child = spawn('/usr/bin/python3', [path.join(SOURCE, 'tests/lib/mailhost.py'), String(port), file, user, password],
    { stdio: ['ignore', 'pipe', 'pipe'] });
  let ready = false, complaint = '';
  child.stderr.on('data', (chunk) => (complaint += chunk));
  readline.createInterface({ input: child.stdout }).on('line', (line) => {
    const said = JSON.parse(line);
    if (said.ready) ready = true;
    else mails.push(said);
  });
  await waitFor(() => ready || child.exitCode !== null, { timeout: 30_000, what: 'the mail server to listen' });
  if (!ready) throw new Error(`mailhost.py ended with ${child.exitCode}: ${complaint}`);
  return {
    port, mails,
    async stop() {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}

// --- one that misbehaves ---

const say = (socket, text) => socket.write(`${text}\r\n`);

// What happens at RCPT, by the recipient's name. `seen` counts its tries from 1.
const AT_RCPT = {
  greylist: (socket, seen) => say(socket, seen === 1 ? '451 4.7.1 <greylist@example.org>: try again later' : '250 ok'),
  reject: (socket) => say(socket, '550-5.1.1 the mailbox\r\n550 5.1.1 <reject@example.org> does not exist'),
  cut: (socket) => socket.destroy(),
  silent: () => {},
  garbage: (socket) => say(socket, 'what do you want?'),
  endless: (socket) => flood(socket, '250-and another line\r\n'),
  'endless-line': (socket) => flood(socket, 'and so on '),
};

// What happens when the whole mail is there.
const AT_END = {
  late: (socket) => say(socket, '554-5.7.1 this is\r\n554 5.7.1 not wanted here'),
  unsure: (socket, seen) => (seen === 1 ? socket.destroy() : say(socket, '250 ok')),
};

function flood(socket, text) {
  const go = () => {
    while (!socket.destroyed && socket.write(text.repeat(100)));
    socket.once('drain', go);
  };
  go();
}

// greeting(socket): instead of a usual one. It offers no STARTTLS.
export async function oddMailServer({ greeting = (socket) => say(socket, '220 odd ESMTP') } = {}) {
  const self = { mails: [], commands: [], tries: {}, held: [], mostHeld: 0 };
  const sockets = new Set();

  function talk(socket) {
    let name, mail = null, text = '';
    const commands = {
      EHLO: () => say(socket, '250-odd\r\n250 8BITMIME'),
      MAIL: () => say(socket, '250 ok'),
      RCPT: (line) => {
        name = line.match(/<([^@]*)@/)[1];
        const seen = (self.tries[name] = (self.tries[name] ?? 0) + 1);
        (AT_RCPT[name] ?? (() => say(socket, '250 ok')))(socket, seen);
      },
      DATA: () => {
        mail = '';
        say(socket, '354 go on');
      },
      QUIT: () => socket.end('221 bye\r\n'),
    };
    const take = () => {
      const end = text.indexOf('\r\n.\r\n');
      if (end < 0) return false;
      self.mails.push({ name, text: text.slice(0, end + 2) });
      text = text.slice(end + 5);
      mail = null;
      if (name === 'hold') self.mostHeld = Math.max(self.mostHeld, self.held.push(() => say(socket, '250 ok')));
      else (AT_END[name] ?? (() => say(socket, '250 ok')))(socket, self.tries[name]);
      return true;
    };
    const command = () => {
      const end = text.indexOf('\r\n');
      if (end < 0) return false;
      const line = text.slice(0, end);
      text = text.slice(end + 2);
      self.commands.push(line);
      (commands[line.slice(0, 4).toUpperCase()] ?? (() => say(socket, '500 what?')))(line);
      return true;
    };
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      while (mail === null ? command() : take());
    });
  }

  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    talk(socket);
    greeting(socket);
  });
  server.listen(await freePort(), '127.0.0.1');
  await once(server, 'listening');
  self.port = server.address().port;
  self.stop = async () => {
    sockets.forEach((socket) => socket.destroy());
    server.close();
    await once(server, 'close');
  };
  return self;
}
