/** The examples of GitLab's page on triggers, word for word but for what stands for an address or a token. */

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

export const makefile = `test:
\t@echo the tests have passed
build:
\t@echo the package is built
upload:
\t@echo the package is uploaded
.PHONY: test build upload
`;

/** What follows the five fields of time in a crontab. */
export function cronLine(url: string, projectId: number, token: string): string {
  return `curl --request POST --form token=${token} --form ref=master ${url}/api/v4/projects/${projectId}/trigger/pipeline`;
}

/** A project that triggers another one whenever a tag is created; the token is in a variable, since the file is for everybody to read. */
export function buildDocsOnTags(url: string, projectId: number, token: string): string {
  return `
run_tests:
  script: [echo tested]

build_docs:
  stage: deploy
  script:
  - "curl --request POST --form token=${token} --form ref=master ${url}/api/v4/projects/${projectId}/trigger/pipeline"
  only:
  - tags
`;
}
