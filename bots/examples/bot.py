#!/usr/bin/env python3
"""bot.py: a bot in Python that reports over HTTP, with the standard library alone.

It does the work of the two demonstration services: document-ocr moves the bar and answers with the result; credit-score-rating also
holds its call while the visitor looks for the code. `work` and `send_code` pretend; all else is how a bot may look.

  TOKEN  of role bot: peygir token create --role bot NAME
  SITE   where Peygir is (http://127.0.0.1:8080)
  PORT   where to answer (9998), for LOCAL_API_URL=http://127.0.0.1:9998
  PACE   seconds that each step takes (1)
"""
import json
import os
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError
from urllib.request import Request, urlopen

TOKEN = os.environ["TOKEN"]
SITE = os.environ.get("SITE", "http://127.0.0.1:8080")
PORT = int(os.environ.get("PORT", "9998"))
PACE = float(os.environ.get("PACE", "1"))


class Over(Exception):
    """Nobody waits for this call any more: the request has ended, or another run goes on with it."""


# --- reporting ---

class Call:
    def __init__(self, data, headers):
        self.data, self.hash, self.run = data, data["requestHash"], headers["Peygir-Run"]
        self.persian = (headers["Accept-Language"] or "").startswith("fa")

    def say(self, persian, english):
        """A sentence in the visitor's language."""
        return persian if self.persian else english

    def ask(self, what, body=None, pauses=(0.5, 2, 5)):
        headers = {"Authorization": f"Bearer {TOKEN}", "Peygir-Run": self.run, "Content-Type": "application/json"}
        for pause in (*pauses, None):
            try:
                with urlopen(Request(f"{SITE}/api/internal/local-requests/{self.hash}/{what}", body, headers), timeout=70) as answer:
                    return json.loads(answer.read() or "null")
            except OSError as error:  # an HTTPError is one
                status = error.code if isinstance(error, HTTPError) else 503
                if status in (404, 409):
                    raise Over from None
                if status < 500 or pause is None:
                    raise
                time.sleep(pause)

    def report(self, what, **members):
        return self.ask(what, json.dumps(members).encode())


# --- the work ---

def log(call, text):
    print(f"{call.hash}: {text}", flush=True)


def work():
    time.sleep(PACE)


def success(data):
    return {"status": "success", "data": data}


def error(code, message, retryable=False):
    return {"status": "error", "code": code, "message": message, "retryable": retryable}


def read_document(call):
    for step, progress in (("preprocessing", 20), ("recognizing", 50), ("postprocessing", 85)):
        call.report("progress", step=step, progress=progress)
        work()
        if call.data["file_id"] == "missing":
            return error("NOT_FOUND", call.say("چنین فایلی پیدا نشد.", "There is no such file."))
    return success({"text": f"What stands in {call.data['file_id']}", "pages": 3, "confidence": 0.98})


def send_code(call):
    """The text message: here a line on the terminal. Nothing of Peygir's ever holds the code."""
    code = f"{secrets.randbelow(100_000):05}"
    log(call, f"text message: the code is {code}")
    return code


def wait_for_code(call, code):
    """Until the visitor has entered the right one. A browser that is signed in somewhere would stay open all the while."""
    while True:
        letter = call.ask("otp?wait=25") or {}
        if "cancelled" in letter:
            raise Over
        if "resend" in letter:
            code = send_code(call)
        elif letter.get("otp") == code:
            return
        elif "otp" in letter and call.report("otp-required", reason="wrong")["status"] != "otp_required":
            raise Over  # it was the last try


# With `otp` in its data it is called for a code that an earlier call, which broke, was to hear of: it begins again as well.
def rate_credit(call):
    call.report("progress", step="authentication", progress=30)
    work()
    code = send_code(call)
    call.report("otp-required", length=5)
    wait_for_code(call, code)
    call.report("progress", step="verifying_otp", progress=80)
    work()
    return success({"score": 742, "grade": "A", "amount": 500_000_000, "report_date": time.strftime("%Y-%m-%d"), "items": ["No returned cheques"]})


SERVICES = {"document-ocr": read_document, "credit-score-rating": rate_credit}


# --- being called ---

def answer_call(path, data, headers):
    service, _, aside = path.removeprefix("/api/services/").partition("/")
    if service not in SERVICES:
        return error("UNKNOWN_SERVICE", "This bot does not know that service.")
    if aside:  # cancel and resend-otp: the call that is held hears of both in its mailbox
        return {"status": "success"}
    call = Call(data, headers)
    try:
        return SERVICES[service](call)
    except Over:
        log(call, "over")
        return error("OVER", call.say("دیگر کسی منتظر این کار نیست.", "Nobody waits for this any more."))
    except Exception as problem:  # the kind alone: what it says may hold what the visitor entered
        log(call, f"broken: {type(problem).__name__}")
        words = call.say("مشکلی پیش آمد. لطفاً کمی بعد دوباره تلاش کنید.", "Something went wrong. Please try again later.")
        return error("BROKEN", words, retryable=True)


def read_call(body):
    """The form and the request's hash, texts all of them, and with a code `otpData`; None when it is not what Peygir sends."""
    try:
        data = json.loads(body)
    except ValueError:
        return None
    if not isinstance(data, dict) or "requestHash" not in data:
        return None
    return data if all(isinstance(value, str) for name, value in data.items() if name != "otpData") else None


class Bot(BaseHTTPRequestHandler):
    def do_POST(self):
        data = read_call(self.rfile.read(int(self.headers["Content-Length"] or 0)))
        answer = answer_call(self.path, data, self.headers) if data else error("BAD_BODY", "This is no call of Peygir's.")
        body = json.dumps(answer).encode()
        try:
            self.send_response(200 if data else 400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            pass  # cut off, as a cancelled call is

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", PORT), Bot) as server:
        server.daemon_threads = True
        print(f"the bot answers at http://127.0.0.1:{PORT}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            sys.exit(0)
