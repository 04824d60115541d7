import { type Ref, shallowRef } from 'vue';

export interface Action<Args extends unknown[]> {
  busy: Readonly<Ref<boolean>>;
  /** What went wrong last, for people; empty when nothing did. */
  fault: Ref<string>;
  /** @returns whether it worked */
  run: (...args: Args) => Promise<boolean>;
}

/** Something that a button does: once at a time, with its error kept to be shown. */
export function useAction<Args extends unknown[]>(work: (...args: Args) => Promise<unknown>): Action<Args> {
  const busy = shallowRef(false);
  const fault = shallowRef('');
  return {
    busy,
    fault,
    async run(...args) {
      if (busy.value) return false;
      busy.value = true;
      fault.value = '';
      try {
        await work(...args);
        return true;
      } catch (error) {
        fault.value = error instanceof Error ? error.message : String(error);
        return false;
      } finally {
        busy.value = false;
      }
    },
  };
}
