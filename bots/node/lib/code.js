// code.js: the one-time code, as core/otp.c deals with it. The bot judges a code; what is counted stands in the guard.
import { otpOf, time } from './document.js';
import { refuse } from './errors.js';
import { WRITTEN_MAX, clip, intOf, quote, stringOf, timeOf } from './json.js';

const LENGTH_MAX = 32, EXPIRY_MAX_S = 86_400;

function setOtpData(c, { handle, until, message, length, attempts, resends, resent }) {
  c.json('otp_data', `{"hash":${handle ?? 'null'},"expires_at":${time(until)},"message":${message ?? 'null'},"length":${length},"attempts":${attempts},` +
    `"resends":${resends},"resent_at":${resent > 0 ? time(resent) : 'null'}}`);
}

// The present otp_data, to be edited and set again.
function getOtpData({ doc, guard, terms }) {
  const { hash, message, length, resent_at: resent } = otpOf(doc);
  return { handle: hash, message, until: guard.code_until, length: intOf(length, terms.length), attempts: guard.tries, resends: guard.resends, resent: timeOf(resent) };
}

// A new code is on its way.
function startCode(rq, c, ask) {
  const { terms, guard, now } = rq;
  const until = now + (ask.expiry > 0 ? ask.expiry : terms.seconds) * 1000;
  const message = ask.message ?? 'messages.waiting_for_code';
  const length = ask.length > 0 && ask.length <= LENGTH_MAX ? ask.length : terms.length;
  setOtpData(c, { handle: ask.handle, until, message: quote(message), length, attempts: guard.tries, resends: guard.resends, resent: 0 });
  c.mailClear = true; // what was entered before is no code of this one
  c.text('current_message', message);
  c.to = 'otp_required';
  Object.assign(c.guard, { code_tries: 0, resend_at: now + terms.cooldown * 1000, code_until: until });
}

// Asked for already: what the first word left open is filled in, nothing is changed.
function fillGaps(rq, c, ask) {
  const data = getOtpData(rq), isOpen = (raw) => raw === undefined || raw === 'null';
  if (!isOpen(data.handle) || isOpen(ask.handle)) return false;
  setOtpData(c, { ...data, handle: ask.handle });
  return true;
}

/** The bot needs a code: ask = { handle (JSON), expiry, length, message }. */
export const decideRequire = (ask) => (rq, c) => {
  // A visitor may be faster than the bot's second word: a code that no leg has taken is for what was asked before.
  const entered = rq.status === 'otp_verifying' && rq.guard.taken < rq.guard.code;
  if (rq.status === 'otp_required' || entered) return fillGaps(rq, c, ask);
  if (rq.status !== 'processing' && rq.status !== 'otp_verifying') refuse('STATE', `request ${rq.hash} is ${rq.status}: it cannot ask for a code`);
  startCode(rq, c, ask);
  return true;
};

// What the bot's "no" leads to: how messages and the failure are called, and whether it uses a try.
const NOES = {
  wrong: { again: 'messages.code_wrong', spent: 'messages.code_ask_new', counts: 1, over: 'otp_tries' },
  expired: { again: null, spent: 'messages.code_expired', counts: 0, over: 'otp_expired' },
};

function refuseCode(rq, c, reason, message) {
  const { terms, guard, now } = rq, no = NOES[reason];
  const tries = guard.tries + no.counts, codeTries = guard.code_tries + no.counts;
  const codeLeft = no.counts === 1 && codeTries < terms.triesCode && guard.code_until > now;
  Object.assign(c.guard, { tries, code_tries: codeTries });
  if (tries >= terms.triesRequest || (!codeLeft && guard.resends >= terms.resends)) {
    c.fail({ code: no.over, message: `errors.${no.over}`, retryable: true });
    return;
  }
  const until = codeLeft ? guard.code_until : now;
  setOtpData(c, { ...getOtpData(rq), attempts: tries, until });
  c.guard.code_until = until;
  c.mailClear = true; // of a code that nobody took
  c.text('current_message', codeLeft ? (message ?? no.again) : no.spent);
  c.to = 'otp_required';
}

/** The bot says that the code is wrong, or expired. */
export const decideJudged = (reason, message) => (rq, c) => {
  // A newer code that lies in the mailbox is not judged by it: then the word is a repetition, its first answer got lost.
  const newer = rq.status === 'otp_verifying' && rq.guard.taken > 0 && rq.guard.taken < rq.guard.code;
  if (newer || rq.status === 'otp_required') return false;
  if (rq.status !== 'otp_verifying' && rq.status !== 'processing') refuse('STATE', `request ${rq.hash} is ${rq.status}: no code is being judged`);
  refuseCode(rq, c, reason, message);
  return true;
};

// Of whoever wrote past the guard; null: none.
const wordsOf = (raw) => clip(stringOf(raw) ?? '', WRITTEN_MAX) || null;

/** Complete the otp_data that somebody wrote past the guard, and the guard with it. */
export function adoptCode(rq, c) {
  const { hash, expires_at: expires, expiry, length, message, reason } = otpOf(rq.doc);
  const judged = rq.status === 'otp_verifying' || (rq.status === 'processing' && rq.guard.code > 0);
  if (judged && stringOf(reason) === 'wrong') {
    refuseCode(rq, c, 'wrong', wordsOf(rq.doc.current_message));
    return;
  }
  const until = timeOf(expires);
  const seconds = until > rq.now ? Math.ceil((until - rq.now) / 1000) : intOf(expiry, 0);
  startCode(rq, c, { handle: hash, expiry: seconds > 0 && seconds <= EXPIRY_MAX_S ? seconds : 0, length: intOf(length, 0), message: wordsOf(message) });
}
