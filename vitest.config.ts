import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string): string => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    // Examples import the package by its name, as a user does; tests must see the one copy in src.
    alias: [
      { find: /^onbehalf$/, replacement: source('index.ts') },
      { find: /^onbehalf\/(\w+)$/, replacement: source('$1/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    // By itself vitest leaves a core free, which of two is half.
    maxWorkers: '100%',
  },
});
