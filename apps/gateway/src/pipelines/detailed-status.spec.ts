import { statuses } from '#libs/contracts';
import { detailedStatus } from './detailed-status.js';

describe('detailedStatus', () => {
  it('has the keys of GitLab, in order', () => {
    expect(Object.keys(detailedStatus('running', false, '/a'))).toEqual(
      'icon text label group tooltip has_details details_path illustration favicon'.split(' '),
    );
  });

  it('tells a success with warnings', () => {
    expect(detailedStatus('success', true, '/a')).toMatchObject({
      icon: 'status_warning',
      label: 'passed with warnings',
    });
    expect(detailedStatus('failed', true, '/a')).toMatchObject({ text: 'Failed' });
  });

  it.each(statuses)('knows %s', (status) => {
    expect(detailedStatus(status, false, '/a').label).toBeTruthy();
  });
});
