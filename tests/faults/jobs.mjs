// jobs.mjs: the numbered jobs of the fault suite: what the bot does with job n, and how it therefore has to end.
export const idOf = (n) => `n-${String(n).padStart(6, '0')}`;
export const numberOf = (id) => Number(id.slice(2));

// What the bot answers to a call for job n when `before` calls for it were answered already.
export function answerTo(n, before) {
  if (n % 97 === 0) return 'for good';
  if (n % 41 === 0 && before === 0) return 'again';
  if (n % 29 === 0 && before === 0) return 'broken';
  return 'success';
}
export const isRetried = (answer) => answer === 'again' || answer === 'broken';
export const endOf = (n) => (n % 97 === 0 ? 'failed' : 'completed');

// How long the bot takes, in ms: most calls are short, some last long enough to be hit by anything.
export function slowness(n) {
  if (n % 13 === 0) return 200 + (n * 31) % 600;
  return (n * 7) % 20;
}
