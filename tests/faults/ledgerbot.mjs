// ledgerbot.mjs: the bot of the fault suite, a process of its own, which nothing is done to. It writes down in a file what it was
// asked for and what it answered, at once, one line of JSON each; times are the machine's monotonic clock in ms.
//
//   node ledgerbot.mjs FILE        prints its port
//
// LOCAL_API_URL of each worker ends in /w and a number, so that the ledger knows who asked.
import fs from 'node:fs';
import http from 'node:http';
import { answerTo, numberOf, slowness } from './jobs.mjs';

const file = fs.openSync(process.argv[2], 'a');
const now = () => Number(process.hrtime.bigint() / 1000n) / 1000;
const write = (entry) => fs.writeSync(file, `${JSON.stringify({ at: now(), ...entry })}\n`);
const answered = new Map();

const ANSWERS = {
  success: (res, { id, run, n }) => reply(res, 200, { status: 'success', data: { id, run, n } }),
  'for good': (res) => reply(res, 200, { status: 'error', code: 'for_good', message: 'never', retryable: false }),
  again: (res) => reply(res, 200, { status: 'error', code: 'again', message: 'not now', retryable: true }),
  broken: (res) => reply(res, 500, { oops: true }),
};

function reply(res, status, value) {
  const body = JSON.stringify(value);
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  res.end(body);
}

function answer(res, call) {
  if (res.destroyed) return; // the asker is gone: nothing was answered
  const as = answerTo(call.n, answered.get(call.id) ?? 0);
  answered.set(call.id, (answered.get(call.id) ?? 0) + 1);
  write({ what: 'answered', id: call.id, run: call.run, as });
  ANSWERS[as](res, call);
}

const server = http.createServer((req, res) => {
  let body = '';
  req.on('data', (data) => (body += data));
  req.on('end', () => {
    const { job, payload } = JSON.parse(body);
    const call = { id: job.id, run: job.run, n: numberOf(job.id) };
    const wrong = payload.n !== undefined && Number(payload.n) !== call.n;
    write({ what: wrong ? `asked with the payload of ${payload.n}` : 'asked', id: call.id, run: call.run, worker: Number(/^\/w(\d+)\//.exec(req.url)[1]) });
    setTimeout(answer, slowness(call.n), res, call);
  });
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => console.log(server.address().port));
process.on('disconnect', () => process.exit());
