import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const ticksPerSecond = 100;

/** Seconds of CPU that a process has used so far, in the program and in the kernel. */
export function secondsOf(pid) {
  return ticks(pid, 14);
}

/** The same of its children that have ended and been waited for. */
export function secondsOfChildren(pid) {
  return ticks(pid, 16);
}

/**
 * Of the PostgreSQL backends that work in a database, also of those that have ended since somebody last looked.
 * @param seen what each had used then, by process id; kept here
 */
export function secondsOfDatabase(name, seen) {
  for (const pid of processes()) {
    const title = commandLine(pid);
    if (title.startsWith('postgres: ') && title.includes(` ${name} `)) seen.set(pid, secondsOf(pid));
  }
  return [...seen.values()].reduce((sum, one) => sum + one, 0);
}

/** The process that listens on a port of this machine; undefined where there is none, or where one may not know. */
export function listenerOn(port) {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const sockets = new Set(
    ['tcp', 'tcp6']
      .flatMap((table) => readFileSync(`/proc/net/${table}`, 'utf8').split('\n').slice(1))
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local, , state]) => state === '0A' && local.endsWith(`:${hex}`))
      .map((fields) => `socket:[${fields[9]}]`),
  );
  return processes().find((pid) => openFiles(pid).some((file) => sockets.has(file)));
}

function processes() {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
}

/** Processes come and go, and not every one may be looked into. */
function orElse(otherwise, read) {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

function commandLine(pid) {
  return orElse('', () => readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
}

function openFiles(pid) {
  return orElse([], () => readdirSync(`/proc/${pid}/fd`)).map((file) =>
    orElse('', () => readlinkSync(`/proc/${pid}/fd/${file}`)),
  );
}

/** Two neighbouring fields of /proc/<pid>/stat (proc(5)), counted behind the command's name. */
function ticks(pid, field) {
  const text = orElse('', () => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[field - 3] ?? 0) + Number(fields[field - 2] ?? 0)) / ticksPerSecond;
}
