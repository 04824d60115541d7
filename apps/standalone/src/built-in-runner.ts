import type { DataDirectory } from './data-directory.js';
import { CallRefused, type GatewayClient } from './gateway-client.js';

/**
 * The authentication token of the built-in runner: the one in the file `runner-token` as long as the gateway knows it, else a new runner's.
 * @throws CallRefused when the API says no
 */
export async function provideRunnerToken(data: DataDirectory, client: GatewayClient): Promise<string> {
  const kept = data.readSecret('runner-token');
  if (kept !== undefined && (await isKnown(kept, client))) return kept;
  const { token } = await client.post<{ token: string }>('/user/runners', {
    runner_type: 'instance_type',
    description: 'built-in runner of npm start',
  });
  data.writeSecret('runner-token', token);
  return token;
}

async function isKnown(token: string, client: GatewayClient): Promise<boolean> {
  try {
    await client.post('/runners/verify', { token });
    return true;
  } catch (error) {
    if (error instanceof CallRefused && error.status === 403) return false;
    throw error;
  }
}
