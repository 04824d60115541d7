import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { Controller, Delete, Get, Patch, Post, Put, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Needs } from '../access/needs.decorator.js';
import { startTestGateway, type TestGateway } from '../testing/test-gateway.js';
import { Endpoint } from './endpoint.decorator.js';
import { StringMapParameter, StringParameter } from './parameter.decorators.js';
import { AllParameters, Parameters } from './parameters.decorator.js';
import { RequestBody, webhookBodyLimit } from './request-body.decorator.js';

class TriggerParameters {
  @StringParameter({ required: true, blank: false }) ref!: string;
  @StringParameter({ required: true }) token!: string;
  @StringMapParameter() variables?: Record<string, unknown>;
}

@Controller('projects/:id')
@Needs('nothing')
class EchoController {
  @Post(['trigger/pipeline', 'ref/:ref/trigger/pipeline'])
  @RequestBody({ limit: webhookBodyLimit })
  @Endpoint({ summary: 'Echo', success: 201 })
  trigger(@Parameters(TriggerParameters) known: TriggerParameters, @AllParameters() sent: object): object {
    return { known, sent };
  }

  @Put('echo')
  @Endpoint({ summary: 'Echo' })
  put(@AllParameters() sent: object): object {
    return { sent };
  }

  @Delete('echo')
  @Endpoint({ summary: 'Echo' })
  remove(@AllParameters() sent: object): object {
    return { sent };
  }

  @Get('echo')
  @Endpoint({ summary: 'Echo' })
  get(@AllParameters() sent: object): object {
    return { sent };
  }

  @Patch('trace')
  @RequestBody({ as: 'buffer', limit: 2 * 1024 * 1024 })
  @Endpoint({ summary: 'Bytes', success: 202 })
  trace(@Req() request: FastifyRequest): object {
    return { bytes: (request.body as Buffer).toString('hex').slice(0, 40), length: (request.body as Buffer).length };
  }

  @Post('upload')
  @RequestBody({ as: 'stream' })
  @Endpoint({ summary: 'Stream', success: 201 })
  async upload(@Req() request: FastifyRequest): Promise<object> {
    let length = 0;
    for await (const chunk of request.body as AsyncIterable<Buffer>) length += chunk.length;
    return { length };
  }
}

let gateway: TestGateway;
let api: string;

beforeAll(async () => {
  gateway = await startTestGateway([EchoController]);
  api = `${gateway.url}/api/v4/projects`;
});
afterAll(() => gateway.close());

interface Answer {
  status: number;
  text: string;
  headers: Headers;
}

