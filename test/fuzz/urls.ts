import fc from 'fast-check';

const weighted = (usual: string, weight: number, others: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof({ arbitrary: fc.constant(usual), weight }, fc.constantFrom(...others));

const SEPARATORS = [':', ':/', ':///', ':\\\\', ':/\\', '//', '', ': //', '\t://'];
const SCHEMES = [
  'http',
  'https',
  'HTTPS',
  'javascript',
  'file',
  'ftp',
  'ws',
  'data',
  'blob:https',
  '',
  ' https',
  'ht\ntps',
];
const USERS = [
  'user@',
  'user:password@',
  '@',
  ':@',
  'sts.example.com@',
  'sts.example.com%40',
  'sts.example.com:443@',
  '%00@',
];
const PORTS = [
  ':443',
  ':80',
  ':0',
  ':8443',
  ':8080',
  ':65535',
  ':65536',
  ':',
  ':00443',
  ':-1',
  ':a',
  ':４４３',
  ':443:80',
];
const PATHS = [
  ...[
    '',
    '/',
    '/../token',
    '/%2e%2e/token',
    '//evil.example.net/token',
    '\\@evil.example.net/',
    '/token?a=b',
    '/token#part',
  ],
  ...[
    '/token?u=https://evil.example.net',
    '/to ken',
    '/\u202e',
    '/token\r\nHost: evil.example.net',
    '#@evil.example.net',
    '?@evil.example.net',
  ],
];
const HOSTS = [
  ...[
    'evil.example.net',
    'example.com',
    'xsts.example.com',
    '169.254.169.254',
    '0.0.0.0',
    '',
    ' ',
    '.',
    '..',
    '%',
    '*',
  ],
  ...[
    'localhost',
    'localhost.',
    'LOCALHOST',
    'evil.localhost',
    'localhost.evil.example.net',
    '127.0.0.1',
    '127.1',
    '2130706433',
  ],
  ...[
    '0x7f.1',
    '0177.0.0.1',
    '127.0.0.1.',
    '127.0.0.1.evil.example.net',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::1%25eth0]',
    '[fe80::1]',
  ],
];

/** Hosts that read as another, or nearly so. */
const likenesses = (host: string): readonly string[] => [
  ...[
    `${host}.`,
    `${host}.evil.example.net`,
    `evil.example.net.${host}`,
    host.toUpperCase(),
    `${host}%2e`,
    `${host}\t`,
  ],
  ...[
    `${host}\u0000`,
    `${host}\u200b`,
    `${host}\u00ad`,
    host.replaceAll('.', '。'),
    host.replaceAll('.', '%2e'),
    host.replace('s', 'ｓ'),
  ],
  ...[
    host.replace('e', 'е'),
    host.replace('s', 'ſ'),
    `${host} `,
    ` ${host}`,
    `${host}\\evil.example.net`,
    `${host}%00.evil.example.net`,
  ],
];

/** URLs that are like one on this origin, down to what is none. */
export function urlsLike(base: URL): fc.Arbitrary<string> {
  const { hostname, protocol, port } = base;
  const parts = fc.tuple(
    weighted(protocol.slice(0, -1), 8, SCHEMES),
    weighted('://', 12, SEPARATORS),
    weighted('', 10, USERS),
    weighted(hostname, 4, [...HOSTS, ...likenesses(hostname)]),
    weighted(port === '' ? '' : `:${port}`, 6, ['', ...PORTS]),
    weighted('/token', 3, PATHS),
  );
  return fc.oneof(
    { arbitrary: parts.map((all) => all.join('')), weight: 20 },
    fc.webUrl({ withFragments: true, withQueryParameters: true }),
    fc.string({ unit: 'binary' }),
  );
}

/** What may be written where a host is wanted. */
export const hostLike: fc.Arbitrary<string> = fc.oneof(
  fc
    .tuple(
      weighted('', 4, USERS),
      fc.constantFrom('sts.internal', ...HOSTS, ...likenesses('sts.internal')),
      weighted('', 2, PORTS),
      weighted('', 4, PATHS),
    )
    .map((all) => all.join('')),
  fc.domain(),
  fc.ipV6().map((address) => `[${address}]`),
  fc.string({ unit: 'binary', minLength: 1 }),
);
