import { environmentSlug } from './environment-slug.js';

// Rows of GitLab's own tests.
it.each([
  ['staging-12345678901234567', 'staging-123456789-q517sa'],
  ['9-staging-123456789012345', 'env-9-staging-123-q517sa'],
  ['staging-1234567890123456', 'staging-1234567890123456'],
  ['staging-1234567890123456-', 'staging-123456789-q517sa'],
  ['production', 'production'],
  ['PRODUCTION', 'production-q517sa'],
  ['review/1-foo', 'review-1-foo-q517sa'],
  ['1-foo', 'env-1-foo-q517sa'],
  ['1/foo', 'env-1-foo-q517sa'],
  ['foo-', 'foo'],
  ['foo--bar', 'foo-bar-q517sa'],
  ['foo**bar', 'foo-bar-q517sa'],
  ['*-foo', 'env-foo-q517sa'],
  ['staging-12345678-', 'staging-12345678'],
])('the slug of %s', (name, like) => {
  const slug = environmentSlug(name);
  expect(slug).toMatch(new RegExp(`^${like.replace('q517sa', '[a-z0-9]{6}')}$`));
  expect(slug.length).toBeLessThanOrEqual(24);
});

it('tells names apart that look alike as slugs', () => {
  expect(environmentSlug('review/a')).not.toBe(environmentSlug('review-A'));
});
