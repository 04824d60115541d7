import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  type Extent,
  keysetHeaders,
  mostPerPage,
  paginationHeaders,
  type PageWish,
  usualPerPage,
} from './pagination.js';
import { IntegerParameter } from './parameter.decorators.js';
import { documentParameters } from './parameters.decorator.js';
import { readParameters } from './read-parameters.js';
import { requestParameters } from './request-parameters.js';

/** The parameters of every paginated list (trigger-api.md §0.4). */
class PageParameters {
  @IntegerParameter({ description: 'Counts from 1', example: 1 })
  page?: number | null;

  @IntegerParameter({ description: `Entries on a page, ${mostPerPage} at most`, example: usualPerPage })
  per_page?: number | null;
}

/** One page of a list: what part is wanted, and the way to answer with it. */
export class Page implements PageWish {
  constructor(
    readonly page: number,
    readonly perPage: number,
    private readonly request: FastifyRequest,
    private readonly reply: FastifyReply,
    private readonly externalUrl: string,
  ) {}

  /** Rows before this page. */
  get offset(): number {
    return (this.page - 1) * this.perPage;
  }

  /** Sets the pagination headers and hands the items back, for the handler to return. */
  answer<Item>(items: Item[], extent: Extent): Item[] {
    void this.reply.headers(paginationHeaders(this, extent, this.#base()));
    return items;
  }

  /** The same for a keyset listing; without a cursor this is the last page. */
  answerKeyset<Item>(items: Item[], cursor: string | undefined): Item[] {
    void this.reply.headers(keysetHeaders(this.perPage, cursor, this.#base()));
    return items;
  }

  #base() {
    const [path = '/'] = (this.request.originalUrl ?? '/').split('?');
    return { externalUrl: this.externalUrl, path, parameters: requestParameters(this.request) };
  }
}

const injectPage = createParamDecorator((_: unknown, context: ExecutionContext) => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  const { page, per_page } = readParameters(PageParameters, requestParameters(request));
  return new Page(
    Math.max(1, page ?? 1),
    Math.min(mostPerPage, Math.max(1, per_page ?? usualPerPage)),
    request,
    context.switchToHttp().getResponse<FastifyReply>(),
    request.server.externalUrl,
  );
});

/** Gives a handler the `Page` that the caller asks for with `page` and `per_page`. */
export function RequestedPage(): ParameterDecorator {
  return (target, method, index) => {
    if (method !== undefined) documentParameters(target, method, PageParameters);
    injectPage()(target, method, index);
  };
}
