import { generateScript, quote } from './script.js';

const source = { variables: [], filePath: (key: string) => `/tmp/${key}`, cwd: '/builds/app', debugTrace: false };

test('one script: exports, directory, modes, each entry printed and run', () => {
  const variables = [
    { key: 'A', value: "it's $HOME", file: false },
    { key: 'F', value: 'content', file: true },
    { key: 'not a name', value: 'x', file: false },
  ];
  const text = generateScript({ ...source, variables, lines: ['make all', '  cat <<END\ntext\nEND\n'] });
  expect(text.replaceAll('\x1b', '<ESC>')).toBe(`export A='it'\\''s $HOME'
export F='/tmp/F'
cd -- '/builds/app' || exit 1
if [ -n "\${BASH_VERSION:-}" ]; then set -o pipefail; elif (set -o pipefail) 2>/dev/null; then set -o pipefail; fi
set -e
set +C
command printf '%s\\n' '<ESC>[32;1m$ make all<ESC>[0;m'
make all
command printf '%s\\n' '<ESC>[32;1m$ cat <<END # collapsed multi-line command<ESC>[0;m'
cat <<END
text
END
exit 0
`);
});

test('CI_DEBUG_TRACE prints every command', () => {
  expect(generateScript({ ...source, lines: [], debugTrace: true })).toContain('\nset -x\n');
});

test.each(["a'b", '$(id)', '`id`', 'a\nb', '', '\\', '--', "'; rm -rf /; '"])('%j is one word', (text) => {
  // In single quotes nothing is special but the quote itself, which stands outside, escaped.
  const inside = quote(text).split(`'\\''`);
  expect(inside.join("'")).toBe(`'${text}'`);
});
