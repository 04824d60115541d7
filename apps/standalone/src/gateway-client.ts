/** The gateway refused; what it said is the message. */
export class CallRefused extends Error {
  constructor(
    readonly status: number,
    call: string,
    body: string,
  ) {
    super(`${call}: ${status} ${body.slice(0, 500)}`);
  }
}

const limitMs = 15_000;

/** Calls our own HTTP API, as any program would. */
export class GatewayClient {
  constructor(
    private readonly url: string,
    private readonly token: string,
  ) {}

  /**
   * @param path below `/api/v4`
   * @throws CallRefused for any answer but 2xx
   */
  async get<Answer>(path: string): Promise<Answer> {
    return this.call('GET', path, {});
  }

  /** The same, with undefined for what is not there. */
  async find<Answer>(path: string): Promise<Answer | undefined> {
    try {
      return await this.get<Answer>(path);
    } catch (error) {
      if (error instanceof CallRefused && error.status === 404) return undefined;
      throw error;
    }
  }

  /** @throws CallRefused for any answer but 2xx */
  async post<Answer>(path: string, parameters: Record<string, unknown>): Promise<Answer> {
    return this.call('POST', path, {
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(parameters),
    });
  }

  private async call<Answer>(method: string, path: string, request: RequestInit): Promise<Answer> {
    const response = await fetch(`${this.url}/api/v4${path}`, {
      ...request,
      method,
      headers: { ...request.headers, 'PRIVATE-TOKEN': this.token },
      signal: AbortSignal.timeout(limitMs),
    });
    const body = await response.text();
    if (!response.ok) throw new CallRefused(response.status, `${method} ${path}`, body);
    return JSON.parse(body) as Answer;
  }
}
