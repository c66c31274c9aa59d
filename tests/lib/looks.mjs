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

// Processor time that the threads of a process have used, in seconds.
export function cpuSeconds(pid) {
  const threads = fs.readdirSync(`/proc/${pid}/task`);
  const used = threads.map((thread) => Number(fs.readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]));
  return used.reduce((sum, ns) => sum + ns, 0) / 1e9;
}

// How many descriptors a process has open, and how many it may have.
export const descriptorsOf = (pid) => fs.readdirSync(`/proc/${pid}/fd`).length;
export const descriptorLimit = (pid) => Number(/^Max open files +(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/limits`, 'utf8'))[1]);

// How many connections a listening socket of the file system has, accepted or about to be.
export const connectionsOf = (socket) =>
  fs.readFileSync('/proc/net/unix', 'utf8').split('\n').filter((line) => line.endsWith(` ${socket}`) && line.split(/\s+/)[5] === '03').length;

// What a sanitizer keeps in quarantine and in the shadow says nothing about the program's own memory.
export const hasSanitizer = (program) => /__[at]san_init/.test(fs.readFileSync(program, 'latin1'));
