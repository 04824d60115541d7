import 'reflect-metadata';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { CreateAccessToken, EnsureRoot, ListAccessTokens, RevokeAccessToken, ShowAccessToken } from './access-token.js';
import {
  AddArtifact,
  ArtifactsRemoved,
  DeleteArtifacts,
  FindArchive,
  FindLatestArchive,
  FindUnrecordedArtifacts,
  KeepArtifacts,
} from './artifact.js';
import { BridgeDue, ListBridges } from './bridge.js';
import { ListEnvironments, ShowEnvironment } from './environment.js';
import { ListShownJobs } from './job-pages.js';
import { CancelJob, EraseJob, ListPipelineJobs, ListProjectJobs, PlayJob, RetryJob, ShowJob } from './job-requests.js';
import { JobQueued, JobStatusChanged } from './job.js';
import { LintConfig } from './lint.js';
import { AddMember, EditMember, ListMembers, MakeOwner, RemoveMember, ShowMember } from './member.js';
import { ListShownPipelines, ShowWholePipeline } from './pipeline-pages.js';
import {
  CancelPipeline,
  CreatePipeline,
  DeletePipeline,
  ListPipelines,
  RenamePipeline,
  RetryPipeline,
  ShowLatestPipeline,
  ShowPipeline,
  ShowPipelineVariables,
} from './pipeline-requests.js';
import { PipelineCreated, PipelineDeleted, PipelineStatusChanged, PipelineSupersedes } from './pipeline.js';
import { ProjectDeleted } from './project-events.js';
import { CreateProject, DeleteProject, EditProject, ListNamespaces, ListProjects, ShowProject } from './project.js';
import {
  ListProtectedBranches,
  ListProtectedTags,
  ProtectBranch,
  ProtectTag,
  ShowProtectedBranch,
  ShowProtectedTag,
  UnprotectBranch,
  UnprotectTag,
} from './protected-ref.js';
import { ShowRunForm } from './run-form.js';
import {
  EditResourceGroup,
  ListResourceGroups,
  ListUpcomingJobs,
  ResourceGroupDue,
  ShowResourceGroup,
} from './resource-group.js';
import {
  AssignRunner,
  CreateRunner,
  DeleteRunner,
  EditRunner,
  FindEndedJobs,
  ListRunnerJobs,
  ListRunnerManagers,
  ListRunners,
  ListWaitingJobs,
  OpenCloneSource,
  RegisterRunner,
  ReportContacts,
  ReportJob,
  RequestJob,
  ResetRegistrationToken,
  ResetRunnerToken,
  ReturnJob,
  RunnerCall,
  ShowOwnJob,
  ShowRunner,
  UnassignRunner,
} from './runner-requests.js';
import { isSound } from './sound-message.js';
import { EditSettings, ShowSettings } from './settings.js';
import { PipelineTriggered, TriggerOutcome } from './trigger-request.js';
import {
  CreateTrigger,
  DeleteTrigger,
  ListTriggers,
  NameCallers,
  ShowTrigger,
  TriggerTokenAdded,
  TriggerTokenRevoked,
  UpdateTrigger,
} from './trigger.js';
import { CreateUser, DeleteUser, ListUsers, SetUserState, ShowUser, UserChanged } from './user-requests.js';
import { ShowActor } from './user.js';
import {
  CreateVariable,
  DeleteVariable,
  EditVariable,
  FindMaskedKeys,
  ListVariables,
  ShowVariable,
} from './variable.js';

/** Facts, published under their type. */
export const eventClasses = [
  PipelineTriggered,
  TriggerOutcome,
  PipelineCreated,
  PipelineDeleted,
  PipelineStatusChanged,
  PipelineSupersedes,
  JobQueued,
  JobStatusChanged,
  BridgeDue,
  ResourceGroupDue,
  ArtifactsRemoved,
  ProjectDeleted,
  TriggerTokenAdded,
  TriggerTokenRevoked,
  UserChanged,
];

/** Questions and orders, routed by their pattern. */
export const requestClasses = [
  EnsureRoot,
  ShowActor,
  CreateUser,
  ShowUser,
  ListUsers,
  SetUserState,
  DeleteUser,
  CreateAccessToken,
  ListAccessTokens,
  ShowAccessToken,
  RevokeAccessToken,
  AddMember,
  MakeOwner,
  EditMember,
  RemoveMember,
  ShowMember,
  ListMembers,
  CreateTrigger,
  ListTriggers,
  NameCallers,
  ShowTrigger,
  UpdateTrigger,
  DeleteTrigger,
  CreateProject,
  ShowProject,
  ListProjects,
  EditProject,
  DeleteProject,
  ListNamespaces,
  CreateVariable,
  ListVariables,
  FindMaskedKeys,
  ShowVariable,
  EditVariable,
  DeleteVariable,
  ProtectBranch,
  ListProtectedBranches,
  ShowProtectedBranch,
  UnprotectBranch,
  ProtectTag,
  ListProtectedTags,
  ShowProtectedTag,
  UnprotectTag,
  ShowSettings,
  EditSettings,
  LintConfig,
  ListPipelines,
  ShowPipeline,
  ShowLatestPipeline,
  ShowPipelineVariables,
  CreatePipeline,
  CancelPipeline,
  RetryPipeline,
  RenamePipeline,
  DeletePipeline,
  ListShownPipelines,
  ShowWholePipeline,
  ListShownJobs,
  ShowRunForm,
  ListPipelineJobs,
  ListProjectJobs,
  ShowJob,
  CancelJob,
  RetryJob,
  PlayJob,
  EraseJob,
  ListBridges,
  ListResourceGroups,
  ShowResourceGroup,
  EditResourceGroup,
  ListUpcomingJobs,
  ListEnvironments,
  ShowEnvironment,
  AddArtifact,
  FindArchive,
  FindLatestArchive,
  FindUnrecordedArtifacts,
  KeepArtifacts,
  DeleteArtifacts,
  CreateRunner,
  RegisterRunner,
  ResetRegistrationToken,
  AssignRunner,
  UnassignRunner,
  ListRunners,
  ListRunnerJobs,
  ListRunnerManagers,
  ListWaitingJobs,
  ShowRunner,
  EditRunner,
  DeleteRunner,
  ResetRunnerToken,
  ReturnJob,
  RunnerCall,
  RequestJob,
  ReportContacts,
  ReportJob,
  FindEndedJobs,
  ShowOwnJob,
  OpenCloneSource,
];

/** Every message that crosses a process boundary: routing key or request pattern, and the class that says what is in it. */
const catalogue = new Map<string, new () => object>([
  ...eventClasses.map((type): [string, new () => object] => [type.type, type]),
  ...requestClasses.map((type): [string, new () => object] => [type.pattern, type]),
]);

/**
 * Checks a message's data against its class.
 * @returns what is wrong, in words; empty when nothing is
 */
export function messageProblems(pattern: string, data: unknown): string[] {
  const type = catalogue.get(pattern);
  if (!type) return [`there is no message named ${pattern}`];
  if (typeof data !== 'object' || data === null || Array.isArray(data))
    return [`${pattern}: the data is not an object`];
  if (isSound(type, data)) return [];
  return validateSync(plainToInstance(type, data), { forbidUnknownValues: false }).map(
    (error) => `${pattern}: ${error.toString().trim()}`,
  );
}
