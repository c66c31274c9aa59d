// report.mjs: how measurements are told: one line each, targets as words, a summary at the end. A missed target is said, not punished:
// the exit status is 1 only when something could not be measured.
const met = [], missed = [], failed = [];

// An option of the measurement: a number in the environment.
export const number = (name, fallback) => Number(process.env[name] ?? fallback);

// One line. `target` is a text that begins with "at most" or "at least", and its number.
export function report(name, value, unit, target = null) {
    const shown = Number.isInteger(value) ? String(value) : value.toFixed(2);
    console.log(`${name}: ${shown}${unit && ` ${unit}`}${target ? ` (target ${target.join(' ')})` : ''}`);
    if (target) (target[0] === 'at most' ? value <= target[1] : value >= target[1]) ? met.push(name) : missed.push(name);
}

export function notMeasured(name, error) {
    failed.push(name);
    console.log(`${name} could not be measured: ${error.message}`);
}

// A part that cannot be measured is told, and the next one goes on.
export async function part(name, work) {
    console.log(`\n# ${name}`);
    try {
        await work();
    } catch (error) {
        notMeasured(name, error);
    }
}

export function percentile(list, share) {
    const sorted = [...list].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
export const median = (list) => percentile(list, 0.5);

// The last lines; the exit status.
export function summary() {
    console.log('\n# summary');
    console.log(`targets met: ${met.join('; ') || 'none'}`);
    console.log(`targets missed: ${missed.join('; ') || 'none'}`);
    if (failed.length) console.log(`not measured: ${failed.join('; ')}`);
    return failed.length ? 1 : 0;
}
