import type { Artifacts } from '#libs/ci-config';
import type { ArtifactFormat, ArtifactType } from '#libs/contracts';

/** What a runner is told to upload (runner-api.md §2.4). */
export interface WantedArtifact {
  name?: string;
  untracked?: boolean;
  paths: string[];
  exclude?: string[];
  when: 'on_success' | 'on_failure' | 'always';
  expire_in?: string;
  artifact_type: ArtifactType;
  artifact_format: ArtifactFormat;
}

/** Reports under the names that GitLab gives them; the others are sent as they are, in one file named after their type. */
const reports: Partial<Record<ArtifactType, { name: string; format: ArtifactFormat }>> = {
  junit: { name: 'junit.xml', format: 'gzip' },
  dotenv: { name: '.env', format: 'gzip' },
  cobertura: { name: 'cobertura-coverage.xml', format: 'gzip' },
  jacoco: { name: 'jacoco-coverage.xml', format: 'gzip' },
  metrics: { name: 'metrics.txt', format: 'gzip' },
  cyclonedx: { name: 'gl-sbom.cdx.json', format: 'gzip' },
  lsif: { name: 'lsif.json', format: 'zip' },
  annotations: { name: 'gl-annotations.json', format: 'raw' },
  codequality: { name: 'gl-code-quality-report.json', format: 'raw' },
  accessibility: { name: 'gl-accessibility.json', format: 'raw' },
  terraform: { name: 'tfplan.json', format: 'raw' },
  sast: { name: 'gl-sast-report.json', format: 'raw' },
  secret_detection: { name: 'gl-secret-detection-report.json', format: 'raw' },
  dependency_scanning: { name: 'gl-dependency-scanning-report.json', format: 'raw' },
  container_scanning: { name: 'gl-container-scanning-report.json', format: 'raw' },
  cluster_image_scanning: { name: 'gl-cluster-image-scanning-report.json', format: 'raw' },
  dast: { name: 'gl-dast-report.json', format: 'raw' },
  license_scanning: { name: 'gl-license-scanning-report.json', format: 'raw' },
  performance: { name: 'performance.json', format: 'raw' },
  browser_performance: { name: 'browser-performance.json', format: 'raw' },
  load_performance: { name: 'load-performance.json', format: 'raw' },
  requirements: { name: 'requirements.json', format: 'raw' },
  requirements_v2: { name: 'requirements_v2.json', format: 'raw' },
  coverage_fuzzing: { name: 'gl-coverage-fuzzing.json', format: 'raw' },
  api_fuzzing: { name: 'gl-api-fuzzing-report.json', format: 'raw' },
  repository_xray: { name: 'gl-repository-xray.json', format: 'raw' },
};

/** The archive of `artifacts:paths` and the reports of a job, one upload each. Pure. */
export function wantedArtifacts(artifacts: Artifacts | undefined): WantedArtifact[] {
  if (!artifacts) return [];
  const expires = artifacts.expireIn === undefined ? {} : { expire_in: artifacts.expireIn };
  const wanted: WantedArtifact[] = [];
  if ((artifacts.paths ?? []).length > 0 || artifacts.untracked)
    wanted.push({
      ...(artifacts.name !== undefined && { name: artifacts.name }),
      untracked: artifacts.untracked ?? false,
      paths: artifacts.paths ?? [],
      ...(artifacts.exclude && { exclude: artifacts.exclude }),
      when: artifacts.when ?? 'on_success',
      ...expires,
      artifact_type: 'archive',
      artifact_format: 'zip',
    });
  for (const [name, value] of Object.entries(artifacts.reports ?? {})) {
    const { type, paths } = report(name, value);
    const known = reports[type];
    // What a report is about is there also, and often only, when the job failed.
    if (known && paths.length > 0)
      wanted.push({
        name: known.name,
        paths,
        when: 'always',
        ...expires,
        artifact_type: type,
        artifact_format: known.format,
      });
  }
  return wanted;
}

/** `coverage_report: {coverage_format: cobertura, path: …}` is the one report that says its type inside. */
function report(name: string, value: unknown): { type: ArtifactType; paths: string[] } {
  if (name === 'coverage_report' && typeof value === 'object' && value !== null) {
    const { coverage_format: format, path } = value as Record<string, unknown>;
    return { type: format as ArtifactType, paths: texts(path) };
  }
  return { type: name as ArtifactType, paths: texts(value) };
}

function texts(value: unknown): string[] {
  return [value].flat().filter((one): one is string => typeof one === 'string');
}
