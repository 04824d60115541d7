import type { Message } from '../message.js';
import type { ParkedMessage, ParkedStore } from '../parked-messages.js';

/** Parked messages for the length of a test. */
export class MemoryParkedStore implements ParkedStore {
  readonly #parked = new Map<string, ParkedMessage>();

  async park(message: Message, queue: string, reason: string): Promise<void> {
    const parkedAt = new Date().toISOString();
    this.#parked.set(`${queue} ${message.id}`, { id: message.id, queue, reason, parkedAt, messages: [message] });
  }

  async count(queue: string): Promise<number> {
    return this.#of(queue).length;
  }

  async list(queue: string, limit: number, offset: number): Promise<ParkedMessage[]> {
    return this.#of(queue).slice(offset, offset + limit);
  }

  #of(queue: string): ParkedMessage[] {
    return [...this.#parked.values()].filter((parked) => parked.queue === queue);
  }

  async find(queue: string, id: string): Promise<ParkedMessage | undefined> {
    return this.#parked.get(`${queue} ${id}`);
  }

  async drop(queue: string, id: string): Promise<boolean> {
    return this.#parked.delete(`${queue} ${id}`);
  }
}
