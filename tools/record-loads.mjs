// @ts-check
/** Preloaded by check-loads.mjs: appends the path of every module that Node loads to a file. */
import { appendFileSync } from 'node:fs';
import Module, { register } from 'node:module';

const record = String(process.env.ONBEHALF_LOAD_RECORD);

// require() inside a CommonJS package does not pass through the ESM hook below.
const extensions = /** @type {any} */ (Module)._extensions;
for (const extension of Object.keys(extensions)) {
  const load = extensions[extension];
  extensions[extension] = (/** @type {unknown} */ module, /** @type {string} */ path) => {
    appendFileSync(record, `${path}\n`);
    return load(module, path);
  };
}

const hook = `
  import { appendFileSync } from 'node:fs';
  import { fileURLToPath } from 'node:url';
  export function load(url, context, next) {
    if (url.startsWith('file:')) appendFileSync(${JSON.stringify(record)}, fileURLToPath(url) + '\\n');
    return next(url, context);
  }
`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);
