import { LiveStream, Places } from './live-stream.js';

/** One project that tabs look at. */
interface Watched {
  stream: LiveStream;
  ports: Set<MessagePort>;
}

/** The tabs of a browser have one stream for each project, and no more than this of all. */
const places = new Places(3);
const watched = new Map<number, Watched>();

/** A tab that says the number of a project hears what happens there, until it says null. */
function connect(port: MessagePort): void {
  let projectId: number | null = null;
  const leave = (): void => {
    const former = projectId === null ? undefined : watched.get(projectId);
    former?.ports.delete(port);
    if (former?.ports.size === 0) {
      former.stream.close();
      watched.delete(projectId as number);
    }
    projectId = null;
  };
  port.addEventListener('message', ({ data }: MessageEvent<number | null>) => {
    leave();
    projectId = data;
    if (projectId === null) return;
    const known = watched.get(projectId);
    if (known) {
      known.ports.add(port);
      // What happened between the tab's first read and now.
      port.postMessage({ kind: 'reset' });
      return;
    }
    const ports = new Set([port]);
    const stream = new LiveStream(projectId, places, (event) => {
      for (const each of ports) each.postMessage(event);
    });
    watched.set(projectId, { stream, ports });
  });
  // Newer browsers tell of tabs that went without a word.
  port.addEventListener('close', leave);
  port.start();
}

addEventListener('connect', (event) => {
  for (const port of (event as MessageEvent).ports) connect(port);
});
