import type { Directive } from 'vue';

/** `v-focus`: what it is on has the focus once it is there. Of `autofocus` browsers take notice when a page is loaded, and not later. */
export const vFocus: Directive<HTMLElement> = { mounted: (element) => element.focus() };
