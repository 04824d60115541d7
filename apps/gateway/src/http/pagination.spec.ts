import { keysetHeaders, type LinkBase, paginationHeaders } from './pagination.js';

const base: LinkBase = {
  externalUrl: 'https://ci.example.com:8443',
  path: '/api/v4/projects/grp%2Fp/triggers',
  parameters: { id: 'grp/p' },
};
const link = (page: number, perPage: number, relation: string) =>
  `<https://ci.example.com:8443/api/v4/projects/grp%2Fp/triggers?id=grp%2Fp&page=${page}&per_page=${perPage}>; rel="${relation}"`;

it.each([
  // page, per page, total → next, previous, total, pages, relations
  [1, 20, 0, '', '', '0', '1', ['first 1', 'last 1']],
  [1, 20, 20, '', '', '20', '1', ['first 1', 'last 1']],
  [1, 20, 21, '2', '', '21', '2', ['next 2', 'first 1', 'last 2']],
  [2, 20, 21, '', '1', '21', '2', ['prev 1', 'first 1', 'last 2']],
  [2, 10, 30, '3', '1', '30', '3', ['prev 1', 'next 3', 'first 1', 'last 3']],
  [9, 10, 30, '', '', '30', '3', ['first 1', 'last 3']],
  [1, 100, 10_000, '2', '', '10000', '100', ['next 2', 'first 1', 'last 100']],
])('page %i of %i each, %i in all', (page, perPage, total, next, previous, counted, pages, relations) => {
  expect(paginationHeaders({ page, perPage }, { total }, base)).toEqual({
    'X-Per-Page': String(perPage),
    'X-Page': String(page),
    'X-Next-Page': next,
    'X-Prev-Page': previous,
    'X-Total': counted,
    'X-Total-Pages': pages,
    Link: relations
      .map((each) => each.split(' '))
      .map(([relation = '', to]) => link(Number(to), perPage, relation))
      .join(', '),
  });
});

it('leaves totals and the last page out above 10,000', () => {
  const headers = paginationHeaders({ page: 1, perPage: 20 }, { total: 10_001 }, base);
  expect(Object.keys(headers)).toEqual(['X-Per-Page', 'X-Page', 'X-Next-Page', 'X-Prev-Page', 'Link']);
  expect(headers['Link']).toBe(`${link(2, 20, 'next')}, ${link(1, 20, 'first')}`);
});

it.each([
  [true, '3', `${link(1, 20, 'prev')}, ${link(3, 20, 'next')}, ${link(1, 20, 'first')}`],
  [false, '', `${link(1, 20, 'prev')}, ${link(1, 20, 'first')}`],
])('without a count, more to come: %s', (more, next, links) => {
  expect(paginationHeaders({ page: 2, perPage: 20 }, { more }, base)).toEqual({
    'X-Per-Page': '20',
    'X-Page': '2',
    'X-Next-Page': next,
    'X-Prev-Page': '1',
    Link: links,
  });
});

it('repeats what was asked for, but no credentials', () => {
  const parameters = {
    scope: ['failed', 'success'],
    private_token: 'a',
    access_token: 'b',
    token: 'c',
    job_token: 'd',
    filter: { environment_scope: '*' },
    name: 'ä & b',
    page: '7',
    nothing: null,
  };
  const { Link = '' } = paginationHeaders({ page: 1, perPage: 20 }, { total: 0 }, { ...base, parameters });
  expect(new URL(Link.slice(1, Link.indexOf('>'))).searchParams.toString()).toBe(
    new URLSearchParams([
      ['filter[environment_scope]', '*'],
      ['name', 'ä & b'],
      ['nothing', ''],
      ['page', '1'],
      ['per_page', '20'],
      ['scope[]', 'failed'],
      ['scope[]', 'success'],
    ]).toString(),
  );
});

it('a keyset listing links to what follows, and on its last page to nothing', () => {
  const asked = { ...base, parameters: { id: '9', pagination: 'keyset', per_page: '2', cursor: 'old' } };
  expect(keysetHeaders(2, 'new', asked)).toEqual({
    Link: '<https://ci.example.com:8443/api/v4/projects/grp%2Fp/triggers?cursor=new&id=9&pagination=keyset&per_page=2>; rel="next"',
  });
  expect(keysetHeaders(2, undefined, asked)).toEqual({});
});
