import { mergedYaml, noFiles, parseConfig, type ParsedConfig } from './index.js';
import { filesOf } from './testing/contexts.js';

const problemsOf = (parsed: ParsedConfig) => (parsed.ok ? [] : parsed.problems.map(({ message }) => message));
/** First problem of a file. */
const firstOf = (text: string) => problemsOf(parseConfig(text, noFiles))[0];
/** First problem of a job with these keys. */
const firstOfJob = (keys: string) => firstOf(`Build_X: {script: [a], ${keys}}`);

// ci-config.md §7, first table.
describe('faults of keywords', () => {
  test.each([
    ['Build X: {stage: test}', 'jobs build_x config should implement the script:, run:, or trigger: keyword'],
    ['x: text', 'jobs x config should implement the script:, run:, or trigger: keyword'],
    ['.x: {script: a}', 'jobs config should contain at least one visible job'],
    ['stages: [a]', 'jobs config should contain at least one visible job'],
    ['spec: {}\nx: {script: a}', 'root config contains unknown keys: spec'],
    ['default: {foo: 1}\nx: {script: a}', 'default config contains unknown keys: foo'],
    ['x: {script: []}', "jobs:x script can't be blank"],
    ['x: {script: ~}', "jobs:x script can't be blank"],
    ['x: {script: [yes]}', 'jobs:x:script config should be a string or a nested array of strings up to 10 levels deep'],
    ['x: {script: [1]}', 'jobs:x:script config should be a string or a nested array of strings up to 10 levels deep'],
    ['x: {needs: [y]}', 'jobs:x config should contain either a trigger or a needs:pipeline'],
    ['x: {script: a, trigger: b}', 'jobs:x config these keys cannot be used together: script, trigger'],
    [`${'x'.repeat(256)}: {script: a}`, `jobs:${'x'.repeat(256)} name is too long (maximum is 255 characters)`],
    [
      'x: {script: a, rules: [{if: $A}], only: [b], except: [c]}',
      'jobs:x config key may not be used with `rules`: only, except',
    ],
    ['variables: [a]\nx: {script: a}', 'variables config should be a hash'],
    ['variables: {x: {foo: 1}}\nx: {script: a}', 'variables:x config uses invalid data keys: foo'],
    ['variables: {x: [a]}\nx: {script: a}', 'variable definition must be either a string or a hash'],
    ['variables: {x: {value: a, options: [b]}}\nx: {script: a}', 'variables:x config value must be present in options'],
    [
      'stages: a\nx: {script: a}',
      'stages config should be an array of strings or a nested array of strings up to 10 levels deep',
    ],
    ['workflow: {foo: 1}\nx: {script: a}', 'workflow config contains unknown keys: foo'],
    ['workflow: {rules: [{when: manual}]}\nx: {script: a}', 'workflow:rules:rule when unknown value: manual'],
    ['image: a\ndefault: {image: b}\nx: {script: a}', 'image is defined in top-level and `default:` entry'],
    ['true: {script: a}', 'jobs:true name should be a text: put it in quotes'],
    ['[a]', 'Invalid configuration format'],
    ['', 'Please provide content of .gitlab-ci.yml'],
    ['# nothing', 'Invalid configuration format'],
  ])('%s', (text, expected) => expect(firstOf(text)).toBe(expected));

  test.each([
    ['foo: 1, bar: 2', 'jobs:build_x config contains unknown keys: foo, bar'],
    ['when: never', 'jobs:build_x when should be one of: on_success, on_failure, always, manual, delayed'],
    ['only: main', 'jobs:build_x:only has to be either an array of conditions or a hash'],
    ['only: [1]', 'jobs:build_x:only config should be an array of strings or regular expressions using re2 syntax'],
    [
      'only: ["/(?=a)/"]',
      'jobs:build_x:only config should be an array of strings or regular expressions using re2 syntax',
    ],
    ['only: {foo: 1}', 'jobs:build_x:only config contains unknown keys: foo'],
    ['only: {variables: ["$A =="]}', 'jobs:build_x:only variables invalid expression syntax'],
    ['rules: []', "jobs:build_x:rules config can't be blank"],
    ['rules: a', 'jobs:build_x rules should be an array containing hashes and arrays of hashes'],
    ['rules: [a]', 'jobs:build_x rules should be an array containing hashes and arrays of hashes'],
    ['rules: [{foo: 1}]', 'jobs:build_x:rules:rule config contains unknown keys: foo'],
    ['rules: [{when: always}, {if: "$A =~ /a/"}]', 'jobs:build_x:rules:rule if invalid expression syntax'],
    ['rules: [{if: ""}]', 'jobs:build_x:rules:rule if invalid expression syntax'],
    ['rules: [{when: foo}]', 'jobs:build_x:rules:rule when unknown value: foo'],
    ['rules: [{start_in: 1 day}]', 'jobs:build_x:rules:rule config contains disallowed keys: start_in'],
    ['rules: [{when: delayed, start_in: soon}]', 'jobs:build_x:rules:rule start in should be a duration'],
    ['when: delayed', 'jobs:build_x start in should be a duration'],
    ['when: delayed, start_in: 2 weeks', 'jobs:build_x start in should not exceed the limit'],
    ['start_in: 1 day', 'jobs:build_x start in must be blank'],
    ['allow_failure: maybe', 'jobs:build_x allow failure should be a hash or a boolean value'],
    ['parallel: a', 'jobs:build_x:parallel should be an integer or a hash'],
    ['parallel: 201', 'jobs:build_x:parallel config must be less than or equal to 200'],
    [
      `parallel: {matrix: [{A: [${Array.from({ length: 201 }, (_, i) => i).join(', ')}]}]}`,
      'jobs:build_x:parallel:matrix config generates too many jobs (maximum is 200)',
    ],
    [
      'parallel: {matrix: [{A: 3.9}]}',
      'jobs:build_x:parallel:matrix:matrix config should be a hash of key value pairs, value can be an array',
    ],
    ['retry: 3', 'jobs:build_x:retry config must be less than or equal to 2'],
    ['retry: {max: 3}', 'jobs:build_x:retry max must be less than or equal to 2'],
    ['retry: {when: [foo]}', 'jobs:build_x:retry when contains unknown values: foo'],
    ['retry: {when: foo}', 'jobs:build_x:retry when is not included in the list'],
    ['needs: a', 'jobs:build_x:needs config can only be a hash or an array'],
    ['needs: [1]', 'jobs:build_x:needs:need has an unsupported type'],
    ['needs: [{job: a, parallel: 3}]', 'jobs:build_x:needs:need cannot use "parallel: <number>".'],
    ['needs: [c], dependencies: [a, b]', 'jobs:build_x dependencies the a, b should be part of needs'],
    ['tags: docker', 'jobs:build_x:tags config should be an array of strings'],
    [
      `tags: [${Array.from({ length: 50 }, (_, i) => `t${i}`).join(', ')}]`,
      'jobs:build_x:tags config must be less than the limit of 50 tags',
    ],
    ['timeout: 3600', 'jobs:build_x:timeout config should be a duration'],
    ['timeout: 2 months', 'jobs:build_x:timeout config should not exceed the limit'],
    ['stage: 1', 'jobs:build_x:stage config should be a string'],
    ['image: 1', 'jobs:build_x:image config should be a hash or a string'],
    ['image: {foo: a}', 'jobs:build_x:image config contains unknown keys: foo'],
    ['extends: 1', 'jobs:build_x extends should be an array of strings or a string'],
    ['coverage: text', 'jobs:build_x:coverage config must be a regular expression'],
    [
      'environment: {name: a, action: go}',
      'jobs:build_x:environment action should be start, stop, prepare, verify, or access',
    ],
    ['artifacts: {when: never}', 'jobs:build_x:artifacts when should be one of: on_success, on_failure, always'],
    ['cache: text', 'jobs:build_x:cache config should be a hash or an array of hashes'],
  ])('%s', (keys, expected) => expect(firstOfJob(keys)).toBe(expected));
});

