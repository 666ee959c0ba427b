// What the @openid4vc libraries ask of their user: hashing, signing, encryption, X.509 names. Keys are WebCrypto's, by `jose`.
import { createHash, randomBytes, X509Certificate } from 'node:crypto'
import { clientAuthenticationAnonymous, setGlobalConfig } from '@openid4vc/oauth2'
import * as jose from 'jose'

// Our doors are plain http on loopback in development; the libraries refuse that unless told.
setGlobalConfig({ allowInsecureUrls: true })

/** `*.localhost` is loopback by RFC 6761, but glibc often does not resolve it. */
export const request = fetch

export const b64url = (bytes) => Buffer.from(bytes).toString('base64url')
export const sha256 = (data) => createHash('sha256').update(data).digest()

/** A fresh P-256 key that can sign: `{ publicJwk, publicKey, privateKey }`. */
export async function makeKey() {
  const { publicKey, privateKey } = await jose.generateKeyPair('ES256', { extractable: true })
  return { publicJwk: await jose.exportJWK(publicKey), publicKey, privateKey }
}

/** The callback context over a set of keys, found by RFC 7638 thumbprint. */
export function callbacks(keys, { fetch = request } = {}) {
  const byThumbprint = new Map()
  const ready = Promise.all(
    keys.map(async (key) => byThumbprint.set(await jose.calculateJwkThumbprint(key.publicJwk), key)),
  )
  return {
    fetch,
    hash: (data, algorithm) => createHash(algorithm.replace('-', '')).update(data).digest(),
    generateRandom: (length) => randomBytes(length),
    clientAuthentication: clientAuthenticationAnonymous(),
    signJwt: async (signer, { header, payload }) => {
      await ready
      const key =
        signer.method === 'jwk'
          ? byThumbprint.get(await jose.calculateJwkThumbprint(signer.publicJwk))
          : keys.find((candidate) => candidate.x5c && signer.method === 'x5c' && candidate.x5c[0] === signer.x5c[0])
      if (!key) throw new Error('no such key')
      const jwt = await new jose.SignJWT(payload).setProtectedHeader(header).sign(key.privateKey)
      return { jwt, signerJwk: key.publicJwk }
    },
    verifyJwt: async (signer, { compact }) => {
      try {
        const { key, jwk } = await verificationKey(signer)
        await jose.compactVerify(compact, key)
        return { verified: true, signerJwk: jwk }
      } catch {
        return { verified: false }
      }
    },
    encryptJwe: async (encryptor, data) => {
      const header = { alg: encryptor.alg, enc: encryptor.enc, kid: encryptor.publicJwk.kid, typ: 'JWE' }
      const jwe = new jose.CompactEncrypt(new TextEncoder().encode(data)).setProtectedHeader(header)
      if (encryptor.apu && encryptor.apv) {
        jwe.setKeyManagementParameters({
          apu: jose.base64url.decode(encryptor.apu),
          apv: jose.base64url.decode(encryptor.apv),
        })
      }
      return {
        jwe: await jwe.encrypt(await jose.importJWK(encryptor.publicJwk, encryptor.alg)),
        encryptionJwk: encryptor.publicJwk,
      }
    },
    decryptJwe: async (jwe) => {
      for (const key of keys.filter((candidate) => candidate.decrypts)) {
        try {
          const { plaintext } = await jose.compactDecrypt(jwe, key.privateKey)
          return { decrypted: true, decryptionJwk: key.publicJwk, payload: new TextDecoder().decode(plaintext) }
        } catch {
          // another key may fit
        }
      }
      return { decrypted: false }
    },
    getX509CertificateMetadata: (certificate) => {
      const names = new X509Certificate(Buffer.from(certificate, 'base64')).subjectAltName ?? ''
      const of = (kind) =>
        names
          .split(', ')
          .filter((name) => name.startsWith(`${kind}:`))
          .map((name) => name.slice(kind.length + 1))
      return { sanDnsNames: of('DNS'), sanUriNames: of('URI') }
    },
  }
}

async function verificationKey(signer) {
  if (signer.method === 'x5c') {
    const key = new X509Certificate(Buffer.from(signer.x5c[0], 'base64')).publicKey
    return { key, jwk: await jose.exportJWK(key) }
  }
  if (signer.method === 'jwk') return { key: await jose.importJWK(signer.publicJwk, signer.alg), jwk: signer.publicJwk }
  throw new Error(`no key by ${signer.method}`)
}
