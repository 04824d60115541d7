import { computed, type ComputedRef } from 'vue';
import { useRoute, useRouter } from 'vue-router';

export interface Query<Name extends string> {
  /** What is filtered by; empty texts for what is not. */
  filters: ComputedRef<Record<Name, string>>;
  /** Of the list, from 1. */
  number: ComputedRef<number>;
  filtered: ComputedRef<boolean>;
  /** Goes to the list with other filters, at its first page, or to another page of it. */
  show: (change: Partial<Record<Name, string>> & { page?: number }) => void;
}

/** What a list shows, as the page's address says it; so it can be linked to, and gone back to. */
export function useQuery<Name extends string>(...names: Name[]): Query<Name> {
  const route = useRoute();
  const router = useRouter();
  const text = (name: string): string => String([route.query[name]].flat()[0] ?? '');
  const filters = computed(() => Object.fromEntries(names.map((name) => [name, text(name)])) as Record<Name, string>);
  return {
    filters,
    number: computed(() => Math.max(1, Math.trunc(Number(text('page'))) || 1)),
    filtered: computed(() => names.some((name) => filters.value[name] !== '')),
    show: ({ page = 1, ...change }) => {
      const wanted = Object.entries<string>({ ...filters.value, ...change }).filter(([, value]) => value !== '');
      void router.push({ query: { ...Object.fromEntries(wanted), ...(page > 1 ? { page } : {}) } });
    },
  };
}