test('49 tags are accepted', () =>
  expect(firstOfJob(`tags: [${Array.from({ length: 49 }, (_, i) => `t${i}`).join(', ')}]`)).toBeUndefined());

describe('what GitLab knows and this server does not do', () => {
  test.each([
    ['include: https://x/y.yml\nx: {script: a}', '`include:remote` is not supported by this server (https://x/y.yml)'],
    ['include: {template: T.yml}\nx: {script: a}', '`include:template` is not supported by this server (T.yml)'],
    ['include: {project: g/p, file: a.yml}\nx: {script: a}', '`include:project` is not supported by this server (g/p)'],
    ['include: {component: c@1}\nx: {script: a}', '`include:component` is not supported by this server (c@1)'],
    ['spec: {include: [a.yml]}\n---\nx: {script: a}', '`spec:include` is not supported by this server'],
    [
      'x: {trigger: {include: {template: T.yml}}}',
      '`trigger:include:template` is not supported by this server (T.yml)',
    ],
    ['Deploy: {script: a, secrets: {A: {}}}', 'jobs:Deploy secrets is not supported by this server'],
    ['x: {script: a, id_tokens: {A: {aud: b}}}', 'jobs:x id_tokens is not supported by this server'],
    [
      'x: {script: a, needs: [{project: g/p, job: j, ref: main}]}',
      'jobs:x:needs:need:project is not supported by this server',
    ],
    ['x: {run: [{name: a}]}', 'jobs:x run is not supported by this server'],
  ])('%s', (text, expected) => expect(firstOf(text)).toBe(expected));

  test('a header without inputs is fine', () => expect(firstOf('spec: {}\n---\nx: {script: a}')).toBeUndefined());
  test('a second document without a header is not', () =>
    expect(firstOf('x: {script: a}\n---\ny: {script: a}')).toBe(
      'Only one document is allowed, or two when the first one has the key `spec`',
    ));
});

