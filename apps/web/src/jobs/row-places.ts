/**
 * Where the rows of a long list stand. All are of one height, but for those that were found to be higher; those are in a tree of sums
 * (P. M. Fenwick, 1994), so that a list of a hundred thousand is set up at once, and places are found in a few steps.
 */
export class RowPlaces {
  readonly #height: number;
  #count = 0;
  #sums = new Float64Array(1);

  /** @param height of a row, in pixels */
  constructor(height: number) {
    this.#height = height;
  }

  /** Begins anew with a number of rows, all of the same height. */
  reset(count: number): void {
    this.#count = count;
    this.#sums = new Float64Array(count + 1);
  }

  /** Of all rows, in pixels. */
  get total(): number {
    return this.top(this.#count);
  }

  /** Where a row begins, in pixels. */
  top(row: number): number {
    let extra = 0;
    for (let at = row; at > 0; at -= at & -at) extra += this.#sums[at] ?? 0;
    return row * this.#height + extra;
  }

  /**
   * A row was measured.
   * @returns by how many pixels it is higher than was known
   */
  measured(row: number, height: number): number {
    const grown = height - (this.top(row + 1) - this.top(row));
    if (grown === 0) return 0;
    for (let at = row + 1; at <= this.#count; at += at & -at) this.#sums[at] = (this.#sums[at] ?? 0) + grown;
    return grown;
  }

  /** The row at a place, in pixels from the top; the last one for what is below. */
  rowAt(place: number): number {
    let row = 0;
    let top = 0;
    for (let step = 2 ** Math.floor(Math.log2(Math.max(1, this.#count))); step >= 1; step /= 2) {
      const next = top + step * this.#height + (this.#sums[row + step] ?? 0);
      if (row + step > this.#count || next > place) continue;
      row += step;
      top = next;
    }
    return Math.max(0, Math.min(row, this.#count - 1));
  }
}
