import { Controller, Get } from '@nestjs/common';
import { Needs } from '../access/needs.decorator.js';
import { GatewayConfig } from '../config.js';
import { AtRoot } from '../http/at-root.decorator.js';
import { Endpoint } from '../http/endpoint.decorator.js';

@AtRoot()
@Controller()
export class HomeController {
  constructor(private readonly config: GatewayConfig) {}

  @Get()
  @Needs('nothing')
  @Endpoint({ summary: 'What this is and where to go', contentType: 'text/html; charset=utf-8' })
  show(): string {
    const api = escaped(`${this.config.externalUrl}/api/v4`);
    return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Flagfall</title></head>
<body>
<main>
<h1>Flagfall</h1>
<p>Flagfall starts pipelines: a trigger token, a git ref and one HTTP request. It speaks GitLab&rsquo;s API.</p>
<pre>curl --request POST --form token=TOKEN --form ref=main ${api}/projects/PROJECT_ID/trigger/pipeline</pre>
<ul>
<li>The API is at <code>${api}</code>.</li>
<li><a href="api/openapi.json">Its description as an OpenAPI document</a></li>
<li><a href="-/readiness">Whether all parts are up</a></li>
<li>README.md, in the directory Flagfall was installed from, leads through a first trigger.</li>
</ul>
</main>
</body>
</html>
`;
  }
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