// ci-config.md §7, second table.
describe('faults between jobs', () => {
  test.each([
    [
      'X: {script: a, stage: foo}',
      'X job: chosen stage foo does not exist; available stages are .pre, build, test, deploy, .post',
    ],
    ['x: {script: a, dependencies: [y]}', 'x job: undefined dependency: y'],
    ['x: {script: a, needs: [y]}', 'x job: undefined need: y'],
    [
      'x: {script: a, needs: [y]}\ny: {script: a, stage: deploy}',
      'x job: need y is not defined in current or prior stages',
    ],
    [
      'x: {script: a, dependencies: [y]}\ny: {script: a, stage: deploy}',
      'x job: dependency y is not defined in current or prior stages',
    ],
    ['x: {script: a, rules: [{if: $A, needs: [y]}]}', 'x job: undefined need: y'],
    [
      `x: {script: a, needs: [${'y'.repeat(256)}]}`,
      `x job: need \`${'y'.repeat(256)}\` name is too long (maximum is 255 characters)`,
    ],
    ['x: {script: a, needs: [y, y]}\ny: {script: a}', 'x has the following needs duplicated: y.'],
    [
      'a: {script: a, needs: [b]}\nb: {script: a, needs: [a]}',
      'The pipeline has circular dependencies: topological sort failed: ["a", "b"]',
    ],
    ['a: {script: a, needs: [a]}', 'The pipeline has circular dependencies: self-dependency: a'],
    ['x: {script: a, environment: {name: e, on_stop: y}}', 'x job: on_stop job y is not defined'],
    [
      'x: {script: a, environment: {name: e, on_stop: y}}\ny: {script: a}',
      'x job: on_stop job y does not have environment defined',
    ],
    [
      'x: {script: a, environment: {name: e, on_stop: y}}\ny: {script: a, environment: {name: f, action: stop}}',
      'x job: on_stop job y have different environment name',
    ],
    [
      'x: {script: a, environment: {name: e, on_stop: y}}\ny: {script: a, environment: e}',
      'x job: on_stop job y needs to have action stop defined',
    ],
  ])('%s', (text, expected) => expect(firstOf(text)).toBe(expected));

  test('an optional need may be undefined', () =>
    expect(firstOf('x: {script: a, needs: [{job: y, optional: true}]}')).toBeUndefined());
});

