# One image for every process of an installation. The argument says which one a container is (docker/flagfall lists them):
#
#   docker build -t flagfall .
#   docker run flagfall gateway
#
# What each process is told by its environment is in docs/operating.md.

FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY bin bin
COPY libs libs
COPY apps apps
RUN npm run build

FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Without the embedded database as well, which is for `npm start` alone.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund && rm -r node_modules/@electric-sql

FROM node:24-slim
# The pipeline service and the runner need git, with ssh for repositories that are reached by it; jobs need bash and expect curl.
# tini takes in what jobs leave behind, and hands signals on.
RUN apt-get update \
  && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends bash ca-certificates curl git openssh-client tini \
  && rm -rf /var/lib/apt/lists/*
# What is kept lies in these directories; a volume that is mounted there belongs to the same user.
RUN groupadd --gid 10001 flagfall \
  && useradd --uid 10001 --gid flagfall --no-create-home --home-dir /var/lib/flagfall --shell /usr/sbin/nologin flagfall \
  && mkdir -p /var/lib/flagfall/builds /var/lib/flagfall/cache /var/lib/flagfall/runner /var/lib/flagfall/storage \
  && chown -R flagfall:flagfall /var/lib/flagfall \
  && chmod -R go= /var/lib/flagfall
# For an operator: docker compose exec gateway flagfall doctor
RUN ln -s /app/docker/flagfall /usr/local/bin/flagfall
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY package.json ./
COPY docker docker
COPY bin/flagfall.mjs bin/parked.mjs bin/
COPY --from=build /app/dist/libs dist/libs
COPY --from=build /app/dist/apps dist/apps
COPY --from=build /app/dist/web dist/web

ENV NODE_ENV=production \
  HOST=0.0.0.0 \
  PORT=8080 \
  HEALTH_PORT=8081 \
  RUNNER_BUILDS_DIR=/var/lib/flagfall/builds \
  RUNNER_TOKEN_FILE=/var/lib/flagfall/runner/token
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=5s --retries=3 --start-period=60s CMD ["/app/docker/healthcheck"]
ENTRYPOINT ["tini", "--", "/app/docker/flagfall"]
