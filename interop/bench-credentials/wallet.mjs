// A wallet with nothing but what the flows need, in node's own synchronous cryptography, so that the load generator costs little.
// It checks nothing that it is given: how well a wallet checks is not what is measured.
import { createCipheriv, createECDH, createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { SHOWN } from './dataset.mjs'

const b64url = (value) => Buffer.from(value).toString('base64url')
const json64 = (value) => b64url(JSON.stringify(value))
const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()
const now = () => Math.floor(Date.now() / 1000)

/** A holder's key: `{ publicJwk, privateKey }`. */
export function makeKey() {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' })
  return { publicJwk: { kty, crv, x, y }, privateKey }
}

function jws(header, payload, privateKey) {
  const input = `${json64(header)}.${json64(payload)}`
  return `${input}.${b64url(sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }))}`
}

/** The proof of possession of a credential request (OpenID4VCI 1.0, appendix F.1). */
export function proof(key, issuer, nonce) {
  const header = { alg: 'ES256', typ: 'openid4vci-proof+jwt', jwk: key.publicJwk }
  return jws(header, { aud: issuer, iat: now(), nonce }, key.privateKey)
}

/** A credential cut to what will be shown, made once: `{ shown, sdHash, key }`. */
export function cut(credential, key) {
  const [jwt, ...disclosures] = credential.split('~').filter(Boolean)
  const wanted = disclosures.filter((text) => SHOWN.includes(JSON.parse(Buffer.from(text, 'base64url')).at(-2)))
  const shown = `${[jwt, ...wanted].join('~')}~`
  return { shown, sdHash: b64url(sha256(shown)), key }
}

/** The answer to a request object: the encrypted response of `direct_post.jwt` (OpenID4VP 1.0, 8.3). */
export function answer(held, requestObject) {
  const asked = JSON.parse(Buffer.from(requestObject.split('.')[1], 'base64url'))
  const binding = { iat: now(), aud: asked.client_id, nonce: asked.nonce, sd_hash: held.sdHash }
  const presentation = held.shown + jws({ alg: 'ES256', typ: 'kb+jwt' }, binding, held.key.privateKey)
  const [recipient] = asked.client_metadata.jwks.keys
  const plain = JSON.stringify({ vp_token: { d: [presentation] }, state: asked.state })
  return { responseUri: asked.response_uri, response: encrypted(plain, recipient) }
}

/** ECDH-ES with A256GCM, compact (RFC 7518, 4.6). */
function encrypted(plain, recipient) {
  const ephemeral = createECDH('prime256v1')
  ephemeral.generateKeys()
  const point = ephemeral.getPublicKey()
  const epk = { kty: 'EC', crv: 'P-256', x: b64url(point.subarray(1, 33)), y: b64url(point.subarray(33)) }
  const peer = Buffer.concat([
    Buffer.of(4),
    Buffer.from(recipient.x, 'base64url'),
    Buffer.from(recipient.y, 'base64url'),
  ])
  const word = (value) => Buffer.from([0, 0, value >> 8, value & 255])
  const enc = 'A256GCM'
  const key = sha256(word(1), ephemeral.computeSecret(peer), word(enc.length), enc, word(0), word(0), word(256))
  const header = json64({ alg: 'ECDH-ES', enc, kid: recipient.kid, epk })
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, iv)
  cipher.setAAD(Buffer.from(header))
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()])
  return [header, '', b64url(iv), b64url(sealed), b64url(cipher.getAuthTag())].join('.')
}
