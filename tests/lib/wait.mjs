// wait.mjs: waiting for something that will become true, never for a fixed time.
const LOOK_MS = 15;

// The first truthy value of `condition`, looked at again and again until `timeout` ms are over. `what` names it in
// the error; `now` tells how things stood then.
export async function waitFor(condition, { timeout = 10_000, what = String(condition), now } = {}) {
  const end = performance.now() + timeout;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > end) {
      const state = now ? `; now: ${JSON.stringify(await now())}` : '';
      throw new Error(`waited ${timeout} ms in vain for ${what}${state}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

// How long something takes, in ms, and its value.
export async function timed(action) {
  const start = performance.now();
  const value = await action();
  return { ms: performance.now() - start, value };
}
