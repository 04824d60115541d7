import { readFileSync } from 'node:fs';
import { RUNNER_VERSION } from './version.js';

test("the runner's version is the package's", () => {
  expect(RUNNER_VERSION).toBe(JSON.parse(readFileSync('package.json', 'utf8')).version);
});
