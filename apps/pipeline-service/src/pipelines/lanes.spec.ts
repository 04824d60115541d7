import { Lanes } from './lanes.js';

describe('Lanes', () => {
  it('gives a project at most half of the places', () => {
    const lanes = new Lanes(8);
    const entered = [1, 2, 3, 4, 5].map(() => lanes.enter(1, 0));
    expect(entered.map(Boolean)).toEqual([true, true, true, true, false]);
    expect(lanes.enter(2, 0)).toBeTruthy();
  });

  it('gives a slow project next to none', () => {
    const lanes = new Lanes(32, 250);
    expect(lanes.enter(1, 0)).toBeTruthy();
    expect(lanes.enter(1, 251)).toBeTruthy();
    expect(lanes.enter(1, 252)).toBeNull();
    expect(lanes.enter(2, 252)).toBeTruthy();
  });

  it('gives the place back', () => {
    const lanes = new Lanes(2);
    const leave = lanes.enter(1, 0);
    expect(lanes.enter(1, 0)).toBeNull();
    leave?.();
    expect(lanes.enter(1, 0)).toBeTruthy();
  });
});
