// mailbox.js: a bot waits for the visitor's code. It is woken by the request's channel and takes the letter with the script that
// peygir-push uses, so that thousands wait on one connection, an old run takes nothing, and a letter for one who has gone is put back.
import { keysOf } from './document.js';
import { refuse } from './errors.js';
import { runScript, scripts } from './scripts.js';

const LOOK_MS = 5000; // for a letter that nobody told of

const REFUSALS = {
  gone: ['GONE', 'does not exist any more'],
  stale: ['STALE', 'goes on under another run'],
  final: ['FINAL', 'has ended'],
};

/** { text, stays }, or null when the mailbox is empty. */
async function take(redis, hash, run) {
  const { document, guard, mailbox } = keysOf(hash);
  const [word, text, stays] = await runScript(redis, scripts.mailbox_take, [document, guard, mailbox], [run ?? '']);
  if (REFUSALS[word]) refuse(REFUSALS[word][0], `request ${hash} ${REFUSALS[word][1]}`);
  return word === 'letter' ? { text, stays } : null;
}

function putBack(redis, hash, { text, stays }) {
  const { document, guard, mailbox } = keysOf(hash);
  return runScript(redis, scripts.mailbox_return, [document, guard, mailbox], [text, stays]);
}

// A bell rings once for whatever happened since it was last heard.
function makeBell() {
  let rung = false, wake = () => {};
  return {
    ring() {
      rung = true;
      wake();
    },
    async heard(ms) {
      if (!rung) {
        let timer;
        await new Promise((resolve) => {
          wake = resolve;
          timer = setTimeout(resolve, ms);
        });
        clearTimeout(timer);
      }
      rung = false;
    },
  };
}

/** The next letter; null when `timeout` ms are over. Rejects with the signal's reason, or with GONE, STALE or FINAL. */
export async function waitForLetter(redis, ear, hash, run, { signal, timeout = Infinity } = {}) {
  const until = performance.now() + timeout, bell = makeBell();
  signal?.throwIfAborted();
  const stop = await ear.listen(hash, bell.ring);
  signal?.addEventListener('abort', bell.ring);
  try {
    for (;;) {
      signal?.throwIfAborted();
      const letter = await take(redis, hash, run);
      if (letter && signal?.aborted) await putBack(redis, hash, letter);
      signal?.throwIfAborted();
      if (letter) return JSON.parse(letter.text);
      const left = until - performance.now();
      if (left <= 0) return null;
      await bell.heard(Math.min(LOOK_MS, left));
    }
  } finally {
    signal?.removeEventListener('abort', bell.ring);
    stop();
  }
}
