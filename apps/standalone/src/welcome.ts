import type { Demo } from './demo.js';

/** What `npm start` says when everything is up: where the page is, and a line to paste. */
export function welcome(externalUrl: string, rootTokenFile: string, demo: Demo | undefined): string {
  const lines = [
    '',
    'Flagfall is running.',
    '',
    `  Page            ${externalUrl}/`,
    `  Root's token    in ${rootTokenFile}`,
  ];
  if (demo) {
    lines.push(
      `  Project         ${demo.path} (id ${demo.projectId}), read from ${demo.repository}`,
      '',
      'Start a pipeline:',
      '',
      `  curl --request POST --form token=${demo.triggerToken} --form ref=${demo.ref} ${externalUrl}/api/v4/projects/${demo.projectId}/trigger/pipeline`,
    );
  }
  lines.push('', 'Ctrl-C stops it.', '');
  return lines.join('\n');
}
