-- The roles of an installation, and what they may: run at every start, it changes nothing that is right already.
-- Passwords come from the environment (\getenv), so that no process list shows them.
\set ON_ERROR_STOP on
\getenv owner_password OWNER_PASSWORD
\getenv gateway_password GATEWAY_PASSWORD
\getenv tokens_password TOKENS_PASSWORD
\getenv pipelines_password PIPELINES_PASSWORD

select format('create role %I', name)
from unnest(array['flagfall_owner', 'flagfall_gateway', 'flagfall_tokens', 'flagfall_pipelines']) as name
where not exists (select from pg_roles where rolname = name)
\gexec

alter role flagfall_owner login password :'owner_password';
alter role flagfall_gateway login password :'gateway_password';
alter role flagfall_tokens login password :'tokens_password';
alter role flagfall_pipelines login password :'pipelines_password';

-- The owner makes the schemas, and grants each service its own; no service's role makes anything.
select format('alter database %I owner to flagfall_owner', current_database())
\gexec
select format('revoke all on database %I from public', current_database())
\gexec
select format('grant connect on database %I to flagfall_gateway, flagfall_tokens, flagfall_pipelines', current_database())
\gexec
revoke all on schema public from public;
