/** The version of GitLab whose API this is; clients choose their calls by it. The revision tells it from a GitLab. */
export const apiVersion = { version: '18.2.0', revision: 'flagfall' } as const;
