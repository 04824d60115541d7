import { parseCommit, parseTagMessage } from './commit-object.js';

const object = (...lines: string[]) => Buffer.from(lines.join('\n'));

describe('parseCommit', () => {
  it('tells who, when, parents and the message, past a signature of many lines', () => {
    const commit = object(
      'tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904',
      'parent 1111111111111111111111111111111111111111',
      'parent 2222222222222222222222222222222222222222',
      'author Ada <Augusta> Löve <ada@example.com> 1632121572 +0300',
      'committer C <c@example.com> 1632121573 -0130',
      'gpgsig -----BEGIN PGP SIGNATURE-----',
      ' ',
      ' parent 3333333333333333333333333333333333333333',
      ' -----END PGP SIGNATURE-----',
      '',
      'Subject',
      '',
      'parent of all',
      '',
    );
    expect(parseCommit('abc', commit)).toMatchObject({
      sha: 'abc',
      parentIds: ['1111111111111111111111111111111111111111', '2222222222222222222222222222222222222222'],
      message: 'Subject\n\nparent of all\n',
      authorName: 'Ada',
      committerName: 'C',
      committerEmail: 'c@example.com',
      committedAt: '2021-09-20T07:06:13.000Z',
    });
  });

  it.each([
    ['A <a@x> 1632121572 +0300', { authorName: 'A', authorEmail: 'a@x', authoredAt: '2021-09-20T07:06:12.000Z' }],
    ['Jürgen Ü <a@x> 0 +0000', { authorName: 'Jürgen Ü', authoredAt: '1970-01-01T00:00:00.000Z' }],
    [' <> 1 +0000', { authorName: '', authorEmail: '', authoredAt: '1970-01-01T00:00:01.000Z' }],
    ['A <a@x> 99999999999999999999 +0000', { authorName: 'A', authoredAt: '1970-01-01T00:00:00.000Z' }],
    ['A <a@x> 1632121572 +9999', { authoredAt: '2021-09-20T07:06:12.000Z' }],
    ['A <a@x>', { authorName: 'A', authorEmail: 'a@x', authoredAt: '1970-01-01T00:00:00.000Z' }],
    ['nonsense', { authorName: '', authorEmail: '', authoredAt: '1970-01-01T00:00:00.000Z' }],
  ])('reads the author %j', (author, expected) => {
    expect(parseCommit('abc', object('tree x', `author ${author}`, '', 'm'))).toMatchObject(expected);
  });

  it('reads the encoding that the commit names, or UTF-8', () => {
    const latin = (encoding: string) =>
      parseCommit('abc', Buffer.concat([Buffer.from(`encoding ${encoding}\n\n`), Buffer.from('Grün', 'latin1')]))
        .message;
    expect(latin('ISO-8859-1')).toBe('Grün');
    expect(latin('no-such')).toBe('Gr\ufffdn');
  });

  it('leaves out what no database keeps', () => {
    expect(parseCommit('abc', object('author A\0da <a@x> 1 +0000', '', 'a\0b'))).toMatchObject({
      authorName: 'Ada',
      message: 'ab',
    });
  });

  it('takes no time for what nobody is called', () => {
    const began = performance.now();
    parseCommit('abc', object(`author ${'<'.repeat(300_000)} 1 +0000`, `committer ${' <'.repeat(150_000)}`, '', ''));
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  it('reads a commit without anything', () => {
    expect(parseCommit('abc', object('tree x', ''))).toMatchObject({ message: '', parentIds: [], authorName: '' });
  });
});

describe('parseTagMessage', () => {
  it.each([
    ['One\n\nTwo\n', 'One\n\nTwo'],
    ['Signed\n-----BEGIN PGP SIGNATURE-----\nx\n-----END PGP SIGNATURE-----\n', 'Signed'],
    ['Signed\n-----BEGIN SSH SIGNATURE-----\nx\n-----END SSH SIGNATURE-----\n', 'Signed'],
    ['About -----BEGIN PGP SIGNATURE-----\n', 'About -----BEGIN PGP SIGNATURE-----'],
    ['', ''],
  ])('%j', (text, message) => {
    expect(parseTagMessage(object('object x', 'type commit', 'tag v1', '', text))).toBe(message);
  });
});
