/** What was asked for; undefined when it failed, or was silent for `limitMs`. For those who only look how something is. */
export async function inTime<Answer>(
  limitMs: number,
  ask: () => Answer | Promise<Answer>,
): Promise<Answer | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, limitMs, undefined);
  });
  try {
    return await Promise.race([Promise.resolve().then(ask), late]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
