// demo.mjs: the demonstration services as tests use them.
export const CREDIT = 'credit-score-rating';
export const OCR = 'document-ocr';
export const GOOD = { mobile: '09121234567', national_code: '0499370899' };
export const CODE = '12345';
export const WRONG_CODE = '86421';

// National codes that make the bot misbehave; all are listed in bots/demo/README.md.
const MISDEEDS = {
  fail: '9990000018', retry: '9990000026', hang: '9990000069', slow: '9990000131', lateCode: '9990000141', held: '9990000158',
  backwards: '9990000166', now: '9990000182', shortCode: '9990000204', sixDigits: '9990000247', hangWithCode: '9990000263', meddle: '9990000298',
};

export const misdeed = (name) => ({ ...GOOD, national_code: MISDEEDS[name] });

export const progressPath = (hash, service = CREDIT) => `/services/${service}/progress/${hash}`;
export const otpPath = (hash) => `/services/${CREDIT}/otp/${hash}`;
export const resultPath = (hash, service = CREDIT) => `/services/${service}/result/${hash}`;

// A request of the credit service whose code is waited for.
export async function untilCode(peygir, visitor, values = GOOD) {
  const hash = await visitor.request(CREDIT, values);
  await peygir.status(hash, 'otp_required');
  return hash;
}

// Type a code into the code page.
export async function enter(visitor, hash, otp) {
  const page = await visitor.get(otpPath(hash));
  return visitor.send(page.form('/otp/'), { otp });
}

// While the worker stands still, nothing that waits is taken.
export async function whileWorkerSleeps(peygir, action) {
  const pid = peygir.kill('worker', 'SIGSTOP');
  try {
    return await action();
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}
