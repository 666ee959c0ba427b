// An issuer that we did not write: OpenID4VCI by @openid4vc/openid4vci and oauth2, SD-JWT VC and status list by @sd-jwt/*.
import { Oauth2AuthorizationServer, Oauth2ResourceServer, preAuthorizedCodeGrantIdentifier } from '@openid4vc/oauth2'
import { Openid4vciIssuer, Openid4vciVersion } from '@openid4vc/openid4vci'
import { createHeaderAndPayload, StatusList } from '@sd-jwt/jwt-status-list'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import * as jose from 'jose'
import { b64url, callbacks, makeKey, sha256 } from './callbacks.mjs'
import * as door from './doors.mjs'
import { makeLeaf } from './pki.mjs'

const CONFIGURATION = 'diploma'
const LIST_ENTRIES = 1000
const DAY_S = 24 * 60 * 60
const FRAME = {
  _sd: ['given_name', 'family_name', 'degree', 'nationalities'],
  _sd_decoy: 2,
  degree: { _sd: ['type', 'year'] },
  nationalities: { _sd: [0, 1] },
}

const now = () => Math.floor(Date.now() / 1000)
const random = () => b64url(crypto.getRandomValues(new Uint8Array(32)))

export class Issuer {
  #offers = new Map()
  #nonces = new Set()
  #frame
  #list
  #nextIndex = 7

  /**
   * An issuer below `root`, its doors open. Its authorization server has an identifier of its own. `fetch` is what the libraries
   * fetch with.
   */
  static async start(root, { frame = FRAME, listEntries = LIST_ENTRIES, fetch } = {}) {
    const issuer = new Issuer()
    issuer.#frame = frame
    issuer.#list = new StatusList(Array.from({ length: listEntries }, () => 0), 1)
    issuer.#open(await door.open())
    issuer.key = await makeLeaf(root, 'Interop Diploma Signer', issuer.identifier)
    issuer.tokenKey = await makeKey()
    issuer.callbacks = callbacks([issuer.tokenKey], { fetch })
    issuer.vci = new Openid4vciIssuer({ callbacks: issuer.callbacks })
    issuer.oauth = new Oauth2AuthorizationServer({ callbacks: issuer.callbacks })
    issuer.#describe()
    return issuer
  }

  /**
   * Makes an offer and returns its link. `txCode` asks for a transaction code, `byReference` puts the offer behind an address;
   * `change` may spoil the credential: `{ holderJwk, vct, privateKey, claims }`.
   */
  async offer(claims, { txCode, byReference = false, change = {} } = {}) {
    const code = random()
    this.#offers.set(code, { claims, txCode, change })
    const credentialOfferUri = byReference ? `${this.identifier}/offers/${random()}` : undefined
    const made = await this.vci.createCredentialOffer({
      credentialConfigurationIds: [CONFIGURATION],
      grants: {
        [preAuthorizedCodeGrantIdentifier]: {
          'pre-authorized_code': code,
          ...(txCode ? { tx_code: { input_mode: 'numeric', length: txCode.length } } : {}),
        },
      },
      issuerMetadata: this.metadata,
      credentialOfferUri,
    })
    if (byReference) {
      const path = new URL(credentialOfferUri).pathname
      this.http.doors.set(`GET ${path}`, () => door.json(made.credentialOfferObject))
    }
    return made.credentialOffer
  }

