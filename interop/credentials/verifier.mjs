// A verifier that we did not write: OpenID4VP by @openid4vc/openid4vp, DCQL by dcql, SD-JWT VC and status by @sd-jwt/*, JOSE by
// jose, certificates by node.
import { Openid4vpVerifier, verifyJarmAuthorizationResponse } from '@openid4vc/openid4vp'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { DcqlPresentationResult, DcqlQuery } from 'dcql'
import * as jose from 'jose'
import { X509Certificate } from 'node:crypto'
import { b64url, callbacks, sha256 } from './callbacks.mjs'
import * as door from './doors.mjs'
import { makeLeaf } from './pki.mjs'

const SELF_ISSUED = 'https://self-issued.me/v2'
const REQUEST_TTL_S = 300
const KEY_BINDING_AGE_S = 300

const random = () => b64url(crypto.getRandomValues(new Uint8Array(32)))

export class Verifier {
  #sessions = new Map()

  /**
   * A verifier whose request signer is below `root`; it accepts credentials below `issuerRoot`. Its doors are open.
   * `statusListFetcher` gives the list of a URI; without one it is fetched each time.
   */
  static async start(root, issuerRoot, { statusListFetcher } = {}) {
    const verifier = new Verifier()
    verifier.statusListFetcher = statusListFetcher
    verifier.http = await door.open()
    verifier.key = await makeLeaf(root, 'Interop Request Signer', verifier.http.origin)
    verifier.clientId = clientId(verifier.key)
    verifier.issuerRoot = new X509Certificate(issuerRoot.pem)
    return verifier
  }

  /**
   * Asks for one credential and returns `{ id, link }`. `change` may spoil the request: `{ signer, objectClientId, linkClientId,
   * now }`, where a signer is `{ x5c, privateKey, publicJwk }`.
   */
  async ask(query, { change = {} } = {}) {
    const id = random()
    const responseUri = `${this.http.origin}/responses/${id}`
    const requestUri = `${this.http.origin}/requests/${id}`
    const encryption = await makeEncryptionKey()
    const signer = change.signer ?? this.key
    const keys = [signer, encryption]
    const library = new Openid4vpVerifier({ callbacks: callbacks(keys) })
    const made = await library.createOpenId4vpAuthorizationRequest({
      authorizationRequestPayload: {
        response_type: 'vp_token',
        response_mode: 'direct_post.jwt',
        client_id: change.objectClientId ?? this.clientId,
        response_uri: responseUri,
        nonce: random(),
        state: random(),
        dcql_query: { credentials: [{ id: 'd', format: 'dc+sd-jwt', ...query }] },
        client_metadata: {
          jwks: { keys: [encryption.publicJwk] },
          encrypted_response_enc_values_supported: ['A256GCM'],
          vp_formats_supported: { 'dc+sd-jwt': { 'sd-jwt_alg_values': ['ES256'], 'kb-jwt_alg_values': ['ES256'] } },
        },
      },
      jar: {
        jwtSigner: { method: 'x5c', alg: 'ES256', x5c: signer.x5c },
        requestUri,
        expiresInSeconds: REQUEST_TTL_S,
        additionalJwtPayload: { aud: SELF_ISSUED },
        now: change.now,
      },
    })
    const session = { library, keys, payload: made.authorizationRequestPayload, state: 'created' }
    this.#sessions.set(id, session)
    this.http.doors.set(`GET /requests/${id}`, () => {
      if (session.state === 'created') session.state = 'fetched'
      return door.text('application/oauth-authz-req+jwt', made.jar.authorizationRequestJwt)
    })
    this.http.doors.set(`POST /responses/${id}`, ({ body }) => this.#response(session, body))
    const link = new URL(made.authorizationRequest)
    if (change.linkClientId) link.searchParams.set('client_id', change.linkClientId)
    return { id, link: link.toString() }
  }

  /** `created`, `fetched`, `declined`, `verified` with `claims` and `keyBinding`, or `rejected` with `reason`. */
  result(id) {
    const { state, claims, keyBinding, reason } = this.#sessions.get(id)
    return { state, claims, keyBinding, reason }
  }

  close() {
    return this.http.close()
  }

  async #response(session, body) {
    if (session.state !== 'fetched') throw new Error('this request is not waiting for an answer')
    const { response } = Object.fromEntries(new URLSearchParams(body))
    try {
      const parsed = await answered(session, response)
      if (!parsed) {
        session.state = 'declined'
        return door.json({})
      }
      const [presentation] = parsed.dcql.presentations.d
      const { payload, kb } = await this.#verified(presentation, session.payload)
      satisfies(parsed.dcql.query, payload)
      Object.assign(session, { state: 'verified', claims: payload, keyBinding: kb.payload })
      return door.json({})
    } catch (error) {
      Object.assign(session, { state: 'rejected', reason: String(error) })
      throw error
    }
  }

