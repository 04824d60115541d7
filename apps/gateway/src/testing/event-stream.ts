import { until } from '../../../../libs/messaging/src/testing/until.js';

/** What a page that watches has read so far. */
export interface EventStream {
  status: number;
  headers: Headers;
  /** Everything that came, as it came. */
  readonly text: string;
  /** True once the other side has ended it. */
  readonly ended: boolean;
  /** Waits for a text or pattern; what came up to then is told. */
  reads(expected: string | RegExp): Promise<string>;
  /** The id that a browser would come back with. */
  readonly place: string;
  close(): void;
}

/** Opens a stream as a browser does. @param url of the stream */
export async function openEventStream(url: string, headers: Record<string, string> = {}): Promise<EventStream> {
  const gone = new AbortController();
  const answer = await fetch(url, { headers: { Accept: 'text/event-stream', ...headers }, signal: gone.signal });
  let text = '';
  let ended = false;
  const read = async () => {
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) text += decoder.decode(chunk as Uint8Array, { stream: true });
  };
  read().then(
    () => (ended = true),
    () => (ended = true),
  );
  return {
    status: answer.status,
    headers: answer.headers,
    get text() {
      return text;
    },
    get ended() {
      return ended;
    },
    get place() {
      return [...text.matchAll(/^id: (.+)$/gm)].at(-1)?.[1] ?? '';
    },
    reads: async (expected) => {
      await until(`the stream to bring ${String(expected)}, not only ${text}`, () => text.match(expected) !== null);
      return text;
    },
    close: () => gone.abort(),
  };
}
