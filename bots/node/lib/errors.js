// errors.js: what can go wrong, by code.

/** Why a request was not changed: `code` is one of GONE, FINAL, STALE, STATE, STRICT, INVALID, BUSY, CANCELLED, STOPPING, CLOSED. */
export class PeygirError extends Error {
  constructor(code, message, { status } = {}) {
    super(message);
    this.name = 'PeygirError';
    this.code = code;
    if (status) this.status = status;
  }
}

/** Thrown by a handler: the answer to the visitor. */
export class BotError extends Error {
  constructor(code, message, { retryable = false } = {}) {
    super(message ?? code);
    this.name = 'BotError';
    this.code = code;
    this.said = message;
    this.retryable = retryable;
  }
}

/** Returned by a handler: the visitor must enter a code, and another call brings it. */
export class OtpNeeded {
  constructor({ hash, expiry, message, length } = {}) {
    this.otp = { hash, expiry, message, length };
  }
}

export const refuse = (code, message, more) => {
  throw new PeygirError(code, message, more);
};
