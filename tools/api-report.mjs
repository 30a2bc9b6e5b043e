// @ts-check
/**
 * The public surface: one report under etc/ for each entry point of package.json, committed, so that a change
 * of the surface shows in review. `--check` fails where a report differs; without it the reports are written.
 * Both fail where the surface speaks of a type that no entry point exports.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor';
import { entryPoints } from './package-entries.mjs';

const root = process.cwd();
const reports = resolve(root, 'etc');
const check = process.argv.includes('--check');
const scratch = mkdtempSync(join(tmpdir(), 'onbehalf-api-'));
mkdirSync(reports, { recursive: true });

/** @type {string[]} */
const problems = [];
/**
 * Symbols that an entry point speaks of but does not export, each with the entry points that do so.
 * @type {Map<string, string[]>}
 */
const unexported = new Map();
try {
  const entries = entryPoints(root);
  for (const entry of entries) problems.push(...report(entry));
  const expected = new Set(entries.map(({ name }) => `${name}.api.md`));
  for (const file of readdirSync(reports).filter((name) => !expected.has(name))) {
    if (check) problems.push(`etc/${file} reports an entry point that package.json does not export`);
    else rmSync(join(reports, file));
  }
  problems.push(...unnameable());
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

for (const problem of problems) console.error(problem);
if (problems.length > 0) {
  console.error('\nWhere a report differs and that is meant: npm run api, then commit etc/.');
  process.exitCode = 1;
}

/**
 * @param {import('./package-entries.mjs').EntryPoint} entry
 * @returns {string[]} problems
 */
function report({ name, specifier, types }) {
  if (!existsSync(types)) return [`${specifier}: ${types} is missing; is the build current?`];
  const reportFileName = `${name}.api.md`;
  const existed = existsSync(join(reports, reportFileName));
  /** @type {string[]} */
  const found = [];
  const result = Extractor.invoke(extractorConfig(types, reportFileName), {
    localBuild: !check,
    messageCallback: (message) => {
      message.handled = true;
      // What became of the report is told below, in our words.
      if (message.messageId.startsWith('console-api-report')) return;
      if (message.messageId === 'ae-forgotten-export') {
        const symbol = /"(.+?)"/.exec(message.text)?.[1] ?? message.text;
        unexported.set(symbol, [...new Set([...(unexported.get(symbol) ?? []), specifier])]);
        return;
      }
      if (message.logLevel === ExtractorLogLevel.Error || message.logLevel === ExtractorLogLevel.Warning) {
        found.push(`${specifier}: ${message.formatMessageWithLocation(root)}`);
      }
    },
  });
  if (check && !existed) found.push(`${specifier}: etc/${reportFileName} is missing`);
  else if (check && result.apiReportChanged) found.push(`${specifier}: differs from etc/${reportFileName}`);
  else if (result.apiReportChanged) console.log(`wrote etc/${reportFileName}`);
  return found;
}

/** @returns {string[]} a problem for each symbol of the surface that a user could not name */
function unnameable() {
  const texts = readdirSync(reports).map((file) => readFileSync(join(reports, file), 'utf8'));
  return [...unexported].flatMap(([symbol, specifiers]) => {
    const exported = new RegExp(`^export (?:abstract |declare )?(?:\\w+) ${symbol}\\b`, 'm');
    if (texts.some((text) => exported.test(text))) return [];
    return [`${specifiers.join(', ')}: speaks of ${symbol}, which no entry point exports`];
  });
}

/**
 * @param {string} types
 * @param {string} reportFileName
 * @returns {ExtractorConfig}
 */
function extractorConfig(types, reportFileName) {
  /** @type {import('@microsoft/api-extractor').IExtractorMessagesConfig} */
  const messages = {
    compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.Error } },
    extractorMessageReporting: {
      default: { logLevel: ExtractorLogLevel.Warning, addToApiReportFile: true },
      // The report marks it where it is; the message would add a line number, and change with every edit.
      'ae-undocumented': { logLevel: ExtractorLogLevel.None },
      // Judged over all entry points together: ./mcp and ./adk may take types that "." exports.
      'ae-forgotten-export': { logLevel: ExtractorLogLevel.Warning, addToApiReportFile: false },
      // Release tags would say nothing: all that an entry point exports is public.
      'ae-missing-release-tag': { logLevel: ExtractorLogLevel.None },
    },
    tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
  };
  return ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: resolve(root, 'package.json'),
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: types,
      newlineKind: 'lf',
      compiler: {
        overrideTsconfig: {
          extends: './tsconfig.base.json',
          compilerOptions: { noEmit: true },
          files: [types],
        },
      },
      apiReport: { enabled: true, reportFileName, reportFolder: reports, reportTempFolder: scratch },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      messages,
    },
  });
}
