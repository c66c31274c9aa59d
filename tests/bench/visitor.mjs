// visitor.mjs: visitors as cheap as they can be, so that the machine's time goes to what is measured: one keep-alive connection
// each, and just enough HTTP to read Peygir's answers.
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const SERVICE = 'credit-score-rating';
const CODE = '12345'; // the demonstration bot's
const FINAL = ['completed', 'failed', 'cancelled'];

class Connection {
    #url;
    #socket = null;
    #received = Buffer.alloc(0);
    #waiting = null;

    constructor(url) {
        this.#url = new URL(url);
    }

    ask(text) {
        return new Promise((resolve, reject) => {
            this.#waiting = { resolve, reject };
            this.#socket ??= this.#open();
            this.#socket.write(text);
        });
    }

    close() {
        this.#socket?.destroy();
        this.#socket = null;
    }

    #open() {
        const socket = net.connect(Number(this.#url.port), this.#url.hostname).setNoDelay(true);
        socket.on('data', (data) => this.#take(data));
        socket.on('error', (error) => this.#end(socket, error));
        socket.on('close', () => this.#end(socket, new Error('nginx closed the connection before it answered')));
        return socket;
    }

    #end(socket, error) {
        if (socket !== this.#socket) return;
        this.#socket = null;
        this.#waiting?.reject(error);
        this.#waiting = null;
    }

    #take(data) {
        this.#received = this.#received.length ? Buffer.concat([this.#received, data]) : data;
        const end = this.#received.indexOf('\r\n\r\n');
        if (end < 0) return;
        const head = this.#received.toString('latin1', 0, end);
        const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
        if (this.#received.length < end + 4 + length) return;
        const body = this.#received.toString('utf8', end + 4, end + 4 + length);
        this.#received = this.#received.subarray(end + 4 + length);
        if (/^connection: *close/im.test(head)) this.close(); // nginx does so after a thousand requests
        const { resolve } = this.#waiting;
        this.#waiting = null;
        resolve({ status: Number(head.slice(9, 12)), head, body });
    }
}

// A national code with its check digit, one for every number from 0; none of those that make the bot misbehave.
export function nationalCode(number) {
    const digits = String(123000000 + number);
    const rest = [...digits].reduce((sum, digit, i) => sum + Number(digit) * (10 - i), 0) % 11;
    return digits + (rest < 2 ? rest : 11 - rest);
}

export class Visitor {
    #connection;
    cookie = '';
    refused = 0; // polls answered with 503
    #csrf = '';

    constructor(url) {
        this.url = url;
        this.#connection = new Connection(url);
    }

    close() {
        this.#connection.close();
    }

    async #ask(method, path, type = '', body = '', headers = '') {
        const answer = await this.#connection.ask(
            `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${this.cookie && `Cookie: ${this.cookie}\r\n`}${headers}` +
            `${type && `Content-Type: ${type}\r\nX-CSRF-Token: ${this.#csrf}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`}\r\n${body}`);
        this.cookie = /^set-cookie: (peygir_session=[^;]+)/im.exec(answer.head)?.[1] ?? this.cookie;
        return answer;
    }

    // Open the form as a browser does: cookie, CSRF token, submission key.
    async open() {
        const page = await this.#ask('GET', `/services/${SERVICE}`);
        this.#csrf = /name="_token" value="([^"]+)"/.exec(page.body)[1];
        return /name="_key" value="([^"]+)"/.exec(page.body)[1];
    }

    // Send the form. The hash of the request.
    async submit(key, code = nationalCode(0)) {
        const body = new URLSearchParams({ _token: this.#csrf, _key: key, mobile: '09121234567', national_code: code }).toString();
        const answer = await this.#ask('POST', `/services/${SERVICE}`, 'application/x-www-form-urlencoded', body);
        const hash = /^location: .*(req_[0-9A-Z]{26})/im.exec(answer.head)?.[1];
        if (answer.status !== 303 || !hash) throw new Error(`a submission was answered with ${answer.status}`);
        return hash;
    }

    // '' when the answer was "later".
    async status(hash) {
        const answer = await this.#ask('GET', `/api/local-requests/${hash}/status`);
        if (answer.status === 503) {
            this.refused++;
            return '';
        }
        if (answer.status !== 200) throw new Error(`a status poll was answered with ${answer.status}`);
        return JSON.parse(answer.body).status;
    }

    // Look until the status is one of those, at most so many seconds.
    async until(hash, wanted, seconds) {
        let now = '';
        for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(20)) {
            now = await this.status(hash);
            if (wanted.includes(now)) return now;
            if (FINAL.includes(now)) break;
        }
        throw new Error(`the request is ${now} and should be ${wanted.join(' or ')}`);
    }

    async enterCode(hash) {
        const answer = await this.#ask('POST', `/api/local-requests/${hash}/otp`, 'application/json', JSON.stringify({ otp: CODE }));
        if (answer.status !== 202) throw new Error(`a code was answered with ${answer.status}`);
    }
}

// So many visitors at once do `job(visitor, i)` for i = 0 to count - 1; not begun any more after so many seconds. How many were
// done, and how many polls were answered with 503 meanwhile.
export async function crowd(url, visitors, count, seconds, job) {
    const end = Date.now() + seconds * 1000;
    let next = 0, done = 0, refused = 0;
    await Promise.all(Array.from({ length: visitors }, async () => {
        const visitor = new Visitor(url);
        try {
            await visitor.open();
            while (next < count && Date.now() < end) {
                await job(visitor, next++);
                done++;
            }
        } finally {
            refused += visitor.refused;
            visitor.close();
        }
    }));
    return { done, refused };
}
