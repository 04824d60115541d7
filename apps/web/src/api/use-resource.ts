import { onScopeDispose, type Ref, shallowRef, watch } from 'vue';

export interface Resource<T> {
  /** The latest answer; the one before while another is being asked for. */
  data: Readonly<Ref<T | null>>;
  /** Why there is no newer one. */
  error: Readonly<Ref<Error | null>>;
  /** Whether there is nothing to show yet. */
  loading: Readonly<Ref<boolean>>;
  /** Asks again, now or, when a question is under way, once more after it. */
  refresh: () => Promise<void>;
  set: (value: T) => void;
}

/**
 * What a page shows, read when it opens, whenever `key` changes, and when somebody calls `refresh`. Answers that come late for an older key are
 * dropped.
 */
export function useResource<T>(key: () => unknown, read: (signal: AbortSignal) => Promise<T>): Resource<T> {
  const data = shallowRef<T | null>(null);
  const error = shallowRef<Error | null>(null);
  const loading = shallowRef(true);
  let controller = new AbortController();
  let running: Promise<void> | null = null;
  let again = false;

  async function ask(): Promise<void> {
    const { signal } = controller;
    try {
      const answer = await read(signal);
      if (signal.aborted) return;
      data.value = answer;
      error.value = null;
    } catch (failure) {
      if (signal.aborted) return;
      error.value = failure instanceof Error ? failure : new Error(String(failure));
    }
    loading.value = false;
  }

  function refresh(): Promise<void> {
    if (running) {
      again = true;
      return running;
    }
    const mine = (async () => {
      do {
        again = false;
        await ask();
      } while (again);
    })().finally(() => {
      if (running === mine) running = null;
    });
    running = mine;
    return mine;
  }

  watch(
    key,
    () => {
      controller.abort();
      controller = new AbortController();
      running = null;
      data.value = null;
      error.value = null;
      loading.value = true;
      void refresh();
    },
    { immediate: true },
  );
  onScopeDispose(() => controller.abort());
  return { data, error, loading, refresh, set: (value) => (data.value = value) };
}
