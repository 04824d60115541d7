import { isImageName, registryConfiguration, serviceNames } from './docker-words.js';

test.each([
  ['alpine', true],
  ['registry.example:5000/group/app:1.2@sha256:abc', true],
  ['--privileged', false],
  ['-v', false],
  ['a b', false],
  ['', false],
])('%j names an image: %s', (name, expected) => {
  expect(isImageName(name)).toBe(expected);
});

test.each([
  ['postgres:16', '', ['postgres']],
  ['postgres:16', 'db, main', ['db', 'main', 'postgres']],
  ['tutum/wordpress', '', ['tutum__wordpress', 'tutum-wordpress']],
  ['registry.example:5000/group/app:1', '', ['registry.example__group__app', 'registry.example-group-app']],
  ['mysql@sha256:abc', '-x', ['mysql']],
])('the service %j with the alias %j is reached as %j', (image, alias, expected) => {
  expect(serviceNames(image, alias)).toEqual(expected);
});

test('credentials of the coordinator and of DOCKER_AUTH_CONFIG, of which only auths count', () => {
  const given = [{ url: 'registry.example', username: 'u', password: 'p' }];
  const own = JSON.stringify({
    auths: { 'other.example': { auth: 'eDp5' } },
    credsStore: 'evil',
    credHelpers: { x: 'evil' },
  });
  expect(JSON.parse(registryConfiguration(given, own)!)).toEqual({
    auths: { 'registry.example': { auth: 'dTpw' }, 'other.example': { auth: 'eDp5' } },
  });
  expect(registryConfiguration([], '')).toBeUndefined();
  expect(registryConfiguration([], 'no json')).toBeUndefined();
});
