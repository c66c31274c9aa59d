// looks.mjs: looks at a running server or process from outside, without any npm package.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';

export const redisCli = (socket, ...command) => execFileSync('redis-cli', ['-s', socket, ...command], { encoding: 'utf8' });

// INFO as an object of texts.
export const redisInfo = (socket, section) =>
  Object.fromEntries([...redisCli(socket, 'INFO', section).matchAll(/^([a-z_|0-9.-]+):(.*?)\r?$/gim)].map((m) => [m[1], m[2]]));

// Resident and proportional memory of a process, in KiB.
export function memoryOf(pid) {
  const rollup = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return { rss: Number(/^Rss: +(\d+)/m.exec(rollup)[1]), pss: Number(/^Pss: +(\d+)/m.exec(rollup)[1]) };
}
