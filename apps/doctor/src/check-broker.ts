import { workQueues } from '#libs/contracts';
import { inspectBroker } from '#libs/messaging';
import { parked } from './check-database.js';
import { type Finding, ok, reasonOf, unknown, wrong } from './finding.js';

/** So many AMQP messages a service has before it in a moment of load; more means that it does not keep up. */
const longQueue = 1_000;

/**
 * Whether the broker can be reached, every queue has its service, and how much waits and is parked in them.
 * @param url undefined where messages stay within one process
 */
export async function checkBroker(url: string | undefined, namespace: string): Promise<Finding[]> {
  if (url === undefined) return [unknown('broker', 'none is named by AMQP_URL; messages stay within one process')];
  const broker = await inspectBroker(url, namespace, workQueues).catch(reasonOf);
  if (typeof broker === 'string')
    return [
      wrong(
        'broker',
        `it cannot be reached: ${broker}`,
        'See whether RabbitMQ runs, and whether AMQP_URL names it with the right user and password. Until then triggers are accepted, and run later.',
      ),
    ];
  const findings = [
    broker.blocked === undefined
      ? ok('broker', `${broker.product} answers`)
      : wrong(
          'broker',
          `${broker.product} takes no messages: ${broker.blocked}`,
          'Give it memory or room on its disk, or see what fills its queues below; `rabbitmq-diagnostics alarms` tells more. Until then triggers are accepted, and run later.',
        ),
  ];
  const services = new Map<string, string[]>();
  const nobody = broker.queues.filter(({ consumers }) => consumers === 0).map(({ queue }) => queue);
  for (const queue of [...broker.missing, ...nobody]) {
    const service = queue.slice(0, queue.indexOf('.'));
    services.set(service, [...(services.get(service) ?? []), queue.slice(service.length + 1)]);
  }
  for (const [service, types] of services)
    findings.push(
      wrong(
        'queues',
        `nobody handles ${types.join(', ')}`,
        `Start the ${service}, or see in its log why it is not connected; its NAMESPACE must be ${namespace}, too.`,
      ),
    );
  const long = broker.queues.filter(({ waiting, consumers }) => waiting >= longQueue && consumers > 0);
  for (const { queue, waiting } of long)
    findings.push(
      wrong(
        'queues',
        `${waiting} messages wait in ${queue}`,
        `Start more replicas of the ${queue.slice(0, queue.indexOf('.'))}, or see in its log what takes it so long.`,
      ),
    );
  const waiting = broker.queues.reduce((sum, queue) => sum + queue.waiting, 0);
  if (services.size === 0 && long.length === 0)
    findings.push(ok('queues', `each is handled; ${waiting} messages wait in all`));
  const counts = broker.queues.map(({ queue, parked: count }) => ({ queue, count })).filter(({ count }) => count > 0);
  return [...findings, parked(counts)];
}
