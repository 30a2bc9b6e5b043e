import { expect, test } from 'vitest';
import { hkdf, hmac, openGcm } from './oracle.ts';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const inHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('HKDF-SHA-256 is that of RFC 5869, appendices A.1 and A.3', async () => {
  const key = Buffer.alloc(22, 0x0b);
  const withSalt = { salt: hex('000102030405060708090a0b0c'), info: hex('f0f1f2f3f4f5f6f7f8f9'), length: 42 };
  expect(inHex(await hkdf(key, withSalt))).toBe(
    '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
  );
  expect(inHex(await hkdf(key, { salt: hex(''), info: hex(''), length: 42 }))).toBe(
    '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
  );
});

test('HMAC-SHA-256 is that of RFC 4231, test case 2', async () => {
  expect(inHex(await hmac(Buffer.from('Jefe'), Buffer.from('what do ya want for nothing?')))).toBe(
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
});

test('AES-256-GCM is that of McGrew and Viega, test case 16', async () => {
  const key = hex('feffe9928665731c6d6a8f9467308308'.repeat(2));
  const cipherText =
    '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662';
  const tag = '76fc6ece0f4e1768cddf8853bb2d551b';
  const opened = await openGcm(key, {
    nonce: hex('cafebabefacedbaddecaf888'),
    associated: hex('feedfacedeadbeeffeedfacedeadbeefabaddad2'),
    box: hex(cipherText + tag),
  });
  expect(inHex(opened)).toBe(
    'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
  );
});
