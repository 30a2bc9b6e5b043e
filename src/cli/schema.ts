import { parseArgs } from 'node:util';
import { configJsonSchema } from '../config/json-schema.ts';
import { type Command, EXIT } from './io.ts';

const HELP = `Print the JSON Schema (draft 07) of an agent's config.json, for editors.

Usage: onbehalf schema

Options:
  -h, --help   Show this help

With this member in config.json, editors complete fields, show what they mean, and mark mistakes:
    "$schema": "./node_modules/onbehalf/schema/config.schema.json"

Where the package is not installed beside it, write the schema to a file, and name that:
    onbehalf schema > config.schema.json

The agent server refuses more than a schema can say, e.g. a token service that is not there:
    onbehalf agent --help
`;

/** `onbehalf schema`: prints the JSON Schema of `config.json`. */
export const schema: Command = async (argv, io) => {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: { help: { type: 'boolean', short: 'h', default: false } },
    });
    io.out(values.help ? HELP : `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
    return EXIT.ok;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    io.err(`onbehalf schema: ${why}\nRun "onbehalf schema --help" to see the options.\n`);
    return EXIT.usage;
  }
};
