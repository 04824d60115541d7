import { IsInt, Max, Min } from 'class-validator';
import { Request } from './request.js';

/** One page of a list, and how long the whole list is (trigger-api.md §0.4). */
export interface Page<Item> {
  items: Item[];
  total: number;
}

/** Asks for one page of a list. */
export abstract class PageRequest<Item> extends Request<Page<Item>> {
  @IsInt() @Min(1) page!: number;
  @IsInt() @Min(1) @Max(100) perPage!: number;
}
