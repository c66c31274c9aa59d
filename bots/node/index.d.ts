// index.d.ts: the types of peygir-bot.
import type { Cluster, Redis, RedisOptions } from 'ioredis';

/** What is asked of the visitor; what is left out is as the service says. */
export interface OtpData {
  /** The bot's own handle: any JSON value, handed back as `otpData.hash`. */
  hash?: unknown;
  /** Seconds from now, 1 to 86400. */
  expiry?: number;
  message?: string;
  /** Digits, 1 to 32. */
  length?: number;
  /** The bot's judgement of the code that it was given, instead of asking for a first one. */
  reason?: 'wrong' | 'expired';
}

export interface Failure {
  /** 1 to 64 letters, digits, _ and -. */
  code?: string;
  /** Trying again with the same values may help. */
  retryable?: boolean;
}

/** What comes into the mailbox of a request. */
export interface Letter {
  otp?: string;
  resend?: true;
  cancelled?: true;
}

export interface WaitOptions {
  signal?: AbortSignal;
  /** Milliseconds; for ever when left out. */
  timeout?: number;
}

export interface Watch {
  /** Fires when the request is cancelled. */
  signal: AbortSignal;
  stop(): void;
}

/** Each of the first four resolves to true, or to false when it was so already; they reject with a PeygirError. */
export interface Updater {
  /** The run for which it speaks; null: whichever it is. */
  readonly run: number | null;
  /** What is left out, or null, stays as it is. */
  updateProgress(hash: string, progress?: number | null, step?: string | null, message?: string | null): Promise<boolean>;
  markAsOtpRequired(hash: string, otpData?: OtpData): Promise<boolean>;
  markAsCompleted(hash: string, result?: object): Promise<boolean>;
  markAsFailed(hash: string, message?: string | null, data?: Failure): Promise<boolean>;
  /** The next letter; null when the timeout is over. */
  waitForOtp(hash: string, options?: WaitOptions): Promise<Letter | null>;
  watchCancel(hash: string): Promise<Watch>;
  /** The same connection, for another run. */
  withRun(run: number | string | null): Updater;
  /** Close the connections that it has made. */
  close(): Promise<void>;
}

export interface UpdaterOptions {
  /** A client of ioredis, which stays yours; its options; or an address. Left out: REDIS_URL. */
  redis?: Redis | Cluster | RedisOptions | string;
  /** The run that the call named (the header Peygir-Run). */
  run?: number | string | null;
}

export function createUpdater(options?: UpdaterOptions): Updater;

export type ErrorCode = 'GONE' | 'FINAL' | 'STALE' | 'STATE' | 'STRICT' | 'INVALID' | 'BUSY' | 'CANCELLED' | 'STOPPING' | 'CLOSED';

export class PeygirError extends Error {
  constructor(code: ErrorCode, message: string, more?: { status?: string });
  code: ErrorCode;
  /** Of FINAL and CANCELLED: how the request has ended. */
  status?: 'completed' | 'failed' | 'cancelled';
}

/** Thrown by a handler: the answer to the visitor. */
export class BotError extends Error {
  constructor(code: string, message?: string, options?: { retryable?: boolean });
  code: string;
  retryable: boolean;
}

/** Returned by a handler: the visitor must enter a code, and another call brings it. */
export class OtpNeeded {
  constructor(otp?: Omit<OtpData, 'reason'>);
  otp: Omit<OtpData, 'reason'>;
}

export interface Call<Data = Record<string, any>> {
  readonly slug: string;
  readonly hash: string;
  /** The checked form. */
  readonly data: Data;
  /** Of the second leg: what the visitor typed, and what the first leg gave. */
  readonly otp?: string;
  readonly otpData?: any;
  readonly run: number | null;
  readonly job: string | null;
  /** The visitor's language, such as 'fa' or 'en': messages are to be in it. */
  readonly locale: string | null;
  /** Fires when the request is cancelled or goes on elsewhere, when the connection ends, and when the server stops. */
  readonly signal: AbortSignal;
  /** Bound to the run of the call. */
  readonly updater: Updater;
  progress(progress?: number | null, step?: string | null, message?: string | null): Promise<boolean>;
  requireOtp(otp?: OtpData): Promise<boolean>;
  waitForOtp(options?: WaitOptions): Promise<Letter | null>;
}

export type Handler = (call: Call<any>) => object | void | Promise<object | void>;

export interface Service {
  call: Handler;
  /** Told after the signals of running calls have fired. */
  cancel?: Handler;
  resendOtp?: Handler;
}

export interface ServeOptions {
  services: Record<string, Handler | Service>;
  host?: string;
  /** Left out: PORT, else the port of LOCAL_API_URL, else 9999. */
  port?: number;
  /** A Unix socket instead of host and port. */
  socket?: string;
  redis?: UpdaterOptions['redis'];
  /** Milliseconds that running calls get when it stops, before their signals fire. */
  drain?: number;
  /** Stop at SIGTERM and SIGINT and end the process. */
  signals?: boolean;
  /** For errors that handlers threw and that no visitor sees. */
  log?: (error: unknown) => void;
}

export interface Server {
  url: string;
  close(): Promise<void>;
}

export function serve(options: ServeOptions): Promise<Server>;

declare const updater: Updater;
export default updater;
export const updateProgress: Updater['updateProgress'];
export const markAsOtpRequired: Updater['markAsOtpRequired'];
export const markAsCompleted: Updater['markAsCompleted'];
export const markAsFailed: Updater['markAsFailed'];
export const waitForOtp: Updater['waitForOtp'];
export const watchCancel: Updater['watchCancel'];
export const close: Updater['close'];
