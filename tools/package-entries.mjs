// @ts-check
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @typedef {object} EntryPoint
 * @property {string} name `onbehalf` for ".", else the part behind "./"
 * @property {string} specifier what a user imports, such as `onbehalf/mcp`
 * @property {string} types absolute path of its declarations
 */

/**
 * @param {string} root directory of package.json
 * @returns {EntryPoint[]} every entry point of the package that is code
 */
export function entryPoints(root) {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return Object.entries(manifest.exports)
    .filter(([key]) => key !== './package.json')
    .map(([key, conditions]) => ({
      name: key === '.' ? manifest.name : key.slice(2).replaceAll('/', '-'),
      specifier: key === '.' ? manifest.name : `${manifest.name}/${key.slice(2)}`,
      types: join(root, conditions.types),
    }));
}
