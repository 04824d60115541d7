/** One way to use a trigger, ready to be pasted. */
export interface Example {
  title: string;
  /** Where it goes. */
  hint: string;
  code: string;
}

/**
 * Ready-made calls of one project's trigger endpoint (the seed document's, with the project filled in).
 *
 * @param origin scheme and host of this installation, without a slash at the end
 * @param ref the project's default branch
 */
export function triggerExamples(origin: string, projectId: number, ref: string): Example[] {
  const endpoint = `${origin}/api/v4/projects/${projectId}`;
  return [
    {
      title: 'cURL, form',
      hint: 'From a shell or a script. Replace TOKEN with the trigger token.',
      code: `curl --request POST \\
  --form token=TOKEN \\
  --form ref=${ref} \\
  --form "variables[UPLOAD_TO_S3]=true" \\
  ${endpoint}/trigger/pipeline`,
    },
    {
      title: 'cURL, query string',
      hint: 'Everything in the URL; proxies may write it into their logs, the token too.',
      code: `curl --request POST "${endpoint}/trigger/pipeline?token=TOKEN&ref=${encodeURIComponent(ref)}"`,
    },
    {
      title: '.gitlab-ci.yml of another project',
      hint: 'Keep the token in a variable there, masked: TRIGGER_TOKEN.',
      code: `trigger_pipeline:
  stage: deploy
  only:
    - tags
  script:
    - 'curl --fail --request POST --form token="$TRIGGER_TOKEN" --form ref=${ref} ${endpoint}/trigger/pipeline'`,
    },
    {
      title: 'Webhook',
      hint: 'For the push events of another project. The body reaches the jobs as the file variable TRIGGER_PAYLOAD.',
      code: `${endpoint}/ref/${encodeURIComponent(ref)}/trigger/pipeline?token=TOKEN`,
    },
    {
      title: 'cron',
      hint: 'Every night at 00:30.',
      code: `30 0 * * * curl --silent --fail --request POST --form token=TOKEN --form ref=${ref} ${endpoint}/trigger/pipeline`,
    },
  ];
}
