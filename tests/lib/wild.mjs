// wild.mjs: what a bot that writes documents by itself may leave in one, and what has become of it once somebody has looked.
export const EVIL = '<script>alert(1)</script>"\'\r\n\u0007';
const LONG = 'م'.repeat(1_000_000), CLIPPED = 'م'.repeat(8192); // two bytes each
const DEEP = `${'['.repeat(5000)}${']'.repeat(5000)}`;
const INVALID = { status: 'failed', result_data: null, error_data: { code: 'bot_invalid', message: 'errors.bot_invalid', retryable: true } };

const fields = (changed) => (document) => JSON.stringify({ ...document, ...changed });
// A member as text that JSON.stringify would not write.
const raw = (name, text, changed = {}) => ({ [name]: unused, ...document }) => JSON.stringify({ ...document, ...changed }).replace(/\}$/, `,"${name}":${text}}`);
// All of it but the form, which is sealed anew.
const spoilt = (changed) => (document) =>
  JSON.stringify({ ...Object.fromEntries(Object.keys(document).map((name) => [name, [EVIL]])), request_data: document.request_data, ...changed });
const completed = (result_data) => fields({ status: 'completed', result_data });
const failed = (error_data) => fields({ status: 'failed', error_data });
const latin = (write) => (document) => Buffer.from(write(document), 'latin1');

// [what, the text of the document that it had, members that it has afterwards]; it was at work, at progress 0.
export const WILD = [
  ['a status that is no text', fields({ status: 5 }), { status: 'processing' }],
  ['a status of two megabytes', fields({ status: LONG }), { status: 'processing' }],
  ['progress as text', fields({ progress: '50' }), { progress: 0 }],
  ['progress below nothing', fields({ progress: -5 }), { progress: 0 }],
  ['progress beyond all numbers', raw('progress', '1e400'), { progress: 0 }],
  ['progress of 400 digits', raw('progress', '9'.repeat(400)), { progress: 0 }],
  ['progress with a fraction', fields({ progress: 5.5 }), { progress: 5 }],
  ['progress beyond 100 while a code is asked for', fields({ status: 'otp_required', progress: 99999 }), { status: 'otp_required', progress: 0 }],
  ['a message that is an object', fields({ current_message: { a: EVIL } }), { current_message: null }],
  ['a message of two megabytes', fields({ current_message: LONG }), { current_message: CLIPPED }],
  ['a message with half a character', raw('current_message', '"\\ud800"'), { current_message: null }],
  ['a message with raw control bytes', raw('current_message', '"a\u0001\n"'), { current_message: null }],
  ['a message with HTML', fields({ current_message: EVIL }), { current_message: EVIL }],
  ['a step that is a list', fields({ step: [EVIL] }), { step: null }],
  ['a step of two megabytes', fields({ step: LONG }), { step: CLIPPED }],
  ['a duration that is a text', fields({ estimated_duration: EVIL }), { status: 'processing' }],
  ['otp_data that is a text', fields({ status: 'otp_required', otp_data: EVIL }), { status: 'otp_required' }],
  ['otp_data of wrong kinds', fields({ status: 'otp_required', otp_data: { hash: EVIL, expires_at: 'never', message: {}, length: 1e300, attempts: 'x', resends: -5, resent_at: {} } }), { status: 'otp_required' }],
  ['otp_data with a message of two megabytes', fields({ status: 'otp_required', otp_data: { message: LONG } }), { status: 'otp_required', current_message: CLIPPED }],
  ['a result that is a text', completed('done'), INVALID],
  ['a result that is a list', completed([EVIL]), INVALID],
  ['a result with NaN', raw('result_data', '{"a":NaN}', { status: 'completed' }), INVALID],
  ['a result without end to its depth', raw('result_data', `{"a":${DEEP}}`, { status: 'completed' }), INVALID],
  ['a result that is no UTF-8', latin(completed({ text: 'ÿÿ' })), INVALID],
  ['a bad result while it is still at work', raw('result_data', '{"a":NaN}', { progress: 1 }), { status: 'processing', result_data: null }],
  ['a result with numbers beyond all', raw('result_data', '{"text":1e999,"pages":99999999999999999999}', { status: 'completed' }), { status: 'completed' }],
  ['an error that is a text', failed('x'), { status: 'failed', error_data: null }],
  ['an error of wrong kinds', failed({ code: {}, message: [EVIL], retryable: 'yes', more: [1] }), { status: 'failed', error_data: { code: 'bot_error', message: 'errors.failed', retryable: false, more: [1] } }],
  ['an error of two megabytes', failed({ code: 'c'.repeat(65), message: LONG }), { status: 'failed', error_data: { code: 'bot_error', message: CLIPPED } }],
  ['an error with much beside its words', failed({ code: 'c', message: 'm', big: 'x'.repeat(20_000), retryable: true }), { status: 'failed', error_data: { code: 'c', message: 'm', retryable: true } }],
  ['an error with HTML', failed({ code: EVIL, message: EVIL, retryable: true }), { status: 'failed', error_data: { code: EVIL, message: EVIL, retryable: true } }],
  ['times of wrong kinds', fields({ started_at: 5, updated_at: EVIL, expires_at: [], completed_at: {} }), { status: 'processing' }],
  ['a service that is a list', fields({ service_slug: [EVIL] }), { status: 'processing' }],
  ['a service that is half a character', raw('service_slug', '"\\ud800"'), { status: 'processing' }],
  ['hash, owner, user, locale and revision of wrong kinds', fields({ hash: 5, owner: {}, user_id: [EVIL], locale: 7, revision: 'x' }), { status: 'processing', user_id: null }],
  ['everything of wrong kinds at once, with an end', spoilt({ status: 'completed' }), INVALID],
  ['everything of wrong kinds at once, with a code', spoilt({ status: 'otp_required' }), { status: 'otp_required', result_data: null, progress: 0 }],
  ['twenty thousand members more', (document) => JSON.stringify({ ...document, ...Object.fromEntries(Array.from({ length: 20_000 }, (unused, i) => [`m${i}`, i])) }), { status: 'processing' }],
];

// Once nothing of JSON is left, nobody can say what it was.
export const RUINED = ['', '[]', '"x"', '{"status":', Buffer.from([0, 255, 1, 2])];