test('all faults of keywords come together, each with its line and path', () => {
  const parsed = parseConfig(
    'a:\n  script: x\n  foo: 1\nb:\n  script: x\n  rules:\n    - if: $A\n    - if: $A ==\n',
    noFiles,
  );
  expect(parsed.ok ? [] : parsed.problems).toEqual([
    { message: 'jobs:a config contains unknown keys: foo', path: ['a', 'foo'], line: 3 },
    { message: 'jobs:b:rules:rule if invalid expression syntax', path: ['b', 'rules', '1', 'if'], line: 8 },
  ]);
});

test('no more than a thousand faults are told', () => {
  const parsed = parseConfig(
    Array.from({ length: 5_000 }, (_, index) => `j${index}: {script: a, foo: 1, when: never, retry: 9}`).join('\n'),
    noFiles,
  );
  expect(problemsOf(parsed)).toHaveLength(1_000);
});

test('syntax errors tell the line', () => {
  const parsed = parseConfig('a:\n  script: x: y\n', noFiles);
  expect(parsed.ok ? [] : parsed.problems).toMatchObject([
    { message: expect.stringMatching(/ at line 2 column \d+$/) as string, line: 2 },
  ]);
});

describe('extends (ci-config.md §5.4)', () => {
  const merged = (text: string) => mergedYaml(parseConfig(text, noFiles));
  test.each([
    [
      'maps merge, lists are replaced',
      '.b: {script: [x], variables: {A: 1, B: 2}}\nj: {extends: .b, script: [z], variables: {B: 3, C: 4}}',
      'j:\n  script:\n    - z\n  variables:\n    A: 1\n    B: 3\n    C: 4\n',
    ],
    ['a list replaces a map', '.b: {only: {refs: [m]}}\nj: {extends: .b, only: [t], script: x}', 'only:\n    - t\n'],
    [
      'null replaces',
      '.b: {rules: [{if: $A}], variables: {A: 1}}\nj: {extends: .b, rules: ~, variables: ~, script: x}',
      'rules: null\n  variables: null\n',
    ],
    [
      'several bases, the later one wins',
      '.a: {image: k1, variables: {x: 1, y: 1}}\n.b: {image: k2, variables: {x: 2}}\nj: {extends: [.a, .b], script: x}',
      "j:\n  image: k2\n  variables:\n    x: 2\n    'y': 1\n",
    ],
  ])('%s', (_, text, part) => expect(merged(text)).toContain(part));

  const chain = (length: number) =>
    [
      '.j0: {script: x}',
      ...Array.from({ length }, (_, i) => `${i + 1 === length ? 'j' : `.j${i + 1}`}: {extends: .j${i}}`),
    ].join('\n');
  test.each([
    ['an unknown base', 'j: {extends: .nope, script: x}', 'j: unknown keys in `extends` (.nope)'],
    ['a base that is no map', '.a: [x]\nj: {extends: .a, script: x}', 'j: invalid base hashes in `extends` (.a)'],
    ['a circle', 'a: {extends: b}\nb: {extends: a}', 'a: circular dependency detected in `extends`'],
    ['itself', 'a: {extends: a}', 'a: circular dependency detected in `extends`'],
    ['a chain of 11', chain(11), undefined],
    [
      'a variable called extends',
      'variables: {extends: a}\nx: {script: a}',
      'variables: unknown keys in `extends` (a)',
    ],
  ])('%s', (_, text, expected) => expect(firstOf(text)).toBe(expected));
  test('a chain of 12', () => expect(firstOf(chain(12))).toMatch(/nesting too deep in `extends`$/));
  test('extends wide and deep does not multiply the work', () => {
    const layers = Array.from({ length: 11 }, (_, layer) =>
      Array.from({ length: 20 }, (__, i) =>
        layer === 0
          ? `.l0x${i}: {script: x}`
          : `.l${layer}x${i}: {extends: [${Array.from({ length: 20 }, (___, k) => `.l${layer - 1}x${k}`).join(', ')}]}`,
      ).join('\n'),
    ).join('\n');
    expect(firstOf(`${layers}\nj: {extends: .l10x0}`)).toBeUndefined();
  });
});

