import { safeAddress } from './environment-faults.js';

it.each([
  ['https://review.example.com/a?b=c', true],
  ['exp://u.expo.dev/1', true],
  ['javascript:alert(1)', false],
  [' JavaScript:alert(1)', false],
  ['java\tscript:alert(1)', false],
  ['data:text/html,<script>alert(1)</script>', false],
  ['review.example.com', false],
  ['', false],
])('%p can be followed: %p', (address, safe) => expect(safeAddress(address)).toBe(safe ? address : null));
