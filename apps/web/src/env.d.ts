/** Where the picked icons are; vite.config.ts defines it. */
declare const __ICONS__: string;

declare module '*.css';