describe('!reference (ci-config.md §5.5)', () => {
  test.each([
    ['an absent target', 'x: {script: [!reference [a, b]]}', '!reference ["a", "b"] could not be found'],
    [
      'a null target',
      'a: {b: ~, script: x}\nx: {script: [!reference [a, b]]}',
      '!reference ["a", "b"] could not be found',
    ],
    [
      'a circle',
      '.a: {b: [!reference [.a, b]]}\nx: {script: !reference [.a, b]}',
      '!reference [".a", "b"] is part of a circular chain',
    ],
    ['flattened in scripts', '.a: {script: [x, [y]]}\nx: {script: [!reference [.a, script], z]}', undefined],
    ['the list of a hidden job as rules', '.r: [{if: $A}]\nx: {script: a, rules: !reference [.r]}', undefined],
    [
      'not flattened elsewhere',
      '.t: [a]\nx: {script: a, tags: [!reference [.t]]}',
      'jobs:x:tags config should be an array of strings',
    ],
  ])('%s', (_, text, expected) => expect(firstOf(text)).toBe(expected));

  test('references that double are refused by their size', () => {
    const doubling = Array.from({ length: 60 }, (_, i) => `.r${i + 1}: [!reference [.r${i}], !reference [.r${i}]]`);
    expect(firstOf(`.r0: [x]\n${doubling.join('\n')}\nx: {script: !reference [.r40]}`)).toBe(
      'The parsed YAML is too big',
    );
  });
});

