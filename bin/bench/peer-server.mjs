import amqplib from 'amqplib';
import Fastify from 'fastify';
import pg from 'pg';

/**
 * What the trigger endpoint is measured against, a process of its own: the same form read by bare Fastify, which then does
 * `nothing`, or commits one `row`, or waits for one `confirm` of a durable quorum queue.
 */
const [kind, port] = process.argv.slice(2);
const work = { nothing: () => () => undefined, row: rowPerRequest, confirm: confirmPerRequest };

async function rowPerRequest() {
  const pool = new pg.Pool({ connectionString: process.env.BENCH_DATABASE_URL, max: 10 });
  await pool.query('create table if not exists bench_rows (id bigint generated always as identity, form jsonb)');
  return (form) => pool.query('insert into bench_rows (form) values ($1)', [form]);
}

async function confirmPerRequest() {
  const connection = await amqplib.connect(process.env.BENCH_AMQP_URL, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  const queue = `${process.env.BENCH_NAMESPACE}.bench`;
  await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  process.on('SIGTERM', () => void channel.deleteQueue(queue).then(() => process.exit(0)));
  return (form) =>
    new Promise((resolve, reject) =>
      channel.sendToQueue(queue, Buffer.from(JSON.stringify(form)), { persistent: true }, (error) =>
        error ? reject(error) : resolve(),
      ),
    );
}

const handle = await work[kind]();
const server = Fastify();
server.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_, body, done) =>
  done(null, Object.fromEntries(new URLSearchParams(body))),
);
server.post('/api/v4/projects/:id/trigger/pipeline', async (request, reply) => {
  await handle(request.body);
  return reply.code(201).send({ ref: request.body.ref });
});
await server.listen({ port: Number(port), host: '127.0.0.1' });
