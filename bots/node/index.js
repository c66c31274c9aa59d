// index.js: peygir-bot, a bot of Peygir in Node.js: what it reports about requests, and the server that Peygir calls.
import { createUpdater } from './lib/updater.js';

const updater = createUpdater(); // it connects when it is used

export default updater;
export const { updateProgress, markAsOtpRequired, markAsCompleted, markAsFailed, waitForOtp, watchCancel, close } = updater;
export { createUpdater };
export { serve } from './lib/serve.js';
export { BotError, OtpNeeded, PeygirError } from './lib/errors.js';
