// A wallet of Seal/1 for the load generator: it enrols, claims and answers, and computes every byte anew as a wallet has to.
import crypto from 'node:crypto'
import { jsonBody } from '../bench-credentials/http.mjs'

const b64u = (bytes) => Buffer.from(bytes).toString('base64url')
const raw = (text) => Buffer.from(text, 'base64url')
const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), crypto.createHash('sha256')).digest()
const hmac = (key, bytes) => crypto.createHmac('sha256', key).update(bytes).digest()
const point = (jwk) => Buffer.concat([Buffer.from([4]), raw(jwk.x), raw(jwk.y)])

/** `ASCII(label) ‖ 00 ‖ u32be(len) ‖ part …` */
function frame(label, ...parts) {
  const sized = parts.map((part) => {
    const size = Buffer.alloc(4)
    size.writeUInt32BE(part.length)
    return Buffer.concat([size, part])
  })
  return Buffer.concat([Buffer.from(`${label}\0`), ...sized])
}

/** RFC 8785 for objects, arrays, strings and integers. */
function jcs(value) {
  if (Array.isArray(value)) return `[${value.map(jcs).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${jcs(value[name])}`).join(',')}}`
}

const dec6 = (bytes) => (bytes.readBigUInt64BE() % 1_000_000n).toString().padStart(6, '0')

export class Wallet {
  #dk = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' })
  #d = crypto.createECDH('prime256v1')

  /** Enrols by `seal`, a document seal in base64url, or without a document where that is allowed. */
  static async enrol(caller, tenant, seal) {
    const wallet = new Wallet()
    Object.assign(wallet, { caller, tenant, seal })
    wallet.jwk = wallet.#dk.publicKey.export({ format: 'jwk' })
    const [dk, d] = [point(wallet.jwk), wallet.#d.generateKeys()]
    const { body: metadata } = await caller.json('GET', `${tenant}/seal/metadata`)
    wallet.s = point(metadata.agreement.jwk)
    const { body: begun } = await caller.json('POST', `${tenant}/seal/enrolments`, jsonBody({ wallet: 'bench 1' }))
    const challenge = raw(begun.challenge)
    const prk = hmac(challenge, wallet.#d.computeSecret(wallet.s))
    const key = hmac(prk, Buffer.concat([frame('seal/1 enrol', sha256(dk)), Buffer.from([1])]))
    const form = {
      dk: b64u(dk),
      d: b64u(d),
      attestation: { format: 'none' },
      anchor: seal ? { kind: 'vds', data: seal } : { kind: 'none' },
      d_proof: b64u(hmac(key, challenge)),
    }
    const content = await wallet.#send('PUT', `${tenant}/seal/enrolments/${begun.enrolment}`, form)
    wallet.binding = content.binding
    return wallet
  }

  /** Claims a session: what it is asked, and the keys of the session. */
  async claim(uri) {
    const sid = uri.split('/').pop()
    const content = await this.#send('POST', `${this.tenant}/seal/sessions/${sid}/claim`, {})
    const [e, dk, d] = [raw(content.E), point(this.jwk), this.#d.getPublicKey()]
    const t0 = sha256(frame('seal/1 ctx', Buffer.from(jcs(content.ctx)), e, raw(sid)))
    const prk = hmac(t0, Buffer.concat([this.#d.computeSecret(this.s), this.#d.computeSecret(e)]))
    const kc = sha256(frame('seal/1 keys', this.s, e, d, dk))
    const expand = (label, length) =>
      hmac(prk, Buffer.concat([frame(label, kc), Buffer.from([1])])).subarray(0, length)
    return { sid, t0, expand, scopes: content.ctx.scopes, service: dec6(expand('seal/1 svc-otp', 8)) }
  }

  /** Approves everything that is asked, after it has seen the code of the page. */
  async approve(claim, code) {
    if (code !== claim.service) throw new Error('the page shows another code')
    const doc = this.seal ? this.#sealed(claim) : Buffer.alloc(0)
    const answer = {
      v: 'seal/1',
      sid: claim.sid,
      t0: b64u(claim.t0),
      binding: this.binding,
      decision: 'approve',
      reason: '',
      granted: claim.scopes,
      denied: [],
      consent_text: b64u(sha256('text')),
      face: { verdict: 'none', pad: 'none', bucket: 0, model_id: '' },
      usr_otp: dec6(claim.expand('seal/1 usr-otp', 8)),
      doc: doc.length > 0 ? b64u(sha256(doc)) : '',
      iat: Math.floor(Date.now() / 1000),
    }
    const r = Buffer.from(jcs(answer))
    const tag = hmac(claim.expand('seal/1 resp-mac', 32), r)
    const sig = this.#sign(frame('seal/1 resp', claim.t0, sha256(r), tag))
    const body = { r: b64u(r), tag: b64u(tag), sig: b64u(sig), doc: b64u(doc) }
    const { outcome, reason } = await this.#send('POST', `${this.tenant}/seal/sessions/${claim.sid}/response`, body)
    if (outcome !== 'approved') throw new Error(`not approved: ${outcome} ${reason}`)
  }

  #sealed({ expand, t0 }) {
    const cipher = crypto.createCipheriv('aes-256-gcm', expand('seal/1 doc-aead', 32), Buffer.alloc(12))
    cipher.setAAD(t0)
    const sealed = Buffer.concat([cipher.update(jcs({ kind: 'vds', data: this.seal })), cipher.final()])
    return Buffer.concat([sealed, cipher.getAuthTag()])
  }

  #sign(bytes) {
    return crypto.sign('sha256', bytes, { key: this.#dk.privateKey, dsaEncoding: 'ieee-p1363' })
  }

  /** A request with its proof; the content of the signed reply. */
  async #send(method, url, body) {
    const text = JSON.stringify(body)
    const { kty, crv, x, y } = this.jwk
    const whose = this.binding ? { kid: this.binding } : { jwk: { kty, crv, x, y } }
    const header = { alg: 'ES256', typ: 'seal-proof+jwt', ...whose }
    const claims = {
      htm: method,
      htu: url,
      iat: Math.floor(Date.now() / 1000),
      jti: crypto.randomUUID(),
      bh: b64u(sha256(text)),
    }
    const input = `${b64u(JSON.stringify(header))}.${b64u(JSON.stringify(claims))}`
    const headers = { 'content-type': 'application/json', 'seal-proof': `${input}.${b64u(this.#sign(input))}` }
    const answer = await this.caller.call(method, url, { headers, body: text })
    if (answer.status >= 300) throw new Error(`${method} ${new URL(url).pathname}: ${answer.status} ${answer.text}`)
    return JSON.parse(raw(answer.text.split('.')[1]))
  }
}