async function send(path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(path.startsWith('http') ? path : `${api}${path}`, { redirect: 'manual', ...init });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

const json = (body: string, method = 'POST'): RequestInit => ({
  method,
  body,
  headers: { 'Content-Type': 'application/json' },
});
const form = (body: string): RequestInit => ({
  method: 'POST',
  body,
  headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
});
function multipart(fields: Record<string, string>): RequestInit {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  return { method: 'POST', body };
}
const raw = (contentType: string, body: string | Buffer): RequestInit => ({
  method: 'POST',
  body,
  headers: { 'Content-Type': contentType },
});

describe('one shape from every form', () => {
  const expected = '{"ref":"main","token":"t","variables":{"A":"1","7":"x"},"id":"42"}';
  const cases: [string, string, RequestInit][] = [
    ['query', '/42/trigger/pipeline?ref=main&token=t&variables[A]=1&variables[7]=x', { method: 'POST' }],
    [
      'encoded query',
      '/42/trigger/pipeline?ref=main&token=t&variables%5BA%5D=1&variables%5B7%5D=x',
      { method: 'POST' },
    ],
    ['urlencoded', '/42/trigger/pipeline', form('ref=main&token=t&variables[A]=1&variables[7]=x')],
    [
      'no content type',
      '/42/trigger/pipeline',
      { method: 'POST', body: Buffer.from('ref=main&token=t&variables[A]=1&variables[7]=x') },
    ],
    [
      'multipart',
      '/42/trigger/pipeline',
      multipart({ ref: 'main', token: 't', 'variables[A]': '1', 'variables[7]': 'x' }),
    ],
    ['JSON', '/42/trigger/pipeline', json('{"ref":"main","token":"t","variables":{"A":"1","7":"x"}}')],
    [
      'JSON with a charset',
      '/42/trigger/pipeline',
      raw('application/json; charset=utf-8', '{"ref":"main","token":"t","variables":{"A":"1","7":"x"}}'),
    ],
    [
      'JSON with a byte order mark',
      '/42/trigger/pipeline',
      json('\uFEFF{"ref":"main","token":"t","variables":{"A":"1","7":"x"}}'),
    ],
    ['query and JSON', '/42/trigger/pipeline?ref=query&token=t', json('{"ref":"main","variables":{"A":"1","7":"x"}}')],
    [
      'query and multipart',
      '/42/trigger/pipeline?ref=main&token=t',
      multipart({ 'variables[A]': '1', 'variables[7]': 'x' }),
    ],
    [
      'path over body over query',
      '/42/ref/main/trigger/pipeline?ref=q&token=t&id=9',
      json('{"ref":"b","variables":{"A":"1","7":"x"}}'),
    ],
  ];
  it.each(cases)('%s', async (_, path, init) => {
    const { status, text } = await send(path, init);
    expect(status).toBe(201);
    const { known, sent } = JSON.parse(text) as { known: object; sent: object };
    expect(sent).toEqual(JSON.parse(expected));
    expect(known).toEqual({ ref: 'main', token: 't', variables: { A: '1', 7: 'x' } });
  });

  it('keeps the order of arrival and puts the path last', async () => {
    const { text } = await send(
      '/42/ref/main/trigger/pipeline?token=t&z=1',
      json('{"object_kind":"push","ref":"b","a":1}'),
    );
    expect(text).toContain('"sent":{"token":"t","z":"1","object_kind":"push","ref":"main","a":1,"id":"42"}');
  });

  it('keeps names that objects usually have', async () => {
    const answer = await send(
      '/42/trigger/pipeline?ref=r&token=t&variables[constructor]=1&variables[toString]=2&hasOwnProperty=3',
      { method: 'POST' },
    );
    expect(JSON.parse(answer.text).sent).toEqual({
      ref: 'r',
      token: 't',
      variables: { constructor: '1', toString: '2' },
      hasOwnProperty: '3',
      id: '42',
    });
  });
});

describe('empty and null bodies', () => {
  it.each([
    ['POST', ''],
    ['PUT', ''],
    ['DELETE', ''],
    ['PUT', 'null'],
    ['DELETE', '{}'],
    ['DELETE', 'null'],
    ['PUT', '[1]'],
    ['PUT', '"text"'],
  ])('%s with a JSON body of %j has no parameters', async (method, body) => {
    const path = method === 'POST' ? '/42/trigger/pipeline?ref=r&token=t' : '/42/echo?ref=r';
    const { status, text } = await send(path, json(body, method));
    expect(status).toBe(method === 'POST' ? 201 : 200);
    expect(JSON.parse(text).sent).toMatchObject({ ref: 'r', id: '42' });
  });

  it('GET with a content type and no body, as python-gitlab sends it', async () => {
    const { status } = await send('/42/echo', { headers: { 'Content-Type': 'application/json' } });
    expect(status).toBe(200);
  });
});

describe('what is refused', () => {
  const long = 'x'.repeat(1024 * 1024 + 1);
  const many = Array.from({ length: 4097 }, () => 'v[]=1').join('&');
  const cases: [string, number, unknown, string, RequestInit][] = [
    ['malformed JSON', 400, 'The request body is not valid JSON', '/42/trigger/pipeline', json('{"token":"secret"')],
    [
      'NUL in JSON',
      400,
      'ref contains a NUL character',
      '/42/trigger/pipeline',
      json('{"ref":"a\\u0000b","token":"t"}'),
    ],
    ['NUL in the query', 400, 'ref contains a NUL character', '/42/trigger/pipeline?ref=a%00', { method: 'POST' }],
    ['NUL in a form', 400, 'ref contains a NUL character', '/42/trigger/pipeline', form('ref=a%00')],
    [
      'NUL in the path',
      400,
      'ref contains a NUL character',
      '/42/ref/a%00b/trigger/pipeline?token=t',
      { method: 'POST' },
    ],
    [
      'bad percent-encoding in the query',
      400,
      'The URL is not properly percent-encoded',
      '/42/trigger/pipeline?token=t&ref=r&variables[A]=100%',
      { method: 'POST' },
    ],
    [
      'no UTF-8 in the query',
      400,
      'The URL is not properly percent-encoded',
      '/42/trigger/pipeline?token=t&ref=%ff',
      { method: 'POST' },
    ],
    [
      'bad percent-encoding in a form',
      400,
      'The request body is not properly percent-encoded',
      '/42/trigger/pipeline',
      form('token=t&ref=r&variables[A]=%zz'),
    ],
    [
      'no UTF-8 in a form',
      400,
      'The request body is not valid UTF-8',
      '/42/trigger/pipeline',
      raw('application/x-www-form-urlencoded', Buffer.from('token=t&ref=\xff', 'latin1')),
    ],
    [
      'no UTF-8 in JSON',
      400,
      'The request body is not valid UTF-8',
      '/42/trigger/pipeline',
      raw('application/json', Buffer.from('{"token":"t","ref":"\xff"}', 'latin1')),
    ],
    [
      'no UTF-8 in a multipart form',
      400,
      'The request body is not valid UTF-8',
      '/42/trigger/pipeline',
      raw(
        'multipart/form-data; boundary=X',
        Buffer.from('--X\r\nContent-Disposition: form-data; name="ref"\r\n\r\n\xff\r\n--X--\r\n', 'latin1'),
      ),
    ],
    [
      'half a character in JSON',
      400,
      'variables is not valid Unicode',
      '/42/trigger/pipeline',
      json('{"token":"t","ref":"r","variables":{"A":"\\ud83d"}}'),
    ],
    [
      'more variables than anybody has',
      400,
      'variables has more than 4096 entries',
      '/42/trigger/pipeline',
      json(
        JSON.stringify({
          token: 't',
          ref: 'r',
          variables: Object.fromEntries(Array.from({ length: 4097 }, (_, index) => [`V${index}`, ''])),
        }),
      ),
    ],
    ['NUL in a key', 400, 'variables is invalid', '/42/trigger/pipeline', form('variables[a%00]=1')],
    ['a prototype, form', 400, 'variables is invalid', '/42/trigger/pipeline', form('variables[__proto__]=1')],
    ['a prototype, JSON', 400, 'a is invalid', '/42/trigger/pipeline', json('{"a":{"b":{"__proto__":{}}}}')],
    ['a prototype, multipart', 400, '__proto__ is invalid', '/42/trigger/pipeline', multipart({ ['__proto__']: '1' })],
    [
      'text and map',
      400,
      'variables is invalid',
      '/42/trigger/pipeline?variables=2&variables[A]=1',
      { method: 'POST' },
    ],
    [
      'a list for a map',
      400,
      'variables is invalid',
      '/42/trigger/pipeline?ref=r&token=t&variables[]=x',
      { method: 'POST' },
    ],
    [
      'a text for a map',
      400,
      'variables is invalid',
      '/42/trigger/pipeline?ref=r&token=t&variables=x',
      { method: 'POST' },
    ],
    ['too many', 400, 'There are more than 4096 parameters', `/42/trigger/pipeline?${many}`, { method: 'POST' }],
    ['too many in a form', 400, 'There are more than 4096 parameters', '/42/trigger/pipeline', form(many)],
    ['too deep', 400, 'a is invalid', `/42/trigger/pipeline?a${'[b]'.repeat(40)}=1`, { method: 'POST' }],
    [
      'too deep JSON',
      400,
      'a is nested too deeply',
      '/42/trigger/pipeline',
      json(`{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`),
    ],
    ['too large', 413, 'The request body is larger than 1048576 bytes', '/42/echo', json(`{"a":"${long}"}`, 'PUT')],
    [
      'another content type',
      415,
      "The provided content-type 'text/plain' is not supported.",
      '/42/trigger/pipeline',
      raw('text/plain', 'ref=r'),
    ],
    [
      'XML',
      415,
      "The provided content-type 'application/xml' is not supported.",
      '/42/trigger/pipeline',
      raw('application/xml', '<a/>'),
    ],
    [
      'no boundary',
      400,
      'The request body is not a valid multipart form',
      '/42/trigger/pipeline',
      raw('multipart/form-data', 'x'),
    ],
    [
      'cut multipart',
      400,
      'The request body is not a valid multipart form',
      '/42/trigger/pipeline',
      raw('multipart/form-data; boundary=X', '--X\r\nContent-Disposition: form-data; name="ref"\r\n\r\nmain'),
    ],
    [
      'garbage as multipart',
      400,
      'The request body is not a valid multipart form',
      '/42/trigger/pipeline',
      raw('multipart/form-data; boundary=X', 'garbage'),
    ],
    [
      'a file',
      400,
      'file is invalid',
      '/42/trigger/pipeline',
      raw(
        'multipart/form-data; boundary=X',
        '--X\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nmain\r\n--X--\r\n',
      ),
    ],
    ['bad escapes in the path', 400, 'The URL is not properly percent-encoded', '/%zz/echo', {}],
    ['nothing', 400, 'ref is missing, ref is empty, token is missing', '/42/trigger/pipeline', { method: 'POST' }],
    ['a blank ref', 400, 'ref is empty', '/42/trigger/pipeline?ref=%20&token=', { method: 'POST' }],
  ];
  it.each(cases)('%s', async (_, status, error, path, init) => {
    const answer = await send(path, init);
    expect(JSON.parse(answer.text)).toEqual({ error });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
  });

  it('a compressed body', async () => {
    const answer = await send('/42/echo', {
      method: 'PUT',
      body: '{}',
      headers: { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' },
    });
    expect(answer.status).toBe(415);
  });

  it('a name of a prototype in the path changes nothing', async () => {
    expect((await send('/__proto__/echo')).status).toBe(200);
    expect(({} as Record<string, unknown>)['ref']).toBeUndefined();
  });
});

it('a webhook of several megabytes passes on the trigger route', async () => {
  const commits = Array.from({ length: 20_000 }, (_, id) => ({ id, message: 'm'.repeat(200) }));
  const body = JSON.stringify({ ref: 'refs/heads/x', commits });
  expect(body.length).toBeGreaterThan(4 * 1024 * 1024);
  const { status, text } = await send('/42/ref/main/trigger/pipeline?token=t', json(body));
  expect(status).toBe(201);
  expect(JSON.parse(text).sent.commits).toHaveLength(20_000);
});

describe('the ref in the URL', () => {
  it.each([
    ['main', 'main'],
    ['feature%2Fx', 'feature/x'],
    ['feature/x', 'feature/x'],
    ['v.1-branch', 'v.1-branch'],
    ['refs%2Fheads%2Fmain', 'refs/heads/main'],
    ['a/trigger/pipeline', 'a/trigger/pipeline'],
    ['a%2Ftrigger%2Fpipeline', 'a/trigger/pipeline'],
    ['a%252Fb', 'a%2Fb'],
    ['a%25b', 'a%b'],
    ['a+b', 'a+b'],
    ['%C3%A9t%C3%A9', 'été'],
    ['x'.repeat(255), 'x'.repeat(255)],
  ])('%s', async (given, ref) => {
    const { status, text } = await send(`/grp%2Fsub%2Fpro%2Ej/ref/${given}/trigger/pipeline?token=t`, {
      method: 'POST',
    });
    expect(status).toBe(201);
    expect(JSON.parse(text).sent).toEqual({ token: 't', id: 'grp/sub/pro.j', ref });
  });

  it('needs the end of the URL', async () => {
    expect((await send('/42/ref/main/trigger?token=t', { method: 'POST' })).status).toBe(404);
    expect((await send('/42/ref//trigger/pipeline?token=t', { method: 'POST' })).status).toBe(404);
  });

  it('does not mind doubled slashes and one at the end', async () => {
    const { status } = await send(`${gateway.url}//api/v4/projects/42/trigger/pipeline/?ref=r&token=t`, {
      method: 'POST',
    });
    expect(status).toBe(201);
  });
});

describe('raw bodies', () => {
  it('are bytes', async () => {
    const answer = await send('/42/trace', {
      method: 'PATCH',
      body: Buffer.from([0xff, 0x00, 0xc3]),
      headers: { 'Content-Type': 'text/plain' },
    });
    expect(answer.status).toBe(202);
    expect(answer.text).toBe('{"bytes":"ff00c3","length":3}');
  });

  it('have the limit of their route', async () => {
    const body = Buffer.alloc(2 * 1024 * 1024);
    expect((await send('/42/trace', { method: 'PATCH', body })).status).toBe(202);
    const answer = await send('/42/trace', { method: 'PATCH', body: Buffer.alloc(body.length + 1) });
    expect(answer.status).toBe(413);
  });

  it('can be streams of any size, without a length', async () => {
    const body = new ReadableStream({
      start(controller) {
        for (let index = 0; index < 40; index++) controller.enqueue(new Uint8Array(100_000));
        controller.close();
      },
    });
    const init = {
      method: 'POST',
      body,
      duplex: 'half',
      headers: { 'Content-Type': 'multipart/form-data; boundary=X' },
    };
    expect((await send('/42/upload', init as RequestInit)).text).toBe('{"length":4000000}');
  });
});

describe('curl', () => {
  const curl = async (...args: string[]) => {
    const { stdout } = await promisify(execFile)('curl', ['--silent', '--max-time', '60', ...args]);
    return stdout;
  };

  it('sends a trigger call as the manual shows it', async () => {
    const answer = await curl(
      '--request',
      'POST',
      '--form',
      'token=TOKEN',
      '--form',
      'ref=main',
      '--form',
      'variables[UPLOAD_TO_S3]=true',
      `${api}/9/trigger/pipeline`,
    );
    expect(JSON.parse(answer).sent).toEqual({
      token: 'TOKEN',
      ref: 'main',
      variables: { UPLOAD_TO_S3: 'true' },
      id: '9',
    });
  });

  it('learns that a file is not wanted', async () => {
    expect(await curl('--form', 'ref=@/etc/hostname', `${api}/9/trigger/pipeline`)).toBe('{"error":"ref is invalid"}');
  });

  it('sends a large body without waiting for 100 Continue for ever', async () => {
    const answer = await curl('--data', `token=t&ref=${'r'.repeat(100_000)}`, `${api}/9/trigger/pipeline`);
    expect(JSON.parse(answer).known.ref).toHaveLength(100_000);
  });
});

describe('broken requests', () => {
  function exchange(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      let received = '';
      const socket = connect(gateway.port, '127.0.0.1', () => socket.write(text));
      socket.setTimeout(60_000, () => reject(new Error(`No answer to ${text}`)));
      socket.on('data', (chunk) => (received += chunk.toString()));
      socket.on('error', reject);
      socket.on('close', () => resolve(received));
    });
  }

  it.each<[name: string, sent: string, status: string, reason?: string]>([
    ['no HTTP at all', 'hello\r\n\r\n', '400 Bad Request'],
    [
      'headers without end',
      `GET / HTTP/1.1\r\nA: ${'a'.repeat(40_000)}\r\n\r\n`,
      '431 Request Header Fields Too Large',
    ],
    [
      'an umlaut in the URL as it is',
      'GET /api/v4/projects/42/echo?name=\xfc HTTP/1.1\r\nHost: a\r\n\r\n',
      '400 Bad Request',
      'The URL is not properly percent-encoded',
    ],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', '400 Bad Request'],
  ])('%s', async (_, text, status, reason = status) => {
    const answer = await exchange(text);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status}\r\n`));
    expect(answer).toContain('X-Content-Type-Options: nosniff\r\nX-Frame-Options: SAMEORIGIN\r\n');
    expect(answer).toContain(`{"error":"${reason}"}`);
  });

  it('a request that ends early hurts nobody', async () => {
    const socket = connect(gateway.port, '127.0.0.1');
    socket.end(
      'POST /api/v4/projects/42/trigger/pipeline HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{',
    );
    await new Promise((resolve) => socket.on('close', resolve).resume());
    expect((await send('/42/echo')).status).toBe(200);
    expect(gateway.logged.filter((line) => line.includes('"level":50'))).toEqual([]);
  });
});
