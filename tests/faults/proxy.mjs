// proxy.mjs: stands between programs and Redis, and does to their connections what networks do.
import fs from 'node:fs';
import net from 'node:net';

export class Proxy {
  #pairs = new Set();
  #swallow = 0;
  #held = false;

  async listen(socket, target) {
    fs.rmSync(socket, { force: true });
    this.url = `unix://${socket}?db=0`;
    this.server = net.createServer({ pauseOnConnect: false }, (client) => this.#connect(client, target));
    await new Promise((resolve) => this.server.listen(socket, resolve));
    return this;
  }

  #connect(client, target) {
    const server = net.connect(target);
    const pair = { client, server };
    const end = () => {
      this.#pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    this.#pairs.add(pair);
    if (this.#held) server.pause();
    for (const socket of [client, server]) socket.on('error', end).on('close', end);
    client.on('data', (data) => server.write(data));
    server.on('data', (data) => {
      if (this.#swallow > 0) {
        this.#swallow--;
        end();
      } else {
        client.write(data);
      }
    });
  }

  // All connections break.
  cut() {
    for (const { client, server } of [...this.#pairs]) {
      client.destroy();
      server.destroy();
    }
  }

  // The next so many answers are lost with their connections, after Redis did what was asked for.
  loseAnswers(count) {
    this.#swallow += count;
  }

  // Answers stand still until release().
  hold() {
    this.#held = true;
    for (const { server } of this.#pairs) server.pause();
  }

  release() {
    this.#held = false;
    for (const { server } of this.#pairs) server.resume();
  }

  close() {
    this.cut();
    this.server.close();
  }
}
