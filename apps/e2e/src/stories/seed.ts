/**
 * The examples of GitLab's page on triggers, word for word. Its host, its project 9 and its TOKEN stand for what `filledIn` puts in their
 * places.
 */

export const host = 'https://gitlab.example.com';

/** What a reader of the page would put in. */
export function filledIn(
  example: string,
  { url, projectId, token }: { url: string; projectId: number; token: string },
) {
  return example
    .replaceAll(host, url)
    .replaceAll('/projects/9/', `/projects/${projectId}/`)
    .replaceAll('token=TOKEN', `token=${token}`);
}

export const curl = `curl --request POST \\
     --form token=TOKEN \\
     --form ref=master \\
     https://gitlab.example.com/api/v4/projects/9/trigger/pipeline`;

export const curlWithQuery = `curl --request POST \\
    "https://gitlab.example.com/api/v4/projects/9/trigger/pipeline?token=TOKEN&ref=master"`;

export const curlWithVariable = `curl --request POST \\
  --form token=TOKEN \\
  --form ref=master \\
  --form "variables[UPLOAD_TO_S3]=true" \\
  https://gitlab.example.com/api/v4/projects/9/trigger/pipeline`;

export const crontab = `30 0 * * * curl --request POST --form token=TOKEN --form ref=master https://gitlab.example.com/api/v4/projects/9/trigger/pipeline`;

export const webhook = `https://gitlab.example.com/api/v4/projects/9/ref/master/trigger/pipeline?token=TOKEN&variables[UPLOAD_TO_S3]=true`;

/** Of project A: whenever a tag is created there, project 9 is rebuilt. */
export const buildDocs = `
build_docs:
  stage: deploy
  script:
  - "curl --request POST --form token=TOKEN --form ref=master https://gitlab.example.com/api/v4/projects/9/trigger/pipeline"
  only:
  - tags
`;

/** `upload_package` uploads only when somebody passes UPLOAD_TO_S3. */
export const threeStages = `
stages:
- test
- build
- package

run_tests:
  script:
  - make test

build_package:
  stage: build
  script:
  - make build

upload_package:
  stage: package
  script:
  - if [ -n "\${UPLOAD_TO_S3}" ]; then make upload; fi
`;

/** What the page leaves to the project. */
export const makefile = `test:
\t@echo the tests have passed
build:
\t@echo the package is built
upload:
\t@echo the package is uploaded
.PHONY: test build upload
`;
