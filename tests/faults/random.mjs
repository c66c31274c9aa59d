// random.mjs: the same numbers again for the same seed (mulberry32).
export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  // 0 <= x < 1
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  // from, from + 1, ... to
  int(from, to) {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  pick(list) {
    return list[this.int(0, list.length - 1)];
  }
}
