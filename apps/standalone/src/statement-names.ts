const [parse, bind, describe, close, statement] = [...'PBDCS'].map((letter) => letter.charCodeAt(0));

/** Type and length of a message of the PostgreSQL wire protocol come before its contents. */
const head = 5;

/** A statement prepared by a client has a name of the client's own; this is what it is called in the session that all share. */
function shared(client: number, name: string): string {
  return `${client}:${name}`;
}

/**
 * A message with the statement it names, if it names one, renamed to one that no other client has: Parse, Bind, Describe and Close carry
 * names, all other messages pass unchanged.
 */
export function renameStatement(client: number, message: Uint8Array): Uint8Array {
  const start = startOfName(message);
  if (start === undefined) return message;
  const end = message.indexOf(0, start);
  if (end <= start) return message; // The statement without a name lasts no longer than its client's turn.
  const name = Buffer.from(shared(client, Buffer.from(message.subarray(start, end)).toString()));
  const renamed = Buffer.concat([message.subarray(0, start), name, message.subarray(end)]);
  renamed.writeInt32BE(renamed.length - 1, 1);
  return renamed;
}

/** The name that a client gives to a statement with this message; undefined where it gives none. */
export function preparedName(message: Uint8Array): string | undefined {
  if (message[0] !== parse) return undefined;
  return Buffer.from(message.subarray(head, message.indexOf(0, head))).toString() || undefined;
}

/** The message that gives up a client's statement. */
export function closeStatement(client: number, name: string): Uint8Array {
  const text = Buffer.from(`S${shared(client, name)}\0`);
  const length = Buffer.alloc(4);
  length.writeInt32BE(text.length + 4);
  return Buffer.concat([Buffer.from('C'), length, text]);
}

function startOfName(message: Uint8Array): number | undefined {
  const type = message[0];
  if (type === parse) return head;
  // Bind names a portal first.
  if (type === bind) return message.indexOf(0, head) + 1;
  if ((type === describe || type === close) && message[head] === statement) return head + 1;
  return undefined;
}
