import { readBoolean, readDateTime, readInteger, readMap, readString } from './parameter-values.js';

it.each([
  ['text', 'text'],
  ['', ''],
  [5, '5'],
  [1.5, '1.5'],
  [true, 'true'],
  [['a'], undefined],
  [{ a: 1 }, undefined],
  [null, undefined],
])('text %j', (raw, read) => expect(readString(raw)).toBe(read));

it.each([
  ['12', 12],
  ['-5', -5],
  ['+5', 5],
  [' 7 ', 7],
  [7, 7],
  ['007', 7],
  ['9007199254740993', Number.MAX_SAFE_INTEGER],
  ['99999999999999999999', Number.MAX_SAFE_INTEGER],
  ['-99999999999999999999', -Number.MAX_SAFE_INTEGER],
  [1e300, Number.MAX_SAFE_INTEGER],
  [Infinity, undefined],
  ['1.0', undefined],
  [1.5, undefined],
  ['1e3', undefined],
  ['0x10', undefined],
  ['abc', undefined],
  ['', undefined],
  [true, undefined],
  [['1'], undefined],
])('integer %j', (raw, read) => expect(readInteger(raw)).toBe(read));

it.each(['true', 'True', 'TRUE', 't', 'T', '1', 'on', 'yes', 'y', 1, true])('%j is true', (raw) => {
  expect(readBoolean(raw)).toBe(true);
});
it.each(['false', 'False', 'FALSE', 'f', 'F', '0', 'off', 'no', 'n', 0, false])('%j is false', (raw) => {
  expect(readBoolean(raw)).toBe(false);
});
it.each(['maybe', '', '2', 2, [], {}, 'truee', null])('%j is neither', (raw) => {
  expect(readBoolean(raw)).toBeUndefined();
});

it.each([
  ['2030-01-31', '2030-01-31T00:00:00.000Z'],
  ['2030-01-31T10:20:30Z', '2030-01-31T10:20:30.000Z'],
  ['2030-01-31T10:20:30.5Z', '2030-01-31T10:20:30.500Z'],
  ['2030-01-31T10:20:30.123456789Z', '2030-01-31T10:20:30.123Z'],
  ['2030-01-31T10:20:30+02:00', '2030-01-31T08:20:30.000Z'],
  ['2030-01-31T10:20:30-0530', '2030-01-31T15:50:30.000Z'],
  ['2030-01-31T10:20:30+02', '2030-01-31T08:20:30.000Z'],
  ['2030-01-31T10:20', '2030-01-31T10:20:00.000Z'],
  ['2030-01-31 10:20:30 +0200'.replace(' +', '+'), '2030-01-31T08:20:30.000Z'],
  ['2024-02-29', '2024-02-29T00:00:00.000Z'],
])('time %s', (raw, read) => expect(readDateTime(raw)?.toISOString()).toBe(read));

it.each([
  'abc',
  '01/01/2050',
  '25/26/27',
  '2308',
  '',
  '2030-13-01',
  '2030-02-30',
  '2023-02-29',
  '2030-01-31T25:00:00Z',
  '2030-01-31T10:20:30+99:00',
  '0000-01-01',
  '0001-01-01T00:00:00+01:00',
  '9999-12-31T23:59:59-01:00',
  'Tue, 01 Jan 2030 00:00:00 GMT',
  1893456000,
  null,
])('%j is no time', (raw) => expect(readDateTime(raw)).toBeUndefined());

it.each([
  [{ a: 1 }, true],
  [{}, true],
  [[], false],
  ['a', false],
  [null, false],
  [1, false],
])('map %j: %s', (raw, is) => {
  expect(readMap(raw) !== undefined).toBe(is);
});