  /** The claims of a presentation: path to the issuer's root, signature, dates, status, key binding of this very request. */
  #verified(presentation, request) {
    const { x5c } = jose.decodeProtectedHeader(presentation.split('~')[0])
    const signer = new X509Certificate(Buffer.from(x5c[0], 'base64'))
    if (!signer.checkIssued(this.issuerRoot) || !signer.verify(this.issuerRoot.publicKey)) {
      throw new Error('the issuer is not below the root')
    }
    const isSigned = (data, signature) =>
      jose.compactVerify(`${data}.${signature}`, signer.publicKey, { algorithms: ['ES256'] }).then(() => true)
    const instance = new SDJwtVcInstance({
      hasher: (data) => sha256(data),
      hashAlg: 'sha-256',
      verifier: isSigned,
      statusVerifier: isSigned,
      ...(this.statusListFetcher ? { statusListFetcher: this.statusListFetcher } : {}),
      // jose checks the signature by the key in `cnf`, typ, audience and age; @sd-jwt the nonce and sd_hash.
      kbVerifier: async (data, signature, { cnf }) => {
        await jose.jwtVerify(`${data}.${signature}`, await jose.importJWK(cnf.jwk, 'ES256'), {
          algorithms: ['ES256'],
          typ: 'kb+jwt',
          audience: request.client_id,
          maxTokenAge: KEY_BINDING_AGE_S,
        })
        return true
      },
    })
    return instance.verify(presentation, { keyBindingNonce: request.nonce })
  }
}

/** The client identifier of whoever signs with this leaf. */
export const clientId = (leaf) => `x509_hash:${b64url(sha256(leaf.der))}`

async function makeEncryptionKey() {
  const { publicKey, privateKey } = await jose.generateKeyPair('ECDH-ES', { crv: 'P-256', extractable: true })
  const publicJwk = { ...(await jose.exportJWK(publicKey)), use: 'enc', alg: 'ECDH-ES' }
  return { publicJwk: { ...publicJwk, kid: await jose.calculateJwkThumbprint(publicJwk) }, privateKey, decrypts: true }
}

/** What was answered; none when the holder declined, which the library reads as no answer at all. */
async function answered(session, response) {
  try {
    return await session.library.parseOpenid4vpAuthorizationResponse({
      authorizationResponse: { response },
      authorizationRequestPayload: session.payload,
      callbacks: callbacks(session.keys),
    })
  } catch (error) {
    if (await isDecline(session, response)) return undefined
    throw error
  }
}

async function isDecline(session, response) {
  const { jarmAuthorizationResponse } = await verifyJarmAuthorizationResponse({
    jarmAuthorizationResponseJwt: response,
    authorizationRequestPayload: session.payload,
    expectedClientId: session.payload.client_id,
    callbacks: callbacks(session.keys),
  })
  const { error, state } = jarmAuthorizationResponse
  return error === 'access_denied' && state === session.payload.state
}

/** Throws unless what was shown answers the query by dcql's own judgement. */
function satisfies(query, { vct, ...claims }) {
  const shown = { credential_format: 'dc+sd-jwt', vct, claims, cryptographic_holder_binding: true }
  const result = DcqlPresentationResult.fromDcqlPresentation({ d: [shown] }, { dcqlQuery: DcqlQuery.parse(query) })
  if (!result.can_be_satisfied) throw new Error('what was shown does not answer the query')
}
