/** Texts that a pattern takes and refuses, and one that it takes of any length. */
export interface Samples {
  readonly good: readonly string[];
  readonly bad: readonly string[];
  readonly long: (length: number) => string;
}

const filled = (start: string, end = '') => {
  return (length: number): string => start + 'a'.repeat(length - start.length - end.length) + end;
};

/** By pattern, as the CRDs say it. A pattern that is not here fails the tests: give it samples. */
export const PATTERNS: Readonly<Record<string, Samples>> = {
  // DNS-1123 subdomain
  '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$': {
    good: ['a', '0', 'a-b.c', 'calendar-7'],
    bad: ['A', '-a', 'a-', '.a', 'a.', 'a_b', 'a/b', '../a', 'a b', 'é', 'a\n'],
    long: filled(''),
  },
  // DNS-1123 label
  '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$': {
    good: ['a', '0', 'a-b'],
    bad: ['A', '-a', 'a-', 'a.b', 'a/b', 'a\n'],
    long: filled(''),
  },
  // key of a Secret
  '^[.]?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$': {
    good: ['a', 'tls.crt', '.dockerconfigjson', 'API_KEY', '-', 'a..b'],
    bad: ['.', '..', '..a', 'a/b', '../a', 'a b', 'é', 'a\n'],
    long: filled(''),
  },
  // a line
  '^[^\\p{Cc}]+$': {
    good: ['a', 'a b', ' ', 'https://mcp.example.com', 'Kalender für Zoë', '日本', '🗓'],
    bad: ['a\nb', 'a\r\nb', 'a\n', '\u0000', '\t', 'a\u007f', 'a\u0085'],
    long: filled(''),
  },
  // name of a header field
  "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$": {
    good: ['X-Tenant', 'a', "!#$%&'*+.^_`|~-"],
    bad: ['a b', 'a:', 'a\n', 'é', '(a)', '"a"', 'a/b'],
    long: filled(''),
  },
  // absolute URI
  '^[A-Za-z][A-Za-z0-9+.-]*:[^\\p{Z}\\p{Cc}#]+$': {
    good: ['https://mcp.example.com/mail?a=b', 'urn:example:mail', 'a:b', 'api://id'],
    bad: [
      'mail',
      '/mail',
      'https:',
      '1a:b',
      'https://a/#b',
      'a: b',
      'a:b\u00a0c',
      'a:\tb',
      'a:b\u2028',
      'a:b\n',
    ],
    long: filled('urn:'),
  },
  // scope-token
  '^[\\x21\\x23-\\x5b\\x5d-\\x7e]+$': {
    good: ['read', 'mail:read', 'https://graph.example.com/.default', '!', '~'],
    bad: ['a b', 'a"b', 'a\\b', 'é', 'a\n', '\u007f'],
    long: filled(''),
  },
  // environment variable
  '^[-._a-zA-Z][-._a-zA-Z0-9]*$': {
    good: ['A', '_', 'LOG_LEVEL', 'a.b-c', 'A1'],
    bad: ['1A', 'A B', 'A=', 'é', 'A\n'],
    long: filled(''),
  },
  // http or https URL
  '^https?:\\/\\/[^\\p{Z}\\p{Cc}/?#]+[^\\p{Z}\\p{Cc}#]*$': {
    good: [
      ...['https://mcp.example.com', 'http://localhost:8080/mcp', 'https://[::1]:9/a?b=c'],
      ...['https://a', 'https://bücher.example/'],
    ],
    bad: [
      ...['mcp.example.com', 'ftp://mcp.example.com', 'https://', 'https:///a', 'https://?a', 'https://a/#b'],
      ...[
        'https://a b',
        'https://a/\u00a0',
        'https://a/\u2003b',
        'https://a/\u000b',
        ' https://a',
        'https://a\n',
      ],
      ...['HTTPS://a', 'https://a/\ufeff '],
    ],
    long: filled('https://'),
  },
  // temperature
  '^[0-9]+([.][0-9]+)?$': {
    good: ['0', '0.2', '1', '10.25'],
    bad: ['-1', '.5', '1.', '1,5', '1e3', 'warm', '1\n'],
    long: (length) => `0.${'1'.repeat(length - 2)}`,
  },
  // duration
  '^([0-9]+(h|m|s|ms))+$': {
    good: ['30s', '5m', '1h30m', '250ms', '0s'],
    bad: ['30', 's', '1d', '-1s', '1.5h', '1 s', '30s\n'],
    long: (length) => `${'1'.repeat(length - 1)}s`,
  },
};
