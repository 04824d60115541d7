import type { MessageProperties } from 'amqplib';
import fc from 'fast-check';
import { decode, encode, peek } from './cloud-events.js';
import type { Message } from './message.js';

const installation = 'i-1';
const type = 'thing.happened.v1';
const expected = { installation, type, validate: () => [] };

const messages = fc.array(
  fc.record(
    {
      id: fc.uuid(),
      type: fc.constant(type),
      source: fc.constant('/gateway'),
      time: fc.constant('2026-01-01T00:00:00.000Z'),
      subject: fc.string(),
      correlationId: fc.string(),
      traceparent: fc.string(),
      // -0 is the one number that JSON does not keep.
      data: fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown),
    },
    { requiredKeys: ['id', 'type', 'source', 'time', 'data'] },
  ),
  { maxLength: 450 },
);

const properties = (envelope: { properties: object }): MessageProperties => envelope.properties as MessageProperties;

describe('events in AMQP messages', () => {
  it('arrive as they were sent, in order, whatever is in them', () => {
    fc.assert(
      fc.property(messages, (sent) => {
        const envelopes = encode(sent, installation);
        const decoded = envelopes.map((envelope) => decode(envelope.content, properties(envelope), expected));
        expect(decoded.flatMap(({ undecodable }) => undecodable)).toEqual([]);
        expect(decoded.flatMap((one) => one.messages)).toEqual(sent);
        expect(envelopes.flatMap(({ ids }) => ids)).toEqual(sent.map(({ id }) => id));
        expect(envelopes.flatMap((envelope) => peek(envelope.content, properties(envelope)))).toEqual(sent);
      }),
      { numRuns: 50 },
    );
  });

  it('that are hostile never make decoding throw', () => {
    const contentType = fc.constantFrom('application/json', 'application/cloudevents-batch+json', undefined);
    const hostile = fc.oneof(fc.json(), fc.string());
    fc.assert(
      fc.property(hostile, contentType, (text, kind) => {
        const amqp = { contentType: kind, headers: { installation } } as unknown as MessageProperties;
        expect(decode(Buffer.from(text), amqp, expected).messages).toEqual([]);
        expect(peek(Buffer.from(text), amqp)).toEqual([]);
      }),
    );
  });

  it('are split at 200 events and at 256 KiB, and one that is larger goes alone', () => {
    const event = (data: unknown): Message => ({ id: 'x', type, source: '/', time: 't', data });
    const sizes = (data: unknown[]): number[] => encode(data.map(event), installation).map(({ ids }) => ids.length);
    expect(sizes(Array.from({ length: 401 }, (_, n) => n))).toEqual([200, 200, 1]);
    const kib = (count: number): string => 'x'.repeat(count * 1024);
    expect(sizes([kib(100), kib(100), kib(100), kib(500), kib(1)])).toEqual([2, 1, 1, 1]);
    expect(sizes([])).toEqual([]);
  });
});
