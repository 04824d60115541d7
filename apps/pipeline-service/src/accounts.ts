import { Injectable } from '@nestjs/common';
import { type Actor, message, ShowActor } from '#libs/contracts';
import { Bus } from '#libs/messaging';

const limitMs = 8_000;

/** What the token service says of users, for pipelines that reach into another project than their own. Never cached. */
@Injectable()
export class Accounts {
  constructor(private readonly bus: Bus) {}

  /**
   * A user with the level that counts on a project now.
   * @returns null when there is no such user
   * @throws RequestTimeout, PublishFailed when the token service does not answer
   */
  actorOn(projectId: number, userId: number): Promise<Actor | null> {
    const asked = message(ShowActor, { userId, projectId });
    return this.bus.request<Actor | null>(ShowActor.pattern, asked, { timeoutMs: limitMs });
  }
}