  /** Takes every credential back that was issued so far. */
  revokeAll() {
    for (let index = 0; index < this.#nextIndex; index++) this.#list.setStatus(index, 1)
  }

  close() {
    return this.http.close()
  }

  #open(http) {
    this.http = http
    this.identifier = `${http.origin}/issuer`
    this.server = `${http.origin}/as`
    this.vct = `${this.identifier}/vct/diploma`
    this.listUri = `${this.identifier}/statuslists/1`
    const { doors } = http
    doors.set('GET /.well-known/openid-credential-issuer/issuer', () => door.json(this.metadata.credentialIssuer))
    doors.set('GET /.well-known/oauth-authorization-server/as', () => door.json(this.metadata.authorizationServers[0]))
    doors.set('GET /as/jwks', () => door.json({ keys: [{ ...this.tokenKey.publicJwk, use: 'sig' }] }))
    doors.set('POST /as/token', (call) => this.#token(call))
    doors.set('POST /issuer/nonce', () => this.#nonce())
    doors.set('POST /issuer/credential', (call) => this.#credential(call))
    doors.set('GET /issuer/statuslists/1', () => this.#statusList())
  }

  #describe() {
    const credentialIssuer = this.vci.createCredentialIssuerMetadata({
      credential_issuer: this.identifier,
      authorization_servers: [this.server],
      credential_endpoint: `${this.identifier}/credential`,
      nonce_endpoint: `${this.identifier}/nonce`,
      display: [{ name: 'Interop University', locale: 'en' }],
      credential_configurations_supported: {
        [CONFIGURATION]: {
          format: 'dc+sd-jwt',
          vct: this.vct,
          scope: CONFIGURATION,
          cryptographic_binding_methods_supported: ['jwk'],
          credential_signing_alg_values_supported: ['ES256'],
          proof_types_supported: { jwt: { proof_signing_alg_values_supported: ['ES256'] } },
          credential_metadata: {
            display: [{ name: 'Diploma', locale: 'en' }],
            claims: [{ path: ['degree', 'type'], display: [{ name: 'Degree', locale: 'en' }] }],
          },
        },
      },
    })
    const server = this.oauth.createAuthorizationServerMetadata({
      issuer: this.server,
      token_endpoint: `${this.server}/token`,
      jwks_uri: `${this.server}/jwks`,
      grant_types_supported: [preAuthorizedCodeGrantIdentifier],
      response_types_supported: [],
      'pre-authorized_grant_anonymous_access_supported': true,
    })
    this.metadata = {
      credentialIssuer,
      authorizationServers: [server],
      originalDraftVersion: Openid4vciVersion.V1,
      knownCredentialConfigurations: this.vci.getKnownCredentialConfigurationsSupported(credentialIssuer),
    }
  }

  async #token({ request, body }) {
    const { accessTokenRequest, grant } = this.oauth.parseAccessTokenRequest({
      accessTokenRequest: Object.fromEntries(new URLSearchParams(body)),
      request,
    })
    const code = grant.preAuthorizedCode
    const offer = this.#offers.get(code)
    await this.oauth.verifyPreAuthorizedCodeAccessTokenRequest({
      grant,
      accessTokenRequest,
      request,
      authorizationServerMetadata: this.metadata.authorizationServers[0],
      expectedPreAuthorizedCode: offer && !offer.redeemed ? code : undefined,
      expectedTxCode: offer?.txCode,
    })
    offer.redeemed = true
    return door.json(
      await this.oauth.createAccessTokenResponse({
        audience: this.identifier,
        authorizationServer: this.server,
        expiresInSeconds: 300,
        subject: code,
        clientId: 'anonymous',
        signer: { method: 'jwk', alg: 'ES256', publicJwk: this.tokenKey.publicJwk },
      }),
    )
  }

  #nonce() {
    const nonce = random()
    this.#nonces.add(nonce)
    return door.json(this.vci.createNonceResponse({ cNonce: nonce }))
  }

  async #credential({ request, body }) {
    const { tokenPayload } = await new Oauth2ResourceServer({ callbacks: this.callbacks }).verifyResourceRequest({
      authorizationServers: this.metadata.authorizationServers,
      resourceServer: this.identifier,
      allowedAuthenticationSchemes: ['Bearer'],
      request,
    })
    const parsed = this.vci.parseCredentialRequest({
      issuerMetadata: this.metadata,
      credentialRequest: JSON.parse(body),
    })
    const [proof] = parsed.proofs.jwt
    const { nonce } = jose.decodeJwt(proof)
    const { signer } = await this.vci.verifyCredentialRequestJwtProof({
      issuerMetadata: this.metadata,
      jwt: proof,
      expectedNonce: this.#nonces.delete(nonce) ? nonce : 'a nonce that was never made',
    })
    const credential = await this.#issue(this.#offers.get(tokenPayload.sub), signer.publicJwk)
    return door.json(
      this.vci.createCredentialResponse({ credentialRequest: parsed, credentials: [{ credential }] }),
    )
  }

  #issue({ claims, change }, holderJwk) {
    const privateKey = change.privateKey ?? this.key.privateKey
    const instance = new SDJwtVcInstance({
      hasher: (data) => sha256(data),
      hashAlg: 'sha-256',
      saltGenerator: () => b64url(crypto.getRandomValues(new Uint8Array(16))),
      signAlg: 'ES256',
      signer: async (data) =>
        b64url(await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, privateKey, Buffer.from(data))),
    })
    const payload = {
      iss: this.identifier,
      vct: change.vct ?? this.vct,
      iat: now(),
      exp: now() + 7 * DAY_S,
      cnf: { jwk: change.holderJwk ?? holderJwk },
      status: { status_list: { uri: this.listUri, idx: this.#nextIndex++ } },
      ...claims,
      ...change.claims,
    }
    return instance.issue(payload, this.#frame, { header: { x5c: this.key.x5c } })
  }

  async #statusList() {
    const { header, payload } = createHeaderAndPayload(
      this.#list,
      { iss: this.identifier, sub: this.listUri, iat: now(), exp: now() + DAY_S, ttl: 60 },
      { alg: 'ES256', typ: 'statuslist+jwt', x5c: this.key.x5c },
    )
    const jwt = await new jose.SignJWT(payload).setProtectedHeader(header).sign(this.key.privateKey)
    return door.text('application/statuslist+jwt', jwt)
  }
}
