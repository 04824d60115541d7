/** Who may import whom: the table in ARCHITECTURE.md, so that breaking it breaks the build. */
const only = (name, comment, from, allowed) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from, pathNot: '\\.spec\\.ts$|/testing/' },
  to: { path: '^(apps|libs|node_modules)/', pathNot: [from, ...allowed] },
});

const nodeModules = (...packages) => `^node_modules/(${packages.join('|')})/`;

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Files that need each other are one file, or miss a third.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-unresolved',
      comment: 'An import that leads nowhere.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'apps-do-not-import-apps',
      comment:
        'Services talk by messages. Only the one that composes all of them imports them, and the one that compares their schemas.',
      severity: 'error',
      from: { path: '^apps/([^/]+)/', pathNot: '^apps/(standalone|doctor|e2e)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'libs-do-not-import-apps',
      comment: 'Libraries are what apps stand on.',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '^apps/' },
    },
    {
      name: 'libs-by-their-door',
      comment: 'A library is imported through its index (#libs/name); what that does not export is its own business.',
      severity: 'error',
      from: { path: '^(apps|libs)/([^/]+)/' },
      to: { path: '^libs/', pathNot: ['^libs/$2/', '^libs/[^/]+/src/index\\.ts$', '/testing/'] },
    },
    {
      name: 'tests-stay-out',
      comment: 'What only tests need is not shipped.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '\\.spec\\.ts$|/testing/|^apps/e2e/' },
      to: { path: '\\.spec\\.ts$|/testing/' },
    },
    {
      name: 'dependencies-only',
      comment: 'A package that the running system needs is a dependency, not a devDependency.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '\\.spec\\.ts$|/testing/|^apps/(e2e|web)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg'], dependencyTypesNot: ['type-only'] },
    },
    only('contracts', 'contracts → class-validator', '^libs/contracts/', [
      nodeModules('class-validator', 'class-transformer', 'reflect-metadata'),
    ]),
    only('ci-config', 'ci-config, pure: the YAML parser and RE2', '^libs/ci-config/', [
      nodeModules('js-yaml', 're2js'),
    ]),
    only('messaging', 'messaging → contracts; the only one that knows RabbitMQ', '^libs/messaging/', [
      '^libs/contracts/',
      nodeModules('amqplib', '@types/amqplib', '@nestjs', 'rxjs', 'pino', 'reflect-metadata'),
    ]),
    only(
      'persistence',
      'persistence → messaging → contracts; the only one that configures TypeORM',
      '^libs/persistence/',
      [
        '^libs/(messaging|contracts)/',
        nodeModules('typeorm', 'pg', '@types/pg', '@nestjs', 'pino', 'reflect-metadata'),
      ],
    ),
    {
      name: 'only-messaging-knows-rabbitmq',
      comment: 'Everything else sees the bus.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '^libs/messaging/|\\.spec\\.ts$|/testing/|^apps/e2e/' },
      to: { path: '^node_modules/(amqplib|@types/amqplib)/' },
    },
    {
      name: 'ci-config-is-an-island',
      comment: 'Compiling is the pipeline service’s business.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '^apps/(pipeline-service|standalone)/|^libs/ci-config/' },
      to: { path: '^libs/ci-config/' },
    },
    {
      name: 'the-runner-speaks-http',
      comment: 'It works against any coordinator, so it knows nothing of ours.',
      severity: 'error',
      from: { path: '^apps/runner/' },
      to: { path: '^libs/(messaging|persistence|ci-config)/' },
    },
    {
      name: 'the-pages-speak-http',
      comment: 'They know the API of the gateway and nothing else of ours.',
      severity: 'error',
      from: { path: '^apps/web/' },
      to: { path: '^(apps/(?!web/)|libs/)' },
    },
    {
      name: 'ci-config-does-no-io',
      comment: 'Text and context in, a plan or problems out.',
      severity: 'error',
      from: { path: '^libs/ci-config/', pathNot: '\\.spec\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'pure-files',
      comment: 'Decisions take values and return values: no framework, no database, no I/O.',
      severity: 'error',
      from: { path: '\\.(status|policy)\\.ts$|/scheduling\\.ts$' },
      to: { path: '^node_modules/|^libs/(messaging|persistence)/', dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
