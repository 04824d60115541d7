import { readString } from './parameter-values.js';
import type { SentParameters } from './request-parameters.js';

/** Which part of a list is wanted; both count from 1. */
export interface PageWish {
  page: number;
  perPage: number;
}

export const usualPerPage = 20;
export const mostPerPage = 100;

/** Larger collections are not counted for their callers (trigger-api.md §0.4). */
const mostCounted = 10_000;

/** What is known about the whole list: its length, or only whether something follows this page. */
export type Extent = { total: number } | { more: boolean };

/** Never repeated in a link, where they would end up in logs and histories. */
const credentialNames = new Set(['private_token', 'access_token', 'job_token', 'token']);

/** Where the links of an answer point to. */
export interface LinkBase {
  /** Configured, not the socket's; without a slash at the end. */
  externalUrl: string;
  /** Path of the request as it was sent. */
  path: string;
  /** All parameters of the request, the path's included: GitLab repeats them too. */
  parameters: SentParameters;
}

/**
 * The headers of one page of a list, GitLab's full set (trigger-api.md §0.4). `Link` names prev, next, first and last in this order, each
 * only where it exists; totals and `last` are left out when the length is unknown or above 10,000.
 */
export function paginationHeaders({ page, perPage }: PageWish, extent: Extent, base: LinkBase): Record<string, string> {
  const counted = 'total' in extent && extent.total <= mostCounted ? extent.total : undefined;
  const pages = 'total' in extent ? Math.max(1, Math.ceil(extent.total / perPage)) : undefined;
  const beyond = pages !== undefined && page > pages;
  const next = ('more' in extent ? extent.more : page < (pages ?? 1)) ? page + 1 : undefined;
  const previous = page > 1 && !beyond ? page - 1 : undefined;
  const link = (to: number, relation: string) =>
    `<${linkTo(base, { page: String(to), per_page: String(perPage) })}>; rel="${relation}"`;
  return {
    'X-Per-Page': String(perPage),
    'X-Page': String(page),
    'X-Next-Page': next === undefined ? '' : String(next),
    'X-Prev-Page': previous === undefined ? '' : String(previous),
    ...(counted === undefined ? {} : { 'X-Total': String(counted), 'X-Total-Pages': String(pages) }),
    Link: [
      ...(previous === undefined ? [] : [link(previous, 'prev')]),
      ...(next === undefined ? [] : [link(next, 'next')]),
      link(1, 'first'),
      ...(counted === undefined ? [] : [link(pages ?? 1, 'last')]),
    ].join(', '),
  };
}

/**
 * The header of one page of a keyset listing: a link to what follows, and nothing on the last page (trigger-api.md §4.5).
 * @param cursor opaque, where the next page starts; undefined on the last page
 */
export function keysetHeaders(perPage: number, cursor: string | undefined, base: LinkBase): Record<string, string> {
  if (cursor === undefined) return {};
  return { Link: `<${linkTo(base, { per_page: String(perPage), cursor })}>; rel="next"` };
}

function linkTo({ externalUrl, path, parameters }: LinkBase, changes: Record<string, string>): string {
  const all = { ...parameters, ...changes };
  const pairs = Object.keys(all)
    .filter((name) => !credentialNames.has(name))
    .sort()
    .flatMap((name) => pairsOf(name, all[name]));
  const query = pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');
  return `${externalUrl}${path}?${query}`;
}

function pairsOf(name: string, value: unknown): [name: string, value: string][] {
  if (Array.isArray(value)) return value.flatMap((item) => pairsOf(`${name}[]`, item));
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([key, item]) => pairsOf(`${name}[${key}]`, item));
  return [[name, readString(value) ?? '']];
}
