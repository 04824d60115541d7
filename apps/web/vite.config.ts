import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import vue from '@vitejs/plugin-vue';
import { defineConfig, type Plugin } from 'vite';
import { iconNames } from './src/ui/icon-names.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** GitLab's icons (MIT), of which only those go out that some page shows: one file of symbols. */
function pickIcons(): { plugin: Plugin; url: string } {
  const all = readFileSync(createRequire(import.meta.url).resolve('@gitlab/svgs/dist/icons.svg'), 'utf8');
  const symbols = iconNames.map((name) => {
    const symbol = new RegExp(`<symbol[^>]* id="${name}".*?</symbol>`, 's').exec(all)?.[0];
    if (!symbol) throw new Error(`@gitlab/svgs has no icon "${name}"`);
    return symbol;
  });
  const source = `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join('')}</svg>`;
  const fileName = `assets/icons-${createHash('sha256').update(source).digest('hex').slice(0, 8)}.svg`;
  return {
    url: `/${fileName}`,
    plugin: {
      name: 'icons',
      generateBundle() {
        this.emitFile({ type: 'asset', fileName, source });
      },
    },
  };
}

const icons = pickIcons();

export default defineConfig({
  root: here('.'),
  plugins: [vue(), icons.plugin],
  define: {
    __VUE_OPTIONS_API__: 'false',
    __VUE_PROD_DEVTOOLS__: 'false',
    __ICONS__: JSON.stringify(icons.url),
  },
  worker: { format: 'es' },
  build: {
    outDir: here('../../dist/web'),
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    // A style sheet or picture as a data: URL would need a wider Content-Security-Policy.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: { checks: { bundlerTimings: false } },
  },
  logLevel: 'warn',
});
