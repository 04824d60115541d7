import { closeStatement, preparedName, renameStatement } from './statement-names.js';

function message(type: string, contents: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(Buffer.byteLength(contents) + 4);
  return Buffer.concat([Buffer.from(type), length, Buffer.from(contents)]);
}

describe('renameStatement', () => {
  it.each([
    ['Parse', message('P', 'mine\0select 1\0\0\0'), message('P', '7:mine\0select 1\0\0\0')],
    ['Bind', message('B', 'portal\0mine\0\0\0\0\0\0\0'), message('B', 'portal\x007:mine\0\0\0\0\0\0\0')],
    ['Bind to the portal without a name', message('B', '\0mine\0\0\0'), message('B', '\x007:mine\0\0\0')],
    ['Describe of a statement', message('D', 'Smine\0'), message('D', 'S7:mine\0')],
    ['Close of a statement', message('C', 'Smine\0'), message('C', 'S7:mine\0')],
    ['a name beyond ASCII', message('P', 'größe\0select 1\0\0\0'), message('P', '7:größe\0select 1\0\0\0')],
  ])('renames in %s', (_, given, expected) => {
    expect(Buffer.from(renameStatement(7, given))).toEqual(expected);
  });

  it.each([
    ['Parse without a name', message('P', '\0select 1\0\0\0')],
    ['Bind without a name', message('B', '\0\0\0\0\0\0\0\0')],
    ['Describe of a portal', message('D', 'Pmine\0')],
    ['Close of a portal', message('C', 'Pmine\0')],
    ['Query', message('Q', 'mine\0')],
    ['Sync', message('S', '')],
    ['a startup message', Buffer.from('\0\0\0\x08\0\x03\0\0', 'latin1')],
  ])('leaves %s as it is', (_, given) => {
    expect(renameStatement(7, given)).toBe(given);
  });
});

it('knows what a client has prepared, and how to give it up', () => {
  expect(preparedName(message('P', 'mine\0select 1\0\0\0'))).toBe('mine');
  expect(preparedName(message('P', '\0select 1\0\0\0'))).toBeUndefined();
  expect(preparedName(message('Q', 'mine\0'))).toBeUndefined();
  expect(Buffer.from(closeStatement(7, 'mine'))).toEqual(message('C', 'S7:mine\0'));
});