describe('include (ci-config.md §5.3)', () => {
  const first = (text: string, files: Record<string, string>) => problemsOf(parseConfig(text, filesOf(files)))[0];
  test.each<[string, string, Record<string, string>, string | undefined]>([
    ['absent', 'include: a.yml\nx: {script: a}', {}, 'Local file `a.yml` does not exist!'],
    ['empty', 'include: /a.yml\nx: {script: a}', { 'a.yml': ' ' }, 'Local file `a.yml` is empty!'],
    [
      'another extension',
      'include: a.txt\nx: {script: a}',
      { 'a.txt': 'a: b' },
      'Included file `a.txt` does not have YAML extension!',
    ],
    [
      'a list',
      'include: a.yml\nx: {script: a}',
      { 'a.yml': '[a]' },
      'Included file `a.yml` does not have valid YAML syntax!',
    ],
    ['a number', 'include: [1]\nx: {script: a}', {}, 'Each include must be a hash or a string'],
    [
      'two kinds',
      'include: {local: a.yml, remote: b}\nx: {script: a}',
      {},
      'Each include must use only one of: `local`, `project`, `remote`, `template`, `artifact`, `component`',
    ],
    [
      'itself',
      'include: a.yml\nx: {script: a}',
      { 'a.yml': 'include: a.yml' },
      'Maximum of 150 nested includes are allowed!',
    ],
    ['a wildcard without matches', 'include: ci/*.yml\nx: {script: a}', {}, undefined],
  ])('%s', (_, text, files, expected) => expect(first(text, files)).toBe(expected));

  test('a syntax error names the file', () =>
    expect(first('include: a.yml\nx: {script: a}', { 'a.yml': 'a: b: c' })).toMatch(
      /^`a\.yml`: \(<unknown>\): .* at line 1 column \d+$/,
    ));

  test('whether the result may be kept', () => {
    const files = filesOf(
      { 'a.yml': '.a: {script: x}', 'b.yml': '.b: {script: x}' },
      { variables: [{ key: 'F', value: 'b' }] },
    );
    expect(parseConfig('include: a.yml\nx: {script: a}', files)).toMatchObject({
      includes: [{ type: 'local', location: 'a.yml' }],
      cacheable: true,
    });
    expect(parseConfig('include: $F.yml\nx: {script: a}', files)).toMatchObject({
      includes: [{ type: 'local', location: 'b.yml' }],
      cacheable: false,
    });
    expect(parseConfig('include: {local: a.yml, rules: [{if: $F == "c"}]}\nx: {script: a}', files)).toMatchObject({
      includes: [],
      cacheable: false,
    });
    expect(parseConfig('include: "*.yml"\nx: {script: a}', files)).toMatchObject({
      includes: [
        { type: 'local', location: 'a.yml' },
        { type: 'local', location: 'b.yml' },
      ],
      cacheable: false,
    });
  });

  test('files that have not been read yet are asked for, one level at a time', () => {
    const read = new Map<string, string>();
    const files = filesOf({}, { readFile: (path) => read.get(path) });
    const wanted = () => {
      const parsed = parseConfig('include: [a.yml, b.yml]\nx: {extends: .c}', files);
      return parsed.ok ? 'ok' : parsed.wanted?.files;
    };
    expect(wanted()).toEqual(['a.yml', 'b.yml']);
    read.set('a.yml', 'include: c.yml').set('b.yml', '.b: {}');
    expect(wanted()).toEqual(['c.yml']);
    read.set('c.yml', '.c: {script: x}');
    expect(wanted()).toBe('ok');
  });

  test('files of other projects are asked for with their project and ref', () => {
    const opened = new Map<string, Map<string, string>>();
    const files = filesOf(
      {},
      {
        openProject: (project, ref) => {
          const texts = opened.get(`${project}@${ref}`);
          return texts && { readFile: (path) => texts.get(path), listFiles: () => undefined };
        },
      },
    );
    const wanted = () => {
      const parsed = parseConfig(
        'include: [{project: g/lib, file: [a.yml, b.yml]}, {project: g/lib, ref: v1, file: c.yml}]\nx: {script: a}',
        files,
      );
      return parsed.ok ? 'ok' : parsed.wanted;
    };
    const ofHead = { project: 'g/lib', ref: null, fileList: false };
    const ofTag = { project: 'g/lib', ref: 'v1', files: ['c.yml'], fileList: false };
    expect(wanted()).toEqual({
      files: [],
      fileList: false,
      projects: [{ ...ofHead, files: ['a.yml', 'b.yml'] }, ofTag],
    });
    opened.set('g/lib@null', new Map([['a.yml', 'include: parts/*.yml']]));
    expect(wanted()).toEqual({
      files: [],
      fileList: false,
      projects: [{ ...ofHead, fileList: true, files: ['b.yml'] }, ofTag],
    });
    opened
      .set(
        'g/lib@null',
        new Map([
          ['a.yml', '.a: {}'],
          ['b.yml', '.b: {}'],
        ]),
      )
      .set('g/lib@v1', new Map([['c.yml', '.c: {}']]));
    expect(wanted()).toBe('ok');
  });

  test('inputs decide too whether a result is the same', () => {
    const text = 'spec: {inputs: {a: {default: x}}}\n---\nx: {script: "$[[ inputs.a ]]"}';
    expect(parseConfig(text, noFiles)).toMatchObject({ ok: true, cacheable: true });
    expect(parseConfig(text, { ...noFiles, inputs: { a: 'y' } })).toMatchObject({ ok: true, cacheable: true });
    const expanding = text.replace('inputs.a ', 'inputs.a | expand_vars ').replace('default: x', 'default: $V');
    expect(parseConfig(expanding, noFiles)).toMatchObject({ ok: true, cacheable: false });
  });

  test('inputs that grow without end are refused by their size', () => {
    const text = `spec: {inputs: {l: {type: array}}}\n---\nx: {script: [${Array.from({ length: 20_000 }, () => '"$[[ inputs.l ]]"').join(', ')}]}`;
    const parsed = parseConfig(text, { ...noFiles, inputs: { l: Array.from({ length: 20_000 }, () => 'x') } });
    expect(problemsOf(parsed)).toEqual(['The parsed YAML is too big']);
  });
});
