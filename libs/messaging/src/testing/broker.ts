import { type ConfirmChannel, connect, type GetMessage } from 'amqplib';

export const AMQP_URL = process.env.TEST_AMQP_URL ?? 'amqp://127.0.0.1:5672';

/** A plain connection to the broker, for what a test must see or do behind the back of the code it tests. */
export async function withChannel<T>(use: (channel: ConfirmChannel) => Promise<T>): Promise<T> {
  const model = await connect(AMQP_URL, { noDelay: true });
  try {
    const channel = await model.createConfirmChannel();
    const result = await use(channel);
    await channel.waitForConfirms();
    return result;
  } finally {
    await model.close();
  }
}

/** Messages that are ready in a queue; those given to consumers do not count. */
export async function ready(queue: string): Promise<number> {
  return withChannel(async (channel) => (await channel.checkQueue(queue)).messageCount);
}

/** Takes everything out of a queue. */
export async function takeAll(queue: string): Promise<GetMessage[]> {
  return withChannel(async (channel) => {
    const taken: GetMessage[] = [];
    for (let message = await channel.get(queue); message; message = await channel.get(queue)) {
      channel.ack(message);
      taken.push(message);
    }
    return taken;
  });
}
