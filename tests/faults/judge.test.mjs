// judge.test.mjs: the judge of the fault suite is not asleep.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idOf } from './jobs.mjs';
import { judge } from './judge.mjs';

const asked = (run, at, worker = 1) => ({ what: 'asked', id: idOf(1), run, at, worker });
const answered = (run, at, as = 'success') => ({ what: 'answered', id: idOf(1), run, at, as });

const verdict = (entries, { data = {}, places = [], harms = [] } = {}) =>
  judge({
    jobs: [1], entries, harms, places: () => places,
    data: () => ({ status: 'completed', run: '1', result: '{"run":1}', ...data }),
  });
const complains = (about, ...given) => assert.match(verdict(...given).complaints.join('\n'), about);

const GOOD = [asked(1, 10), answered(1, 20)];
const TWICE = [asked(1, 10), asked(2, 500, 2), answered(2, 510)];
const SECOND = { data: { run: '2', result: '{"run":2}' } };

test('a job that was carried out once is fine', () => assert.deepEqual(verdict(GOOD).complaints, []));
test('a job without data is lost', () => complains(/lost/, GOOD, { data: { status: undefined } }));
test('a job that ended without a call is noticed', () => complains(/never asked for/, []));
test('a job that still stands in a list is noticed', () => complains(/stands in: queue/, GOOD, { places: ['queue'] }));
test('a job that stands in two sets is noticed', () =>
  complains(/instead of completed/, GOOD, { data: { status: 'failed' }, places: ['failed', 'active'] }));
test('a second call is fine after the worker of the first was killed', () => {
  const { complaints, repeated } = verdict(TWICE, { ...SECOND, harms: [{ worker: 1, at: 15 }] });
  assert.deepEqual([complaints, repeated], [[], 1]);
});
test('a second call is noticed when its worker was well', () => complains(/was well/, TWICE, SECOND));
test('a kill of another worker explains nothing', () => complains(/was well/, TWICE, { ...SECOND, harms: [{ worker: 3, at: 15 }] }));
test('a kill long before the call explains nothing', () =>
  complains(/was well/, TWICE, { ...SECOND, harms: [{ worker: 1, at: -5000 }] }));
test('a kill long after the answer explains nothing', () =>
  complains(/was well/, [asked(1, 10), answered(1, 20), asked(2, 20_000, 2), answered(2, 20_010)],
    { ...SECOND, harms: [{ worker: 1, at: 15_000 }] }));
test('a frozen worker explains what it began when it woke', () => {
  const late = [asked(1, 17_010), answered(1, 17_020), asked(2, 17_050), answered(2, 17_060)];
  assert.deepEqual(verdict(late, { ...SECOND, harms: [{ worker: 1, at: 5, until: 17_000 }] }).complaints, []);
});
test('a second call before the first was answered is noticed', () =>
  complains(/was well/, [asked(1, 10), asked(2, 15, 2), answered(2, 16), answered(1, 20, 'again')], SECOND));
test('a run that was called twice is noticed', () => complains(/run 1 was called twice/, [...GOOD, asked(1, 30), answered(1, 40)]));
test('a result of a run that is over is noticed', () =>
  complains(/result of another run/, TWICE, { data: { run: '2', result: '{"run":1}' }, harms: [{ worker: 1, at: 15 }] }));
test('poison needs three deaths', () =>
  complains(/poison after 1 deaths/, GOOD, { data: { status: 'failed', error: 'poison', deaths: '1' }, places: ['failed'] }));
test('the payload of another job is noticed', () => complains(/payload of 7/, [{ ...GOOD[0], what: 'asked with the payload of 7' }, GOOD[1]]));
