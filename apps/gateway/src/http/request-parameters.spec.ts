import fc from 'fast-check';
import { countMarks, parseJson, parseMultipart } from './request-body.js';
import { mergeParameters, parseQuery } from './request-parameters.js';

/** `read`, or the status of the refusal. */
function statusOf(act: () => unknown): string {
  try {
    act();
    return 'read';
  } catch (error) {
    return String((error as { status?: number }).status);
  }
}

describe('merging (trigger-api.md §0.2)', () => {
  it.each<[string, Record<string, unknown>, unknown, object, string]>([
    ['query < body < path', { ref: 'q', a: 1 }, { ref: 'b', b: 2 }, { ref: 'p' }, '{"ref":"p","a":1,"b":2}'],
    ['a name keeps its place', { z: 1, a: 1 }, { a: 2, m: 3 }, { z: 4, id: '42' }, '{"z":4,"a":2,"m":3,"id":"42"}'],
    ['the verified example', {}, { token: 't', ref: 'master' }, { id: '42' }, '{"token":"t","ref":"master","id":"42"}'],
    [
      'maps are replaced, not merged',
      { variables: { A: '1' } },
      { variables: { B: '2' } },
      {},
      '{"variables":{"B":"2"}}',
    ],
    ['no body', { a: 1 }, undefined, { id: '1' }, '{"a":1,"id":"1"}'],
    ['null', { a: 1 }, null, {}, '{"a":1}'],
    ['a list', { a: 1 }, [1, 2], {}, '{"a":1}'],
    ['a text', { a: 1 }, 'text', {}, '{"a":1}'],
    ['bytes', { a: 1 }, Buffer.from('x'), {}, '{"a":1}'],
  ])('%s', (_, query, body, path, merged) => {
    expect(JSON.stringify(mergeParameters(query, body, path))).toBe(merged);
  });

  it('has no prototype', () => {
    expect(mergeParameters({}, {}, {})['constructor']).toBeUndefined();
  });

  it.each([
    ['a\0', 'x', 'a is invalid'],
    ['a', 'x\0', 'a contains a NUL character'],
    ['a', { b: ['x\0'] }, 'a contains a NUL character'],
    ['a', { 'b\0': 1 }, 'a is invalid'],
    ['a', ['x', '\ud83d'], 'a is not valid Unicode'],
    ['a', { '\ude42': 1 }, 'a is invalid'],
    ['a', JSON.parse('{"__proto__":1}') as object, 'a is invalid'],
    ['__proto__', 'x', '__proto__ is invalid'],
  ])('refuses %j: %j', (name, value, error) => {
    const body = Object.fromEntries([[name, value]]);
    expect(() => mergeParameters({}, body, {})).toThrow(expect.objectContaining({ status: 400, body: { error } }));
  });
});

it('leaves whole characters outside the basic plane alone', () => {
  expect(mergeParameters({}, { a: '🙂' }, {})).toEqual({ a: '🙂' });
});

it('a part of a multipart form may name an encoding of its own', async () => {
  const part = 'Content-Disposition: form-data; name="v"\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\n\xe9';
  const body = Buffer.from(`--X\r\n${part}\r\n--X--`, 'latin1');
  expect(await parseMultipart(body, 'multipart/form-data; boundary=X')).toEqual({ v: 'é' });
});

it('reads any query without failing otherwise than with a 400', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(statusOf(() => parseQuery(`/path?${text}`))).toMatch(/^(?:read|400)$/);
    }),
  );
});

describe('multipart', () => {
  const type = 'multipart/form-data; boundary=X';
  const field = (name: string, value: string) =>
    `--X\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;

  it('keeps line breaks, quotes and other alphabets, and whatever follows the form', async () => {
    const value = 'a\r\nb "c" é 漢 --X';
    const body = Buffer.from(`preamble\r\n${field('v[A]', value)}${field('empty', '')}--X--\r\nepilogue`);
    expect(await parseMultipart(body, type)).toEqual({ v: { A: value }, empty: '' });
  });

  it('keeps long values whole', async () => {
    const value = 'v'.repeat(3_000_000);
    expect(await parseMultipart(Buffer.from(`${field('v', value)}--X--`), type)).toEqual({ v: value });
  });

  it('refuses more parts than parameters are allowed', async () => {
    const body = Buffer.from(`${Array.from({ length: 4097 }, (_, index) => field(`v[${index}]`, '')).join('')}--X--`);
    await expect(parseMultipart(body, type)).rejects.toMatchObject({
      body: { error: 'There are more than 4096 parameters' },
    });
  });

  it('always comes to an end, whatever the bytes are', async () => {
    const piece = fc.constantFrom(
      '--X',
      '--X--',
      '\r\n',
      '\n',
      'Content-Disposition: form-data; name="a"',
      '; filename="b"',
      ' ',
      '\0',
      'a',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 30 }), async (pieces) => {
        const outcome = await parseMultipart(Buffer.from(pieces.join('')), type).then(
          () => 'read',
          (error: { status?: number }) => String(error.status),
        );
        expect(outcome).toMatch(/^(?:read|400)$/);
      }),
    );
  });
});

it('JSON that is broken is refused without quoting it', () => {
  expect(() => parseJson(Buffer.from('{"token":"glptt-secret",}'))).toThrow(
    expect.objectContaining({ status: 400, body: { error: 'The request body is not valid JSON' } }),
  );
});

describe('what JSON takes beside its bytes', () => {
  it.each([
    ['', 0],
    ['"a,b:[{"', 0],
    [String.raw`"\","," , "\"`, 1],
    ['{"a":1,"b":[{},[]]}', 8],
  ])('%s: %i names, values and brackets', (text, marks) => expect(countMarks(Buffer.from(text))).toBe(marks));

  it('has a limit, which only text made for it reaches', () => {
    const row = '{"id":"0123456789abcdef","message":"Add a line","author":{"name":"A","email":"a@example.com"}},';
    expect(countMarks(Buffer.from(row.repeat(Math.floor((16 * 1024 * 1024) / row.length))))).toBeLessThan(2_000_000);
    expect(() => countMarks(Buffer.from('[],'.repeat(1_000_001)))).toThrow(expect.objectContaining({ status: 400 }));
  });
});
